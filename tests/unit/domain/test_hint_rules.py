"""Hints by rules."""

import time

import pytest

from jobdeck.domain import hint_rules
from jobdeck.domain.errors import InvalidValue
from jobdeck.domain.hint_rules import Hints
from jobdeck.domain.records import HintRule, JobError

COMMON = frozenset({"Try again."})
RULES = [
    HintRule(id=1, pattern=r"ORA-\d{5}", hint="Ask the DBA.", link="/wiki", created_at=0),
    HintRule(id=2, pattern="(?i)oracle", hint="Second.", created_at=0),
]


@pytest.mark.parametrize(
    ("message", "given", "hint", "link"),
    [
        ("ORA-00942: no table, says Oracle", "", "Ask the DBA.", "/wiki"),
        ("ORA-00942", "Try again.", "Ask the DBA.", "/wiki"),
        ("ORA-00942", "The author knows.", "The author knows.", ""),
        ("oracle is down", "", "Second.", ""),
        ("something else", "Try again.", "Try again.", ""),
    ],
)
def test_the_author_goes_first_then_rules_then_common_causes(
    message: str, given: str, hint: str, link: str
) -> None:
    error = JobError(type="DatabaseError", message=message, hint=given)
    told = Hints(RULES, COMMON).improve(error)
    assert (told.hint, told.link) == (hint, link)


@pytest.mark.parametrize(
    ("pattern", "hint", "link", "field"),
    [
        ("(", "x", "", "pattern"),
        ("", "x", "", "pattern"),
        (r"(?=x)", "x", "", "pattern"),
        ("a{1000}{1000}{1000}", "x", "", "pattern"),
        ("a" * 501, "x", "", "pattern"),
        ("a", " ", "", "hint"),
        ("a", "x" * 2001, "", "hint"),
        ("a", "x", "javascript:alert(1)", "link"),
    ],
)
def test_what_will_not_do_is_refused(pattern: str, hint: str, link: str, field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        hint_rules.check(pattern, hint, link)
    assert refused.value.field == field


def test_no_pattern_takes_for_ever() -> None:
    rule = HintRule(id=1, pattern="^(a+)+$", hint="x", created_at=0)
    began = time.process_time()
    Hints([rule], COMMON).improve(JobError(type="E", message="a" * 4000 + "b"))
    assert time.process_time() - began < 10
