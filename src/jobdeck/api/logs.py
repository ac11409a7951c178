"""Searching the lines of all jobs."""

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from jobdeck.api.kinds import Cursor, Limit, moment_of
from jobdeck.client import answers
from jobdeck.domain.filters import PAGE, LogFilter
from jobdeck.http.auth import VIEWER
from jobdeck.http.state import AtDeck
from jobdeck.store import log_search, logs

_Text = Annotated[str, QueryParameter(max_length=200)]
_Level = Annotated[
    str, QueryParameter(description="The least level to show", schema_extra={"enum": logs.LEVELS})
]
_Number = Annotated[int | None, QueryParameter(description="Only of this job", ge=1, le=2**53)]
_Time = Annotated[
    str | None,
    QueryParameter(description="ISO 8601 date or time, or how long ago, such as 2h"),
]


@get("/logs", opt=VIEWER, tags=["logs"], sync_to_thread=True)
def search(
    deck: AtDeck,
    q: Annotated[str, QueryParameter(description="Text in the line", max_length=200)] = "",
    level: _Level = "",
    pipeline: _Text = "",
    flow: _Text = "",
    job: _Number = None,
    after: _Time = None,
    before: _Time = None,
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> answers.FoundLines:
    """Search the lines of all jobs, the newest first.

    A call looks at a bounded number of lines: it may answer few, or none, and `next`, and tells
    with `searched_to` how far back it has looked.
    """
    wanted = LogFilter(
        q=q,
        level=level,
        pipeline=pipeline,
        flow=flow,
        job=job,
        after=moment_of(after, "after"),
        before=moment_of(before, "before"),
    )
    with deck.store.read() as conn:
        return answers.FoundLines.of(log_search.find(conn, wanted, limit=limit, cursor=cursor))
