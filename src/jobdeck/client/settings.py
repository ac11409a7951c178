"""The settings: from flags, then the environment, then `jobdeck.toml`, then their defaults."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from jobdeck.domain import limits, retention
from jobdeck.domain.errors import InvalidValue, Malformed
from jobdeck.domain.names import check_text
from jobdeck.domain.retention import Keep
from jobdeck.domain.sizes import parse_size

FILE = "jobdeck.toml"
GRACE_MAX_S = 86_400
SESSION_MAX_H = 366 * 24
_PATH = re.compile(r"[\w-]+(/[\w-]+)*", re.ASCII)
_TOKEN = re.compile(r"[!-~]*")
"""What a header can carry."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set from outside; SETTINGS says what each one means.

    `given` names those that a flag, the environment or the file has set.
    """

    store: str = "sqlite:///jobdeck.db"
    url: str = ""
    token: str = ""
    host: str = "127.0.0.1"
    port: int = 8787
    base_path: str = ""
    workers: int = 0
    worker_memory: str = ""
    worker_jobs: int = 0
    coroutines: int = limits.COROUTINES
    queues: tuple[str, ...] = ()
    executor: Literal["local", "celery"] = "local"
    grace_s: float = limits.STOP_GRACE_S
    files: str = ""
    durable: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False
    session_hours: float = 168.0
    open_metrics: bool = True
    keep_completed: str = "30d"
    keep_failed: str = "30d"
    keep_logs: str = "7d"
    keep_payload: str = retention.FOREVER
    keep_files: str = retention.FOREVER
    keep_audit: str = "365d"
    cleanup_at: str = "05:00"
    given: frozenset[str] = frozenset()

    def keep(self) -> Keep:
        """How long things are kept."""
        return retention.parse({kind: getattr(self, f"keep_{kind}") for kind in retention.KINDS})


class Setting(NamedTuple):
    """One line of the table of settings; its key in `jobdeck.toml` is its name."""

    name: str
    help: str

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return f"JOBDECK_{self.name.upper()}"

    @property
    def default(self) -> Any:
        """Its value where nothing sets it."""
        return getattr(_DEFAULTS, self.name)


SETTINGS = (
    Setting(
        "store",
        "address of the store: sqlite:///FILE (relative to the working directory) or "
        "postgresql://USER:PASSWORD@HOST/DATABASE",
    ),
    Setting("url", "address of a server; commands and the client then work on it, not on a store"),
    Setting("token", "bearer token: the server accepts it as administrator, a client sends it"),
    Setting("host", "address to listen on; other than loopback only with a token"),
    Setting("port", "port to listen on; 0 takes a free one"),
    Setting("base_path", "path under which a reverse proxy serves everything, such as /jobs"),
    Setting("workers", "worker processes of a pool; 0 means one for each processor"),
    Setting(
        "worker_memory",
        "memory that a worker may take, such as 512MB, with all that its jobs start; a job "
        "that takes more is killed; empty means any amount",
    ),
    Setting("worker_jobs", "jobs after which a worker is replaced by a new one; 0 means never"),
    Setting(
        "coroutines",
        "jobs of coroutines that a worker runs side by side; 1 means one after the other",
    ),
    Setting("queues", "queues that a pool serves, separated by commas; empty means all"),
    Setting("executor", "what runs jobs: local (worker processes) or celery"),
    Setting("grace_s", "seconds that a job has to stop by itself before it is killed"),
    Setting("files", "folder for the files of jobs; empty means beside the store"),
    Setting("durable", "whether SQLite waits for the disk at each commit (synchronous=FULL)"),
    Setting("log_level", "least level of Jobdeck's own log: debug, info, warning or error"),
    Setting("log_json", "whether Jobdeck's own log is JSON"),
    Setting("session_hours", "hours that a browser stays signed in"),
    Setting("open_metrics", "whether /metrics answers without signing in"),
    Setting("keep_completed", "how long completed jobs are kept, such as 30d or forever"),
    Setting("keep_failed", "how long failed and stopped jobs are kept"),
    Setting("keep_logs", "how long log lines and recorded API calls of ended jobs are kept"),
    Setting("keep_payload", "how long completed jobs keep their parameters and results"),
    Setting("keep_files", "how long ended jobs keep their files; forever means with the job"),
    Setting("keep_audit", "how long the audit is kept"),
    Setting("cleanup_at", "time of day, in UTC, of the daily clean-up"),
)

_DEFAULTS = Settings()
_TYPES = {field.name: field.type for field in msgspec.structs.fields(Settings)}
_NAMES = tuple(setting.name for setting in SETTINGS)


def read(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings for a program started in `folder` (the working directory by default).

    `flags` that are None were not given.

    Raises:
        InvalidValue: a value does not fit; the error names where it was set.
        Malformed: `jobdeck.toml` is not TOML.
    """
    environ = os.environ if environ is None else environ
    path = (folder or Path()) / FILE
    values = _file(path)
    for setting in SETTINGS:
        text = environ.get(setting.env)
        if text:
            values[setting.name] = _convert(setting.name, text, setting.env)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _convert(name, value, f"--{name.replace('_', '-')}")
    _check(values)
    return Settings(**values, given=frozenset(values))


