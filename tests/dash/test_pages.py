"""Pages as a client gets them: what is there, what is refused, and that nothing that a model or a user wrote is ever markup."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import numpy as np
from starlette.applications import Starlette

from outthink.core import Candidate
from outthink.core.task import Feature
from outthink.dash import EngineFacts, KeyFacts, Quota, Readers, application, mount
from outthink.dash.differences import difference
from outthink.dash.statics import statics
from outthink.search import BestOfN, ParticleFilter, Vote
from outthink.store import Store
from outthink.testing import FunctionOfContent, TokenChain
from outthink.testing.token_chain import Strings
from tests.dash.solved import WildChain, share_of_a, solved, wild

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")


class Elements(HTMLParser):
    """Every element of a page with its attributes, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


class Images(TokenChain):
    """Strings whose contents are pictures."""

    async def view(self, states: Strings, wants: frozenset[Feature]) -> list[Candidate]:
        seen = await super().view(states, wants)
        return [Candidate(content=PIXEL, kind="image", final=one.final) for one in seen]


class Canvases(TokenChain):
    """Strings whose contents are images, as arrays: 1 channel, 4 high, 6 wide."""

    async def view(self, states: Strings, wants: frozenset[Feature]) -> list[Candidate]:
        seen = await super().view(states, wants)
        return [Candidate(content=np.zeros((1, 4, 6)), kind="image", final=one.final) for one in seen]


def asking(store: Store, readers: Readers | None = None, host: str = "127.0.0.1") -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=application(store, readers)), base_url=f"http://{host}:8712"
    )


def assert_only_ours(page: str) -> None:
    """No element or attribute that could run or load anything but the dashboard's own files."""
    for tag, attributes in Elements(page).found:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", (tag, value)
            if name in ("src", "href", "action"):
                assert value is not None
                assert value.startswith(("/ui/", "#")), (tag, value)
        if tag == "script":
            assert set(attributes) == {"type", "src"}
        assert tag not in ("iframe", "object", "embed", "base", "style")


async def test_a_stored_script_is_text_on_every_page(store: Store) -> None:
    name = await solved(
        store,
        Vote(n=3),
        process=WildChain("abc", length=2),
        question=wild("question"),
        data={wild("data"): wild("value")},
        engine=wild("engine"),
        recipe={"algorithm": {wild("recipe"): wild("setting")}},
        digest="d" * 32,
    )
    run = store.run(name)
    assert run.result is not None
    bench = Path(store.name.removeprefix("sqlite:///")).parent / "<script>bench"
    bench.mkdir()
    row = '{"method":"<script>hit</script>","size":1,"right":true,"task":"<img src=x onerror=hit>"}\n'
    (bench / "outcomes.jsonl").write_text(row)
    readers = Readers(
        engines=lambda: [EngineFacts(name=wild("open"), state=wild("state"), about={wild("term"): wild("fact")})],
        keys=lambda: [KeyFacts(id="k", name=wild("key"), created=0.0, quotas=(Quota(name=wild("quota"), used=1.0),))],
        benches=(bench,),
    )
    async with asking(store, readers) as client:
        for path in (
            "",
            "?words=%3Cscript%3E&method=%3Cscript%3E&engine=%22%3E%3Cscript%3E",
            f"runs/{name}",
            f"runs/{name}/compare",
            "engines",
            "keys",
            "benches",
            "benches/%3Cscript%3Ebench",
        ):
            reply = await client.get(f"/ui/{path}")
            assert reply.status_code == 200, path
            assert "<script>window" not in reply.text
            assert_only_ours(reply.text)
        state = (await client.get(f"/ui/runs/{name}/state")).json()
        assert any("<script>" in mark.get("text", "") for mark in state["drawing"]["marks"]), (
            "it reached the browser, as text"
        )
        node = run.result.candidates[0].id
        member = await client.get(f"/ui/runs/{name}/members/{node}")
        assert member.headers["content-type"] == "application/json"
        assert wild("value") in member.json()["features"].values() or "<script>" in member.json()["text"]


async def test_every_reply_forbids_what_is_foreign(store: Store) -> None:
    name = await solved(store, Vote(n=2))
    async with asking(store) as client:
        for path in ("", f"runs/{name}", f"runs/{name}/state", "nothing", "static/base.css", "live-not"):
            headers = (await client.get(f"/ui/{path}")).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


NOWHERE = (
    "runs/..%2f..%2fetc%2fpasswd",
    "runs/%2e%2e",
    "runs/nobody",
    "runs/A",
    "runs/x'%20OR%201=1",
    "runs/" + "a" * 65,
    "runs/%00",
    "runs/LAST/state",
    "runs/last/members/-1",
    "runs/last/members/1e3",
    "runs/last/members/99999999999999999999",
    "runs/last/members/%D9%A3",
    "runs/last/pictures/0.png",
    "runs/last/pictures/..%2f..%2fx.png",
    "runs/last/compare?node=12345",
    "runs/last/compare?node=x",
    "runs/last/what-if?rule=__class__",
    "static/..%2fpage.py",
    "static/%2e%2e/page.py",
    "static/../page.py",
    "static/",
    "benches/%2e%2e%2f%2e%2e%2fetc",
    "../../etc/passwd",
)


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    await solved(store, Vote(n=2))
    async with asking(store) as client:
        for path in NOWHERE:
            reply = await client.get(f"/ui/{path}")
            assert reply.status_code == 404, path
            assert "root:" not in reply.text
            assert "Traceback" not in reply.text


