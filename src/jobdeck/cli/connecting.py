"""What every command that works on a store or server shares: where to, and how to answer."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from jobdeck.client.client import Client


def connected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command a client and an `Output`, and the options `--store` and `--json`.

    With JOBDECK_URL it works on that server, unless `--store` names a store.
    """

    @click.option("--store", metavar="URL", help="Address of the store, if not that set.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def command(*args: Any, store: str | None, as_json: bool, **kwargs: Any) -> Any:
        from jobdeck.cli.output import Output

        with open_client(store) as client:
            return function(client, Output(as_json=as_json), *args, **kwargs)

    return command


def open_client(store: str | None) -> "Client":
    """A client of what the settings or `store` name.

    Raises:
        StoreUnreachable: there is no such store.
        InvalidValue: the address is none.
    """
    from jobdeck.client.client import Client

    return Client(store)


def each(ids: tuple[int, ...], act: Callable[[int], Any], done: Callable[[int, Any], None]) -> int:
    """Do the same to several; what cannot be done is said, and the rest goes on. Returns the
    exit code."""
    from jobdeck.cli.complaint import complain
    from jobdeck.domain.errors import NotFound, WrongState

    failed = 0
    for number in ids:
        try:
            result = act(number)
        except (NotFound, WrongState) as error:
            complain(error)
            failed = 1
        else:
            done(number, result)
    return failed


def number_or_all(text: str, field: str) -> int | None:
    """The number; None for `all`.

    Raises:
        InvalidValue: it is neither.
    """
    from jobdeck.domain import numbers
    from jobdeck.domain.errors import InvalidValue

    if text.lower() == "all":
        return None
    number = numbers.read(text)
    if number is None:
        raise InvalidValue(field, f"{text!r} is neither a number nor all")
    return number
