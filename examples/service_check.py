"""Calling an HTTP API: is the Jobdeck server itself well?

`ctx.http` is an httpx client. Each of its calls is kept with the job: method, address, status,
time, both bodies; tokens and passwords are not.

    jobdeck run service_check
    jobdeck run service_check -p url=http://127.0.0.1:9    # nothing listens there
"""

import os
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from jobdeck import Context, job

ADDRESS = "http://127.0.0.1:8787"


# A server that restarts is back after a few seconds, so a failed check is tried again. Where an
# answer says Retry-After, Jobdeck keeps to it.
@job(queue="probes", retries=3, backoff="2s", timeout="1m", every="2m")
def service_check(ctx: Context, url: str = "") -> dict[str, Any]:
    """Ask the server whether it is alive and ready, and how many jobs it has by status."""
    # Asked here and not as the default of `url`: a default is part of the pipeline's definition,
    # and must be the same in every process that loads this file.
    url = url or os.environ.get("JOBDECK_ADDRESS", ADDRESS)
    for path in ("/healthz", "/readyz"):
        ctx.http.get(f"{url}{path}").raise_for_status()
    metrics = ctx.http.get(f"{url}/metrics").raise_for_status().text
    jobs = jobs_by_status(metrics)
    ctx.log.info("the server is well", **jobs)
    return {"url": url, "jobs": jobs}


def jobs_by_status(metrics: str) -> dict[str, int]:
    """The numbers of jobs among what Prometheus would be told."""
    return {
        sample.labels["status"]: int(sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "jobdeck_jobs"
    }
