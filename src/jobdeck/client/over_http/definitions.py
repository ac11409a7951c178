"""Working on a server: pipelines and their flows."""

# ruff: noqa: D102  (`Client` says what each method does)

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jobdeck.client import answers, requests, shapes
from jobdeck.client.over_http.base import OverHttpBase, changes_of, part
from jobdeck.domain.filters import Page
from jobdeck.domain.manifest import PipelineManifest
from jobdeck.domain.records import Flow, FlowItem, Pipeline
from jobdeck.domain.retry import RetryPolicy


class DefinitionsOverHttp(OverHttpBase):
    """The part of the backend that is about pipelines and their flows."""

    def pipelines(self) -> list[Pipeline]:
        return self._all("GET", "/pipelines", shapes.Pipeline)

    def pipeline(self, name: str) -> Pipeline:
        pipeline: Pipeline = self._one("GET", f"/pipelines/{part(name)}", shapes.Pipeline)
        return pipeline

    def register(
        self, manifests: Sequence[PipelineManifest], publish: bool, reason: str
    ) -> list[Pipeline]:
        body = requests.Manifests(pipelines=list(manifests), publish=publish, reason=reason)
        return self._all("POST", "/pipelines", shapes.Pipeline, body=body)

    def publish(self, name: str, version: int | None, reason: str) -> Pipeline:
        body = requests.Publish(version=version, reason=reason)
        path = f"/pipelines/{part(name)}/publish"
        pipeline: Pipeline = self._one("POST", path, shapes.Pipeline, body=body)
        return pipeline

    def unpublish(self, name: str, reason: str) -> Pipeline:
        path, body = f"/pipelines/{part(name)}/unpublish", requests.Why(reason=reason)
        pipeline: Pipeline = self._one("POST", path, shapes.Pipeline, body=body)
        return pipeline

    def remove_pipeline(self, name: str, reason: str) -> None:
        self.connection.send("DELETE", f"/pipelines/{part(name)}", query={"reason": reason})

    def flows(self, pipeline: str) -> list[Flow]:
        return self._all("GET", "/flows", shapes.Flow, query={"pipeline": pipeline})

    def flow(self, name: str) -> Flow:
        flow: Flow = self._one("GET", f"/flows/{part(name)}", shapes.Flow)
        return flow

    def check_flow(self, name: str, params: Mapping[str, Any]) -> dict[str, str]:
        query = {"params": msgspec.json.encode(params).decode()}
        path = f"/flows/{part(name)}/check"
        return self.connection.call("GET", path, answers.Check, query=query).problems

    def add_flow(self, name: str, pipeline: str, settings: Mapping[str, Any], reason: str) -> Flow:
        values = {key: value for key, value in settings.items() if value not in (None, "")}
        body = requests.NewFlow(name=name, pipeline=pipeline, **_rule(values), reason=reason)
        flow: Flow = self._one("POST", "/flows", shapes.Flow, body=body)
        return flow

    def edit_flow(self, name: str, changes: Mapping[str, Any], reason: str) -> Flow:
        body = changes_of(requests.FlowChanges, _rule(changes), reason)
        flow: Flow = self._one("PATCH", f"/flows/{part(name)}", shapes.Flow, body=body)
        return flow

    def remove_flow(self, name: str, reason: str) -> None:
        self.connection.send("DELETE", f"/flows/{part(name)}", query={"reason": reason})

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
        query = {**_source(source), "job": job, "item": item, "state": state}
        query |= {"limit": limit, "cursor": cursor}
        path = f"/flows/{part(flow)}/items"
        page = self.connection.call("GET", path, answers.FlowItems, query=query)
        return Page([each.record() for each in page.items], page.next, None)

    def count_items(self, flow: str, job: int | None) -> tuple[dict[str, int], bool]:
        path = f"/flows/{part(flow)}/items/count"
        told = self.connection.call("GET", path, answers.ItemCounts, query={"job": job})
        found = msgspec.to_builtins(told)
        more = found.pop("more")
        return found, more

    def forget_items(self, flow: str, source: str | None, item: str, reason: str) -> int:
        path = f"/flows/{part(flow)}/items"
        query = {**_source(source), "item": item, "reason": reason}
        found = self.connection.call("DELETE", path, answers.Forgotten, query=query, timeout_s=600)
        return found.items


def _source(source: str | None) -> dict[str, list[str]]:
    """The empty source is one, too; only as a list it is not left out."""
    return {} if source is None else {"source": [source]}


def _rule(values: Mapping[str, Any]) -> dict[str, Any]:
    """With a retry policy as the body has it."""
    retry = values.get("retry")
    if isinstance(retry, RetryPolicy):
        return {**values, "retry": requests.RetryRule.of(retry)}
    return dict(values)
