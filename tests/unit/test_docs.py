"""The documentation tells the truth: what it names exists, and what exists is in it.

`python -m scripts.reference` brings commands and calls up to date.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import jobdeck
from jobdeck.client.client import Client
from jobdeck.client.settings import SETTINGS
from jobdeck.domain.states import REASONS, TRANSITIONS, Reason, Status
from jobdeck.sdk import registry
from jobdeck.sdk.context import Context
from jobdeck.sdk.enqueue import EnqueueOptions
from jobdeck.sdk.settings import PipelineSettings, StepSettings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "jobdeck"
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SOURCE_FILE = re.compile(r"`([a-z_]+(?:/[a-z_]+)+\.py)`")


class Block(NamedTuple):
    """A fenced block of code on a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """The blocks in one of these languages, of all pages."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 1
                found.append(Block(page, line, match[1], match[2]))
    return found


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _BLOCK.sub("", page.read_text())


def table_rows(page: Path) -> list[list[str]]:
    """The cells of all rows of all tables on the page, without their backticks."""
    rows = []
    for line in prose(page).splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            rows.append([cell.strip().replace("`", "") for cell in cells])
    return rows


def anchor(heading: str) -> str:
    """The anchor that a heading gets on common sites for Markdown."""
    text = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return text.strip().replace(" ", "-")


# -- links and files ------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or not target.is_relative_to(ROOT):
            broken.append(link)
        elif fragment and target.suffix == ".md":
            anchors = {anchor(heading) for heading in _HEADING.findall(target.read_text())}
            broken += [] if fragment in anchors else [link]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        for link in _LINK.findall(prose(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in seen:
                left.append(target)
    assert sorted(set(PAGES) - seen) == []


def test_named_source_files_exist() -> None:
    missing = [
        f"{page.name}: {name}"
        for page in PAGES
        for name in _SOURCE_FILE.findall(page.read_text())
        if not any((base / name).exists() for base in (SOURCE, SOURCE.parent, ROOT))
    ]
    assert missing == []


# -- code -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    sorted({block.page for block in blocks("python")}),
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_python_can_be_used_as_it_stands(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a page calls pipelines.py is the block before, with the changes that it tells to make.
    module = ModuleType("pipelines")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    source = ""
    for block in blocks("python", "diff"):
        if block.page != page:
            continue
        source = _changed(source, block) if block.language == "diff" else block.text
        with registry.isolated():
            exec(compile(source, block.place, "exec"), vars(module))
            for pipeline in registry.every().values():
                assert pipeline.manifest.name
    for name, value in list(vars(module).items()):
        if name.startswith("test_"):
            value()


def _changed(source: str, block: Block) -> str:
    lines = block.text.splitlines()
    old = "\n".join(line[1:] for line in lines if line[0] in "- ")
    new = "\n".join(line[1:] for line in lines if line[0] in "+ ")
    assert source.count(old) == 1, block.place
    return source.replace(old, new)


# -- reference ------------------------------------------------------------------------------


def test_states_are_documented() -> None:
    table = [row for row in table_rows(REFERENCE / "states.md") if len(row) == 3]
    rows = {row[0]: row for row in table[1:]}
    assert list(rows) == list(Status)
    for status in Status:
        told = set(rows[status][2].split(", ")) - {"nothing"}
        assert told == {after.value for after in TRANSITIONS[status]}, status


def test_reasons_are_documented() -> None:
    rows = [row for row in table_rows(REFERENCE / "states.md") if len(row) == 4]
    told = {row[0]: row[1:] for row in rows[1:]}
    assert told == {
        reason.value: [rule.status.value, "yes" if rule.retries else "no", rule.meaning]
        for reason, rule in ((reason, REASONS[reason]) for reason in Reason)
    }


def test_settings_are_documented() -> None:
    rows = {row[0]: row for row in table_rows(REFERENCE / "settings.md")}
    for setting in SETTINGS:
        _, env, default, meaning = rows.pop(setting.name)
        assert env == setting.env
        assert default == _written(setting.default), setting.name
        assert meaning.lower() == setting.help.lower()
    assert list(rows) == ["Setting"]


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in ("", ()) else str(value)


def test_everything_for_authors_is_documented() -> None:
    text = (REFERENCE / "sdk.md").read_text()
    names = [f"ctx.{name}" for name in vars(Context) if not name.startswith("_")]
    names = [name for name in names if name not in {"ctx.step_run", "ctx.books"}]
    names += [*StepSettings.__annotations__, *PipelineSettings.__annotations__]
    names += EnqueueOptions.__annotations__
    names += jobdeck.__all__
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_the_client_is_documented() -> None:
    text = (REFERENCE / "client.md").read_text()
    names = [name for name in dir(Client) if not name.startswith("_")]
    assert [name for name in names if f"`{name}(" not in text] == []


def test_calls_are_documented() -> None:
    told = {
        re.sub(r"\{[^}]*\}", "{}", row[0])
        for row in table_rows(REFERENCE / "rest.md")
        if re.match(r"(GET|POST|PATCH|DELETE) /", row[0])
    }
    assert told == _calls()


def _calls() -> set[str]:
    from litestar import Litestar

    from jobdeck.api.routes import api_router
    from jobdeck.http.state import Deck
    from jobdeck.store.database import Store

    found = set()
    router = api_router(Deck(Store("sqlite:///never-opened.db")))
    for route in Litestar([router], openapi_config=None).routes:
        path = re.sub(r"\{[^}]*\}", "{}", route.path_format)
        if path in {"/healthz", "/readyz", "/metrics"}:
            path = f"{path} (root)"
        elif not path.startswith("/api/v1/"):
            continue
        methods = set(route.methods or ()) - {"OPTIONS", "HEAD"}
        found |= {f"{method} {path.removeprefix('/api/v1')}" for method in methods}
    return found


def test_events_are_documented() -> None:
    from jobdeck.api.events import TOPICS

    rows = [row[0] for row in table_rows(REFERENCE / "events.md")]
    assert rows[rows.index("Topic") + 1 :] == list(TOPICS)


# -- commands -------------------------------------------------------------------------------


SHARED = {"--store", "--json", "--reason"}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be given, with its words."""
    from jobdeck.cli.main import jobdeck as group

    yield from _walk("jobdeck", group)


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, each in inner.items():
        yield from _walk(f"{words} {name}", each)


