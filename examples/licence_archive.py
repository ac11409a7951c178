"""A job that fails, and says what to do about it.

It puts the licence texts of all installed packages into one archive, in a folder that this
machine does not have. The error names the cause, the hint the next step; on the job's page
"Run again" takes another `target`.

    jobdeck run licence_archive                   # fails
    jobdeck run licence_archive -p target=/tmp    # does it
"""

import zipfile
from importlib.metadata import distributions
from pathlib import Path

from jobdeck import Context, Fail, job

NAMES = ("licen", "copying", "notice")


@job(queue="etl", schedule="0 5 * * *", timezone="Europe/Amsterdam")
def licence_archive(ctx: Context, target: str = "/mnt/compliance") -> dict[str, str | int]:
    """Collect the licences of all installed packages in `target`/licences.zip."""
    folder = Path(target)
    if not folder.is_dir():
        # `Fail` is for good: no retry would help until somebody acts. Any other error is
        # tried again as often as `retries` says.
        raise Fail(
            f"the folder {target} does not exist on this machine",
            hint="Mount it and retry the job, or run it again with another target, such as /tmp.",
        )
    texts = 0
    path = folder / "licences.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in sorted(distributions(), key=lambda package: package.name.lower()):
            for name in package.files or []:
                source = Path(str(name.locate()))
                if not any(part in name.name.lower() for part in NAMES) or not source.is_file():
                    continue
                archive.writestr(str(name), source.read_bytes())
                texts += 1
            ctx.progress(texts, note=package.name)
    return {"archive": str(path), "texts": texts}
