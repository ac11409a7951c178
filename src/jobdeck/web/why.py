"""Why a job is where it is, as its page says it: the sentence of every face, with its times in
the reader's zone."""

from markupsafe import Markup, escape
from msgspec import Struct

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.states import Status
from jobdeck.domain.why import Why, at_time
from jobdeck.web import formats

CHARS = 400


class Said(Struct, frozen=True, kw_only=True):
    """The sentence, and what to do: a `command` to give, with a `note` on it, or some other
    `advice`."""

    sentence: Markup
    advice: str = ""
    command: str = ""
    note: str = ""


def say(found: Why, now: Micros) -> Said | None:
    """What the page says; None where the state says it all."""
    if found.status is Status.COMPLETED and found.details.get("reason") is None:
        return None
    sentence = _sentence(found, now)
    if not found.advice.startswith("jobdeck "):
        return Said(sentence=sentence, advice=found.advice)
    command, _, note = found.advice.partition(", ")
    return Said(sentence=sentence, command=command, note=note)


def _sentence(found: Why, now: Micros) -> Markup:
    text = " ".join(found.sentence.split())
    if len(text) > CHARS:
        text = f"{text[:CHARS].rstrip()} …"
    html = str(escape(text))
    for name, at in found.details.items():
        if name.endswith("_at") and isinstance(at, int):
            html = html.replace(at_time(at, now), _time(at, now), 1)
    return Markup(html)  # noqa: S704  (its text is escaped above)


def _time(at: Micros, now: Micros) -> str:
    return (
        f'<time datetime="{clock.to_iso(at)}" data-style="clock" title="{formats.exact(at)}">'
        f"{at_time(at, now)}</time>"
    )
