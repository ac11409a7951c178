"""Items that a flow takes only once: asking the pool for them, in portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, JobdeckError
from jobdeck.sdk.control import StopRequested
from jobdeck.sdk.runtime import JobView, Runtime

T = TypeVar("T")
Key = str | Callable[[Any], str | int] | None
"""What names an item: a key or attribute of it, a function of it, or (None) the item itself."""

PORTION = 500
KEY_CHARS = 500
FOR_MAX_S = 30 * 86400


class Items:
    """The items of a job's flow from one source."""

    def __init__(self, job: JobView, runtime: Runtime, source: str) -> None:
        _check(source, "source", least=0)
        self._job, self._runtime, self._source = job, runtime, source

    def claim(self, items: Iterable[T], key: Key, claim_for: float | str) -> Iterator[T]:
        """Those of the items that the job gets, claimed a portion at a time; what is not taken
        out of a portion is given back."""
        for_s = clock.parse_duration(claim_for, "claim_for") or 0.0
        if for_s > FOR_MAX_S:
            raise InvalidValue("claim_for", f"{claim_for!r} is more than 30 days; take less")
        return self._claim(iter(items), key, for_s)

    def _claim(self, source: Iterator[T], key: Key, for_s: float) -> Iterator[T]:
        place, known = 0, set[str]()
        while portion := list(islice(source, PORTION)):
            named: dict[str, T] = {}
            for n, item in enumerate(portion, place):
                name = name_of(item, key, f"items[{n}]")
                if name not in known:
                    known.add(name)
                    named[name] = item
            place += len(portion)
            taken = self.ask("claim", list(named), for_s=for_s)
            left = iter(taken)
            try:
                for each in left:
                    yield named[each]
            finally:
                rest = list(left)
                if rest:
                    # A job that ends without completing gives all back anyway.
                    with suppress(StopRequested, JobdeckError):
                        self.ask("release", rest)

    def ask(self, do: str, keys: Sequence[str], **more: Any) -> list[str]:
        """Have the pool do it, in portions; gives the keys that it answers with.

        Raises:
            JobdeckError: it refused; says why.
            StopRequested: the job was asked to stop meanwhile.
        """
        found: list[str] = []
        for start in range(0, len(keys), PORTION):
            some = list(keys[start : start + PORTION])
            body = {"do": do, "source": self._source, "keys": some, **more}
            found += self._runtime.call(self._job, "items", body)
        return found


def name_of(item: object, key: Key = None, field: str = "item") -> str:
    """The text that names the item.

    Raises:
        InvalidValue: it has none, or not a text or number; names the item by `field`.
    """
    if callable(key):
        item = key(item)
    elif key is not None:
        try:
            item = item[key] if isinstance(item, Mapping) else getattr(item, key)
        except (KeyError, AttributeError):
            raise InvalidValue(field, f"has no {key!r} to name it by") from None
    if isinstance(item, int) and not isinstance(item, bool):
        item = str(item)
    return _check(item, field, least=1)


def _check(text: object, field: str, *, least: int) -> str:
    if not isinstance(text, str) or not least <= len(text) <= KEY_CHARS or "\0" in text:
        raise InvalidValue(
            field,
            f"{text!r:.80} is no name for an item: a number, or a text of at most {KEY_CHARS} "
            "characters; say with key= what names your items",
        )
    return text


class MemoryItems:
    """The same for tests: what a flow knows, in memory."""

    def __init__(self, before: MemoryItems | None = None) -> None:
        self.states: dict[tuple[str, str], str] = dict(before.states) if before else {}
        self._deferrals: dict[tuple[str, str], int] = dict(before._deferrals) if before else {}
        self._put_off: set[tuple[str, str]] = set()

    def do(self, body: Mapping[str, Any]) -> list[str]:
        """What the pool would answer."""
        names = {(body["source"], key): key for key in body["keys"]}
        states, found = self.states, []
        for name, key in names.items():
            state = states.get(name, "")
            match body["do"]:
                case "claim" if state != "processed" and name not in self._put_off:
                    states[name] = "claimed"
                    found.append(key)
                case "seen" if state == "processed":
                    found.append(key)
                case "processed":
                    states[name] = "processed"
                case "defer" if state == "claimed":
                    self._defer(name)
                case "release" if state == "claimed":
                    self._release(name)
        return found

    def _defer(self, name: tuple[str, str]) -> None:
        self._deferrals[name] = self._deferrals.get(name, 0) + 1
        self.states[name] = "processed" if self._deferrals[name] > 3 else "deferred"
        self._put_off.add(name)

    def _release(self, name: tuple[str, str]) -> None:
        if self._deferrals.get(name):
            self.states[name] = "deferred"
        else:
            del self.states[name]

    def end(self, *, completed: bool) -> None:
        """The job has ended: what it had claimed is processed, or free again."""
        self._put_off.clear()
        for name in [name for name, state in self.states.items() if state == "claimed"]:
            if completed:
                self.states[name] = "processed"
            else:
                self._release(name)
