"""Finding out whether something would be done, without doing it."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from jobdeck.actions import flows, jobs
from jobdeck.domain.errors import Duplicate, Forbidden, InvalidValue
from jobdeck.domain.retry import RetryPolicy
from jobdeck.sdk.transport import EnqueueItem
from jobdeck.store import flows as flow_reads
from jobdeck.store.database import Store
from jobdeck.store.tables import audit, changes
from jobdeck.store.tables import jobs as job_rows
from tests.integration.hands import ANA, EVE, define


def test_a_rehearsal_refuses_as_the_deed_does_and_leaves_nothing(store: Store) -> None:
    define(store)
    with store.read() as conn:
        rows = [conn.execute(select(func.count()).select_from(t)).scalar() for t in _TABLES]
    flows.add.rehearse(store, ANA, "coast", "weather", rate="10/m")
    jobs.create.rehearse(store, ANA, EnqueueItem(flow="weather", params={"city": "Delft"}))
    with pytest.raises(Duplicate):
        flows.add.rehearse(store, ANA, "weather", "weather")
    with pytest.raises(InvalidValue, match=r"retry\.retries"):
        flows.edit.rehearse(store, ANA, "weather", {"retry": RetryPolicy(retries=-1)})
    with pytest.raises(Forbidden):
        flows.add.rehearse(store, EVE, "coast", "weather")
    with store.read() as conn:
        assert [flow.name for flow in flow_reads.all(conn)] == ["weather"]
        after = [conn.execute(select(func.count()).select_from(t)).scalar() for t in _TABLES]
    assert after == rows


_TABLES = (audit, changes, job_rows)
