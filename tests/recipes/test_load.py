from __future__ import annotations

from pathlib import Path

import jsonschema
import msgspec
import pytest

from outthink.core.errors import RecipeError
from outthink.recipes import digest, json_schema, load, presets
from outthink.recipes.registry import registry
from outthink.search import Vote


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = msgspec.to_builtins(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_right(name: str, validator: jsonschema.Draft202012Validator) -> None:
    recipe = load(name)
    assert recipe.description, "say in one line what it is for"
    assert recipe.engine.name() == "local"
    if recipe.algorithm.needs_verifier:
        assert recipe.verifier is not None, "a preset must run as it is"
    if name in registry().tags("algorithm"):
        assert recipe.algorithm.name() == name, "a preset named as a method uses that method"
    assert not list(validator.iter_errors(_plain(recipe.tables())))


def test_every_built_in_method_has_its_preset() -> None:
    assert set(registry().tags("algorithm")) <= set(presets())


def test_the_schema_refuses_what_load_refuses(validator: jsonschema.Draft202012Validator) -> None:
    good = {"algorithm": {"type": "vote", "n": 3}}
    assert validator.is_valid(good)
    for bad in (
        {},
        {"algorithm": {"type": "vote", "n": 0}},
        {"algorithm": {"type": "vot"}},
        {"algorithm": {"type": "vote", "m": 1}},
        {"algorithm": {"type": "vote"}, "budgets": {}},
        {"algorithm": {"type": "particle-filter", "twist": {"type": "difference", "strength": -1}}},
    ):
        assert not validator.is_valid(bad), bad
        with pytest.raises(RecipeError):
            load(bad)


def test_path_text_and_tables_are_one_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[algorithm]\ntype = "vote"\nn = 3\n'
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    digests = {
        digest(load(source))
        for source in (text, "mine.toml", tmp_path / "mine.toml", {"algorithm": {"type": "vote", "n": 3}})
    }
    assert len(digests) == 1
    assert load("mine.toml").algorithm == Vote(n=3)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("best-off-n", "Did you mean 'best-of-n'"),
        ("nothing-like-it", "Known: "),
        ("missing.toml", "No such file"),
        ("missing/recipe", "No such file"),
    ],
)
def test_what_is_not_there_is_named(source: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        load(source)
    assert source in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_bytes(b"GGUF\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"is not text.*0xff"):
        load(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path)


def _plain(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))