def _file(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Malformed(f"{path} cannot be read: {error}") from None
    for key in content:
        if key not in _NAMES:
            raise InvalidValue(f"{path}: {key}", f"no such setting; there are: {', '.join(_NAMES)}")
    return {key: _convert(key, value, f"{path}: {key}") for key, value in content.items()}


def _convert(name: str, value: Any, where: str) -> Any:
    if name == "queues" and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if name == "files" and isinstance(value, Path):
        value = str(value)
    if _TYPES[name] is bool and isinstance(value, str):
        value = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(
            value.lower(), value
        )
    if isinstance(value, str):
        check_text(value, where)
    try:
        return msgspec.convert(value, _TYPES[name], strict=False)
    except msgspec.ValidationError as error:
        raise InvalidValue(where, f"{value!r} does not fit: {error}") from None


def _check(values: dict[str, Any]) -> None:
    port = values.get("port", 0)
    if not 0 <= port <= 65535:
        raise InvalidValue("port", f"{port} is not a port; choose one from 0 to 65535")
    if values.get("workers", 0) < 0:
        raise InvalidValue("workers", "cannot be below 0")
    if values.get("worker_jobs", 0) < 0:
        raise InvalidValue("worker_jobs", "cannot be below 0")
    if not 1 <= values.get("coroutines", 1) <= limits.COROUTINES_MOST:
        raise InvalidValue("coroutines", f"choose from 1 to {limits.COROUTINES_MOST}")
    if values.get("worker_memory"):
        parse_size(values["worker_memory"], "worker_memory")
    if not 0 <= values.get("grace_s", 1.0) <= GRACE_MAX_S:
        raise InvalidValue("grace_s", f"choose from 0 to {GRACE_MAX_S} seconds, which is a day")
    if not 0 < values.get("session_hours", 1.0) <= SESSION_MAX_H:
        raise InvalidValue("session_hours", f"choose at most {SESSION_MAX_H} hours, above 0")
    if not _TOKEN.fullmatch(values.get("token", "")):
        raise InvalidValue("token", "write only letters, digits and signs of ASCII, and no space")
    for kind in retention.KINDS:
        if f"keep_{kind}" in values:
            retention.seconds(values[f"keep_{kind}"], f"keep_{kind}")
    if "cleanup_at" in values:
        retention.check_at(values["cleanup_at"])
    if "base_path" in values:
        values["base_path"] = check_base_path(values["base_path"])


def check_base_path(text: str) -> str:
    """The path in its one form: empty, or `/a/b` without a slash at its end.

    Raises:
        InvalidValue: it holds what has no place in a path.
    """
    path = text.strip("/")
    if not path:
        return ""
    if not _PATH.fullmatch(path):
        raise InvalidValue(
            "base_path", f"{text!r} is not a path; write letters, digits, - and _, such as /jobs"
        )
    return f"/{path}"
