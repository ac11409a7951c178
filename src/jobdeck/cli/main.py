"""The command `jobdeck`."""

import contextlib
import os
import sys
from collections.abc import Sequence

import rich_click as click

from jobdeck.cli.cleanup import cleanup
from jobdeck.cli.complaint import complain
from jobdeck.cli.db import db
from jobdeck.cli.errors import errors
from jobdeck.cli.flows import flows
from jobdeck.cli.hints import hints
from jobdeck.cli.jobs import jobs
from jobdeck.cli.log_search import logs
from jobdeck.cli.new import new
from jobdeck.cli.pipelines import pipelines
from jobdeck.cli.queues import queues
from jobdeck.cli.run import run
from jobdeck.cli.schedules import schedules
from jobdeck.cli.up import up
from jobdeck.cli.views import views
from jobdeck.cli.web import web
from jobdeck.cli.worker import worker
from jobdeck.cli.workers import workers


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jobdeck", prog_name="jobdeck")
def jobdeck() -> None:
    """Run, show and control jobs.

    Commands work on the store in the working directory (JOBDECK_STORE, jobdeck.toml), or with
    JOBDECK_URL and JOBDECK_TOKEN on a server.
    """


for command in (
    *(
        up,
        new,
        web,
        worker,
        run,
        jobs,
        views,
        errors,
        hints,
        logs,
        flows,
        queues,
        schedules,
        workers,
        pipelines,
        cleanup,
        db,
    ),
):
    jobdeck.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 done, 1 could not be done, 2 wrong usage."""
    from jobdeck.domain.errors import JobdeckError
    from jobdeck.domain.names import check_text

    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        for each in given:
            check_text(each, "arguments")
        code = jobdeck.main(given, prog_name="jobdeck", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            return 2
        command = error.ctx.command_path if error.ctx else "jobdeck"
        complain(f"{error.format_message()} Try: {command} --help")
        return 2
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except JobdeckError as error:
        if debugging():
            raise
        complain(error)
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
        complain(
            f"{type(error).__name__}: {error} (this is a mistake in Jobdeck; set JOBDECK_DEBUG=1 "
            "to see where)"
        )
        return 1


def debugging() -> bool:
    """Whether errors are to show where they come from."""
    return bool(os.environ.get("JOBDECK_DEBUG"))


if __name__ == "__main__":
    sys.exit(main())
