"""What to do about an error, by rules that operators keep: patterns of its text.

The patterns are those of a matcher whose time grows with the text alone, so no pattern, however
it is written, can hold up whoever asks; what it does not know (looking around, going back to a
group) is refused.
"""

from collections.abc import Sequence

import jsonschema_rs
import msgspec
from jsonschema_rs import RegexOptions

from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.records import HintRule, JobError

PATTERN_CHARS = 500
HINT_CHARS = 2_000
RULES = 200
"""At most so many: each error is held against all of them."""

READ_CHARS = 4_000
_SIZE = 1_000_000


class Pattern:
    """A pattern made ready; it may be found anywhere in a text."""

    def __init__(self, text: str) -> None:
        """Raises:
        InvalidValue: it is none, or too large a one.
        """
        if not text.strip():
            raise InvalidValue("pattern", "is required")
        if len(text) > PATTERN_CHARS:
            raise InvalidValue("pattern", f"has more than {PATTERN_CHARS} characters")
        try:
            self._matcher = jsonschema_rs.Draft202012Validator(
                {"pattern": text}, pattern_options=RegexOptions(size_limit=_SIZE)
            )
        except ValueError:
            raise InvalidValue(
                "pattern",
                f"{text!r} is not a pattern, or too large a one; lookarounds and back-references "
                "are not known here",
            ) from None

    def found_in(self, text: str) -> bool:
        """Whether it occurs."""
        return self._matcher.is_valid(text) is True


class Hints:
    """Rules made ready, in their order: the first that fits gives the hint."""

    def __init__(self, rules: Sequence[HintRule], common: frozenset[str]) -> None:
        """`common` are the hints that are given where nobody knows better: a rule goes before
        those, but never before what the pipeline's author says."""
        self._rules = [(Pattern(rule.pattern), rule) for rule in rules]
        self._common = common

    def improve(self, error: JobError) -> JobError:
        """The error with the hint of the first rule that fits, unless its pipeline gave one."""
        if not self._rules or (error.hint and error.hint not in self._common):
            return error
        summary = f"{error.type}: {error.message}"[:READ_CHARS]
        for pattern, rule in self._rules:
            if pattern.found_in(summary):
                return msgspec.structs.replace(error, hint=rule.hint, link=rule.link)
        return error


def check(pattern: str, hint: str, link: str) -> None:
    """Refuse what will not do as a rule.

    Raises:
        InvalidValue: names it.
    """
    Pattern(pattern)
    if not hint.strip():
        raise InvalidValue("hint", "is required: say what to do about such an error")
    for field, text in (("hint", hint), ("link", link)):
        if len(text) > HINT_CHARS:
            raise InvalidValue(field, f"has more than {HINT_CHARS:,} characters")
    if link and not link.startswith(("https://", "http://", "/")):
        raise InvalidValue("link", f"{link!r} is no address; begin it with https:// or /")
