"""What operators come for, each task done as somebody would who has never seen the pages before.

The same tasks stand in docs/explain/operator-tasks.md. One real `jobdeck up` serves all of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import evidence
from tests.browser.conftest import PHONE, live, shown, wait_for_scripts
from tests.integration.launched import Launched, environment, until

pytestmark = pytest.mark.needs("chromium")

PIPELINES = '''
import time
from pathlib import Path

from jobdeck import Context, Pipeline, job

night = Pipeline("night-load", queue="etl")


@night.step
def extract(ctx: Context, city: str = "Delft") -> int:
    """Fetch the rows of the day."""
    return 120


@night.step
def load(ctx: Context, rows: int, city: str = "Delft") -> int:
    """Put them into the warehouse; rows that cannot be read are skipped."""
    def parse(number: int) -> int:
        if number % 40 == 3:
            raise ValueError("not a number")
        return number

    for _ in ctx.chunks(range(rows), size=50, each=parse, on_error="skip", limit=10):
        pass
    if Path("warehouse-is-down").exists():
        raise ConnectionError("the warehouse does not answer")
    return rows


@job(queue="mail")
def letter(ctx: Context, to: str = "ana@example.org", city: str = "Delft") -> str:
    """Send a letter."""
    if Path("post-is-shut").exists():
        raise OSError(f"the post of {city} is shut")
    return to


@job(queue="slow")
def hang(ctx: Context) -> None:
    """Never ends by itself."""
    while True:
        time.sleep(0.05)
'''


class House:
    """A running Jobdeck, and what has happened in it before the operator comes."""

    def __init__(self, folder: Path, link: tuple[str, str]) -> None:
        self.folder = folder
        self.address, self.token = link
        self.calls = httpx.Client(
            base_url=f"{self.address}/api/v1",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=40,
            trust_env=False,
        )

    def run(self, flow: str, **params: Any) -> dict[str, Any]:
        """A job of it, when it has ended."""
        made = self.calls.post(f"/flows/{flow}/jobs?wait=30", json={"params": params})
        assert made.status_code == httpx.codes.OK, made.text
        found: dict[str, Any] = made.json()
        return found

    def create(self, flow: str, **params: Any) -> int:
        """The number of a new job."""
        made = self.calls.post(f"/flows/{flow}/jobs", json={"params": params})
        assert made.status_code == httpx.codes.ACCEPTED, made.text
        return int(made.json()["id"])

    def fail(self, flow: str, flag: str, **params: Any) -> int:
        """The number of a job that failed, whose cause is mended since."""
        (self.folder / flag).touch()
        job = self.run(flow, **params)
        (self.folder / flag).unlink()
        assert job["status"] == "failed"
        return int(job["id"])

    def status(self, job_id: int) -> str:
        """How the job stands."""
        return str(self.calls.get(f"/jobs/{job_id}").json()["status"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "work.py").write_text(PIPELINES)
    argv = [sys.executable, "-m", "jobdeck.cli", "up", "work.py", "--port", "0", "--workers", "2"]
    # What does not end by itself is killed by the operator, not because some time has passed.
    env = environment(JOBDECK_STORE=f"sqlite:///{folder}/jobs.db", JOBDECK_GRACE_S="300")
    with Launched(argv, cwd=folder, env=env) as up:
        made = House(folder, up.link())
        until(lambda: made.calls.get("/flows/hang").status_code == httpx.codes.OK, "pipelines")
        yield made
        made.calls.close()


@pytest.fixture(scope="module")
def operator(browser: Browser, house: House) -> Iterator[Page]:
    """The one page that the operator has open."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    wait_for_scripts(context)
    page = context.new_page()
    page.goto(f"{house.address}/sign-in?token={house.token}")
    evidence.offer(context, "Shown to the operator", lambda: shown(page))
    yield page
    evidence.withdraw(context)
    context.close()


@pytest.fixture
def page(operator: Page, house: House) -> Page:
    """The overview, where every task begins."""
    operator.goto(f"{house.address}/")
    return live(operator)


def go(page: Page, name: str) -> None:
    """To a page, by the navigation."""
    link = page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True)
    with page.expect_navigation():
        link.click()


def ended(page: Page, status: str) -> None:
    """The job on the page has come to that end."""
    expect(page.locator(".job-head")).to_have_attribute("data-job-status", status)


def test_why_last_nights_run_failed_and_retry_it_from_the_failed_step(
    page: Page, house: House
) -> None:
    """Find out why last night's run failed, and retry it from the failed step: three clicks."""
    job_id = house.fail("night-load", "warehouse-is-down")
    page.get_by_role("link", name=re.compile(f"night-load {job_id}")).click()  # the first
    expect(page.locator("main")).to_contain_text("the warehouse does not answer")
    page.get_by_role("link", name="Retry", exact=True).click()  # the second
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("From the step that failed, load")).to_be_checked()
    dialog.get_by_role("button", name="Retry").click()  # the third
    ended(page, "completed")
    assert house.calls.get(f"/jobs/{job_id}/steps").json()["items"][0]["attempt"] == 1


