"""The bodies of calls to a server. A field that is not given is left as it is, or its default."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from jobdeck.domain import bulk, export
from jobdeck.domain.limits import PRIORITY_MAX
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.names import NAME
from jobdeck.domain.rates import RUNNING_MAX
from jobdeck.domain.retry import RetryPolicy
from jobdeck.domain.ticks import JITTER_MAX_S, Misfire, Overlap
from jobdeck.domain.uniqueness import FOR_MAX_S, KEY_CHARS, OnDuplicate, Wish, Within

Name = Annotated[str, Meta(pattern=NAME)]
Text = Annotated[str, Meta(max_length=2000)]
Priority = Annotated[int, Meta(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
Time = Annotated[
    str,
    Meta(
        max_length=64, description="ISO 8601, UTC without a zone", examples=["2026-11-20T13:30:00Z"]
    ),
]
Number = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Running = Annotated[
    int,
    Meta(
        description="So many at once",
        extra_json_schema={"minimum": 1, "maximum": RUNNING_MAX},
    ),
]
Rate = Annotated[
    str,
    Meta(
        max_length=40,
        description="So many starts in a time; all at once after a quiet one, then spread evenly",
        examples=["10/s", "100/5m"],
    ),
]
After = Annotated[
    list[Annotated[str, Meta(max_length=120)]],
    Meta(
        max_length=100,
        description="Flows to run after: `name` when a job of it has completed, `name:failed`, "
        "or `name:ended` for both",
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86400)]
Jitter = Annotated[float, Meta(ge=0, le=JITTER_MAX_S)]
MisfireRule = Annotated[str, Meta(extra_json_schema={"enum": list(Misfire)})]
OverlapRule = Annotated[str, Meta(extra_json_schema={"enum": list(Overlap)})]
UniqueKey = Annotated[str, Meta(min_length=1, max_length=KEY_CHARS)]
UniqueIn = Annotated[str, Meta(extra_json_schema={"enum": list(Within)})]
UniqueFor = Annotated[float, Meta(gt=0, le=FOR_MAX_S)]
DuplicateRule = Annotated[str, Meta(extra_json_schema={"enum": list(OnDuplicate)})]

BATCH = 20_000
"""Jobs that one call creates at the most."""


class Body(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all of them."""


class Wished(Body, frozen=True):
    """What a job is not to be created beside: another one with the same `unique_key` in the flow,
    in its queue or at all (`unique_in`), while that is open and for `unique_for_s` seconds after
    its creation. Then it is rejected, or that one is kept and answered (`on_duplicate`)."""

    unique_key: UniqueKey | None = None
    unique_in: UniqueIn = "flow"
    unique_for_s: UniqueFor | None = None
    on_duplicate: DuplicateRule = "reject"

    def wish(self) -> Wish:
        """As the domain has it."""
        return Wish(
            key=self.unique_key,
            within=self.unique_in,
            for_s=self.unique_for_s,
            on_duplicate=self.on_duplicate,
        )


class NewJob(Wished, frozen=True):
    """A job to create; null: as the flow says. `run_at` in the future makes it scheduled."""

    params: dict[str, Any] = {}
    context: Text | None = None
    priority: Priority | None = None
    run_at: Time | None = None
    reason: Text = ""


class RetryRule(Body, frozen=True):
    """How often a failed attempt is tried again: the n-th time after `backoff_s` * 2**(n-1)
    seconds, at most `max_s`, of which the part `jitter` is drawn at random."""

    retries: Annotated[int, Meta(ge=0, le=1000)] = 0
    backoff_s: Annotated[float, Meta(ge=0, le=30 * 86400)] = 15.0
    max_s: Annotated[float, Meta(ge=0, le=30 * 86400)] = 3600.0
    jitter: Annotated[float, Meta(ge=0, le=1)] = 0.2

    @classmethod
    def of(cls, policy: RetryPolicy) -> "RetryRule":
        """The rule of that policy."""
        return cls(
            retries=policy.retries,
            backoff_s=policy.backoff_s,
            max_s=policy.max_s,
            jitter=policy.jitter,
        )

    def policy(self) -> RetryPolicy:
        """The policy of this rule."""
        return RetryPolicy(self.retries, self.backoff_s, self.max_s, self.jitter)


