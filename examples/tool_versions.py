"""A coroutine: which tools does this machine have, asked all at once?

`async def` is all it takes: the worker keeps an event loop for it. Here one job waits for several
programs at the same time. If the job is stopped, the coroutine is cancelled.

    jobdeck run tool_versions
"""

import asyncio
import sys

from jobdeck import Context, job

COMMANDS = {
    "python": (sys.executable, "--version"),
    "pip": (sys.executable, "-m", "pip", "--version"),
    "git": ("git", "--version"),
    "make": ("make", "--version"),
    "openssl": ("openssl", "version"),
    "tar": ("tar", "--version"),
    "npm": ("npm", "--version"),
}


@job(queue="probes", every="5m", timeout="1m")
async def tool_versions(ctx: Context) -> dict[str, str | None]:
    """Ask each tool for its version; None for those that are not there."""
    answers = await asyncio.gather(*[_first_line(*command) for command in COMMANDS.values()])
    found = dict(zip(COMMANDS, answers, strict=True))
    missing = [name for name, version in found.items() if version is None]
    if missing:
        ctx.log.info("not on this machine: " + ", ".join(missing))
    ctx.counts.add(read=len(found), written=len(found) - len(missing), filtered=len(missing))
    return found


async def _first_line(*command: str) -> str | None:
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        return None
    output, _ = await process.communicate()
    lines = output.decode(errors="replace").splitlines()
    return lines[0].strip() if process.returncode == 0 and lines else None
