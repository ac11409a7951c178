"""What a step raises to say how its job goes on, other than by failing."""

from datetime import timedelta

from jobdeck.domain.clock import parse_duration
from jobdeck.domain.errors import JobdeckError


class StopRequested(BaseException):
    """Somebody asked the job to stop. Not an `Exception`, so that `except Exception` around
    a row does not swallow it; tidy up and let it pass."""


class Retry(JobdeckError):
    """Fail this attempt and try again, not before `after` (seconds, "30s", timedelta) is over.

    It counts as one of the retries of the job or step.

    Raises:
        InvalidValue: `after` is not a duration.
    """

    def __init__(self, message: str = "", *, after: float | str | timedelta | None = None) -> None:
        super().__init__(message or "asked to be tried again")
        if isinstance(after, timedelta):
            after = after.total_seconds()
        self.after_s = parse_duration(after, "after") if after else None


class Skip(JobdeckError):
    """Decline to run, on purpose: the job completes here, with the reason `skipped`."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class NoItems(JobdeckError):
    """There is nothing new to process: the job completes here, with the reason `no_items`."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)


class Fail(JobdeckError):
    """Fail for good: no retry. `hint` says what to do about it, `link` where to read more."""

    def __init__(self, message: str, *, hint: str = "", link: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.link = link
