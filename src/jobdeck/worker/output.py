"""What jobs print and log by Python's own means, as lines of the job that runs."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
from typing import Any

from jobdeck.domain import limits
from jobdeck.sdk.log import encode_fields
from jobdeck.sdk.runtime import JobView
from jobdeck.worker.runtime import SPEAKING, SocketRuntime

_OWNER = "_jobdeck_job"
_LEVELS = {"stdout": "info", "stderr": "warning"}


class Output:
    """Takes the place of `sys.stdout` and `sys.stderr`, and handles the root logger.

    A thread belongs to the job that started it: what it says later is nobody's, and goes
    nowhere while another job runs. Threads of executors serve whichever job runs.
    """

    def __init__(self, runtime: SocketRuntime) -> None:
        self._runtime = runtime
        self._main = threading.get_ident()
        self._streams = [JobStream("stdout", 1, self), JobStream("stderr", 2, self)]
        self.partial = False

    def install(self) -> None:
        """Capture from now on."""
        self.restore()
        root = logging.getLogger()
        root.addHandler(JobHandler(self))
        root.setLevel(logging.INFO)
        # Each of its calls is a record of its own.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        start, runtime = threading.Thread.start, self._runtime

        def start_owned(self: threading.Thread) -> None:
            target = getattr(self, "_target", None)
            if getattr(target, "__module__", "") != "concurrent.futures.thread":
                setattr(self, _OWNER, runtime.speaker())
            start(self)

        threading.Thread.start = start_owned  # type: ignore[method-assign]

    def restore(self) -> None:
        """Undo what a job did to the streams."""
        sys.stdout, sys.stderr = self._streams

    @property
    def intact(self) -> bool:
        """Whether the streams are still ours."""
        return sys.stdout is self._streams[0] and sys.stderr is self._streams[1]

    def end_lines(self) -> None:
        """The job ends: what it printed without an end of line is a line too."""
        self.partial = False
        for stream in self._streams:
            stream.end_lines()

    def owner(self) -> tuple[JobView | None, bool]:
        """The job that the calling thread speaks for, and whether anybody may be spoken for:
        nobody is to hear what is left of an ended job while another runs."""
        runtime = self._runtime
        current = runtime.current
        if runtime.twins and not runtime.forked:
            return self._one_of_many()
        if runtime.forked or current is None:
            return None, True
        if threading.get_ident() != self._main:
            owned = getattr(threading.current_thread(), _OWNER, current)
            if owned is not current:
                return None, False
        return current, True

    def _one_of_many(self) -> tuple[JobView | None, bool]:
        runtime = self._runtime
        job = SPEAKING.get()
        if job is None:
            job = getattr(threading.current_thread(), _OWNER, None)
        if job is None or runtime.of(job).current is not job:
            # Not known whose it is: nobody is to hear what another job says.
            return None, False
        return job, True

    def say(
        self, job: JobView, level: str, stream: str, message: str, fields: bytes | None = None
    ) -> None:
        """Keep a line of that job."""
        self._runtime.of(job).say(job, level, stream, message, fields)


class JobStream(io.TextIOBase):
    """A text stream whose lines are kept with the running job; else the descriptor gets them."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, fd: int, output: Output) -> None:
        super().__init__()
        self.name = f"<{name}>"
        self._stream = name
        self._level = _LEVELS[name]
        self._fd = fd
        self._output = output
        self._held: dict[tuple[int, int], str] = {}

    def write(self, text: str) -> int:
        """Take text; each end of line makes a line."""
        job, heard = self._output.owner()
        if job is None:
            if heard:
                self._write_through(text)
            return len(text)
        thread = threading.get_ident(), job.job
        if "\n" not in text:
            held = self._held.get(thread, "")
            if len(held) <= limits.LOG_LINE_CHARS:
                self._held[thread] = held + text[: limits.LOG_LINE_CHARS + 1]
            self._output.partial = True
            return len(text)
        *lines, rest = text.split("\n")
        lines[0] = self._held.pop(thread, "") + lines[0]
        if rest:
            self._held[thread] = rest[: limits.LOG_LINE_CHARS + 1]
            self._output.partial = True
        for line in lines:
            self._output.say(job, self._level, self._stream, line)
        return len(text)

    def end_lines(self) -> None:
        """What is held becomes lines."""
        job, _ = self._output.owner()
        for held in list(self._held):
            if job is None or held[1] == job.job:
                text = self._held.pop(held, "")
                if job is not None and text:
                    self._output.say(job, self._level, self._stream, text)

    def _write_through(self, text: str) -> None:
        data = text.encode("utf-8", errors="replace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor itself, for child processes; what they write is kept too."""
        return self._fd

    def reconfigure(self, **how: Any) -> None:
        """Lines are lines; there is nothing to set."""

    def close(self) -> None:
        """Stays open: the next job prints as well."""

    @property
    def buffer(self) -> Any:
        """The same stream for bytes."""
        return ByteStream(self)


class ByteStream(io.RawIOBase):
    """Bytes on their way into a `JobStream`."""

    def __init__(self, text: JobStream) -> None:
        super().__init__()
        self._text = text

    def write(self, data: Any) -> int:
        """Take bytes of UTF-8."""
        raw = bytes(data)
        self._text.write(raw.decode("utf-8", errors="replace"))
        return len(raw)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor itself."""
        return self._text.fileno()


class JobHandler(logging.Handler):
    """Python's logging as lines of the running job, with what `extra` gave as fields."""

    _known = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        job, heard = self._output.owner()
        try:
            text = self.format(record)
            extra = {k: v for k, v in vars(record).items() if k not in self._known}
            fields = {"logger": record.name, **extra} if record.name != "root" else extra
            if job is not None:
                data = encode_fields(fields) if fields else None
                self._output.say(job, record.levelname.lower(), "log", text, data)
            elif heard:
                with contextlib.suppress(OSError):
                    os.write(2, f"{record.levelname} {text}\n".encode(errors="replace"))
        except Exception:  # a line must not fail the job
            self.handleError(record)
