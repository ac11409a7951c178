"""The stream of changes, as a program hears it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from jobdeck.actions import jobs as actions
from jobdeck.actions.creation import Recipes
from jobdeck.domain import clock
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import changes
from jobdeck.store.database import Store
from tests.integration.api.served import TOKEN, Served, ServedApart
from tests.integration.hands import ANA, define
from tests.integration.launched import until

ITEM = EnqueueItem(flow="weather", params={"city": "Gouda"})


@pytest.fixture
def served(store: Store, store_url: str) -> Iterator[Served]:
    define(store)
    with Served(store_url) as server:
        yield server


class Stream:
    """The events that have arrived, as (name, data, id)."""

    def __init__(self, served: Served | ServedApart, path: str, headers: dict[str, str]) -> None:
        self.events: list[tuple[str, Any, str]] = []
        self.ended = threading.Event()
        self._request = (f"{served.url}/api/v1{path}", headers)
        # A read that waits cannot be ended from here; the server ends it at the latest.
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        address, headers = self._request
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        try:
            with (
                httpx.Client(timeout=30) as http,
                http.stream("GET", address, headers=sent) as answer,
            ):
                assert answer.headers["content-type"].startswith("text/event-stream")
                name, data, number = "", None, ""
                for line in answer.iter_lines():
                    field, _, text = line.partition(": ")
                    if field == "event":
                        name = text
                    elif field == "data":
                        data = json.loads(text)
                    elif field == "id":
                        number = text
                    elif not line and name:
                        self.events.append((name, data, number))
                        name, data, number = "", None, ""
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()

    def until(self, name: str, **values: Any) -> tuple[str, Any, str]:
        """Wait for such an event."""
        found: list[tuple[str, Any, str]] = []

        def look() -> bool:
            found[:] = [
                event
                for event in self.events
                if event[0] == name and values.items() <= event[1].items()
            ]
            return bool(found)

        until(look, f"event {name} with {values} among {self.events}")
        return found[0]


@contextmanager
def listening(
    served: Served | ServedApart, path: str = "/events", **headers: str
) -> Iterator[Stream]:
    """A stream that has begun."""
    stream = Stream(served, path, headers)
    stream.until("hello")
    yield stream


def test_tells_what_changes(served: Served, store: Store) -> None:
    with listening(served) as stream:
        job = actions.create(store, ANA, "", ITEM)
        stream.until("job", ref=str(job.id), kind="created")
        actions.stop(store, ANA, "", job.id)
        stream.until("job", ref=str(job.id), kind="stopped")


def test_tells_of_jobs_that_nobody_announced(served: Served, store: Store) -> None:
    from jobdeck.actions.creation import Origin, create_many

    with listening(served, "/events?topic=jobs") as stream:
        create_many(store, [ITEM], Origin(source="sdk"), Recipes())
        stream.until("jobs", kind="created")


def test_tells_only_what_was_asked_for(served: Served, store: Store) -> None:
    first = actions.create(store, ANA, "", ITEM)
    second = actions.create(store, ANA, "", ITEM)
    with listening(served, f"/events?topic=job&ref={second.id}") as stream:
        actions.stop(store, ANA, "", first.id)
        actions.stop(store, ANA, "", second.id)
        stream.until("job", ref=str(second.id))
        assert {event[1].get("ref") for event in stream.events if event[0] == "job"} == {
            str(second.id)
        }


def test_goes_on_after_a_lost_connection(served: Served, store: Store) -> None:
    with listening(served) as stream:
        job = actions.create(store, ANA, "", ITEM)
        stream.until("job", ref=str(job.id))
        last = [event[2] for event in stream.events if event[2]][-1]
    actions.stop(store, ANA, "", job.id)
    with listening(served, **{"Last-Event-ID": last}) as stream:
        stream.until("job", ref=str(job.id), kind="stopped")
        kinds = [event[1].get("kind") for event in stream.events if event[0] == "job"]
        # Where a transaction was open that might have had a smaller number, some come again.
        assert kinds in (["stopped"], [] if store.sqlite else ["created", "stopped"])


def test_says_when_changes_were_missed(served: Served, store: Store) -> None:
    with store.write() as conn:
        changes.add(conn, clock.now(), [("job", str(n), "changed") for n in range(2000)])
    with listening(served, **{"Last-Event-ID": "1"}) as stream:
        stream.until("reload")
    with listening(served, **{"Last-Event-ID": "99999999"}) as stream:
        stream.until("reload")


def test_refuses_topics_that_there_are_not(served: Served) -> None:
    for query, field in (
        ("topic=jbo", "topic"),
        ("ref=1", "ref"),
        ("topic=job,queue&ref=1", "ref"),
    ):
        answer = served.http.get(f"{served.url}/api/v1/events?{query}")
        assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_streams_and_waits_end_at_once_at_shutdown(
    store: Store, store_url: str, number: signal.Signals
) -> None:
    define(store)
    answers = []

    def wait(url: str) -> None:
        address = f"{url}/api/v1/flows/weather/jobs?wait=60"
        body = {"params": {"city": "Gouda"}}
        with httpx.Client(timeout=60) as http:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            answers.append(http.post(address, json=body, headers=headers))

    with ServedApart(store_url) as served, listening(served) as stream:
        waiter = threading.Thread(target=wait, args=(served.url,))
        waiter.start()
        stream.until("job", kind="created")
        served.interrupt(number)
        assert stream.ended.wait(20)
    waiter.join(20)
    assert answers[0].status_code == 202
