"""A job that is finished by force, and one that a lost pool left: with real processes."""

from __future__ import annotations

from jobdeck.actions import jobs as actions
from jobdeck.actions import pipelines
from jobdeck.domain.roles import Actor, Role
from jobdeck.domain.states import Reason, Status
from jobdeck.domain.why import why
from jobdeck.store import facts, pools
from jobdeck.worker.loader import load_manifests
from tests.integration.engine.harness import Deck, wait_for

ANA = Actor("ana", Role.OPERATOR)


def test_a_job_that_hears_nothing_is_finished_at_once_and_its_worker_replaced(deck: Deck) -> None:
    deck.define(
        """
        import time

        @job
        def deaf() -> None:
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass

        @job
        def quick() -> int:
            return 1
        """
    )
    deck.start_pool(grace_s=60)
    (job_id,) = deck.enqueue("deaf")
    deck.wait(job_id, Status.RUNNING)
    worker = deck.worker_of(job_id)
    done = actions.finish(deck.store, ANA, "it hangs", job_id)
    assert (done.status, done.reason) == (Status.FAILED, Reason.FORCED)
    (next_id,) = deck.enqueue("quick")
    assert deck.wait(next_id).result == 1
    wait_for("the worker to be gone", lambda: not worker.is_running())
    found = deck.job(job_id)
    assert (found.status, found.message) == (Status.FAILED, done.message)
    assert deck.attempts(job_id) == [(1, Status.FAILED, Reason.FORCED)]


def test_a_pool_tells_what_it_loaded_so_that_why_knows(deck: Deck) -> None:
    deck.define("@job\ndef hello() -> None: pass")
    deck.start_pool()

    def loaded() -> bool:
        with deck.store.read() as conn:
            return any("hello" in pool.loaded for pool in pools.all(conn))

    wait_for("the pool to have loaded", loaded)
    with deck.store.read() as conn:
        (pool,) = pools.all(conn)
    code = deck.target.read_text().replace("pass", "return None")
    deck.target.write_text(code)
    pipelines.register(deck.store, ANA, "", load_manifests(str(deck.target)).pipelines)
    (job_id,) = deck.enqueue("hello")
    with deck.store.read() as conn:
        answer = why(facts.gather(conn, job_id, pool.heartbeat_at))
    assert answer.code == "other_version"
    assert f"pool {pool.id} loaded another one" in answer.sentence
