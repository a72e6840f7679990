"""Twenty fields, six methods, streamed or not: each cell proved by its effect, or refused by name for the reason that the page gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from outthink.engines.openai import Openai, connect
from outthink.engines.scripted import ScriptedEngine
from outthink.serve import Configuration, Gateway
from outthink.store import Store
from outthink.testing.openai_server import OpenAIServer
from tests.serve.gateways import FULL, inside
from tests.serve.matrix import METHODS, PROOFS, REFUSED, Cell, script

pytestmark = pytest.mark.asyncio(loop_scope="module")
CONFIGURATION = Configuration(recipes={name: table for name, table in METHODS.items() if table}, models={"m": {}})
NEED_TOOLS = ("tools", "tool_choice")
NEED_STORE = ("user", "metadata")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cells(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[str, str, bool], Cell]]:
    """Makes cells: of a model in this process; where tools are wanted, of the same script behind a server that has them."""
    engine = ScriptedEngine(script)
    folder: Path = tmp_path_factory.mktemp("matrix")
    async with AsyncExitStack() as stack:
        store = stack.enter_context(Store.open(folder / "runs.sqlite"))
        server = await stack.enter_async_context(OpenAIServer(script))
        far = await connect(Openai(base_url=server.base_url, model=server.model, probe="never", assume=FULL))
        stack.push_async_callback(far.close)
        plain = await stack.enter_async_context(inside(Gateway(CONFIGURATION, live={"m": engine})))
        stored = await stack.enter_async_context(inside(Gateway(CONFIGURATION, live={"m": engine}, store=store)))
        tooled = await stack.enter_async_context(inside(Gateway(CONFIGURATION, live={"m": far})))

        def make(field: str, method: str, stream: bool) -> Cell:
            client = tooled if field in NEED_TOOLS else stored if field in NEED_STORE else plain
            return Cell(client, store, engine, method, stream)

        yield make


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("field", PROOFS)
async def test_a_cell(cells: Callable[[str, str, bool], Cell], field: str, method: str, stream: bool) -> None:
    cell = cells(field, method, stream)
    if (field, method, stream) not in REFUSED:
        await PROOFS[field](cell)
        return
    said = await cell.ask("phrase", **{field: {"include_usage": True}})
    assert said.status == 400
    assert said.raw["error"]["param"] == REFUSED[field, method, stream]


async def test_the_matrix_is_whole() -> None:
    assert len(PROOFS) * len(METHODS) * 2 == 240
    assert len(REFUSED) <= 10
