"""The command palette: going to a page, to a job by its number, to a pipeline, flow or queue."""

from collections.abc import Iterable, Iterator

from litestar import Response, get
from litestar.response import Stream
from msgspec import Struct
from sqlalchemy import Connection

from jobdeck.domain import clock, numbers
from jobdeck.http.auth import VIEWER
from jobdeck.store import flows, jobs, pipelines, queues
from jobdeck.web import live
from jobdeck.web.drawings import Frame
from jobdeck.web.live import View
from jobdeck.web.places import Place
from jobdeck.web.render import AnyRequest, AtPages, is_part

MANY = 6
"""So many of each kind are shown."""


class Entry(Struct, frozen=True, kw_only=True):
    """Something to go to: `kind` says what it is, `address` is a whole one."""

    kind: str
    name: str
    icon: str
    address: str


@get("/palette", opt=VIEWER, sync_to_thread=True)
def find(request: AnyRequest, pages: AtPages) -> Response[str]:
    """What the text may mean; without a text, the pages."""
    text = str(request.query_params.get("q", "")).strip()
    with pages.deck.store.read() as conn:
        found = list(_entries(pages, conn, text))
    template = "palette/found.html" if is_part(request) else "palette/page.html"
    return pages.page(request, template, noun="", now=clock.now(), q=text, found=found)


def _entries(pages: AtPages, conn: Connection, text: str) -> Iterator[Entry]:
    wanted = text.lower()
    number = numbers.of_job(text)
    if number is not None:
        for job in jobs.load(conn, [number]):
            yield Entry(
                kind=job.status.value,
                name=f"Job {job.id} of {job.flow}",
                icon=job.status.value,
                address=pages.url(f"/jobs/{job.id}"),
            )
    for place in pages.places:
        if wanted in place.name.lower():
            yield _place(pages, place)
    if not wanted:
        return
    for name in _best(pipelines.names(conn), wanted):
        yield Entry(
            kind="pipeline", name=name, icon="pipelines", address=pages.url(f"/pipelines/{name}")
        )
    for name in _best(flows.names(conn), wanted):
        yield Entry(kind="flow", name=name, icon="play", address=pages.url(f"/flows/{name}"))
    for name in _best(queues.ids(conn), wanted):
        address = pages.url("/jobs", {"queue": name})
        yield Entry(kind="jobs of queue", name=name, icon="queues", address=address)
    yield Entry(
        kind="search",
        name=f"Jobs with “{text}”",
        icon="search",
        address=pages.url("/jobs", {"q": text}),
    )


def _place(pages: AtPages, place: Place) -> Entry:
    return Entry(kind="page", name=place.name, icon=place.noun, address=pages.url(place.address))


def _best(names: Iterable[str], wanted: str) -> list[str]:
    """Some of the names with that text in them; first those that begin with it."""
    fits = [name for name in names if wanted in name.lower()]
    return sorted(fits, key=lambda name: (not name.lower().startswith(wanted), name))[:MANY]


@get("/watched", opt=VIEWER)
async def watched(request: AnyRequest, pages: AtPages) -> Stream:
    """The end of jobs that this browser waits for, while its page is hidden and shows nothing."""
    view = View(lambda *_: Frame({}), topics=("jobs",), key="watched")
    return live.stream(pages, request, view)
