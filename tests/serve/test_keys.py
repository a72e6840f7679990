"""Keys: shown once, kept as digests, refused at once when revoked; who needs one, and what an admin's opens."""

from __future__ import annotations

import asyncio
import base64
import json
import stat
from pathlib import Path

import openai
import pytest
from click.testing import CliRunner

from outthink.cli.main import outthink
from outthink.core.errors import SettingsError
from outthink.engines.openai import Openai, Prices, connect
from outthink.serve import Configuration, Gateway, KeyFile, check_exposure
from outthink.serve.keys import digest
from outthink.serve.quotas import Quota
from outthink.store import Store, StoreError
from outthink.testing.openai_server import OpenAIServer
from tests.serve.gateways import FULL, inside, running, saying, scripted


def test_a_key_is_kept_as_a_digest_in_a_file_of_its_owner(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "deep" / "keys.json")
    made = keys.create("laptop", quota=Quota(searches=2), admin=True)
    written = keys.path.read_text()
    assert made.secret not in written
    assert digest(made.secret) in written
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert keys.holder(made.secret) == made.key
    assert keys.holder(made.secret[:-1]) is None
    assert keys.holder("") is None
    assert KeyFile(keys.path).list()[0].quota == Quota(searches=2)
    with pytest.raises(SettingsError, match="a name of its own"):
        keys.create("laptop")
    keys.revoke("laptop")
    assert keys.holder(made.secret) is None
    with pytest.raises(SettingsError, match="no such key"):
        keys.revoke("laptop")
    keys.path.write_text("[1]")
    with pytest.raises(SettingsError, match="cannot be read"):
        keys.list()


def test_the_commands_make_list_and_revoke(tmp_path: Path) -> None:
    place = ["--keys", str(tmp_path / "keys.json")]
    made = CliRunner().invoke(outthink, ["keys", "create", "laptop", "--requests-per-minute", "7", "--admin", *place])
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    listed = CliRunner().invoke(outthink, ["keys", "list", *place])
    assert "laptop  requests_per_minute=7  admin" in listed.stdout
    assert secret not in listed.output
    assert CliRunner().invoke(outthink, ["keys", "create", "x", "--searches", "0", *place]).exit_code == 1
    assert CliRunner().invoke(outthink, ["keys", "revoke", "laptop", *place]).exit_code == 0
    assert json.loads((tmp_path / "keys.json").read_text()) == []