def test_commands_are_documented() -> None:
    text = (REFERENCE / "commands.md").read_text()
    sections = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    missing = []
    for words, command in commands():
        name = next((known for known in sections if words in known.split(" · ")), None)
        if name is None:
            missing.append(words)
            continue
        for parameter in command.params:
            options = [o for o in parameter.opts if o.startswith("--") and o not in SHARED]
            missing += [f"{words} {o}" for o in options if f"`{o}" not in sections[name]]
    assert missing == []
    assert [w for w in _section_words(sections) if w not in dict(commands())] == []


def _section_words(sections: dict[str, str]) -> list[str]:
    return [words for known in sections for words in known.split(" · ")]


def _lines() -> list[tuple[str, str]]:
    found = []
    for block in blocks("sh"):
        text = block.text.replace("\\\n", " ")
        for line in text.splitlines():
            words = re.sub(r"^(\w+=\S+ )+", "", line.split(" # ")[0].strip())
            if words.startswith("jobdeck "):
                found.append((block.place, words))
    return found


@pytest.mark.parametrize(("place", "line"), _lines())
def test_commands_in_examples_are_right(place: str, line: str) -> None:
    from jobdeck.cli.main import jobdeck as group

    command: Any = group
    words = shlex.split(line.split(" | ", maxsplit=1)[0])[1:]
    while hasattr(command, "commands"):
        assert words, f"{place}: {line}"
        assert words[0] in command.commands, f"{place}: {line}"
        command = command.commands[words.pop(0)]
    if "--help" not in words:
        command.make_context(line, words)


def test_the_tests_that_pages_name_exist() -> None:
    """A guarantee stands beside the test that shows it."""
    there: set[str] = set()
    for path in ROOT.glob("tests/**/test_*.py"):
        there.update(re.findall(r"^ *def (test_\w+)", path.read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", prose(page))}
    assert len(named) > 40
    assert named <= there


def test_every_call_has_its_place_on_the_page_of_calls() -> None:
    from jobdeck.api.docs import TAGS
    from jobdeck.api.openapi import describe
    from jobdeck.api.routes import DESCRIBED

    paths = describe("", DESCRIBED)["paths"]
    found = {tag for calls in paths.values() for call in calls.values() for tag in call["tags"]}
    assert found <= set(TAGS)