def test_how_much_data_was_read_and_skipped(page: Page, house: House) -> None:
    """Say how much data last night's load read and skipped, and in how many batches."""
    job_id = house.run("night-load")["id"]
    go(page, "Pipelines")
    page.locator("#pipeline-night-load").get_by_role("link", name="night-load").click()
    page.locator(".flow-rows").get_by_role("link", name="night-load").click()
    page.get_by_role("link", name=f"Details of {job_id}").click()
    details = page.locator("#details")
    expect(details).to_contain_text("120 read and 117 written in 3 batches, 3 skipped.")


def test_which_version_ran(page: Page, house: House) -> None:
    """Say which version of the code a job ran, and since when that is published."""
    job_id = house.run("letter")["id"]
    page.keyboard.press("Control+k")
    page.locator("#palette").get_by_role("combobox").fill(str(job_id))
    expect(page.locator("#palette").get_by_role("option").first).to_contain_text(f"Job {job_id}")
    page.keyboard.press("Enter")
    expect(page.locator(".job-head")).to_contain_text(re.compile("Version.*1"))
    page.wait_for_load_state()
    page.keyboard.press("Control+k")
    page.locator("#palette").get_by_role("combobox").fill("letter")
    expect(page.locator("#palette").get_by_role("option").first).to_contain_text("pipeline")
    page.keyboard.press("Enter")
    versions = page.get_by_role("region", name="Versions")
    expect(versions.get_by_role("listitem")).to_have_count(1)
    expect(versions.get_by_role("listitem")).to_have_text(
        re.compile("1 [0-9a-f]{16}.*published.*current", re.DOTALL)
    )


def test_withdraw_an_execution(page: Page, house: House) -> None:
    """Withdraw a job that waits, before it starts, and say why."""
    house.calls.post("/queues/mail/pause", json={"reason": "letters are checked"})
    job_id = house.create("letter")
    go(page, "Jobs")
    live(page)
    page.get_by_role("link", name=f"Stop job {job_id}").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("wrong address")
    page.get_by_role("dialog").get_by_role("button", name="Stop the job").click()
    expect(page.locator(f"#job-{job_id} .c-status")).to_have_text("stopped")
    house.calls.post("/queues/mail/resume", json={})
    assert house.status(job_id) == "stopped"