async def test_only_this_machines_names_are_answered(store: Store) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        async with asking(store, host=host) as client:
            assert (await client.get("/ui/")).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        async with asking(store, host=host) as client:
            assert (await client.get("/ui/")).status_code == 403
            assert (await client.get("/")).status_code == 403


async def test_inside_another_application_whoever_mounts_it_decides(store: Store) -> None:
    name = await solved(store, Vote(n=2))
    inner = Starlette(routes=[mount(store, "/admin/ui")])
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=inner), base_url="http://gateway.example"
    ) as client:
        page = await client.get("/admin/ui/")
        assert page.status_code == 200
        assert f'href="/admin/ui/runs/{name}"' in page.text
        assert (await client.get("/admin/ui/static/base.css")).status_code == 200


async def test_nothing_can_be_written(store: Store) -> None:
    name = await solved(store, Vote(n=2))
    async with asking(store) as client:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for path in ("", f"runs/{name}", "keys", "static/base.css"):
                assert (await client.request(method, f"/ui/{path}")).status_code == 405


async def test_a_beginning_of_a_name_leads_to_the_run(store: Store) -> None:
    name = await solved(store, Vote(n=2))
    async with asking(store) as client:
        for short in ("last", name[:-3]):
            reply = await client.get(f"/ui/runs/{short}")
            assert reply.headers["location"] == f"/ui/runs/{name}"
        assert (await client.get("/")).headers["location"] == "/ui/"


async def test_a_run_page_says_what_is_known_without_scripts(store: Store) -> None:
    name = await solved(store, BestOfN(n=4), verifier=share_of_a(), question="Which <b>letters</b>?")
    run = store.run(name)
    assert run.result is not None
    async with asking(store) as client:
        page = (await client.get(f"/ui/runs/{name}")).text
    assert "Which &lt;b&gt;letters&lt;/b&gt;?" in page
    assert f">{run.result.answer}<" in page
    assert "the best score" in page
    for one in run.result.candidates:
        assert f'value="{one.id}"' in page


async def test_candidates_side_by_side(store: Store) -> None:
    name = await solved(store, ParticleFilter(n=6, ess_threshold=1.0), verifier=share_of_a(), seed=3)
    run = store.run(name)
    assert run.result is not None
    by_text = {one.content: one.id for one in run.result.candidates}
    first, second = list(by_text.values())[:2]
    async with asking(store) as client:
        page = (await client.get(f"/ui/runs/{name}/compare", params={"node": [first, second]})).text
        assert f"Member {first}" in page
        assert "<mark>" in page
        same = (await client.get(f"/ui/runs/{name}/compare", params={"node": [first, first]})).text
    assert f"Member {first}" in same


def test_differences_make_up_both_texts() -> None:
    left, right = "15 + 4 = 19\n22 - 19 = 3", "15 + 4 = 19\n22 - 21 = 1, so"
    found = difference(left, right)
    assert "".join(part.text for part in found.left) == left
    assert "".join(part.text for part in found.right) == right
    assert [part.text for part in found.left if part.own] == ["19", "3"]
    assert [part.text for part in found.right if part.own] == ["21", "1, so"]
    assert difference("x", "x").alike == 1.0
    long = "word " * 5000
    assert "".join(part.text for part in difference(long, long + "end").left) == long


async def test_the_list_shows_the_image_that_a_run_answered_with(store: Store) -> None:
    name = await solved(
        store, BestOfN(n=2), process=Canvases("ab", length=2), verifier=FunctionOfContent(lambda _: 0.5)
    )
    plain = await solved(store, BestOfN(n=2), process=Images("ab", length=2), verifier=FunctionOfContent(lambda _: 0.5))
    lines = {line.id: line for line in store.runs()}
    assert lines[name].answer == "image, 4 × 6"
    async with asking(store) as client:
        page = (await client.get("/ui/")).text
        (picture,) = [a["src"] for tag, a in Elements(page).found if tag == "img"]
        assert picture == f"/ui/runs/{name}/pictures/answer.png"
        assert_only_ours(page)
        # What the store holds of this one is its numbers; of the other it holds the picture of the very member that won.
        assert (await client.get(picture)).status_code == 404
        shown = await client.get(f"/ui/runs/{plain}/pictures/answer.png")
    assert (shown.headers["content-type"], shown.content) == ("image/png", PIXEL)
    assert "Tensor" not in page
    assert "ndarray" not in page


