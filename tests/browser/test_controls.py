"""An operator at work: real jobs in real workers, freed, killed and drained from the pages."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.records import Job
from jobdeck.domain.states import Reason, Status
from jobdeck.store import flows, jobs, pools, queues, schedules
from jobdeck.store.enqueue import NewJob, enqueue
from tests.browser.conftest import TOKEN, Site, Visit, live
from tests.integration.launched import Launched, environment, until

pytestmark = pytest.mark.needs("chromium")

WORK = """
import time

from jobdeck import Context, job


@job(queue="naps")
def nap(ctx: Context) -> None:
    ctx.log.info("good night")
    for done in range(600):
        ctx.progress(done, 600)
        ctx.sleep(0.5)


@job(queue="mules")
def mule() -> None:
    while True:
        time.sleep(60)


@job(queue="quick")
def quick() -> int:
    return 1
"""


class Real(Site):
    """A server with a pool of real workers."""

    def start(self) -> None:
        """Serve and run jobs."""
        (self.folder / "work.py").write_text(WORK)
        argv = [sys.executable, "-m", "jobdeck.cli", "up", "work.py", "--port", str(self.port)]
        argv += ["--store", f"sqlite:///{self.folder}/jobs.db", "--workers", "3"]
        env = environment(JOBDECK_TOKEN=TOKEN, JOBDECK_GRACE_S="1.5")
        self.launched = Launched(argv, cwd=self.folder, env=env)
        self.launched.link()
        until(lambda: self.pool_id() is not None, "a pool that has loaded its code")

    def pool_id(self) -> int | None:
        """The pool that runs users' jobs."""
        with self.store.read() as conn:
            found = [p.id for p in pools.all(conn) if not p.builtin and "nap" in p.loaded]
        return found[0] if found else None

    def job(self, job_id: int) -> Job:
        """A job as it is now."""
        with self.store.read() as conn:
            return jobs.get(conn, job_id)

    def running(self, flow: str) -> tuple[int, int]:
        """A new job of the flow that runs, and its worker."""
        job_id = self.world.create(flow)
        until(lambda: self.job(job_id).status is Status.RUNNING, f"{flow} to run")
        worker = self.job(job_id).worker
        assert worker is not None
        return job_id, worker

    def reach(self, job_id: int, status: Status) -> Job:
        """Wait until the job is in that state."""
        until(lambda: self.job(job_id).status is status, f"job {job_id} to be {status}")
        return self.job(job_id)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A server that runs jobs."""
    made = Real(tmp_path_factory.mktemp("real"))
    made.start()
    yield made
    made.close()


def row(page: Page, worker: int) -> Locator:
    """The row of a worker."""
    return page.locator(f"#worker-{worker}")


def give_reason(page: Page, reason: str, button: str) -> None:
    """Answer the dialog."""
    page.get_by_role("dialog").get_by_label("Reason").fill(reason)
    page.get_by_role("dialog").get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.walks("/workers/free")
def test_workers_are_freed_whether_their_jobs_listen_or_not(real: Real, visit: Visit) -> None:
    nap, napping = real.running("nap")
    mule, carrying = real.running("mule")
    page = live(visit(real, "/workers"))
    page.get_by_role("link", name=f"Pool {real.pool_id()}", exact=True).click()
    expect(page).to_have_url(re.compile(f"pool={real.pool_id()}"))
    expect(page.get_by_role("heading", name=f"Workers of pool {real.pool_id()}")).to_be_visible()
    expect(row(page, napping)).to_contain_text("nap")
    expect(row(page, napping).get_by_role("progressbar")).to_be_visible()
    page.get_by_label(f"Select worker {carrying}", exact=True).check()
    page.get_by_role("button", name="Free", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(f"runs job {mule} of mule")
    give_reason(page, "it does not listen", f"Free worker {carrying}")
    expect(page.locator(".notice")).to_contain_text(f"job {mule} was asked to stop")
    # Its process is killed after the grace time, and another one takes its place.
    expect(row(page, carrying)).to_have_count(0)
    assert real.reach(mule, Status.STOPPED).stopping == ""
    row(page, napping).get_by_label(f"Free worker {napping}", exact=True).click()
    give_reason(page, "enough", f"Free worker {napping}")
    expect(row(page, napping)).to_contain_text("idle")
    real.reach(nap, Status.STOPPED)


@pytest.mark.walks("/workers/all/free")
def test_all_are_freed_at_once_and_the_log_is_near(real: Real, visit: Visit) -> None:
    first, where = real.running("nap")
    second, _ = real.running("nap")
    page = live(visit(real, "/workers?show=busy"))
    expect(page.locator("[id^=worker-]")).to_have_count(2)
    log = row(page, where).get_by_label(f"Log of job {first}").get_attribute("href")
    assert log == f"/jobs/{first}#log"
    page.get_by_role("link", name="Free all").click()
    expect(page.get_by_role("dialog")).to_contain_text("2 running jobs will be asked to stop")
    give_reason(page, "maintenance", "Free all")
    expect(page.get_by_text("None of them is busy")).to_be_visible()
    assert {real.reach(each, Status.STOPPED).reason for each in (first, second)} == {Reason.STOPPED}


@pytest.mark.walks("/job-manager/{job_id}/kill")
def test_the_job_manager_kills_from_any_page(real: Real, visit: Visit) -> None:
    kept, _ = real.running("nap")
    doomed, _ = real.running("mule")
    page = live(visit(real, "/schedules"))
    page.keyboard.press("m")
    manager = page.get_by_role("dialog")
    line = manager.locator(f"#manager-{doomed}")
    expect(line).to_contain_text("mule")
    line.get_by_label(f"More for job {doomed}").click()
    line.get_by_role("button", name="Url").click()
    expect(line).to_contain_text(f"{real.address}/api/v1/flows/mule/jobs")
    expect(line).to_contain_text("jobdeck run mule")
    page.keyboard.press("Escape")
    line.get_by_label(f"Kill job {doomed}", exact=True).click()
    expect(line.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("it hangs")
    page.keyboard.press("Enter")
    expect(line.get_by_text("being killed")).to_be_attached()
    assert real.reach(doomed, Status.STOPPED).reason is Reason.KILLED
    manager.get_by_role("link", name="Update", exact=True).first.click()
    expect(line).to_have_count(0)
    expect(manager.locator(f"#manager-{kept}")).to_be_visible()
    manager.get_by_role("link", name="Close").click()

    # Without script the same on a page of its own.
    page = visit(real, "/job-manager", script=False)
    page.get_by_label(f"Kill job {kept}", exact=True).click()
    page.locator(f"#manager-kill-{kept}").get_by_label("Reason").fill("good morning")
    page.locator(f"#manager-kill-{kept}").get_by_role("button", name="Kill the job").click()
    expect(page.locator(".notice")).to_contain_text(f"Job {kept} is being killed")
    real.reach(kept, Status.STOPPED)


def test_a_queue_holds_and_lets_go_and_a_schedule_runs_now(real: Real, visit: Visit) -> None:
    with real.store.write() as conn:
        number = schedules.create(conn, flow="quick", cron="0 0 1 1 *", now=clock.now()).id
    page = live(visit(real, "/queues"))
    page.get_by_label("Select queue quick").check()
    page.get_by_role("button", name="Pause").click()
    give_reason(page, "wait", "Pause the queue")
    page.goto(f"{real.address}/schedules")
    page.get_by_role("button", name=f"More for schedule {number}", exact=True).click()
    page.get_by_role("link", name="Run now").click()
    page.get_by_role("dialog").get_by_role("button", name="Run it").click()
    made = page.get_by_role("link", name=re.compile(f"Schedule {number}: job .* was created"))
    expect(made).to_be_visible()
    job_id = int((made.get_attribute("href") or "").rpartition("/")[2])
    page.goto(f"{real.address}/queues")
    expect(page.locator("#queue-quick .c-pending")).to_have_text("1")
    assert real.job(job_id).status is Status.PENDING
    page.get_by_label("Select queue quick").check()
    page.get_by_role("button", name="Resume").click()
    give_reason(page, "", "Resume the queue")
    expect(page.locator("#queue-quick .c-pending")).to_have_text("0")
    assert real.reach(job_id, Status.COMPLETED).finished_at
    assert real.job(job_id).created_at > clock.now() - 600 * SECOND


def everything(page: Page, real: Real, text: str, verb: str) -> Locator:
    """Choose something for all jobs that the filter means; gives the dialog."""
    page.goto(f"{real.address}/jobs?q={text.replace(' ', '+')}")
    page.get_by_label("Select all jobs on this page").check()
    page.get_by_label(re.compile("Select everything that matches: 120 jobs")).check()
    page.locator("#pick-bar").get_by_role("button", name=verb).click()
    return page.get_by_role("dialog")


def follow(page: Page, status: str, words: str) -> None:
    """To the job that does it, and what it says when it has ended."""
    page.locator(".notice").get_by_role("link", name=re.compile("Job .* does it")).click()
    expect(page.locator(".job-head")).to_have_attribute("data-job-status", status)
    expect(page.locator("main")).to_contain_text(words)


@pytest.mark.walks("/jobs/bulk/priority", "/jobs/bulk/move", "/jobs/bulk/stop", "/jobs/bulk/delete")
def test_everything_that_matches_is_changed_by_a_job(real: Real, visit: Visit) -> None:
    with real.store.write() as conn:
        for name in ("quick", "mules", "BULK"):
            queues.pause(conn, name, by="ana", reason="look at them", now=clock.now())
        target = flows.target(conn, "quick")
        new = [NewJob(flow_id=target.flow_id, queue_id=target.queue_id)] * 120
        made = enqueue(conn, new, clock.now())
    page = visit(real, "/jobs")

    # It waits in the queue BULK, where it can be aborted, and goes on when it is retried.
    dialog = everything(page, real, "flow:quick status:pending", "Priority")
    expect(dialog).to_contain_text("Change the priority of 120 jobs?")
    expect(dialog.get_by_role("listitem")).to_have_count(21)
    expect(dialog.get_by_role("listitem").last).to_have_text("and 100 others")
    dialog.get_by_label("Priority").fill("7")
    dialog.get_by_role("button", name="Change 120 jobs").click()
    page.locator(".notice").get_by_role("link", name=re.compile("Job .* does it")).click()
    expect(page.locator("main")).to_contain_text("look at them")
    page.get_by_role("link", name="Abort").click()
    give_reason(page, "not now", "Stop the job")
    expect(page.locator(".job-head .state")).to_have_text("stopped")
    assert real.job(made[0]).priority == 0
    with real.store.write() as conn:
        queues.resume(conn, "BULK")
    page.get_by_role("link", name="Retry", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.locator(".job-head")).to_have_attribute("data-job-status", "completed")
    expect(page.locator("main")).to_contain_text("120 given another priority")
    assert {real.job(each).priority for each in made} == {7}

    dialog = everything(page, real, "flow:quick status:pending", "Move")
    dialog.get_by_role("button", name="Move 120 jobs").click()
    expect(dialog.locator("#queue-error")).to_contain_text("the queue to move the jobs to")
    dialog.get_by_label("Queue").select_option("mules")
    dialog.get_by_role("button", name="Move 120 jobs").click()
    follow(page, "completed", "120 moved")
    assert {real.job(each).queue for each in made} == {"mules"}

    dialog = everything(page, real, "flow:quick status:pending queue:mules", "Stop")
    dialog.get_by_role("button", name="Stop 120 jobs").click()
    expect(dialog).to_contain_text("say why")
    dialog.get_by_label("Reason").fill("they are done elsewhere")
    dialog.get_by_role("button", name="Stop 120 jobs").click()
    follow(page, "completed", "120 stopped")
    page.get_by_role("link", name="All of them").click()
    page.get_by_role("link", name="Skipped").click()
    expect(page.get_by_text("None.")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("link", name=str(made[0]), exact=True)).to_be_visible()

    dialog = everything(page, real, "flow:quick status:stopped queue:mules", "Delete")
    dialog.get_by_label("Reason").fill("to make room")
    dialog.get_by_role("button", name="Delete 120 jobs").click()
    follow(page, "completed", "120 deleted")
    page.goto(f"{real.address}/jobs/{made[0]}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"There is no job {made[0]}")
    with real.store.write() as conn:
        for name in ("quick", "mules"):
            queues.resume(conn, name)


@pytest.mark.walks("/jobs/bulk/kill", "/jobs/bulk/export", "/jobs/{job_id}/kill")
def test_selected_jobs_are_killed_and_exported(real: Real, visit: Visit) -> None:
    nap, _ = real.running("nap")
    mule, _ = real.running("mule")
    page = live(visit(real, "/jobs"))
    for number in (nap, mule):
        page.get_by_label(f"Select job {number}", exact=True).check()
    bar, dialog = page.locator("#pick-bar"), page.get_by_role("dialog")
    bar.get_by_role("button", name="Kill").click()
    expect(dialog.get_by_role("listitem")).to_have_text(
        [f"Job {nap}nap, running", f"Job {mule}mule, running"]
    )
    give_reason(page, "both hang", "Kill 2 jobs")
    expect(page.locator(".notice")).to_have_text("2 jobs killed.")
    for number in (nap, mule):
        assert real.reach(number, Status.STOPPED).reason is Reason.KILLED
    expect(page.locator(f"#job-{mule}")).to_have_attribute("data-status", "stopped")
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Export").click()
    dialog.get_by_label("JSON, one job on each line").check()
    dialog.get_by_role("button", name="Export 2 jobs").click()
    page.locator(".notice").get_by_role("link", name=re.compile("writes the file")).click()
    expect(page.locator(".job-head")).to_have_attribute("data-job-status", "completed")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile(r"\.jsonl")).first.click()
    lines = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert {line["id"] for line in lines} == {nap, mule}
    assert {line["reason"] for line in lines} == {"killed"}

    nap, _ = real.running("nap")
    page.goto(f"{real.address}/jobs/{nap}")
    page.get_by_role("link", name="Kill", exact=True).click()
    give_reason(page, "it hangs again", "Kill the job")
    expect(page.locator(".job-head .state")).to_have_text("stopped")
    assert real.job(nap).reason is Reason.KILLED


@pytest.mark.walks("/pools/{pool_id}/drain")
def test_a_drained_pool_ends_what_it_runs_and_takes_no_more(real: Real, visit: Visit) -> None:
    job_id, _ = real.running("nap")
    page = live(visit(real, "/workers"))
    number = real.pool_id()
    page.get_by_label(f"Drain pool {number}").click()
    expect(page.get_by_role("dialog")).to_contain_text("runs 1 job")
    give_reason(page, "the machine is replaced", "Drain the pool")
    expect(page.locator(f"#pool-{number} .c-state")).to_have_text("draining")
    page.get_by_role("link", name="Free all").click()
    give_reason(page, "the machine is replaced", "Free all")
    real.reach(job_id, Status.STOPPED)
