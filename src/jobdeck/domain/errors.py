"""Every error that Jobdeck raises on purpose: what is wrong, why, and what to do next."""


class JobdeckError(Exception):
    """The root of all of them; its text is meant for the user."""

    exit_code = 1


class InvalidValue(JobdeckError):
    """A value that cannot be accepted; `field` names it."""

    exit_code = 2

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class Malformed(JobdeckError):
    """A request or file that cannot be read at all."""

    exit_code = 2


class NotFound(JobdeckError):
    """What was named does not exist."""

    def __init__(self, kind: str, name: object, hint: str = "") -> None:
        super().__init__(f"There is no {kind} {name!r}." + (f" {hint}" if hint else ""))
        self.kind = kind
        self.name = name


class WrongState(JobdeckError):
    """The thing exists, but not in a state that allows what was asked."""


class Duplicate(WrongState):
    """Another one with the same key or name exists; `job` is its number if it is a job."""

    def __init__(self, message: str, job: int | None = None) -> None:
        super().__init__(message)
        self.job = job


class Unauthenticated(JobdeckError):
    """Nobody, or nobody known, asked."""


class Forbidden(JobdeckError):
    """The one who asked may not do this."""


class TooMany(JobdeckError):
    """More was asked for than the rate limit lets through; try again after `after_s` seconds."""

    def __init__(self, message: str, after_s: int) -> None:
        super().__init__(message)
        self.after_s = after_s


class StoreError(JobdeckError):
    """The store cannot be used."""


class StoreUnreachable(StoreError):
    """The database does not answer, or its file cannot be opened or written."""


class StoreCorrupt(StoreError):
    """The file is not a store, or is damaged."""


class StoreVersion(StoreError):
    """The store's schema is newer or older than this program can use."""


class LoadFailed(JobdeckError):
    """The module or file that defines pipelines cannot be loaded; `detail` is its traceback."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class StartFailed(JobdeckError):
    """A process of Jobdeck cannot start: a port in use, a directory that cannot be written."""


class ServerRefused(JobdeckError):
    """A server answered a client's call with an error; `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
