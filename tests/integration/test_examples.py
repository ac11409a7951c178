"""The demo as a newcomer starts it: within half a minute there is something of everything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.launched import Launched, environment, until


class Demo:
    """A demo that runs, asked over REST."""

    def __init__(self, started: Launched, store: Path) -> None:
        address, token = started.link()
        self.store = store
        self.client = httpx.Client(
            base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, params=query).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body).raise_for_status().json()

    def first(self, flow: str) -> Any:
        """The first job of the flow."""
        found = self.get("/jobs", flow=flow, sort="id", limit=1)["items"]
        return found[0] if found else None

    def ended(self, flow: str) -> Any:
        """The first job of the flow, once it has ended."""
        until(lambda: _is_final(self.first(flow)), f"the end of the first {flow}", 120)
        return self.first(flow)


def _is_final(job: Any) -> bool:
    return job is not None and job["status"] in {"completed", "failed", "stopped"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    argv = [sys.executable, "-m", "jobdeck.cli", "up", "--demo", "--port", "0"]
    env = environment(JOBDECK_STORE="sqlite:///demo.db")
    with Launched(argv, cwd=folder, env=env) as started:
        running = Demo(started, folder / "demo.db")
        with running.client:
            yield running
        started.end()


@pytest.mark.parametrize(
    "flow", ["demo", "machine_watch", "clock_changes", "tool_versions", "partner_export"]
)
def test_completes(demo: Demo, flow: str) -> None:
    assert demo.ended(flow)["status"] == "completed"


def test_inventory_counts_what_it_does_with_each_row(demo: Demo) -> None:
    job = demo.ended("inventory")
    assert (job["status"], job["result"]["changed"]) == ("completed", 0)
    steps = {step["name"]: step for step in demo.get(f"/jobs/{job['id']}/steps")["items"]}
    load, verify = steps["load"]["counts"], steps["verify"]["counts"]
    assert load["read"] == load["written"] + load["filtered"] + load["skipped"]
    assert load["skipped"] >= job["result"]["packages"] > 10
    assert verify["filtered"] == job["result"]["files"] == load["written"]
    table = demo.client.get(f"/jobs/{job['id']}/files/packages.csv").raise_for_status().text
    assert len(table.splitlines()) == job["result"]["packages"] + 1


def test_census_sums_up_its_children(demo: Demo) -> None:
    job = demo.ended("census")
    assert job["status"] == "completed"
    children = demo.get("/jobs", parent=job["id"], limit=500)["items"]
    assert {child["status"] for child in children} == {"completed"}
    assert len(children) == job["result"]["packages"]


def test_partner_import_takes_several_attempts(demo: Demo) -> None:
    job = demo.ended("partner_import")
    assert job["status"] == "completed"
    assert job["attempt"] >= 2
    attempts = demo.get(f"/jobs/{job['id']}/attempts")["items"]
    assert attempts[0]["status"] == "retrying"
    assert attempts[0]["error"]["step"] == "collect"
    assert "partner_export" in attempts[0]["error"]["hint"]


def test_licence_archive_fails_and_can_be_run_elsewhere(demo: Demo, tmp_path: Path) -> None:
    job = demo.ended("licence_archive")
    assert (job["status"], job["reason"], job["attempt"]) == ("failed", "error", 1)
    assert "another target" in job["error"]["hint"]
    again = demo.post(f"/jobs/{job['id']}/run-again", params={"target": str(tmp_path)})
    until(lambda: _is_final(demo.get(f"/jobs/{again['id']}")), "the end of the second one")
    assert demo.get(f"/jobs/{again['id']}")["status"] == "completed"
    assert (tmp_path / "licences.zip").stat().st_size > 10_000


def test_service_check_finds_this_server(demo: Demo) -> None:
    job = demo.ended("service_check")
    assert job["result"]["url"] == str(demo.client.base_url).removesuffix("/api/v1/")
    calls = demo.get(f"/jobs/{job['id']}/calls")["items"]
    assert [call["status"] for call in calls] == [200, 200, 200]


def test_checksums_can_be_stopped_and_go_on_where_they_were(demo: Demo) -> None:
    def progress() -> int:
        job = demo.first("checksums")
        return job["progress"]["done"] if job and job["progress"] else 0

    until(lambda: progress() > 0, "progress")
    job = demo.first("checksums")
    assert job["status"] == "running"
    assert progress() < job["progress"]["total"]
    demo.post(f"/jobs/{job['id']}/stop", reason="to see whether it can be stopped")
    stopped = demo.ended("checksums")
    assert (stopped["status"], stopped["reason"]) == ("stopped", "stopped")
    sums = Path(f"{demo.store}.files", str(job["id"]), "SHA256SUMS")
    before = sums.read_text().splitlines()
    demo.post(f"/jobs/{job['id']}/retry")
    until(lambda: len(sums.read_text().splitlines()) > len(before), "more of them")
    after = sums.read_text().splitlines()
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)
    demo.post(f"/jobs/{job['id']}/kill")
    assert demo.ended("checksums")["reason"] == "killed"


def test_schedules_keep_it_alive(demo: Demo) -> None:
    flows = {schedule["flow"] for schedule in demo.get("/schedules")["items"]}
    assert {"machine_watch", "service_check", "tool_versions", "inventory"} <= flows
