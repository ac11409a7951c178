"""The frames that a pool and its worker exchange over one stream socket.

A frame is four bytes of length, big-endian, and a message in MessagePack. Frames about a job
carry its claim, and those that could arrive twice a sequence number or their final value, so
that a late or repeated one is harmless. JSON travels as the bytes that the store keeps.
"""

import struct
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from jobdeck.domain.clock import Micros
from jobdeck.domain.limits import LOG_LINES
from jobdeck.domain.records import Counts, JobError

FRAME_BYTES = 64 * 1024 * 1024
_HEADER = struct.Struct(">I")


class DoneStep(Struct, frozen=True, array_like=True):
    """A step that an earlier attempt completed: its result is not computed again."""

    position: int
    result: bytes | None


class JobSpec(Struct, frozen=True, array_like=True):
    """A job to run. `params` is a JSON object; `checkpoint` the last one of the first step that
    is not done, with the counts it had then. One that is `alone` runs beside no other."""

    job: int
    claim: int
    attempt: int
    pipeline: str
    flow: str
    params: bytes
    context: str = ""
    parent: int | None = None
    done: list[DoneStep] = []
    checkpoint: bytes | None = None
    counts: Counts | None = None
    alone: bool = False


class Run(Struct, frozen=True, array_like=True, tag="run"):
    """Run these, in this order."""

    jobs: list[JobSpec]


class Stop(Struct, frozen=True, array_like=True, tag="stop"):
    """Ask the job to stop by itself; the pool kills the process if it does not."""

    job: int
    claim: int
    why: str


class Recall(Struct, frozen=True, array_like=True, tag="recall"):
    """Drop these from the batch unless they began."""

    claims: list[tuple[int, int]]


class Reply(Struct, frozen=True, array_like=True, tag="reply"):
    """The answer to the `Call` with that sequence number; `error` is empty if it succeeded.
    `duplicate` is set if it failed because of another job: its number, or 0."""

    seq: int
    value: Any = None
    error: str = ""
    duplicate: int | None = None


class Exit(Struct, frozen=True, array_like=True, tag="exit"):
    """Finish what was begun, begin nothing, and end."""


class Ready(Struct, frozen=True, array_like=True, tag="ready"):
    """The code is loaded; `versions` gives the fingerprint of each pipeline by its name."""

    pid: int
    versions: dict[str, str]


class NotLoaded(Struct, frozen=True, array_like=True, tag="not_loaded"):
    """The code cannot be loaded; the worker ends."""

    message: str
    traceback: str


class Leaving(Struct, frozen=True, array_like=True, tag="leaving"):
    """The worker begins no further job and ends, so that a new one takes its place."""

    why: str


class StepReport(Struct, frozen=True, array_like=True, tag="step"):
    """Where a step stands; the newest one counts. `status` is running, completed, failed or
    stopped; `checkpoint` the state to go on from after a crash."""

    job: int
    claim: int
    attempt: int
    position: int
    name: str
    status: str
    started_at: Micros
    finished_at: Micros | None = None
    counts: Counts = Counts()
    result: bytes | None = None
    checkpoint: bytes | None = None
    error: JobError | None = None


class Outcome(Struct, frozen=True, array_like=True):
    """How an attempt ended. `status` is completed, failed, stopped, or waiting (for children;
    the job goes on with its next step when the last has ended). `retryable` says whether the
    error's class may be tried again, `retry_after_s` how long the other side asks to wait."""

    job: int
    claim: int
    status: str
    started_at: Micros
    finished_at: Micros
    result: bytes | None = None
    reason: str = ""
    message: str = ""
    error: JobError | None = None
    retryable: bool = True
    retry_after_s: float | None = None
    cpu_us: int = 0
    rss_kb: int = 0


class Outcomes(Struct, frozen=True, array_like=True, tag="outcomes"):
    """Attempts that ended since the last such frame."""

    items: list[Outcome]


class LogEntry(Struct, frozen=True, array_like=True):
    """One line; `seq` rises within the attempt."""

    seq: int
    at: Micros
    level: str
    stream: str
    step: str
    message: str
    fields: bytes | None = None


def lines_from(claim: int, attempt: int) -> int:
    """From where the lines of a hand-out are numbered. There are several in one attempt where a
    parent goes on after its children, or a job goes back at no cost: none may take the number of
    another's line."""
    return max(claim - attempt, 0) % 10_000 * 2 * LOG_LINES


class Logs(Struct, frozen=True, array_like=True, tag="logs"):
    """Lines of one attempt."""

    job: int
    claim: int
    attempt: int
    lines: list[LogEntry]


class CheckIn(Struct, frozen=True, array_like=True, tag="check_in"):
    """How far the job is; the newest one counts."""

    job: int
    claim: int
    at: Micros
    done: int
    total: int | None
    note: str


class HttpCall(Struct, frozen=True, array_like=True, tag="http_call"):
    """A call that the job made through `ctx.http`, bounded and redacted."""

    job: int
    claim: int
    attempt: int
    seq: int
    at: Micros
    step: str
    method: str
    url: str
    status: int | None
    duration_s: float
    request: str
    response: str
    error: str


class FileKept(Struct, frozen=True, array_like=True, tag="file"):
    """A file that the job kept; `path` is relative to the store's folder of files."""

    job: int
    claim: int
    name: str
    path: str
    size: int
    at: Micros
    step: str


class Call(Struct, frozen=True, array_like=True, tag="call"):
    """A question or request that the pool answers with a `Reply`.

    Kinds and bodies: `map` {step: its name, flow, items: [params], start: index of the first,
    manifest} gives the number of children; `children` {after: job id, limit} gives a list of
    {id, index, step, status, result, error, params}; `enqueue` {items: [{flow, params, priority,
    run_at, ...}], manifest} gives {ids: the jobs' numbers, kept: the places of those that were
    there already}; `items` {do: claim, seen, processed, defer or release, source, keys, for_s}
    gives the keys that were claimed, or seen. `manifest` is that of the pipeline if
    the job's code defines it, else None: one that is not known is registered by it.
    """

    job: int
    claim: int
    seq: int
    kind: str
    body: Any


class Recalled(Struct, frozen=True, array_like=True, tag="recalled"):
    """These had not begun and will not."""

    claims: list[tuple[int, int]]


ToWorker = Run | Stop | Recall | Reply | Exit
ToPool = (
    Ready
    | NotLoaded
    | Leaving
    | Outcomes
    | StepReport
    | Logs
    | CheckIn
    | HttpCall
    | FileKept
    | Call
    | Recalled
)

_encoder = msgspec.msgpack.Encoder()
decode_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
decode_to_pool = msgspec.msgpack.Decoder(ToPool).decode


def frame(message: Struct) -> bytes:
    """The message as it goes over the socket."""
    body = _encoder.encode(message)
    return _HEADER.pack(len(body)) + body


class FrameBuffer:
    """Cuts a stream of bytes into the bodies of frames."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what arrived and give each complete body.

        Raises:
            ValueError: a length no sound peer sends.
        """
        held = self._bytes
        held += data
        start = 0
        while len(held) - start >= _HEADER.size:
            (size,) = _HEADER.unpack_from(held, start)
            if size > FRAME_BYTES:
                raise ValueError(f"frame of {size} bytes")
            end = start + _HEADER.size + size
            if len(held) < end:
                break
            yield bytes(held[start + _HEADER.size : end])
            start = end
        del held[:start]