class Why(Body, frozen=True):
    """The reason, for the audit."""

    reason: Text = ""


class NewHint(Body, frozen=True):
    """A hint for errors in whose type and message the `pattern` occurs; `link` is a web address,
    or a path that begins with a slash."""

    pattern: Text
    hint: Text
    link: Text = ""
    reason: Text = ""


class NewView(Body, frozen=True):
    """A list of jobs under a name; one of your own with that name becomes this one."""

    name: Text
    filter: Text = ""
    sort: Text = ""
    reason: Text = ""


class ViewName(Body, frozen=True):
    """Another name for a view."""

    name: Text
    reason: Text = ""


class Retry(Body, frozen=True, rename={"from_": "from"}):
    """Where to begin: at the step that failed, or at the start."""

    from_: Annotated[str, Meta(extra_json_schema={"enum": ["failed_step", "start"]})] = (
        "failed_step"
    )
    reason: Text = ""


class Finish(Body, frozen=True, rename={"as_": "as"}):
    """How a running job is ended by force, and why."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    as_: Annotated[str, Meta(extra_json_schema={"enum": ["failed", "stopped"]})] = "failed"


class Recover(Body, frozen=True):
    """`dry_run` only says what would be done; `stale_s` seconds without a sign of life are too
    long."""

    dry_run: bool = False
    stale_s: Annotated[float, Meta(ge=60, le=366 * 86400)] = 7200.0
    reason: Text = ""


class Bulk(Body, frozen=True, rename={"from_": "from"}):
    """What to do to the jobs of these `ids`, or to all that the `filter` means: retry (`from`
    failed_step or start), stop, kill, delete, priority (with the new one), move (to a `queue`).
    `dry_run` only says how many they are."""

    action: Annotated[str, Meta(extra_json_schema={"enum": list(bulk.VERBS)})]
    ids: Annotated[list[Number], Meta(max_length=bulk.IDS_MAX)] | None = None
    filter: (
        Annotated[
            str,
            Meta(max_length=2000, description="As the list's", examples=["status:failed since:2h"]),
        ]
        | None
    ) = None
    from_: Annotated[str, Meta(extra_json_schema={"enum": ["failed_step", "start"]})] = (
        "failed_step"
    )
    priority: Priority | None = None
    queue: Text = ""
    dry_run: bool = False
    reason: Text = ""

    def order(self) -> bulk.Order:
        """What is to be done to each.

        Raises:
            InvalidValue: names the field that does not fit.
        """
        return bulk.order(self.action, self.from_, self.priority, self.queue)


class Export(Body, frozen=True):
    """Which jobs to write into a file, and how: csv, or jsonl with one job on each line."""

    filter: Annotated[
        str,
        Meta(max_length=2000, description="As the list's", examples=["status:failed since:2h"]),
    ] = ""
    format: Annotated[str, Meta(extra_json_schema={"enum": list(export.FORMATS)})] = "csv"
    reason: Text = ""


class Cleanup(Body, frozen=True):
    """`dry_run` only counts what is too old."""

    dry_run: bool = False
    reason: Text = ""


class RunAgain(Body, frozen=True):
    """A new job like the old one, with these parameters changed."""

    params: dict[str, Any] = {}
    reason: Text = ""


class NewFlow(Body, frozen=True):
    """A flow to create; what is not given is as the pipeline says."""

    name: Name
    pipeline: Name
    queue: Name | None = None
    priority: Priority | None = None
    params: dict[str, Any] = {}
    context: Text = ""
    retry: RetryRule | None = None
    timeout_s: Seconds | None = None
    max_running: Running | None = None
    rate: Rate | None = None
    after: After = []
    reason: Text = ""


class FlowChanges(Body, frozen=True):
    """What to change of a flow."""

    queue: Name | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    context: Text | UnsetType = UNSET
    retry: RetryRule | UnsetType | None = UNSET
    timeout_s: Seconds | UnsetType | None = UNSET
    max_running: Running | UnsetType | None = UNSET
    rate: Rate | UnsetType | None = UNSET
    after: After | UnsetType = UNSET
    reason: Text = ""


class QueueLimits(Body, frozen=True):
    """What to change of a queue's limits; null takes one away."""

    max_running: Running | UnsetType | None = UNSET
    rate: Rate | UnsetType | None = UNSET
    reason: Text = ""


