"""How a parent ends with its children."""

import pytest

from jobdeck.domain.states import Code
from jobdeck.store.parents import Family


@pytest.mark.parametrize(
    ("rule", "completed", "failed", "stopped", "ends"),
    [
        ("all", 0, 3, 0, Code.FAILED),
        ("all", 0, 0, 3, Code.STOPPED),
        ("all", 0, 1, 2, Code.FAILED),
        ("all", 1, 1, 1, None),
        ("all", 0, 0, 0, None),
        ("any", 2, 1, 0, Code.FAILED),
        ("any", 2, 0, 1, Code.STOPPED),
        ("any", 3, 0, 0, None),
        ("never", 0, 2, 1, None),
    ],
)
def test_the_rule_decides(
    rule: str, completed: int, failed: int, stopped: int, ends: Code | None
) -> None:
    total = completed + failed + stopped
    assert Family(1, total, completed, failed, stopped, rule).ends == ends


def test_the_parent_says_what_became_of_them() -> None:
    assert Family(1, 3, 0, 3, 0, "all").verdict == "3 of 3 children failed"
    assert Family(1, 3, 0, 0, 3, "all").verdict == "3 of 3 children were stopped"
    assert Family(1, 3, 0, 1, 2, "all").verdict == "1 of 3 children failed, 2 were stopped"
