"""Working on a store: pipelines and their flows."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.actions import flows as flow_actions
from jobdeck.actions import items as item_actions
from jobdeck.actions import pipelines as pipeline_actions
from jobdeck.client.in_store.base import InStoreBase
from jobdeck.domain import clock
from jobdeck.domain.filters import Page
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow, FlowItem, Pipeline
from jobdeck.store import flows, items, pipelines


class DefinitionsInStore(InStoreBase):
    """The part of the backend that is about pipelines and their flows."""

    def pipelines(self) -> list[Pipeline]:
        with self.store.read() as conn:
            return pipelines.all(conn)

    def pipeline(self, name: str) -> Pipeline:
        with self.store.read() as conn:
            return pipelines.get(conn, name)

    def register(
        self, manifests: Sequence[PipelineManifest], publish: bool, reason: str
    ) -> list[Pipeline]:
        return pipeline_actions.register(self.store, self.actor, reason, manifests, publish=publish)

    def publish(self, name: str, version: int | None, reason: str) -> Pipeline:
        return pipeline_actions.publish(self.store, self.actor, reason, name, version=version)

    def unpublish(self, name: str, reason: str) -> Pipeline:
        return pipeline_actions.unpublish(self.store, self.actor, reason, name)

    def remove_pipeline(self, name: str, reason: str) -> None:
        pipeline_actions.remove(self.store, self.actor, reason, name)

    def flows(self, pipeline: str) -> list[Flow]:
        with self.store.read() as conn:
            return flows.all(conn, pipeline)

    def flow(self, name: str) -> Flow:
        with self.store.read() as conn:
            return flows.get(conn, name)

    def check_flow(self, name: str, params: Mapping[str, Any]) -> dict[str, str]:
        with self.store.read() as conn:
            return flows.check(conn, name, params)

    def add_flow(self, name: str, pipeline: str, settings: Mapping[str, Any], reason: str) -> Flow:
        return flow_actions.add(self.store, self.actor, reason, name, pipeline, **settings)

    def edit_flow(self, name: str, changes: Mapping[str, Any], reason: str) -> Flow:
        return flow_actions.edit(self.store, self.actor, reason, name, dict(changes))

    def remove_flow(self, name: str, reason: str) -> None:
        flow_actions.remove(self.store, self.actor, reason, name)

    def items(
        self,
        flow: str,
        job: int | None,
        source: str | None,
        item: str,
        state: str,
        limit: int,
        cursor: str | None,
    ) -> Page[FlowItem]:
        with self.store.read() as conn:
            return items.find(
                *(conn, flows.get(conn, flow).id, clock.now()),
                job=job,
                source=source,
                item=item,
                state=state,
                limit=limit,
                cursor=cursor,
            )

    def count_items(self, flow: str, job: int | None) -> tuple[dict[str, int], bool]:
        with self.store.read() as conn:
            return items.count(conn, flows.get(conn, flow).id, clock.now(), job=job)

    def forget_items(self, flow: str, source: str | None, item: str, reason: str) -> int:
        return item_actions.forget(self.store, self.actor, reason, flow, source=source, item=item)