class NewSchedule(Body, frozen=True):
    """A schedule to create: by `cron` in `timezone`, or every `interval_s`, from `start_at` to
    `end_at`, each job up to `jitter_s` later. `misfire` says what becomes of ticks that passed
    while nobody could fire them, `overlap` of those that come while a job of it is open."""

    flow: Name
    cron: Text = ""
    interval_s: Seconds | None = None
    timezone: Text = "UTC"
    start_at: Time | None = None
    end_at: Time | None = None
    jitter_s: Jitter = 0.0
    misfire: MisfireRule = "once"
    overlap: OverlapRule = "allow"
    params: dict[str, Any] = {}
    vendor_type: Text = ""
    vendor_id: Text = ""
    reason: Text = ""


class ScheduleChanges(Body, frozen=True):
    """What to change of a schedule. New times hold from now on."""

    flow: Name | UnsetType = UNSET
    cron: Text | UnsetType = UNSET
    interval_s: Seconds | UnsetType | None = UNSET
    timezone: Text | UnsetType = UNSET
    start_at: Time | UnsetType | None = UNSET
    end_at: Time | UnsetType | None = UNSET
    jitter_s: Jitter | UnsetType = UNSET
    misfire: MisfireRule | UnsetType = UNSET
    overlap: OverlapRule | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    vendor_type: Text | UnsetType = UNSET
    vendor_id: Text | UnsetType = UNSET
    reason: Text = ""


class Run(Body, frozen=True, rename="camel"):
    """Decisyon's body: a named context, and parameters over it."""

    job_context: Text = ""
    job_params: dict[str, Any] = {}


class Manifests(Body, frozen=True):
    """Pipelines as their code defines them; `publish` lets jobs run the new versions at once."""

    pipelines: Annotated[list[PipelineManifest], Meta(min_length=1, max_length=1000)]
    publish: bool = True
    reason: Text = ""


class Publish(Body, frozen=True):
    """Which version to publish; null: the current one."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    reason: Text = ""


class NewItem(Wished, frozen=True, kw_only=True):
    """One of many jobs to create; see `NewJob`."""

    flow: Name
    params: dict[str, Any] = {}
    context: Text | None = None
    priority: Priority | None = None
    run_at: Time | None = None
    parent: Number | None = None


class NewItems(Body, frozen=True):
    """Many jobs to create. `manifest` is their pipeline as its code defines it, for a server
    that does not know it yet."""

    items: Annotated[list[NewItem], Meta(max_length=BATCH)]
    manifest: PipelineManifest | None = None
    reason: Text = ""


class SignIn(Body, frozen=True):
    """A token to sign in with."""

    token: Annotated[str, Meta(min_length=1, max_length=1000)]


NO_REASON = Why()
NO_RETRY = Retry()
RECOVER = Recover()
NO_CHANGES = RunAgain()
ALL_AS_CSV = Export()
CLEANUP = Cleanup()
NO_PARAMS = NewJob()
NO_CONTEXT = Run()
NO_VERSION = Publish()
"""What an empty body stands for."""
