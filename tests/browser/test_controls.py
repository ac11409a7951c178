"""An operator at work: real jobs in real workers, freed, killed and drained from the pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from jobdeck.domain import clock
from jobdeck.domain.clock import SECOND
from jobdeck.domain.states import Reason, Status
from jobdeck.store import bulk, jobs, queues, schedules
from tests.browser.conftest import Visit, live
from tests.browser.real import Real

pytestmark = pytest.mark.needs("chromium")


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


def everything(page: Page, real: Real, text: str, verb: str, number: str = "120") -> Locator:
    """Choose something for all jobs that the filter means; gives the dialog."""
    page.goto(f"{real.address}/jobs?q={text.replace(' ', '+')}")
    page.get_by_label("Select all jobs on this page").check()
    page.get_by_label(re.compile(f"Select everything that matches: {number} jobs")).check()
    page.locator("#pick-bar").get_by_role("button", name=verb).click()
    return page.get_by_role("dialog")


def follow(page: Page, status: str, words: str) -> None:
    """To the job that does it, and what it says when it has ended."""
    page.locator(".notice").get_by_role("link", name=re.compile("Job .* does it")).click()
    expect(page.locator(".job-head")).to_have_attribute("data-job-status", status)
    expect(page.locator("main")).to_contain_text(words)


@pytest.mark.walks("/jobs/bulk/priority", "/jobs/bulk/move", "/jobs/bulk/stop", "/jobs/bulk/delete")
def test_everything_that_matches_is_changed_by_a_job(real: Real, visit: Visit) -> None:
    with real.paused("quick", "mules", "BULK"):
        change_everything(real, visit(real, "/jobs"))


def change_everything(real: Real, page: Page) -> None:
    """One change after the other, of the same jobs."""
    made = real.waiting("quick", 120)

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


@pytest.mark.walks("/jobs/bulk/stop", "/jobs/{job_id}/stop", "/jobs/{job_id}/retry")
def test_a_job_that_changes_many_is_aborted_in_its_middle(real: Real, visit: Visit) -> None:
    page = visit(real, "/jobs")
    head = page.locator(".job-head")
    with real.paused("quick"):
        tries = (stop_many_and_abort(real, page) for _ in range(10))
        number, made, _ = next(each for each in tries if each[-1])
        expect(head).to_have_attribute("data-job-status", "stopped")
        expect(page.locator("main")).to_contain_text("wrong filter")
        expect(page.locator("main")).to_contain_text(re.compile(r"\(\d+.* stopped\)"))
        with real.store.read() as conn:
            done = [item.job for item in bulk.items(conn, number, outcome="done", limit=5000)]
            left = [item.job for item in bulk.items(conn, number, outcome="waiting", limit=5000)]
        assert sorted([*done, *left]) == made
        assert {real.job(each).status for each in (done[0], done[-1])} == {Status.STOPPED}
        assert {real.job(each).status for each in (left[0], left[-1])} == {Status.PENDING}
        page.get_by_role("link", name="All of them").click()
        expect(page.locator(".bulk-items li").first).to_contain_text(f"{done[0]}done")
        page.get_by_role("link", name="Still to come").click()
        expect(page.locator(".bulk-items li").first).to_contain_text(f"{left[0]}still to come")

        # Retried, it goes on where it was.
        page.go_back()
        page.go_back()
        page.get_by_role("link", name="Retry", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Retry").click()
        expect(head).to_have_attribute("data-job-status", "completed")
        expect(page.locator("main")).to_contain_text(re.compile("2.000 stopped"))
        assert real.job(left[-1]).status is Status.STOPPED


def stop_many_and_abort(real: Real, page: Page) -> tuple[int, list[int], bool]:
    """Stop 2,000 jobs, and abort that while it does: the job that does it, those that it is
    about, and whether it was caught in its middle."""
    made = real.waiting("quick", 2000)
    with real.store.write() as conn:
        queues.pause(conn, "BULK", by="ana", reason="look at them", now=clock.now())
    dialog = everything(page, real, "flow:quick status:pending", "Stop", "2.000")
    give_reason(page, "they are done elsewhere", "Stop 2")
    page.locator(".notice").get_by_role("link", name=re.compile("Job .* does it")).click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".job-head .state")).to_have_text("pending")
    number = int(live(page).url.rpartition("/")[2])
    with real.held_in_its_middle(number) as held:
        if held:
            expect(page.locator(".job-head .state")).to_have_text("running")
            expect(page.locator("main")).to_contain_text(re.compile(r"\d+ of 2.000"))
            page.get_by_role("link", name="Abort").click()
            give_reason(page, "wrong filter", "Stop the job")
            expect(page.locator(".job-head .state")).to_have_text("stopping")
    return number, made, held


@pytest.mark.walks("/jobs/bulk/priority", "/jobs/bulk/move", "/jobs/bulk/stop", "/jobs/bulk/delete")
def test_selected_jobs_are_changed_at_once(real: Real, visit: Visit) -> None:
    with real.paused("quick", "mules"):
        made = real.waiting("quick", 4)
        page = live(visit(real, "/jobs?q=flow:quick"))
        bar, dialog, notice = (page.locator(f) for f in ("#pick-bar", "#dialog", ".notice"))
        for number in made[:3]:
            page.get_by_label(f"Select job {number}", exact=True).check()
        bar.get_by_role("button", name="Priority").click()
        dialog.get_by_label("Priority").fill("5")
        give_reason(page, "they are urgent", "Change 3 jobs")
        expect(notice.last).to_have_text("3 jobs given another priority.")
        bar.get_by_role("button", name="Move").click()
        dialog.get_by_label("Queue").select_option("mules")
        give_reason(page, "", "Move 3 jobs")
        expect(notice.last).to_have_text("3 jobs moved.")
        page.get_by_label(f"Select job {made[2]}", exact=True).uncheck()
        bar.get_by_role("button", name="Stop").click()
        expect(dialog.get_by_role("listitem")).to_have_count(2)
        give_reason(page, "not today", "Stop 2 jobs")
        expect(notice.last).to_have_text("2 jobs stopped.")
        assert [
            (job.status, job.priority, job.queue) for job in (real.job(each) for each in made)
        ] == [
            (Status.STOPPED, 5, "mules"),
            (Status.STOPPED, 5, "mules"),
            (Status.PENDING, 5, "mules"),
            (Status.PENDING, 0, "quick"),
        ]
        page.get_by_label(f"Select job {made[2]}", exact=True).check()
        expect(page.locator(f"#job-{made[1]}")).to_have_attribute("data-status", "stopped")
        bar.get_by_role("button", name="Delete").click()
        dialog.get_by_label("Reason").fill("to make room")
        dialog.get_by_role("button", name="Delete 3 jobs").click()
        expect(dialog).to_contain_text("2 deleted, 1 skipped")
        expect(dialog).to_contain_text(f"Job {made[2]}it is pending; stop it first")
        # However long that is read, and though the list is read too, what was done here shows.
        page.evaluate(
            "const now = performance.now.bind(performance);"
            "performance.now = () => now() + 60000;"
            "getSelection().selectAllChildren(document.querySelector('table[data-hold]'));"
        )
        page.keyboard.press("Escape")
        assert page.evaluate("!getSelection().isCollapsed")
        for number in made[:2]:
            expect(page.locator(f"#job-{number}")).to_have_count(0)
        with real.store.read() as conn:
            assert sorted(jobs.statuses(conn, made)) == made[2:]


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
