"""A flow's settings, and the times of its schedules, in words."""

from jobdeck.domain import cron
from jobdeck.domain.following import Outcome
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow, Schedule
from jobdeck.domain.retry import RetryPolicy
from jobdeck.web import formats

_FOLLOWING = {
    Outcome.COMPLETED: "has completed",
    Outcome.FAILED: "has failed",
    Outcome.ENDED: "has ended",
}


def retry(policy: RetryPolicy) -> str:
    """How often, and after how long."""
    if not policy.retries:
        return "none"
    times = formats.plural(policy.retries, "time")
    first = formats.duration(policy.backoff_s)
    if policy.retries == 1:
        return f"once, after {first}"
    return f"{times}, after {first}, then twice as long each time"


def settings(flow: Flow, manifest: PipelineManifest) -> list[tuple[str, str, str]]:
    """What is configured: a name, its value, and where that comes from if not from the flow."""
    inherited = "as the pipeline says"
    own_retry = flow.retry is not None
    policy = flow.retry if flow.retry is not None else manifest.retry
    own_timeout = flow.timeout_s is not None
    timeout = flow.timeout_s if own_timeout else manifest.timeout_s
    return [
        ("Queue", flow.queue, ""),
        ("Priority", str(flow.priority), ""),
        ("Context", flow.context or "none", ""),
        ("Jobs at once", _at_once(flow.max_running), ""),
        ("Rate", flow.rate or "any number", ""),
        ("Retries", retry(policy), "" if own_retry else inherited),
        (
            "Timeout",
            "none" if timeout is None else formats.duration(timeout),
            "" if own_timeout else inherited,
        ),
    ]


def _at_once(most: int | None) -> str:
    if most is None:
        return "any number"
    return "one after the other" if most == 1 else f"at most {formats.number(most)}"


def times(schedule: Schedule) -> str:
    """When it fires, such as "At 05:00 every day, Europe/Amsterdam"."""
    if schedule.cron:
        return f"{cron.describe(schedule.cron)}, {schedule.timezone}"
    return every(schedule.interval_s or 0)


def every(seconds: float) -> str:
    """The interval, such as "every hour" or "every 15 minutes"."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"every {word}" if count == 1 else f"every {formats.number(count)} {word}s"
    return f"every {formats.duration(seconds)}"


def leaders(flow: Flow) -> list[tuple[str, str]]:
    """The flows that it runs after, each with how that must have ended."""
    return [_split(text) for text in flow.after]


def followers(name: str, every: list[Flow]) -> list[tuple[str, str]]:
    """The flows that run after that one, each with how it must have ended."""
    found = [(flow.name, _split(text)) for flow in every for text in flow.after]
    return [(follower, words) for follower, (leader, words) in found if leader == name]


def _split(text: str) -> tuple[str, str]:
    name, _, outcome = text.partition(":")
    return name, _FOLLOWING[Outcome(outcome or Outcome.COMPLETED)]
