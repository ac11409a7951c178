"""SQLite as the store uses it: which library, how it is opened, how its statements are written."""

import sqlite3
from types import ModuleType
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Select, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import URL

# A checkpoint every 40 MB of log instead of 4: measured 12 % more jobs a second.
WAL_PAGES = 10_000


def module() -> ModuleType:
    """The SQLite library to use: the stdlib's is often older than 3.51.3, which mended a bug
    that could corrupt a database in WAL mode."""
    try:
        import pysqlite3
    except ImportError:
        return sqlite3
    found: ModuleType = pysqlite3
    return found


def engines(url: URL, *, durable: bool, kept: int) -> tuple[Engine, Engine]:
    """An engine for reading and one for writing, of which `kept` connections stay open; `durable`
    waits for the disk at each commit. Whoever writes begins the transaction."""
    # "rw": a file that is not there is an error, not a new empty database.
    address = f"file:{quote(url.database or '')}?mode=rw"
    library = module()

    def connect(pragmas: list[str]) -> Any:
        dbapi = library.connect(
            address,
            uri=True,
            # For the pragmas: another process may just be creating the store.
            timeout=5,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            for pragma in pragmas:
                dbapi.execute(f"PRAGMA {pragma}")
        except BaseException:
            dbapi.close()
            raise
        return dbapi

    shared = ["foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32000"]
    level = "FULL" if durable else "NORMAL"
    reading = [*shared, "query_only=ON", "mmap_size=268435456"]
    writing = [
        *shared,
        f"synchronous={level}",
        f"wal_autocheckpoint={WAL_PAGES}",
        "busy_timeout=0",
    ]
    reader = create_engine(
        url, module=library, creator=lambda: connect(reading), pool_size=12, max_overflow=20
    )
    writer = create_engine(
        url, module=library, creator=lambda: connect(writing), pool_size=kept, max_overflow=-1
    )
    for engine in (reader, writer):
        engine.dialect.statement_compiler = _Compiler
    event.listen(reader, "begin", _begin_deferred)
    return reader, writer


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


class _Compiler(SQLiteCompiler):
    """Of `LIMIT ?` SQLite wants to know the number when it plans, so it plans the statement anew
    whenever that is bound: five times the time of a small query. Of `LIMIT +?` it does not."""

    def limit_clause(self, select: Select[Any], **kw: Any) -> str:
        text: str = super().limit_clause(select, **kw)  # type: ignore[no-untyped-call]
        return text.replace("LIMIT ", "LIMIT +")
