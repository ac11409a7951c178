"""The states, their numbers, reasons and transitions agree with each other."""

from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import (
    CODES,
    FINAL,
    REASONS,
    TRANSITIONS,
    Code,
    Reason,
    Status,
)


def test_every_status_has_a_number_and_back() -> None:
    assert {code.status for code in CODES.values()} == set(Status)
    assert Code.OPEN not in CODES.values()


def test_every_reason_has_a_rule() -> None:
    assert set(REASONS) == set(Reason)
    assert REASONS[Reason.TIMEOUT].status == Status.FAILED
    assert REASONS[Reason.KILLED].status == Status.STOPPED


def test_final_states_change_only_by_an_explicit_retry() -> None:
    assert set(TRANSITIONS) == set(Status)
    for status in FINAL:
        assert TRANSITIONS[status] <= {Status.PENDING}
    assert Status.PENDING not in TRANSITIONS[Status.COMPLETED]
    assert Status.PENDING in TRANSITIONS[Status.FAILED]


def test_every_open_state_can_be_stopped() -> None:
    for status in set(Status) - FINAL:
        assert Status.STOPPED in TRANSITIONS[status]


def test_three_retries_are_at_most_four_attempts() -> None:
    policy = RetryPolicy(retries=3)
    assert [policy.delay(failures) is not None for failures in (1, 2, 3, 4)] == [
        True,
        True,
        True,
        False,
    ]


def test_delays_double_up_to_their_limit_and_never_undercut_what_was_asked_for() -> None:
    policy = RetryPolicy(retries=20, backoff_s=10, max_s=60, jitter=0)
    assert [policy.delay(failures) for failures in (1, 2, 3, 4)] == [10, 20, 40, 60]
    assert policy.delay(1, retry_after_s=300) == 300


def test_jitter_only_shortens_and_within_bounds() -> None:
    policy = RetryPolicy(retries=1, backoff_s=100, jitter=0.2)
    delays = [policy.delay(1) or 0 for _ in range(200)]
    assert min(delays) >= 80
    assert max(delays) <= 100
    assert len(set(delays)) > 100