async def test_pictures_come_as_pictures(store: Store) -> None:
    name = await solved(
        store, BestOfN(n=2), process=Images("ab", length=2), verifier=FunctionOfContent(lambda png: 0.5)
    )
    run = store.run(name)
    assert run.result is not None
    node = run.result.candidates[0].id
    async with asking(store) as client:
        reply = await client.get(f"/ui/runs/{name}/pictures/{node}.png")
        assert (reply.headers["content-type"], reply.content) == ("image/png", PIXEL)
        page = (await client.get(f"/ui/runs/{name}")).text
        state = (await client.get(f"/ui/runs/{name}/state")).json()
    assert f"pictures/{node}.png" in page
    assert state["drawing"]["kind"] == "images"
    assert all(mark["picture"] for mark in state["drawing"]["marks"])


async def test_empty_places_say_what_to_do(store: Store) -> None:
    async with asking(store) as client:
        assert "No runs yet" in (await client.get("/ui/")).text
        assert "No benchmark here" in (await client.get("/ui/benches")).text
        assert "No engine yet" in (await client.get("/ui/engines")).text
        assert "Keys belong to a gateway" in (await client.get("/ui/keys")).text
        await solved(store, Vote(n=2))
        assert "No run matches" in (await client.get("/ui/?words=zebra")).text
    async with asking(store, Readers(keys=list)) as client:
        assert "No keys yet" in (await client.get("/ui/keys")).text


async def test_quotas_and_engines_of_a_gateway(store: Store) -> None:
    readers = Readers(
        engines=lambda: [EngineFacts(name="local", state="ready", about={"model": "SmolLM2"})],
        keys=lambda: [
            KeyFacts(
                id="k1",
                name="Ada",
                created=1.0,
                admin=True,
                quotas=(Quota(name="tokens a minute", used=500, most=1000), Quota(name="money a day", used=0.5)),
            )
        ],
    )
    async with asking(store, readers) as client:
        keys = (await client.get("/ui/keys")).text
        engines = (await client.get("/ui/engines")).text
    assert "500 of 1.0k" in keys
    assert 'width="0.5"' in keys
    assert "no limit" in keys
    assert "SmolLM2" in engines


async def test_a_benchmark_in_the_middle_of_its_run(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "places" / "small"
    folder.mkdir(parents=True)
    row = '{{"method":"{0}","size":{1},"seed":0,"question":"q{2}","right":{3},"task":"sums","generated":{{"output_tokens":{1}0}}}}\n'
    rows = [row.format(m, s, q, str(q < s).lower()) for m in ("vote", "tree") for s in (2, 4) for q in range(5)]
    head = '{"journal_of":"grid x","schema":1}\n'
    (folder / "outcomes.jsonl").write_text(head + "".join(rows) + '{"method":"vote","size":"torn"}\n' + rows[0][:20])
    (folder / "run.json").write_text('{"name":"Small sums","ended":"running","done":20,"total":40,"digest":"abc"}')
    async with asking(store, Readers(benches=(tmp_path / "places",))) as client:
        assert "small" in (await client.get("/ui/benches")).text
        page = (await client.get("/ui/benches/small")).text
    assert "Small sums" in page
    assert "20 of 40" in page
    assert "40.0%" in page
    assert "80.0%" in page
    assert "11.8% to 76.9%" in page  # Wilson's interval for 2 of 5
    assert ">1<" in page.partition("cannot be read")[2][:40]


async def test_statics_are_cached_by_their_content(store: Store) -> None:
    async with asking(store) as client:
        for name, file in statics().items():
            reply = await client.get(f"/ui/static/{name}")
            assert (reply.status_code, reply.headers["etag"]) == (200, file.etag)
            assert b"http://" not in reply.content.replace(b"http://www.w3.org/2000/svg", b"")
            assert b"https://" not in reply.content
            assert b"innerHTML" not in reply.content
            again = await client.get(f"/ui/static/{name}", headers={"if-none-match": file.etag})
            assert (again.status_code, again.content) == (304, b"")


class Broken(TokenChain):
    """Strings that no UTF-8 holds."""

    async def view(self, states: Strings, wants: frozenset[Feature]) -> list[Candidate]:
        seen = await super().view(states, wants)
        return [Candidate(content=f"{one.content}\ud800\0", final=one.final, answer="x") for one in seen]


async def test_texts_that_no_utf8_holds_are_shown_all_the_same(store: Store) -> None:
    name = await solved(store, Vote(n=2), process=Broken("ab", length=2), question="a \0 in it")
    run = store.run(name)
    assert run.result is not None
    node = run.result.candidates[0].id
    async with asking(store) as client:
        for path in ("", f"runs/{name}", f"runs/{name}/compare", f"runs/{name}/state", f"runs/{name}/members/{node}"):
            reply = await client.get(f"/ui/{path}")
            assert reply.status_code == 200, path
            reply.content.decode("utf-8")
        assert (await client.get(f"/ui/runs/{name}/what-if?rule=vote")).json()["actual"] == 0
