"""How the health of a flow or pipeline is shown: marks of its last runs, a word, a sentence."""

import math
from collections.abc import Sequence

from msgspec import Struct

from jobdeck.domain.health import RUNS, Health, Run, State, judge
from jobdeck.domain.states import Reason, Status
from jobdeck.web import formats

CHART = 60
"""So many runs stand in the chart of durations."""

PLACES = 30
"""So many bars there is room for at least, so that few of them stay slim."""

SPREAD = 30
"""If the longest run took so many times as long as the median, the scale is logarithmic."""

_TONES = {
    State.NEW: "pending",
    State.HEALTHY: "completed",
    State.SHAKY: "warning",
    State.FAILING: "failed",
    State.IDLE: "stopped",
}
_WORDS = {State.NEW: "no runs yet", State.SHAKY: "some failed"}
_ICONS = {State.NEW: "pending", State.SHAKY: "warning", State.IDLE: "pause"}


class Shown(Struct, frozen=True, kw_only=True):
    """`marks` are the looks of the last runs, the oldest first."""

    word: str
    tone: str
    icon: str
    text: str
    marks: list[str]
    words: str


class Bar(Struct, frozen=True, kw_only=True):
    """One run of the chart; `height` is between 0 and 100."""

    job: int
    look: str
    height: float
    text: str


class Chart(Struct, frozen=True, kw_only=True):
    """The durations of the last runs, the oldest first, and what they say in words. There is room
    for `places` of them."""

    bars: list[Bar]
    text: str
    places: int = PLACES


def show(runs: Sequence[Run]) -> Shown:
    """The health that the latest runs tell, the newest first."""
    health = judge(runs)
    latest = runs[:RUNS]
    return Shown(
        word=_WORDS.get(health.state, health.state.value),
        tone=_TONES[health.state],
        icon=_ICONS.get(health.state, _TONES[health.state]),
        text=_sentence(health, latest),
        marks=[_look(run) for run in reversed(latest)],
        words=_outcomes(latest),
    )


def _sentence(health: Health, runs: Sequence[Run]) -> str:
    match health.state:
        case State.NEW:
            return "No run has ended yet."
        case State.FAILING:
            return f"The last {health.failures} runs failed: look into the newest error."
        case State.IDLE:
            return f"The last {health.empty} runs found no items: it may run less often."
        case State.SHAKY if health.failures:
            return "The last run failed." if health.failures == 1 else "The last 2 runs failed."
        case State.SHAKY:
            failed = sum(run.status is Status.FAILED for run in runs)
            return f"{failed} of the last {len(runs)} runs failed; the newest one did not."
        case _:
            many = f"The last {formats.number(len(runs))} runs"
            return f"{many if len(runs) > 1 else 'The last run'} went well."


def _look(run: Run) -> str:
    if run.reason is Reason.NO_ITEMS:
        return "empty"
    return run.status.value


def _outcomes(runs: Sequence[Run]) -> str:
    if not runs:
        return "No run has ended yet"
    looks = [_look(run) for run in runs]
    names = {"empty": "without items"}
    counted = [
        f"{looks.count(look)} {names.get(look, look)}"
        for look in ("completed", "failed", "empty", "stopped")
        if look in looks
    ]
    return f"Last {formats.plural(len(runs), 'run')}: {', '.join(counted)}"


def chart(runs: Sequence[Run]) -> Chart:
    """The durations of the latest runs, the newest first, as bars."""
    timed = [(run, took) for run in runs if (took := run.took_s) is not None]
    seconds = sorted(took for _, took in timed)
    if not seconds:
        return Chart(bars=[], text="")
    middle, longest = _quantile(seconds, 0.5), seconds[-1]
    wide = longest > SPREAD * middle
    bars = [
        Bar(
            job=run.job,
            look=_look(run),
            height=_height(took, seconds, logarithmic=wide),
            text=f"Job {run.job}: {_look(run)}, {formats.duration(took)}",
        )
        for run, took in reversed(timed)
    ]
    if len(bars) == 1:
        return Chart(bars=bars, text=f"The last run took {formats.duration(longest)}")
    text = (
        f"Last {formats.plural(len(bars), 'run')}: half took at most "
        f"{formats.duration(middle)}, 95 in 100 at most "
        f"{formats.duration(_quantile(seconds, 0.95))}, the longest "
        f"{formats.duration(longest)}{'; the scale is logarithmic' if wide else ''}"
    )
    return Chart(bars=bars, text=text, places=max(len(bars), PLACES))


def _height(took: float, ordered: Sequence[float], *, logarithmic: bool) -> float:
    longest = ordered[-1] or 1.0
    if not logarithmic:
        return max(100 * took / longest, 2.0)
    shortest = max(ordered[0], longest / 1e6) / 2
    return max(100 * math.log(max(took, shortest) / shortest) / math.log(longest / shortest), 2.0)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
