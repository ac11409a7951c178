"""`jobdeck new`: files to start from."""

from pathlib import Path

import rich_click as click

FILES = ("pipelines.py", "jobdeck.toml")
TEMPLATES = Path(__file__).parent / "templates"


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """Write a commented pipeline file and jobdeck.toml into DIR (here by default)."""
    write(folder)
    click.echo(f"Wrote {' and '.join(FILES)} in {folder.resolve()}. Next:\n")
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {folder}")
    click.echo("  jobdeck up pipelines.py --reload")


def write(folder: Path) -> None:
    """Put both files there; the folder is created if need be.

    Raises:
        StartFailed: one of them is there already (nothing was written), or writing failed.
    """
    from jobdeck.domain.errors import StartFailed

    taken = [name for name in FILES if (folder / name).exists()]
    if taken:
        raise StartFailed(
            f"{folder / taken[0]} exists already, and nothing was written. Name another folder: "
            "jobdeck new DIR"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            # "x" so that nothing is overwritten that appeared in between.
            with (folder / name).open("x") as file:
                file.write((TEMPLATES / name).read_text())
    except OSError as error:
        raise StartFailed(f"Cannot write into {folder}: {error.strerror}.") from None