def test_who_paused_the_queue_and_why(page: Page, house: House) -> None:
    """Find out why a job does not start: who paused its queue, and for what reason."""
    house.calls.post("/queues/mail/pause", json={"reason": "the printer burns"})
    job_id = house.create("letter")
    page.reload()
    trouble = page.get_by_role("listitem").filter(has_text="Queue mail is paused")
    expect(trouble).to_contain_text("the printer burns")
    go(page, "Queues")
    row = page.locator("#queue-mail")
    expect(row).to_contain_text("the printer burns")
    row.get_by_role("button", name="More for queue mail").click()
    page.locator(".menu:popover-open").get_by_role("link", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("it is out")
    dialog.get_by_role("button", name="Resume").click()
    until(lambda: house.status(job_id) == "completed", "the letter is sent")


def test_pause_everything_but_one_queue(page: Page, house: House) -> None:
    """Pause every queue but one, while the database is moved."""
    go(page, "Queues")
    live(page)
    for name in ("etl", "slow"):
        page.get_by_role("checkbox", name=f"Select queue {name}", exact=True).check()
    page.get_by_role("button", name="Pause", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("etl")
    expect(dialog).to_contain_text("slow")
    dialog.get_by_label("Reason").fill("the database moves")
    dialog.get_by_role("button", name="Pause").click()
    expect(page.locator("#queue-etl")).to_contain_text("the database moves")
    assert house.run("letter")["status"] == "completed"
    for name in ("etl", "slow"):
        house.calls.post(f"/queues/{name}/resume", json={})


def test_kill_the_job_that_hangs(page: Page, house: House) -> None:
    """Kill the job that hangs, in the job manager, from whatever page is open."""
    job_id = house.create("hang")
    until(lambda: house.status(job_id) == "running", "it runs")
    page.keyboard.press("m")
    manager = page.get_by_role("dialog")
    manager.get_by_role("button", name=f"Kill job {job_id}").click()
    form = page.locator(f"#manager-kill-{job_id}")
    form.get_by_label("Reason").fill("it has hung for hours")
    form.get_by_role("button", name="Kill the job").click()
    until(lambda: house.status(job_id) == "stopped", "it is gone")
    manager.get_by_role("link", name="Update", exact=True).first.click()
    expect(manager.locator(f"#manager-{job_id}")).to_have_count(0)


def test_run_again_with_one_parameter_changed(page: Page, house: House) -> None:
    """Run a job again with one parameter changed."""
    job_id = house.run("letter", to="ben@example.org", city="Gouda")["id"]
    page.goto(f"{house.address}/jobs/{job_id}")
    page.get_by_role("link", name="Run again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label(re.compile("^to"))).to_have_value("ben@example.org")
    dialog.get_by_label(re.compile("^city")).fill("Delft")
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url(lambda url: not url.endswith(f"/{job_id}"))
    ended(page, "completed")
    made = house.calls.get(f"/jobs/{page.url.rpartition('/')[2]}").json()
    assert made["params"] == {"to": "ben@example.org", "city": "Delft"}


def test_failures_of_one_kind_are_retried_together(page: Page, house: House) -> None:
    """Find what fails most, mend its cause, and retry all those failures together."""
    made = [house.fail("letter", "post-is-shut", city=city) for city in ("Delft", "Delft")]
    go(page, "Errors")
    page.get_by_role("link", name=re.compile("the post of")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("OSError")
    page.get_by_role("link", name=re.compile("Retry")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the post is open again")
    dialog.get_by_role("button", name=re.compile("Retry")).click()
    until(lambda: all(house.status(each) == "completed" for each in made), "both tried again")


def test_every_night_at_five(page: Page, house: House) -> None:
    """Let the load run every night at five, and stop that again while the house is on holiday."""
    made = house.calls.post("/schedules", json={"flow": "night-load", "cron": "0 5 * * *"})
    assert made.status_code < httpx.codes.BAD_REQUEST, made.text
    go(page, "Pipelines")
    page.locator("#pipeline-night-load").get_by_role("link", name="night-load").click()
    expect(page.get_by_role("region", name="Schedules")).to_contain_text("05:00")
    go(page, "Overview")
    page.get_by_role("link", name="Pause all").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("we are on holiday")
    page.get_by_role("dialog").get_by_role("button", name="Pause all").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    go(page, "Schedules")
    expect(page.locator("main")).to_contain_text("we are on holiday")


def test_one_after_the_other(page: Page, house: House) -> None:
    """Let the jobs of a pipeline run one after the other."""
    go(page, "Pipelines")
    live(page)
    row = page.locator("#pipeline-letter")
    row.get_by_role("button", name="Actions of letter").click()
    page.locator(".menu:popover-open").get_by_role("link", name="Run one at a time").click()
    page.get_by_role("dialog").get_by_role("button", name="Run one at a time").click()
    expect(row).to_contain_text("sequential")
    assert house.calls.get("/flows/letter").json()["max_running"] == 1


def test_on_a_phone_at_night(browser: Browser, house: House) -> None:
    """See on a phone whether anything is wrong, and stop what should not run."""
    job_id = house.create("hang")
    context = browser.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]}, is_mobile=True, has_touch=True
    )
    wait_for_scripts(context)
    page = context.new_page()
    page.goto(f"{house.address}/sign-in?token={house.token}")
    page.goto(f"{house.address}/")
    live(page)
    page.get_by_role("link", name=f"Stop job {job_id}").tap()
    page.get_by_role("dialog").get_by_label("Reason").fill("not tonight")
    page.get_by_role("dialog").get_by_role("button", name="Stop the job").tap()
    expect(page.locator(f"#running-{job_id} .state")).to_have_text("stopping")
    house.calls.post(f"/jobs/{job_id}/kill", json={"reason": "the test is over"})
    context.close()


@pytest.mark.walks("/jobs/bulk/retry")
def test_all_failures_of_one_city_are_retried(page: Page, house: House) -> None:
    """Find all jobs with the parameter city=Delft that failed this week, and retry them."""
    wanted = [house.fail("letter", "post-is-shut", city="Delft") for _ in range(2)]
    other = house.fail("letter", "post-is-shut", city="Gouda")
    go(page, "Jobs")
    live(page)
    page.keyboard.press("/")
    page.keyboard.type("status:failed params.city:Delft created:>7d")
    page.keyboard.press("Enter")
    expect(page.locator(f"#job-{wanted[0]}")).to_be_visible()
    expect(page.locator(f"#job-{other}")).to_have_count(0)
    page.get_by_label("Select all jobs on this page").check()
    page.locator("#pick-bar").get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the post is open again")
    dialog.get_by_role("button", name=re.compile("^Retry")).click()
    expect(page.locator(".notice").last).to_contain_text("2 jobs retried.")
    until(lambda: all(house.status(each) == "completed" for each in wanted), "all tried again")
    assert house.status(other) == "failed"


@pytest.mark.walks("/jobs/bulk/export")
def test_this_weeks_failures_as_a_table(page: Page, house: House) -> None:
    """Export this week's failures as CSV, for the meeting."""
    job_id = house.fail("letter", "post-is-shut", city="Venlo")
    page.goto(f"{house.address}/jobs?q=status:failed+created:>7d")
    live(page)
    page.get_by_label("Select all jobs on this page").check()
    page.locator("#pick-bar").get_by_role("button", name="Export").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("CSV, for spreadsheets").check()
    dialog.get_by_role("button", name=re.compile("^Export")).click()
    page.locator(".notice").get_by_role("link", name=re.compile("writes the file")).click()
    ended(page, "completed")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile(r"\.csv")).first.click()
    text = download.value.path().read_text()
    assert str(job_id) in text
    assert "Venlo" in text
