"""Calling an HTTP API: is the Jobdeck server itself well?

`ctx.http` is an httpx client. Each of its calls is kept with the job: method, address, status,
time, both bodies; tokens and passwords are not.

    jobdeck run service_check
    jobdeck run service_check -p url=http://127.0.0.1:9    # nothing listens there
"""

import os
from typing import Any

from jobdeck import Context, job

ADDRESS = os.environ.get("JOBDECK_URL") or "http://127.0.0.1:8787"


# A server that restarts is back after a few seconds, so a failed check is tried again. Where an
# answer says Retry-After, Jobdeck keeps to it.
@job(queue="probes", retries=3, backoff="2s", timeout="1m", every="2m")
def service_check(ctx: Context, url: str = ADDRESS) -> dict[str, Any]:
    """Ask the server whether it is alive and ready."""
    found: dict[str, Any] = {"url": url}
    for path in ("/healthz", "/readyz"):
        answer = ctx.http.get(f"{url}{path}").raise_for_status()
        found[path.removeprefix("/")] = round(answer.elapsed.total_seconds() * 1000, 1)
    ctx.log.info("the server is well", **found)
    return found
