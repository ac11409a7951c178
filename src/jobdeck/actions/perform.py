"""The one way in which anything is changed on request: authorise, change, audit, commit."""

import contextlib
import functools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from sqlalchemy import Connection

from jobdeck.domain import clock
from jobdeck.domain.clock import Micros
from jobdeck.domain.errors import InvalidValue, StoreError
from jobdeck.domain.names import check_text
from jobdeck.domain.roles import Actor, Role
from jobdeck.store import audit, changes
from jobdeck.store.database import Store
from jobdeck.store.failures import is_deadlock

P = ParamSpec("P")
R = TypeVar("R")

REASON_CHARS = 2000
TRIES = 5
"""So often an action is begun anew if it and another one waited for each other."""
ACTIONS: dict[str, "Action[..., Any]"] = {}
"""Every action by its name, as it stands in the audit."""


@dataclass(slots=True)
class Tx:
    """The transaction of one action. The action sets `target` (such as `job 12`) and `detail`
    for the audit, and tells with `changed` what live pages should look at again. `memory` stays
    between the transactions of one bulk action, and `afterwards` is done once this one is
    committed."""

    conn: Connection
    store: Store
    actor: Actor
    reason: str
    now: Micros
    target: str = ""
    detail: Any = None
    memory: dict[str, Any] = field(default_factory=dict)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    _changed: list[tuple[str, str, str]] = field(default_factory=list)

    def changed(self, topic: str, ref: object = "", kind: str = "changed") -> None:
        """Note a change; see `domain.records.Change` for the topics."""
        self._changed.append((topic, str(ref), kind))

    def forget_changes(self) -> None:
        """Tell nothing of what was noted so far: there is too much of it."""
        self._changed.clear()

    def write_changes(self) -> None:
        """Tell live pages; in the same transaction, so never of what did not happen."""
        if self._changed:
            changes.add(self.conn, self.now, self._changed)

    def write_audit(self, action: str, row: int | None = None) -> int:
        """Write the audit row, or bring the row of an earlier chunk up to date."""
        if row is not None:
            audit.amend(self.conn, row, self.detail)
            return row
        return audit.add(
            self.conn,
            at=self.now,
            actor=self.actor,
            action=action,
            target=self.target,
            reason=self.reason,
            detail=self.detail,
        )


class _Undone(Exception):
    """Rolls a rehearsal back."""


class Action(Generic[P, R]):
    """A change that an actor may ask for; called as `stop(store, actor, reason, job_id)`."""

    def __init__(
        self,
        function: Callable[Concatenate[Tx, P], R | None],
        name: str,
        role: Role,
        deed: str,
        *,
        wakes: bool,
    ) -> None:
        self.function = function
        self.name = name
        self.role = role
        self.deed = deed
        self.wakes = wakes
        functools.update_wrapper(self, function)

    def __call__(
        self, store: Store, actor: Actor, reason: str, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do it in one transaction; whatever is raised leaves nothing behind.

        Raises:
            Forbidden: the actor's role does not allow it.
            JobdeckError: as the action says.
        """
        self.authorise(actor)
        reason = check_reason(reason)
        result, _, _ = self._transaction(store, actor, reason, {}, None, *args, **kwargs)
        return cast(R, result)

    def _transaction(
        self,
        store: Store,
        actor: Actor,
        reason: str,
        memory: dict[str, Any],
        row: int | None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[R | None, dict[str, Any], int]:
        """Call the function in a transaction; gives its result, what it remembers and the row of
        the audit. Of two that wait for each other PostgreSQL ends one, which is begun anew."""
        tries = TRIES
        while True:
            try:
                with store.write(wake=self.wakes) as conn:
                    tx = Tx(conn, store, actor, reason, clock.now(), memory=deepcopy(memory))
                    result = self.function(tx, *args, **kwargs)
                    tx.write_changes()
                    written = tx.write_audit(self.name, row)
            except StoreError as error:
                tries -= 1
                if not tries or not is_deadlock(error.__cause__ or error):
                    raise
            else:
                for each in tx.afterwards:
                    each()
                return result, tx.memory, written

    def rehearse(self, store: Store, actor: Actor, *args: P.args, **kwargs: P.kwargs) -> None:
        """Find out whether it would be done; nothing is changed, and nothing audited.

        Raises:
            Forbidden: the actor's role does not allow it.
            JobdeckError: as the action says.
        """
        self.authorise(actor)
        with contextlib.suppress(_Undone), store.write() as conn:
            self.function(Tx(conn, store, actor, "", clock.now()), *args, **kwargs)
            raise _Undone

    def authorise(self, actor: Actor) -> None:
        """Refuse who may not.

        Raises:
            Forbidden: says which role it takes.
        """
        actor.require(self.role, self.deed)


class BulkAction(Action[P, R]):
    """An action over so many things that it takes several transactions: its function is called
    again, each time in a transaction of its own, until it returns something else than None.

    There is one audit row, which each transaction brings up to date.
    """

    def __call__(
        self, store: Store, actor: Actor, reason: str, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do it; what was done before an error stays, and the audit tells how far it came."""
        self.authorise(actor)
        reason = check_reason(reason)
        memory: dict[str, Any] = {}
        row: int | None = None
        while True:
            result, memory, row = self._transaction(
                store, actor, reason, memory, row, *args, **kwargs
            )
            if result is not None:
                return result


def action(
    name: str, role: Role, deed: str, *, wakes: bool = False
) -> Callable[[Callable[Concatenate[Tx, P], R]], Action[P, R]]:
    """Make an action of a function; `deed` completes "may not ...". `wakes` tells the pools."""

    def decorate(function: Callable[Concatenate[Tx, P], R]) -> Action[P, R]:
        return _register(Action(function, name, role, deed, wakes=wakes))

    return decorate


def bulk_action(
    name: str, role: Role, deed: str, *, wakes: bool = False
) -> Callable[[Callable[Concatenate[Tx, P], R | None]], BulkAction[P, R]]:
    """The same of a function that does a bounded part of the work each time it is called, and
    returns None while there is more to do."""

    def decorate(function: Callable[Concatenate[Tx, P], R | None]) -> BulkAction[P, R]:
        made: BulkAction[P, R] = BulkAction(function, name, role, deed, wakes=wakes)
        return _register(made)

    return decorate


A = TypeVar("A", bound="Action[..., Any]")


def _register(made: A) -> A:
    if made.name in ACTIONS:
        raise ValueError(f"two actions named {made.name}")
    ACTIONS[made.name] = made
    return made


def check_reason(text: str) -> str:
    """The reason as it is kept.

    Raises:
        InvalidValue: it is too long or not text.
    """
    text = text.strip()
    if len(text) > REASON_CHARS:
        raise InvalidValue("reason", f"is longer than {REASON_CHARS} characters; shorten it")
    return check_text(text, "reason")
