"""Registering, publishing and removing pipelines, and the flows that come with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobdeck.domain.errors import Duplicate, InvalidValue, NotFound, WrongState
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.states import Reason
from jobdeck.store import flows, jobs, pipelines, queues, schedules, stops
from jobdeck.store.database import Store
from jobdeck.store.enqueue import NewJob, enqueue
from tests.store.world import START, manifest


def register(store: Store, made: PipelineManifest, *, publish: bool = True) -> bool:
    with store.write() as conn:
        return pipelines.register(conn, made, START, publish=publish)[1]


def test_a_definition_is_registered_once(store: Store) -> None:
    assert register(store, manifest("mail", "post"))
    assert not register(store, manifest("mail", "post"))
    with store.read() as conn:
        pipeline = pipelines.get(conn, "mail")
        assert (pipeline.current_version, pipeline.published_version) == (1, 1)
        assert pipeline.manifest == manifest("mail", "post")
        flow = flows.get(conn, "mail")
        assert (flow.pipeline, flow.queue, flow.params) == ("mail", "post", {})
        assert pipelines.all(conn) == [pipeline]


def test_a_changed_definition_is_a_new_version(store: Store) -> None:
    register(store, manifest("mail"))
    assert register(store, manifest("mail", code_hash="b"), publish=False)
    with store.read() as conn:
        pipeline = pipelines.get(conn, "mail")
        assert (pipeline.current_version, pipeline.published_version) == (2, 1)
        assert pipelines.manifest(conn, pipeline.id, 1) == manifest("mail")
        assert flows.target(conn, "mail").version == 1
    assert register(store, manifest("mail", code_hash="b"))
    assert not register(store, manifest("mail", code_hash="b"), publish=False)
    with store.read() as conn:
        assert pipelines.get(conn, "mail").published_version == 2


def test_a_definition_that_comes_back_is_its_old_version(store: Store) -> None:
    for code in ("a", "b"):
        register(store, manifest("mail", code_hash=code))
    assert register(store, manifest("mail", code_hash="a"))
    with store.read() as conn:
        pipeline = pipelines.get(conn, "mail")
        known = pipelines.all_versions(conn, pipeline.id, limit=9)
    assert (pipeline.current_version, pipeline.published_version) == (1, 1)
    marks = {each.version: each.fingerprint for each in known}
    assert marks == {
        n: manifest("mail", code_hash=code).fingerprint for n, code in ((1, "a"), (2, "b"))
    }


def test_those_who_register_at_once_make_one_version(store: Store) -> None:
    with ThreadPoolExecutor(4) as threads:
        changed = list(threads.map(lambda _: register(store, manifest("mail")), range(4)))
    assert True in changed
    with store.read() as conn:
        assert pipelines.get(conn, "mail").current_version == 1
        assert len(flows.all(conn)) == 1


def test_a_flow_follows_the_definition_where_nobody_changed_it(store: Store) -> None:
    register(store, manifest("mail", "post", priority=1))
    with store.write() as conn:
        flows.edit(conn, "mail", {"priority": 9, "params": {"to": "ann"}}, START)
    register(store, manifest("mail", "express", priority=2))
    with store.read() as conn:
        flow = flows.get(conn, "mail")
    assert (flow.queue, flow.priority, flow.params) == ("express", 9, {"to": "ann"})
    with store.write() as conn:
        flows.edit(conn, "mail", {"queue": "night"}, START)
    register(store, manifest("mail", "post", priority=2))
    with store.read() as conn:
        assert flows.get(conn, "mail").queue == "night"


def test_publishing_changes_what_may_run(store: Store) -> None:
    register(store, manifest("mail"), publish=False)
    with store.read() as conn, pytest.raises(WrongState, match="jobdeck pipelines publish mail"):
        flows.target(conn, "mail")
    with store.write() as conn:
        assert pipelines.publish(conn, "mail", START)
        assert not pipelines.publish(conn, "mail", START)
        assert flows.target(conn, "mail").manifest == manifest("mail")
        assert [name for name, _, _ in pipelines.published(conn).values()] == ["mail"]
        with pytest.raises(NotFound, match=r"no version 7"):
            pipelines.publish(conn, "mail", START, 7)
        assert pipelines.unpublish(conn, "mail", START)
        assert not pipelines.unpublish(conn, "mail", START)


def test_names_that_are_not_there_suggest_those_that_are(store: Store) -> None:
    register(store, manifest("weather"))
    with store.read() as conn:
        with pytest.raises(NotFound, match=r"no pipeline 'wether'. Did you mean 'weather'"):
            pipelines.get(conn, "wether")
        with pytest.raises(NotFound, match=r"no flow 'wetter'. Did you mean 'weather'"):
            flows.target(conn, "wetter")
        with pytest.raises(NotFound, match=r"no queue 'x'. There are: default"):
            queues.get(conn, "x", START)


def test_a_flow_is_a_configuration_of_its_own(store: Store) -> None:
    register(store, manifest("mail", retry=RetryPolicy(2), timeout_s=9.0))
    with store.write() as conn:
        made = flows.create(conn, name="news", pipeline="mail", now=START, params={"to": "all"})
        assert (made.pipeline, made.queue, made.params) == ("mail", "default", {"to": "all"})
        assert flows.get(conn, "news") == made
        assert (made.retry, made.timeout_s) == (None, None)
        edited = flows.edit(conn, "news", {"retry": RetryPolicy(5), "timeout_s": 1.0}, START)
        assert (edited.retry, edited.timeout_s) == (RetryPolicy(5), 1.0)
        assert [flow.name for flow in flows.all(conn, "mail")] == ["mail", "news"]
        with pytest.raises(Duplicate, match="already"):
            flows.create(conn, name="news", pipeline="mail", now=START)
        with pytest.raises(InvalidValue, match="colour: "):
            flows.edit(conn, "news", {"colour": 1}, START)
        with pytest.raises(NotFound, match=r"no pipeline 'male'. Did you mean 'mail'"):
            flows.create(conn, name="x", pipeline="male", now=START)


def test_a_stamp_tells_whether_a_target_still_holds(store: Store) -> None:
    register(store, manifest("mail"))
    with store.write() as conn:
        stamps = [flows.target(conn, "mail").stamp]
        assert flows.stamp(conn, "mail") == stamps[0]
        flows.edit(conn, "mail", {"priority": 1}, START)
        stamps.append(flows.target(conn, "mail").stamp)
        pipelines.register(conn, manifest("mail", code_hash="b"), START, publish=True)
        stamps.append(flows.target(conn, "mail").stamp)
        assert flows.stamp(conn, "mail") == stamps[-1]
        assert flows.stamp(conn, "male") is None
    assert len(set(stamps)) == 3


def test_what_has_open_jobs_cannot_be_removed(store: Store) -> None:
    register(store, manifest("mail"))
    with store.write() as conn:
        news = flows.create(conn, name="news", pipeline="mail", now=START)
        schedules.create(conn, flow="news", interval_s=60, now=START)
        [job] = enqueue(conn, [NewJob(flow_id=news.id, queue_id=1)], START)
        with pytest.raises(WrongState, match="has 1 jobs that have not ended"):
            flows.delete(conn, "news", START)
        with pytest.raises(WrongState, match="has 1 jobs that have not ended"):
            pipelines.remove(conn, "mail", START)
        with pytest.raises(WrongState, match="default flow"):
            flows.delete(conn, "mail", START)
        stops.stop_waiting(conn, [job], reason=Reason.STOPPED, message="", now=START)
        flows.delete(conn, "news", START)
        assert schedules.all(conn) == []
        with pytest.raises(NotFound):
            flows.get(conn, "news")
        assert jobs.get(conn, job).flow == "news"
        pipelines.remove(conn, "mail", START)
        assert (flows.all(conn), pipelines.all(conn)) == ([], [])
        assert jobs.get(conn, job).pipeline == "mail"


def test_what_was_removed_can_come_back(store: Store) -> None:
    register(store, manifest("mail"))
    with store.write() as conn:
        flows.create(conn, name="news", pipeline="mail", now=START, params={"to": "all"})
        flows.delete(conn, "news", START)
        again = flows.create(conn, name="news", pipeline="mail", now=START)
        assert again.params == {}
        flows.edit(conn, "mail", {"params": {"to": "ann"}}, START)
        pipelines.remove(conn, "mail", START)
    assert register(store, manifest("mail"))
    with store.read() as conn:
        assert flows.get(conn, "mail").params == {}
        assert pipelines.get(conn, "mail").published_version == 1


def test_a_flow_of_another_pipeline_keeps_its_name(store: Store) -> None:
    register(store, manifest("mail"))
    with store.write() as conn:
        flows.create(conn, name="news", pipeline="mail", now=START)
    with pytest.raises(Duplicate, match="another pipeline has a flow of that name"):
        register(store, manifest("news"))
    with store.read() as conn:
        assert [pipeline.name for pipeline in pipelines.all(conn)] == ["mail"]
