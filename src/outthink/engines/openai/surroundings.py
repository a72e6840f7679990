"""What the environment says of the network: whose certificates are trusted, and which proxy leads out.

`SSL_CERT_FILE` and `SSL_CERT_DIR` name certificates in place of certifi's. `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are for
the world outside, never for this machine.
"""

from __future__ import annotations

import os
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from outthink.core.errors import EngineError, explain

_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def trusted() -> ssl.SSLContext:
    """A context that checks certificates. Reading them takes a tenth of a second."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = ssl.create_default_context(cafile=file or (None if folder else certifi.where()), capath=folder or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


def proxy_for(url: str) -> str:
    """The proxy for an address; "" for none. Raises `EngineError` for one of a kind that cannot be used."""
    split = urlsplit(url)
    host = str(split.hostname)
    proxies = getproxies()
    proxy = proxies.get(split.scheme) or proxies.get("all") or ""
    if not proxy or host in _HERE or proxy_bypass(host):
        return ""
    kind, found, _ = proxy.partition("://")
    if not found:
        return f"http://{proxy}"
    if kind.lower() in ("http", "https"):
        return proxy
    raise EngineError(
        explain(
            f"The environment names a proxy for {host} that cannot be used.",
            got=f"one that speaks {kind!r}",
            expected="http:// or https://",
            remedy=f"Name another in {split.scheme.upper()}_PROXY, or except this host with NO_PROXY.",
        )
    )
