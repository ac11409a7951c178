"""How many jobs a worker is handed at once."""

from __future__ import annotations

from jobdeck.domain.limits import BATCH_JOBS, BATCH_JOBS_SHARED
from jobdeck.engine.batching import Meter


def test_a_batch_is_ten_milliseconds_of_measured_work() -> None:
    meter = Meter()
    assert meter.batch_of(1) == 1
    meter.measured(1, 0.5, 500)
    assert (meter.batch_of(1), meter.cost(1)) == (10, 0.1)
    meter.measured(2, 1.0, 1)
    assert meter.batch_of(2) == 1


def test_a_batch_of_the_quickest_jobs_is_smaller_while_others_wait_for_the_database() -> None:
    meter = Meter()
    meter.measured(1, 0.001, 1000)
    assert meter.batch == BATCH_JOBS
    meter.most = BATCH_JOBS_SHARED
    meter.measured(1, 0.001, 1000)
    assert (meter.batch, meter.cost(1)) == (BATCH_JOBS_SHARED, 1 / BATCH_JOBS_SHARED)
