"""The words of a filter's text: conditions such as `flow:load`, and texts to search for; `#12` is
short for `id:12`."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from jobdeck.domain import numbers
from jobdeck.domain.errors import InvalidValue

_NAME = re.compile(r"(?P<minus>-?)(?P<name>[A-Za-z_]+(?:\.[^\s:\"]+)?):", re.DOTALL)
_JOB = re.compile(r"#[0-9][0-9,]*(?!\S)")
_BARE = re.compile(r"[^\s\"\\]+")


class Term(NamedTuple):
    """A condition: `name` is empty for a text that is searched for."""

    name: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        if not self.name:
            return quoted(self.value) if _means(self.value) else _searched(self.value)
        value = self.value if _BARE.fullmatch(self.value) else quoted(self.value)
        return f"{'-' if self.negated else ''}{self.name}:{value}"


def quoted(text: str) -> str:
    """The text in quotes, so that all of it is taken as it is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _searched(text: str) -> str:
    words = text.split(" ")
    plain = all(_BARE.fullmatch(word) and not _means(word) for word in words)
    return text if plain else quoted(text)


def _means(word: str) -> bool:
    """Whether the word is a condition unless it is quoted."""
    return _NAME.match(word) is not None or _JOB.match(word) is not None


def split(text: str) -> list[Term]:
    """The terms of a text, in order; words that follow each other are one text to search for.

    Raises:
        InvalidValue: a quote has no end.
    """
    found: list[Term] = []
    search: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        job = _JOB.match(text, at)
        number = numbers.of_job(job[0]) if job else None
        if job and number is not None:
            found.append(Term("id", str(number)))
            at = job.end()
            continue
        name = _NAME.match(text, at)
        if name is None or text.startswith("//", name.end()):
            word, at = _word(text, at)
            search.append(word)
            continue
        value, at = _word(text, name.end())
        own, dot, path = name["name"].partition(".")
        found.append(Term(own.lower() + dot + path, value, bool(name["minus"])))
    if search:
        found.append(Term("", " ".join(search)))
    return found


def _word(text: str, at: int) -> tuple[str, int]:
    """What stands from there to the next blank, with its quotes resolved; and where it ends."""
    read: list[str] = []
    begin, quoting = at, False
    while at < len(text):
        character = text[at]
        if character == '"':
            quoting = not quoting
        elif character == "\\" and quoting and text[at + 1 : at + 2] in ('"', "\\"):
            at += 1
            read.append(text[at])
        elif character.isspace() and not quoting:
            break
        else:
            read.append(character)
        at += 1
    if quoting:
        raise InvalidValue("filter", f"{text[begin:]!r} has a quote without its end")
    return "".join(read), at


def join(terms: Iterable[Term]) -> str:
    """The text that `split` reads these terms from."""
    return " ".join(str(term) for term in terms)
