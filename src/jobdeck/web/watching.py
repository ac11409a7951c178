"""The jobs that somebody started in this browser: told when they have ended, on whatever page
is open then. Their numbers stand in a cookie, which the page's script thins out."""

from collections.abc import Sequence

import msgspec
from litestar import Response
from litestar.datastructures import Cookie

from jobdeck.http.state import Deck
from jobdeck.store import jobs
from jobdeck.web.render import AnyRequest, Pages

MANY = 20
"""So many jobs are watched at once; of more, the newest."""

KEPT_S = 86_400


def read(deck: Deck, request: AnyRequest) -> list[int]:
    """The jobs whose end this browser waits for."""
    text = request.cookies.get(f"{deck.cookie}_watch", "")
    numbers = [part for part in text.split(".") if part.isascii() and part.isdecimal()]
    return [int(number) for number in numbers[-MANY:] if len(number) < 19]


def add(pages: Pages, request: AnyRequest, response: Response[str], job_id: int) -> None:
    """Let the browser wait for that job, too."""
    deck = pages.deck
    known = [each for each in read(deck, request) if each != job_id]
    response.set_cookie(
        Cookie(
            key=pages.watch_cookie,
            value=".".join(map(str, [*known, job_id][-MANY:])),
            path=deck.base_path or "/",
            max_age=KEPT_S,
            samesite="lax",
        )
    )


def ended(deck: Deck, watched: Sequence[int]) -> tuple[list[int], bytes]:
    """Which of the jobs have ended or are gone, and the events that tell a page so."""
    with deck.store.read() as conn:
        known = {job.id: job for job in jobs.load(conn, list(watched))}
    done, events = [], b""
    for job_id in watched:
        job = known.get(job_id)
        if job is not None and not job.status.final:
            continue
        done.append(job_id)
        told = {
            "job": job_id,
            "flow": job.flow if job else "",
            "status": job.status.value if job else "gone",
            "address": deck.address(f"/jobs/{job_id}"),
        }
        events += b"event: ended\ndata: " + msgspec.json.encode(told) + b"\n\n"
    return done, events
