"""What stands beside a job, in words."""

from __future__ import annotations

import shlex

from jobdeck.domain.records import Job
from jobdeck.domain.states import Status
from jobdeck.http.state import Deck
from jobdeck.store.database import Store
from jobdeck.store.surroundings import Happening
from jobdeck.web import job_side
from jobdeck.web.render import Pages


def test_what_happened_elsewhere_is_told_in_words() -> None:
    def told(action: str, actor: str = "ana", target: str = "queue etl") -> str:
        return job_side.told(Happening(at=1, action=action, target=target, actor=actor)).text

    assert told("queue.pause") == "ana paused queue etl"
    assert told("queue.stop") == "ana stopped the jobs of queue etl"
    assert told("pool.drain", target="pool 3") == "ana drained pool 3"
    assert told("pool.started", "", "pool 3 on b") == "Pool 3 on b started"
    assert told("pool.lost", "", "pool 3 on b") == "Pool 3 on b was lost"


def test_bodies_of_calls_are_laid_out_if_they_are_json() -> None:
    assert job_side.body('{"a":1}') == '{\n  "a": 1\n}'
    assert job_side.body('{"a":') == '{"a":'
    assert job_side.body("") == ""
    assert len(job_side.body("x" * 9000)) == job_side.BODY_CHARS


def test_a_job_is_made_again_by_a_command() -> None:
    pages = Pages(Deck(Store("sqlite:///never-opened.db"), base_path="/ops"))

    def lines(params: object) -> dict[str, str]:
        job = Job(
            id=7, pipeline="p", flow="p", queue="q", status=Status.PENDING, created_at=1,
            params=params, context="dev",
        )  # fmt: skip
        return {line.name: line.text for line in job_side.copies(pages, job)}

    found = lines({"city": "Den Haag; rm", "days": 7, "tags": ["a b"]})
    assert found["Address"] == "/ops/jobs/7"
    assert shlex.split(found["Run the same"]) == [
        *("jobdeck", "run", "p", "-p", "city=Den Haag; rm", "-p", "days=7"),
        *("-p", 'tags=["a b"]', "--context", "dev"),
    ]
    assert lines({"rows": "x" * 1000})["Run the same"] == "jobdeck run p --params FILE"
