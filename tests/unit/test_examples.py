"""The examples, each run in this process as its readers would test their own pipelines."""

from __future__ import annotations

import csv
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from examples import census as census_file
from examples import clock_changes as clock_changes_file
from examples import inventory as inventory_file
from examples.census import census, count_package
from examples.checksums import BATCH, checksums
from examples.clock_changes import clock_changes
from examples.demo import ROUND, demo
from examples.inventory import Line, inventory, parse
from examples.licence_archive import licence_archive
from examples.machine_watch import machine_watch
from examples.partner_import import partner_export, partner_import
from examples.service_check import service_check
from examples.tool_versions import tool_versions
from jobdeck import testing


class TestInventory:
    def test_finds_the_files_of_a_package_as_they_were_installed(self) -> None:
        job = testing.run(inventory, pattern="HTTP?").completed()
        loaded = job.steps["load"].counts
        assert list(job.result) == ["packages", "files", "bytes", "changed"]
        assert (job.result["packages"], job.result["changed"]) == (1, 0)
        assert loaded.read == loaded.written + loaded.filtered + loaded.skipped
        assert loaded.skipped >= 1  # the RECORD itself has no hash
        assert loaded.written == job.result["files"] == job.steps["verify"].counts.filtered
        with job.files["packages.csv"].path.open(newline="") as file:
            assert [row["package"] for row in csv.DictReader(file)] == ["httpx"]

    def test_has_nothing_to_do_where_no_package_matches(self) -> None:
        job = testing.run(inventory, pattern="no-such-*")
        assert (job.status, job.reason) == ("completed", "no_items")

    def test_goes_on_behind_the_last_chunk(self) -> None:
        stopped = testing.run(inventory, pattern="litestar", stop_after_chunks=1)
        assert stopped.status == "stopped"
        whole = testing.run(inventory, pattern="litestar").completed()
        again = testing.run(inventory, pattern="litestar", resume=stopped).completed()
        assert again.result == whole.result
        assert again.steps["load"].counts == whole.steps["load"].counts

    def test_tells_what_was_changed(self, tmp_path: Path) -> None:
        file = tmp_path / "module.py"
        file.write_text("x = 1\n")
        digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"  # of an empty file
        entry = parse(Line("package", str(tmp_path), "module.py", digest, "0"))
        assert entry is not None
        assert inventory_file.changed_file(entry) == (str(file), "was changed")
        file.write_text("")
        assert inventory_file.changed_file(entry) is None
        file.unlink()
        assert inventory_file.changed_file(entry) == (str(file), "is gone")

    def test_lines_without_a_hash_cannot_be_compared(self) -> None:
        with pytest.raises(ValueError, match="has no sha256"):
            parse(Line("package", "/", "RECORD", "", ""))
        assert parse(Line("package", "/", "module.pyc", "", "")) is None


class TestCensus:
    def test_makes_a_child_for_each_package_and_sums_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = ["httpx", "msgspec", "no-such-package"]
        monkeypatch.setattr(census_file, "names", lambda: names)
        job = testing.run(census).completed()
        assert [child.status for child in job.children] == ["completed", "completed", "failed"]
        assert job.result["packages"] == 2
        assert job.result["lines"] == sum(child.result["lines"] for child in job.children[:2])
        assert [line.level for line in job.logs] == ["warning"]
        assert "census.csv" in job.files

    def test_knows_all_packages(self) -> None:
        assert {"httpx", "msgspec", "litestar"} <= set(census_file.names())

    def test_a_package_that_is_not_there_says_what_to_do(self) -> None:
        job = testing.run(count_package, package="no-such-package")
        assert job.error
        assert job.error.hint.endswith("pip install no-such-package")


def test_partner_import_is_tried_again_until_the_file_is_there() -> None:
    first = testing.run(partner_import)
    assert (first.status, first.retryable) == ("failed", True)
    assert first.error
    assert first.error.step == "collect"
    assert "partner_export" in first.error.hint
    (order,) = first.enqueued
    delivered = testing.run(partner_export, order.params).completed()
    second = testing.run(partner_import, resume=first).completed()
    assert second.enqueued == []  # the first step was not run again
    assert sum(second.result.values()) == delivered.result


def test_licence_archive_fails_with_a_hint_and_works_elsewhere(tmp_path: Path) -> None:
    failed = testing.run(licence_archive, target=str(tmp_path / "missing"))
    assert (failed.status, failed.retryable) == ("failed", False)
    assert failed.error
    assert "another target" in failed.error.hint
    done = testing.run(licence_archive, target=str(tmp_path)).completed()
    with zipfile.ZipFile(tmp_path / "licences.zip") as archive:
        assert len(archive.namelist()) == done.result["texts"] > 10


def test_checksums_tell_how_far_they_are() -> None:
    job = testing.run(checksums, minutes=0.001).completed()
    assert job.progress[0].done == BATCH
    assert job.progress[-1].fraction == 1
    lines = job.files["SHA256SUMS"].path.read_text().splitlines()
    assert len(lines) == job.result["files"] == job.counts.written


def test_machine_watch_measures() -> None:
    job = testing.run(machine_watch).completed()
    assert 0 < job.result["memory_percent"] <= 100


def test_tool_versions_asks_all_tools() -> None:
    job = testing.run(tool_versions).completed()
    assert job.result["python"].startswith("Python 3")
    assert job.counts.read == len(job.result)


class TestClockChanges:
    @pytest.fixture(autouse=True)
    def _in_spring(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clock_changes_file, "now", lambda: datetime(2026, 3, 20, tzinfo=UTC))

    def test_finds_nothing_on_most_days(self) -> None:
        job = testing.run(clock_changes)
        assert (job.status, job.reason) == ("completed", "no_items")
        assert job.counts.filtered == job.counts.read

    def test_finds_the_beginning_of_summer_time(self) -> None:
        job = testing.run(clock_changes, days=14).completed()
        found = {change["zone"]: change["by"] for change in job.result}
        assert found["Europe/Berlin"] == "+60 minutes"


def test_service_check_keeps_its_calls() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        metrics = 'jobdeck_jobs{status="pending"} 3.0\n'
        return httpx.Response(200, text=metrics if request.url.path == "/metrics" else "{}")

    job = testing.run(service_check, url="http://deck", http=answer).completed()
    assert job.result == {"url": "http://deck", "jobs": {"pending": 3}}
    assert [httpx.URL(call.url).path for call in job.http_calls] == [
        "/healthz",
        "/readyz",
        "/metrics",
    ]


def test_service_check_waits_as_long_as_it_is_asked_to() -> None:
    answer = httpx.Response(503, headers={"Retry-After": "7"})
    job = testing.run(service_check, url="http://deck", http=lambda _: answer)
    assert (job.status, job.retryable, job.retry_after_s) == ("failed", True, 7)


def test_demo_starts_one_of_each() -> None:
    job = testing.run(demo).completed()
    assert list(job.result) == [pipeline.name for pipeline in ROUND]
    assert [item.flow for item in job.enqueued] == list(job.result)
