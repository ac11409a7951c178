"""A schedule: how loaded is this machine, every minute?

jobdeck schedules list
jobdeck run machine_watch
"""

import psutil

from jobdeck import Context, job

ALMOST_FULL = 90.0


# Five fields: minute, hour, day, month, weekday. `every="1m"` would do as well. Where the hour
# matters, `timezone=` says whose; see licence_archive.py.
@job(queue="probes", schedule="* * * * *", timeout="30s")
def machine_watch(ctx: Context, disk: str = "/") -> dict[str, float]:
    """Measure processor, memory and disk; warn of what is almost full."""
    found = {
        "cpu_percent": psutil.cpu_percent(interval=0.5),
        "memory_percent": psutil.virtual_memory().percent,
        "disk_percent": psutil.disk_usage(disk).percent,
        "processes": float(len(psutil.pids())),
    }
    for name in ("memory_percent", "disk_percent"):
        if found[name] > ALMOST_FULL:
            ctx.log.warning(f"{name} is {found[name]:.0f}", limit=ALMOST_FULL)
    ctx.log.info("measured", **found)
    return found