async def test_a_gateway_with_keys_refuses_everybody_else(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    made = keys.create("laptop")
    async with running({"m": scripted(saying("x"))}, keys=keys, api_key=made.secret) as on:
        assert (await on.chat("m")).choices[0].message.content == "x"
        for secret in ("ot-" + "a" * 43, made.secret + "x", digest(made.secret)):
            with pytest.raises(openai.AuthenticationError) as refused:
                await on.client.with_options(api_key=secret).models.list()
            assert secret not in str(refused.value)
        assert (await on.http.get("/v1/models")).status_code == 401
        assert (await on.http.get("/health")).status_code == 200
        keys.revoke("laptop")
        with pytest.raises(openai.AuthenticationError):
            await on.chat("m")


async def test_admin_pages_take_an_admins_key(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    user, admin = keys.create("user").secret, keys.create("admin", admin=True).secret
    with Store.open(tmp_path / "runs.sqlite") as store:
        gateway = Gateway(live={"m": scripted(saying("x"))}, keys=keys, store=store)
        async with inside(gateway) as client:
            for page in ("/metrics", "/ui/", "/ui/keys", "/ui/engines"):
                assert (await client.get(page)).status_code == 401
                assert (await client.get(page, headers={"authorization": f"Bearer {user}"})).status_code == 403
                assert (await client.get(page, headers={"authorization": f"Bearer {admin}"})).status_code == 200
                as_browser = base64.b64encode(f"anybody:{admin}".encode()).decode()
                reply = await client.get(page, headers={"authorization": f"Basic {as_browser}"})
                assert reply.status_code == 200
                assert admin not in reply.text
                assert user not in reply.text
            # A password is for pages alone.
            models = await client.get("/v1/models", headers={"authorization": f"Basic {as_browser}"})
            assert models.status_code == 401


async def test_without_keys_only_this_machines_own_names_are_served(tmp_path: Path) -> None:
    with Store.open(tmp_path / "runs.sqlite") as store:
        async with inside(Gateway(live={"m": scripted(saying("x"))}, store=store)) as client:
            for path in ("/v1/models", "/metrics", "/ui/"):
                assert (await client.get(path)).status_code == 200
                for host in ("evil.example", "localhost.evil.example", "169.254.169.254", "a[b", ""):
                    assert (await client.get(path, headers={"host": host})).status_code == 403, host


def test_exposure_without_keys_is_refused(tmp_path: Path) -> None:
    live = {"m": scripted(saying("x"))}
    check_exposure("127.0.0.1", Gateway(live=live))
    for host in ("0.0.0.0", "::", "example.org", "192.168.1.2"):
        with pytest.raises(SettingsError, match="there are none"):
            check_exposure(host, Gateway(live=live))
        with pytest.raises(SettingsError, match="there are none"):
            check_exposure(host, Gateway(live=live, keys=KeyFile(tmp_path / "none.json")))
    keys = KeyFile(tmp_path / "keys.json")
    keys.create("one", quota=Quota(searches=1))
    with pytest.raises(SettingsError, match="no store"):
        Gateway(live=live, keys=keys)


def test_the_command_checks_a_configuration_and_asks_for_keys(tmp_path: Path) -> None:
    file = tmp_path / "recipes.toml"
    file.write_text('[models.a]\ntype = "scripted"\n[recipes.careful]\nalgorithm = { type = "vote", n = 3 }\n')
    checked = CliRunner().invoke(outthink, ["serve", "--recipes", str(file), "--check"])
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.split()[:2] == ["careful", "a"]
    place = ["--keys", str(tmp_path / "keys.json"), "--store", str(tmp_path / "runs.sqlite")]
    refused = CliRunner().invoke(outthink, ["serve", "--recipes", str(file), "--host", "0.0.0.0", *place])
    assert refused.exit_code == 1
    assert "outthink keys create" in refused.output
    for text, told in (
        ("[models.a]\ntype = 3", "type"),
        ('[recipes.x]\nmodel = "b"', "names its model"),
        ("[ceilings]\nm = 3", "ceilings"),
        ("methods = ['magic']", "magic"),
        ('[models."a@b"]\ntype = "local"', "models"),
        ("[models]", "needs a model"),
        ("not toml", "cannot be read"),
    ):
        file.write_text(text)
        refused = CliRunner().invoke(outthink, ["serve", "--recipes", str(file), "--check"])
        assert refused.exit_code == 1, text
        assert told in refused.output, (text, refused.output)


async def test_a_store_that_fails_is_said_and_nothing_more_is_taken(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "runs.sqlite")
    engine = scripted(saying("x"))
    body = {"model": "vote@m", "messages": [{"role": "user", "content": "hello"}]}
    async with inside(Gateway(live={"m": engine}, store=store)) as client:
        assert (await client.get("/ready")).status_code == 200
        await store.write(lambda connection: connection.exec_driver_sql("DROP TABLE run_details"))
        replies = [await client.post("/v1/chat/completions", json=body) for _ in range(2)]
        ready = await client.get("/ready")
    for reply in replies:
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "store_failed")
        assert "run_details" not in reply.text
    assert (ready.status_code, engine.requests) == (200, [])
    store.close()


async def test_a_record_that_is_lost_is_not_lost_in_silence(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "runs.sqlite")
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    async with inside(Gateway(live={"m": scripted(saying("x"))}, store=store)) as client:
        await store.write(lambda connection: connection.exec_driver_sql("DROP TABLE scores"))
        await store.write(lambda connection: connection.exec_driver_sql("DROP TABLE events"))
        # The record of a direct request is written while its answer goes out.
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
        while not store.broken:
            await asyncio.sleep(0.005)
        assert (await client.post("/v1/chat/completions", json=body)).status_code == 503
        assert (await client.get("/ready")).json()["status"] == "store failed"
    with pytest.raises(StoreError):
        store.close()


async def test_money_is_held_to_the_day_and_needs_a_price(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    secret = keys.create("one", quota=Quota(money_per_day=0.01)).secret
    body = {"model": "priced", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 10}
    head = {"authorization": f"Bearer {secret}"}
    async with OpenAIServer(saying("0123456789")) as server:
        common = {"base_url": server.base_url, "model": "scripted", "probe": "never", "assume": FULL}
        # A reply of ten tokens costs 0.004 besides its prompt, so two fit into a day and a third does not.
        priced = await connect(Openai(**common, prices=Prices(input=0.0, output=400.0)))  # type: ignore[arg-type]
        free = await connect(Openai(**common))  # type: ignore[arg-type]
        with Store.open(tmp_path / "runs.sqlite") as store:
            gateway = Gateway(
                Configuration(models={"m": {}}), live={"priced": priced, "m": free}, keys=keys, store=store
            )
            async with inside(gateway) as client:
                replies = [await client.post("/v1/chat/completions", json=body, headers=head) for _ in range(3)]
                unknown = await client.post("/v1/chat/completions", json={**body, "model": "m"}, headers=head)
        for engine in (priced, free):
            await engine.close()
        assert len(server.bodies) == 2
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert int(replies[2].headers["retry-after"]) > 0
    assert 0.004 <= replies[0].json()["usage"]["by_role"]["generate"]["money"] <= 0.005
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (403, "price_unknown")
