"""The command `jobdeck`."""

import contextlib
import os
import sys
from collections.abc import Sequence

import rich_click as click

from jobdeck.cli.complaint import explain
from jobdeck.cli.new import new
from jobdeck.cli.up import up
from jobdeck.cli.web import web
from jobdeck.cli.worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jobdeck", prog_name="jobdeck")
def jobdeck() -> None:
    """Run, show and control jobs."""


for command in (up, new, web, worker):
    jobdeck.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 done, 1 could not be done, 2 wrong usage."""
    from jobdeck.domain.errors import JobdeckError

    try:
        code = jobdeck.main(arguments, prog_name="jobdeck", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            return 2
        command = error.ctx.command_path if error.ctx else "jobdeck"
        _say(f"{error.format_message()} Try: {command} --help")
        return 2
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except JobdeckError as error:
        if debugging():
            raise
        _say(explain(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more at its exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as error:
        if debugging():
            raise
        _say(
            f"{type(error).__name__}: {error} (this is a mistake in Jobdeck; set JOBDECK_DEBUG=1 "
            "to see where)"
        )
        return 1


def debugging() -> bool:
    """Whether errors are to show where they come from."""
    return bool(os.environ.get("JOBDECK_DEBUG"))


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"jobdeck: {text}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
