"""What a client does with pipelines and their flows."""

from collections.abc import Iterable, Mapping
from typing import Any

from jobdeck.client.backend import Backend
from jobdeck.domain.filters import PAGE, Page
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow, FlowItem, Pipeline


class Definitions:
    """The part of `Client` that is about pipelines and their flows."""

    _backend: Backend

    def pipelines(self) -> list[Pipeline]:
        """Every pipeline by name."""
        return self._backend.pipelines()

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name."""
        return self._backend.pipeline(name)

    def register(
        self, manifests: Iterable[PipelineManifest], *, publish: bool = True, reason: str = ""
    ) -> list[Pipeline]:
        """Take in pipelines as their code defines them; changed ones get a new version."""
        return self._backend.register(list(manifests), publish, reason)

    def publish(self, name: str, *, version: int | None = None, reason: str = "") -> Pipeline:
        """Let jobs run that version of the pipeline (None: the current one)."""
        return self._backend.publish(name, version, reason)

    def unpublish(self, name: str, *, reason: str = "") -> Pipeline:
        """Let no more of the pipeline's jobs start."""
        return self._backend.unpublish(name, reason)

    def remove_pipeline(self, name: str, *, reason: str = "") -> None:
        """Take a pipeline away with its flows and schedules; its jobs remain to be seen."""
        self._backend.remove_pipeline(name, reason)

    def flows(self, pipeline: str = "") -> list[Flow]:
        """Every flow by name, or those of one pipeline."""
        return self._backend.flows(pipeline)

    def flow(self, name: str) -> Flow:
        """The flow of that name."""
        return self._backend.flow(name)

    def check_flow(self, name: str, params: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Every parameter with which a job of the flow could not run now, with what is wrong with
        it; empty: it could. Nothing is begun."""
        return self._backend.check_flow(name, params or {})

    def add_flow(self, name: str, pipeline: str, *, reason: str = "", **settings: Any) -> Flow:
        """Configure a new flow; `settings` are queue, priority, params, context, retry (a
        `RetryPolicy`), timeout_s, max_running, rate (such as 10/m) and after (flows that it
        runs after, such as `["weather", "mail:failed"]`)."""
        return self._backend.add_flow(name, pipeline, settings, reason)

    def edit_flow(self, name: str, *, reason: str = "", **changes: Any) -> Flow:
        """Change some of a flow's settings."""
        return self._backend.edit_flow(name, changes, reason)

    def remove_flow(self, name: str, *, reason: str = "") -> None:
        """Take a flow away with its schedules; its jobs remain to be seen."""
        self._backend.remove_flow(name, reason)

    def items(
        self,
        flow: str,
        *,
        job: int | None = None,
        source: str | None = None,
        item: str = "",
        state: str = "",
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Page[FlowItem]:
        """One page of the items that the flow takes only once: those that one job took, of one
        source, in one state (claimed, deferred, processed, released), or one of them."""
        return self._backend.items(flow, job, source, item, state, limit, cursor)

    def count_items(self, flow: str, *, job: int | None = None) -> tuple[dict[str, int], bool]:
        """How many items the flow has in each state, or took by that job, and whether there are
        more than the 20,000 that were counted."""
        return self._backend.count_items(flow, job)

    def forget_items(
        self, flow: str, *, source: str | None = None, item: str = "", reason: str = ""
    ) -> int:
        """Let the flow take all of its items again, those of one source, or one; gives how
        many."""
        return self._backend.forget_items(flow, source, item, reason)
