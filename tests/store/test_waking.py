"""Who enqueues wakes the pools that sleep."""

from __future__ import annotations

import select
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobdeck.store import pools, wake
from jobdeck.store.database import Store
from jobdeck.store.wake import Listener
from tests.store import processes
from tests.store.world import START


@pytest.fixture
def listener(store: Store) -> Iterator[Listener]:
    """What a pool waits on."""
    opened = store.listener()
    yield opened
    opened.close()


def heard(listener: Listener, seconds: float = 10.0) -> bool:
    return bool(select.select([listener], [], [], seconds)[0])


def sleep(store: Store, asleep: bool) -> int:
    with store.write() as conn:
        pool = pools.open(conn, "here", 1, 1, [], START)
        pools.set_asleep(conn, pool, asleep)
    return pool


_ENQUEUE = """
import sys
from jobdeck.store.database import Store
with Store(sys.argv[1]).write(wake=True):
    pass
"""


def test_another_process_wakes_a_pool_that_sleeps(store: Store, listener: Listener) -> None:
    sleep(store, asleep=True)
    assert not heard(listener, 0)
    processes.finish(processes.start(_ENQUEUE, store.address))
    assert heard(listener)
    listener.drain()
    assert not heard(listener, 0)


def test_a_transaction_that_fails_wakes_nobody(store: Store, listener: Listener) -> None:
    sleep(store, asleep=True)

    def fail() -> None:
        with store.write(wake=True):
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with store.write():
        pass
    assert not heard(listener, 0.05)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_postgres_notifies_only_who_sleeps(store: Store, listener: Listener) -> None:
    pool = sleep(store, asleep=False)
    with store.write(wake=True):
        pass
    assert not heard(listener, 0.05)
    with store.write() as conn:
        pools.set_asleep(conn, pool, True)
    with store.write(wake=True):
        pass
    assert heard(listener)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_pool_that_was_killed_does_not_stop_the_others(store: Store, listener: Listener) -> None:
    assert store.path is not None
    folder = wake._folder(store.path)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(folder / "1.sock"))
    dead.close()
    Path(folder / "notes.txt").touch()
    with store.write(wake=True):
        pass
    assert heard(listener)
    assert not (folder / "1.sock").exists()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_pool_that_never_listens_does_not_stop_anybody(store: Store, listener: Listener) -> None:
    for _ in range(2000):
        wake.poke_socket(store.path)  # type: ignore[arg-type]
    listener.drain()
    assert not heard(listener, 0)


def test_a_long_path_for_temporary_files_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    listener = wake.SocketListener(tmp_path / "jobdeck.db")
    wake.poke_socket(tmp_path / "jobdeck.db")
    assert heard(listener)
    listener.close()
