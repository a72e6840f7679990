"""The laboratory model in torch: a Llama of a few small layers, for training. The embedded engine runs the file that comes of it.

Llama: root-mean-square norms before each part, rotary positions, SwiGLU, no biases; here with as many key-value heads as heads.
Rotation pairs neighbouring dimensions, as GGUF files of this architecture have it. Source: Touvron et al. 2023 (arXiv 2302.13971).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from outthink.laboratory.vocabulary import SIZE
from outthink.train.laboratory.settings import Shape

EPSILON = 1e-5
BASE = 10000.0
"""Of the rotary positions."""


class Attention(nn.Module):  # type: ignore[misc]
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.width // shape.head
        self.query = nn.Linear(shape.width, shape.width, bias=False)
        self.key = nn.Linear(shape.width, shape.width, bias=False)
        self.value = nn.Linear(shape.width, shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """x: [n, t, width]; turns: cosines and sines, [2, t, head / 2]."""
        n, t, width = x.shape
        query, key, value = (
            part(x).view(n, t, self.heads, -1).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(
            rotated(query, turns), rotated(key, turns), value, is_causal=True
        )
        return self.out(mixed.transpose(1, 2).reshape(n, t, width))


class Layer(nn.Module):  # type: ignore[misc]
    """Attention and feed-forward part, each added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, eps=EPSILON)
        self.attention = Attention(shape)
        self.inner_norm = nn.RMSNorm(shape.width, eps=EPSILON)
        self.gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.up = nn.Linear(shape.width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """x: [n, t, width]."""
        x = x + self.attention(self.attention_norm(x), turns)
        y = self.inner_norm(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class Network(nn.Module):  # type: ignore[misc]
    """Tokens [n, t] to logits [n, t, 256]."""

    def __init__(self, shape: Shape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(SIZE, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=EPSILON)
        self.head = nn.Linear(shape.width, SIZE, bias=False)
        self.register_buffer("turns", _turns(shape), persistent=False)
        for name, weights in self.named_parameters():
            if weights.dim() == 2:
                # Parts that write into the stream begin smaller, the more of them there are.
                inward = name.endswith(("out.weight", "down.weight"))
                spread = 0.02 if "embedding" in name else weights.shape[1] ** -0.5
                nn.init.normal_(
                    weights, std=spread * ((2 * shape.layers) ** -0.5 if inward else 1.0), generator=generator
                )

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        turns = self.turns[:, : tokens.shape[1]].to(x.dtype)
        for layer in self.layers:
            x = layer(x, turns)
        return self.head(self.norm(x))


def rotated(x: Tensor, turns: Tensor) -> Tensor:
    """Each pair of neighbouring dimensions turned by its position's angle. x: [n, heads, t, head]."""
    cosine, sine = turns[0], turns[1]
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2)


def _turns(shape: Shape) -> Tensor:
    speeds = BASE ** (-torch.arange(0, shape.head, 2) / shape.head)
    angles = torch.arange(shape.context)[:, None] * speeds
    return torch.stack((angles.cos(), angles.sin()))
