"""Which addresses are this machine alone."""

from __future__ import annotations

import ipaddress

LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


def local_names() -> frozenset[str]:
    """Names by which a client on this machine calls a server on loopback."""
    return LOCAL


def is_loopback(host: str) -> bool:
    """Whether a server that listens there can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
