"""Data sets of Hugging Face, over the hub's HTTP interface: resolved to a commit, fetched as Parquet, kept on disk.

    fetched = fetch("openai/gsm8k", "main", "test")
    fetched.files, fetched.origin["revision"]         # what the record keeps: give it as `revision` to read the same again

Without a revision the hub is asked for the newest commit of its Parquet branch; with the full name of a commit that is on disk, nothing is
asked at all. `HF_ENDPOINT` names another hub, `HF_TOKEN` opens data sets that need one; both are the hub's own conventions. What cannot be
reached is an error that names the revisions at hand: an older one is never taken in silence.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

import msgspec

from outthink.core.errors import InputError, explain
from outthink.engines.openai.surroundings import trusted

HUB = "https://huggingface.co"
PARQUET_BRANCH = "refs/convert/parquet"
IDLE_SECONDS = 30.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAFE = re.compile(r"[\w.-]+(?:/[\w.-]+)*")


@dataclass(frozen=True)
class Fetched:
    """Files to read, and where they are from, for the record."""

    files: tuple[Path, ...]
    origin: Mapping[str, str]


def cache_folder() -> Path:
    """Where data sets are kept; in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outthink" / "datasets"


def fetch(name: str, config: str, split: str, revision: str = "") -> Fetched:
    """The Parquet files of one split, from disk or from the hub. Raises `InputError` where they cannot be had."""
    home = cache_folder() / name.replace("/", "--")
    origin = {"dataset": name, "config": config, "split": split}
    if _COMMIT.fullmatch(revision):
        kept = _kept(home / revision, config, split)
        if kept:
            return Fetched(kept, {**origin, "revision": revision})
    hub = _Hub((os.environ.get("HF_ENDPOINT") or HUB).rstrip("/"))
    try:
        commit, listed = _resolve(hub, name, revision or PARQUET_BRANCH)
        wanted = files_of(listed, config, split)
        if not wanted:
            raise _no_such_part(name, config, split, listed)
        folder = home / commit
        for file in wanted:
            _download(hub, name, commit, file, folder / file)
    except (OSError, HTTPException) as error:
        raise _unreachable(name, hub.address, error, home) from None
    folder.joinpath(f"{_mark(config, split)}.complete").write_text("\n".join(wanted), encoding="utf-8")
    return Fetched(tuple(folder / file for file in wanted), {**origin, "revision": commit})


def files_of(listed: list[str], config: str, split: str) -> list[str]:
    """The Parquet files of a split among all files of a revision, as the hub's converter or a data set's author lays them out."""
    beginnings = (f"{config}/{split}/", f"{config}/partial-{split}/", f"{config}/{split}-", f"data/{split}-")
    for beginning in beginnings:
        found = sorted(file for file in listed if file.startswith(beginning) and file.endswith(".parquet"))
        if found:
            return found
    return []


class _WithinTheHub(HTTPRedirectHandler):
    """Follows redirects; the token goes to no other address."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        again = super().redirect_request(req, fp, code, msg, headers, newurl)
        if again is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            again.remove_header("Authorization")
        return again


class _Hub:
    """A hub at an address, asked with the token of the environment."""

    def __init__(self, address: str) -> None:
        self.address = address
        token = os.environ.get("HF_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._opener: OpenerDirector = build_opener(_WithinTheHub, HTTPSHandler(context=trusted()))

    def get(self, path: str) -> HTTPResponse:
        """The reply, redirects followed. Raises `OSError` (`HTTPError` for an error status)."""
        reply: HTTPResponse = self._opener.open(
            Request(self.address + path, headers=self._headers), timeout=IDLE_SECONDS
        )
        return reply


def _resolve(hub: _Hub, name: str, revision: str) -> tuple[str, list[str]]:
    """The commit that a revision means, and the names of its files."""
    try:
        with hub.get(f"/api/datasets/{name}/revision/{quote(revision, safe='')}") as reply:
            body = reply.read()
    except HTTPError as error:
        if error.code not in (401, 403, 404):
            raise
        raise InputError(
            explain(
                f"The hub has no data set {name!r} at this revision that may be read.",
                got=f"status {error.code} for {revision}",
                expected="a public data set, or one that HF_TOKEN opens",
                remedy="Check the name and the revision; or give a local path.",
            )
        ) from None
    try:
        found: Any = msgspec.json.decode(body)
        commit, listed = found["sha"], [one["rfilename"] for one in found["siblings"]]
    except (ValueError, KeyError, TypeError):
        commit, listed = "", []
    # Names become paths on this disk.
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit) or not all(isinstance(one, str) for one in listed):
        raise InputError(
            explain(
                "The hub's reply cannot be read.",
                got=body[:120].decode("utf-8", "replace"),
                expected="a commit and its files",
                remedy="Check HF_ENDPOINT.",
            )
        )
    return commit, [one for one in listed if _SAFE.fullmatch(one) and ".." not in one]


def _download(hub: _Hub, name: str, commit: str, file: str, to: Path) -> None:
    if to.exists():
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.{os.getpid()}.part")
    try:
        with hub.get(f"/datasets/{name}/resolve/{commit}/{quote(file)}") as reply, part.open("wb") as opened:
            shutil.copyfileobj(reply, opened)
            if reply.length:
                # Reading in parts, the library takes an early end for the end.
                raise ConnectionError(f"{reply.length} bytes of {file} are missing")
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _mark(config: str, split: str) -> str:
    return f"{config}--{split}"


def _kept(folder: Path, config: str, split: str) -> tuple[Path, ...]:
    mark = folder / f"{_mark(config, split)}.complete"
    if not mark.is_file():
        return ()
    return tuple(folder / file for file in mark.read_text(encoding="utf-8").split("\n"))


def _no_such_part(name: str, config: str, split: str, listed: list[str]) -> InputError:
    parts = sorted({file.rpartition("/")[0] or file for file in listed if file.endswith(".parquet")})
    return InputError(
        explain(
            f"The data set {name!r} has no such part.",
            got=f"config {config!r}, split {split!r}",
            expected=", ".join(parts[:20]) or "Parquet files, and it has none",
            remedy="Set config and split; or download the file and give its path.",
        )
    )


def _unreachable(name: str, hub: str, error: OSError | HTTPException, home: Path) -> InputError:
    kept = sorted(one.name for one in home.iterdir() if _COMMIT.fullmatch(one.name)) if home.is_dir() else []
    at_hand = f"revision = {kept[0]!r} is on this disk, give it; or " if kept else "Give "
    return InputError(
        explain(
            f"The data set {name!r} could not be fetched from {urlsplit(hub).hostname}: {str(error) or type(error).__name__}.",
            got=type(error).__name__,
            expected="the hub within reach",
            remedy=f"{at_hand}the path of a file, or HF_ENDPOINT for another hub."
            if not kept
            else f"{at_hand}give the path of a file.",
        )
    )
