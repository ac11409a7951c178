"""Flows that run after other flows, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobdeck.actions import flows
from jobdeck.actions import jobs as job_actions
from jobdeck.actions import pipelines as pipeline_actions
from jobdeck.domain import clock
from jobdeck.domain.errors import InvalidValue, NotFound
from jobdeck.domain.filters import JobFilter
from jobdeck.domain.records import Job
from jobdeck.domain.states import Code, Reason, Status
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import counters, events, jobs, parents, pipelines
from jobdeck.store import flows as flow_reads
from jobdeck.store.claims import READY, Claimed
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob
from jobdeck.store.outcomes import Ending, finish
from tests.integration.hands import ANA, ROOT, Hands, define, manifest


@pytest.fixture(autouse=True)
def _pipelines(store: Store) -> None:
    define(store)
    with store.write() as conn:
        for name in ("report", "mail", "tidy"):
            known = manifest(name, params_schema={"type": "object", "properties": {}})
            pipelines.register(conn, known, clock.now(), publish=True)


def after(store: Store, flow: str, *others: str) -> None:
    flows.edit(store, ANA, "", flow, {"after": list(others)})


def create(store: Store, flow: str = "weather") -> int:
    params = {"city": "Ede"} if flow == "weather" else {}
    return job_actions.create(store, ANA, "", EnqueueItem(flow=flow, params=params)).id


def of(store: Store, flow: str) -> list[Job]:
    with store.read() as conn:
        return jobs.find(conn, JobFilter(flow=flow), sort=["id"], now=clock.now()).items


def told(store: Store, job_id: int, kind: str) -> list[str]:
    with store.read() as conn:
        found = events.of_job(conn, jobs.get(conn, job_id))
    return [event.message for event in found if event.kind == kind]


def end(store: Store, hands: Hands, code: Code) -> Claimed:
    (taken,) = hands.take(1)
    hands.begin(taken)
    hands.end(taken, code)
    return taken


@pytest.mark.parametrize(
    ("code", "names"),
    [(Code.COMPLETED, {"report", "tidy"}), (Code.FAILED, {"mail", "tidy"}), (Code.STOPPED, set())],
)
def test_flows_run_after_others(store: Store, code: Code, names: set[str]) -> None:
    after(store, "report", "weather")
    after(store, "mail", "weather:failed")
    after(store, "tidy", "weather:ended")
    job_id = create(store)
    end(store, Hands(store), code)
    found = {flow: of(store, flow) for flow in ("report", "mail", "tidy")}
    assert {flow for flow, jobs_of_it in found.items() if jobs_of_it} == names
    for flow in names:
        (job,) = found[flow]
        assert (job.status, job.source, job.created_by) == (Status.PENDING, "flow", f"job {job_id}")
        assert (job.parent, job.retry_of, job.params) == (None, None, {})
        (message,) = told(store, job.id, "follows")
        assert message == f"job {job_id} of flow weather, which {code.status}"
    assert len(told(store, job_id, "followed")) == len(names)
    with store.read() as conn:
        totals = counters.totals(conn)
    assert totals[Status.PENDING] == len(names)


def test_a_report_that_comes_twice_lets_nothing_run_twice(store: Store) -> None:
    after(store, "report", "weather")
    create(store)
    hands = Hands(store)
    taken = end(store, hands, Code.COMPLETED)
    with store.write() as conn:
        ending = _ending(taken)
        assert finish(conn, [ending]) == []
    assert len(of(store, "report")) == 1


def _ending(taken: Claimed) -> Ending:
    known = {name: getattr(taken, name) for name in READY}
    return Ending(**known, code=Code.COMPLETED, shown=True, began=True, finished_at=clock.now())


def test_only_a_final_end_counts_and_each_one_does(store: Store) -> None:
    after(store, "report", "weather")
    after(store, "mail", "weather:failed")
    after(store, "tidy", "weather:ended")
    job_id = create(store)
    hands = Hands(store)
    end(store, hands, Code.PENDING)
    assert of(store, "tidy") == []
    (taken,) = hands.take(1)
    hands.begin(taken)
    with store.write() as conn:
        retrying = _ending(taken)._replace(code=Code.RETRYING, run_at=clock.now())
        assert finish(conn, [retrying])
    assert of(store, "mail") == of(store, "tidy") == []
    job_actions.stop(store, ANA, "", job_id)
    assert of(store, "tidy") == []
    job_actions.retry(store, ANA, "", job_id)
    end(store, hands, Code.FAILED)
    assert [len(of(store, flow)) for flow in ("report", "mail", "tidy")] == [0, 1, 1]
    for flow in ("mail", "tidy"):
        job_actions.stop(store, ANA, "", of(store, flow)[0].id)
    job_actions.retry(store, ANA, "", job_id)
    end(store, hands, Code.COMPLETED)
    assert [len(of(store, flow)) for flow in ("report", "mail", "tidy")] == [1, 1, 2]


def test_a_batch_of_ends_lets_each_be_followed(store: Store) -> None:
    after(store, "report", "weather")
    ids = [create(store) for _ in range(5)]
    hands = Hands(store)
    taken = hands.take()
    for job in taken:
        hands.begin(job)
    with store.write() as conn:
        assert len(finish(conn, [_ending(job) for job in taken])) == 5
    assert [job.created_by for job in of(store, "report")] == [f"job {each}" for each in ids]


def test_children_are_part_of_their_parent(store: Store) -> None:
    after(store, "report", "weather:ended")
    parent = create(store)
    hands = Hands(store)
    (taken,) = hands.take()
    hands.begin(taken)
    with store.write() as conn:
        flow = flow_reads.get(conn, "weather")
        child = NewJob(flow_id=flow.id, queue_id=taken.queue_id, params="{}", parent_id=parent)
        parents.add_children(conn, parent, "load", 0, [child], clock.now())
    hands.run()
    assert of(store, "report") == []
    hands.end(taken, Code.COMPLETED)
    assert [job.created_by for job in of(store, "report")] == [f"job {parent}"]


def test_a_flow_that_cannot_be_run_fails_at_once_and_is_followed_too(store: Store) -> None:
    after(store, "report", "weather")
    after(store, "mail", "report:failed")
    after(store, "tidy", "report")
    pipeline_actions.unpublish(store, ANA, "", "report")
    create(store)
    hands = Hands(store)
    end(store, hands, Code.COMPLETED)
    (job,) = of(store, "report")
    assert (job.status, job.reason) == (Status.FAILED, Reason.NOT_PUBLISHED)
    assert "pipelines publish report" in job.message
    assert [each.created_by for each in of(store, "mail")] == [f"job {job.id}"]
    assert of(store, "tidy") == []


def test_parameters_that_do_not_fit_fail_at_once(store: Store) -> None:
    after(store, "weather", "mail")
    create(store, "mail")
    end(store, Hands(store), Code.COMPLETED)
    (job,) = of(store, "weather")
    assert (job.status, job.reason) == (Status.FAILED, Reason.INVALID_CONFIG)
    assert "params.city: is required" in job.message


def test_circles_are_refused_and_named(store: Store) -> None:
    after(store, "report", "weather")
    after(store, "mail", "report:ended", "tidy")
    with pytest.raises(InvalidValue, match="weather → report → mail → weather") as refused:
        after(store, "weather", "mail:failed")
    assert refused.value.field == "after"
    with pytest.raises(InvalidValue, match="after itself"):
        after(store, "weather", "weather:failed")
    with store.read() as conn:
        assert flow_reads.get(conn, "weather").after == []
        assert flow_reads.get(conn, "mail").after == ["report:ended", "tidy"]


@pytest.mark.parametrize("pair", [("weather", "mail")] * 5)
def test_two_changes_cannot_close_a_circle_together(store: Store, pair: tuple[str, str]) -> None:
    def follow(names: tuple[str, str]) -> bool:
        try:
            after(store, names[0], names[1])
        except InvalidValue:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(follow, [pair, pair[::-1]]))
    assert sorted(done) == [False, True]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (["nothing"], NotFound),
        (["mail:lost"], InvalidValue),
        ([":failed"], InvalidValue),
        ([""], InvalidValue),
        (["mail", "mail:failed"], InvalidValue),
    ],
)
def test_what_cannot_be_followed_is_refused(
    store: Store, text: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        flows.edit(store, ANA, "", "report", {"after": text})
    with pytest.raises(error):
        flows.add(store, ANA, "", "new", "report", after=text)
    with store.read() as conn:
        assert flow_reads.get(conn, "report").after == []
        assert "new" not in {flow.name for flow in flow_reads.all(conn)}


def test_what_is_removed_is_followed_no_more(store: Store) -> None:
    made = flows.add(store, ANA, "", "weekly", "report", after=["weather:ended", "mail"])
    assert made.after == ["mail", "weather:ended"]
    after(store, "tidy", "weekly")
    flows.remove(store, ANA, "", "weekly")
    with store.read() as conn:
        assert flow_reads.get(conn, "tidy").after == []
    after(store, "tidy", "mail")
    pipeline_actions.remove(store, ROOT, "", "mail")
    with store.read() as conn:
        assert flow_reads.get(conn, "tidy").after == []
