"""Where documents are parsed: in processes that can hang, crash or fill their memory by themselves.

A process parses one document after the other. What it may take is bounded twice, by the pool from
outside and by the operating system from inside, so that it ends even if nobody waits for it.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Any

from ingest.errors import DocumentEmpty, ParseFailed, ParseTooSlow
from ingest.parsers import ocr
from ingest.parsers.base import Parsed
from ingest.sources.base import Listed, RawDocument
from knowledge.documents import Note

_AHEAD_A_WORKER = 2  # documents that are read and parsed before they are asked for,
_AHEAD_BYTES = 64 * 1024**2  # unless they are as large as this together
_MOST_TEXT = 128 * 1024**2  # bytes that a parser may answer with
_WORN_BYTES = 400 * 1024**2  # a process that keeps so much after a document parses no other one
_STARTING_SECONDS = 0.3  # about what a further process takes to start; a few documents take less
_OUT_OF_MEMORY = 77  # exit code
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[4:];"
    "from ingest.workers import serve; serve(*map(int, sys.argv[1:4]))"
)

Outcome = Callable[[], tuple[RawDocument, Parsed]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the parsing of one document may take."""

    seconds: int = 20
    memory: int = 1024**3  # bytes of address space, Python itself included
    reading_seconds: int = 660  # for a PDF whose pictures tesseract may read, beside this limit

    def patience(self, raw: RawDocument) -> int:
        """Return the seconds to wait for a document; what it may compute itself stays bounded."""
        may_read = raw.ending == ".pdf" and ocr.is_installed()
        return self.reading_seconds if may_read else self.seconds


class Workers:
    """Some processes that parse, started when they are needed and ended with the pool.

    Args:
        count: processes at most; None: as many as there are processors.
        limits: for each document.
    """

    def __init__(self, count: int | None = None, limits: Limits | None = None) -> None:
        self._count = count or os.cpu_count() or 1
        self._limits = limits or Limits()
        self._threads = ThreadPoolExecutor(self._count, "parsing")
        self._running: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._guard = threading.Condition()
        self._is_closed = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def parsed(self, items: Iterable[Listed]) -> Iterator[tuple[Listed, Outcome]]:
        """Read and parse documents, a few of them ahead of the one that is yielded.

        Yields each with what returns its raw document, its bytes left out, and what was parsed, or
        raises `ParseFailed`. All are read in this thread, as sources need; the first ones at once.
        """
        left = iter(items)
        ahead: deque[_Begun] = deque(self._begin(item) for item in islice(left, self._count))
        return self._rest(left, ahead)

    def _rest(
        self, left: Iterator[Listed], ahead: deque[_Begun]
    ) -> Iterator[tuple[Listed, Outcome]]:
        for item in left:
            ahead.append(self._begin(item))
            while len(ahead) > _AHEAD_A_WORKER * self._count or _bytes_of(ahead) > _AHEAD_BYTES:
                begun = ahead.popleft()
                yield begun.item, begun.future.result
        while ahead:
            begun = ahead.popleft()
            yield begun.item, begun.future.result

    def close(self) -> None:
        """End all processes at once, with whatever they are at."""
        with self._guard:
            self._is_closed = True
            self._guard.notify_all()
            for worker in self._running:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._running:
            worker.end()

    def _begin(self, item: Listed) -> _Begun:
        try:
            raw = item.source.read(item)
        except ParseFailed as error:
            failed: Future[tuple[RawDocument, Parsed]] = Future()
            failed.set_exception(error)
            return _Begun(item, 0, failed)
        return _Begun(item, len(raw.data), self._threads.submit(self._parse, raw))

    def _parse(self, raw: RawDocument) -> tuple[RawDocument, Parsed]:
        worker = self._take()
        try:
            answer = worker.ask(raw, self._limits)
        except ParseFailed:
            self._replace(worker)
            raise
        if answer["is_worn"]:
            self._replace(worker)
        else:
            with self._guard:
                self._idle.append(worker)
                self._guard.notify()
        return replace(raw, data=b"", stamp=raw.stamp or answer["stamp"]), _parsed(answer)

    def _take(self) -> _Worker:
        """Return an idle process, or a new one if none becomes idle meanwhile."""
        with self._guard:
            self._guard.wait_for(self._need_not_wait, _STARTING_SECONDS)
            if self._is_closed:
                raise ParseFailed("the run was stopped")
            if self._idle:
                return self._idle.pop()
            worker = _Worker(self._limits)
            self._running.add(worker)
            return worker

    def _need_not_wait(self) -> bool:
        return bool(self._idle) or not self._running or self._is_closed

    def _replace(self, worker: _Worker) -> None:
        with self._guard:
            if not self._is_closed:  # else `close` ends it
                self._running.remove(worker)
                self._guard.notify()
                worker.end()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A document that is read, or was not legible, and is being parsed."""

    item: Listed
    size: int  # bytes
    future: Future[tuple[RawDocument, Parsed]]


def _bytes_of(ahead: Iterable[_Begun]) -> int:
    return sum(begun.size for begun in ahead)


class _Worker:
    """One process that parses, in a process group of its own, so that no Ctrl-C gets there."""

    def __init__(self, limits: Limits) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            numbers = theirs.fileno(), limits.seconds, limits.memory
            self._process = subprocess.Popen(  # noqa: S603 - this program, and paths of this one
                [sys.executable, "-c", _PROGRAM, *map(str, numbers), *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )

    def ask(self, raw: RawDocument, limits: Limits) -> dict[str, Any]:
        """Return what the process answers; after an error it is of no more use.

        Raises:
            ParseFailed: it did not answer in time, or died.
        """
        try:
            self._pipe.send_bytes(pickle.dumps(raw))
            patience = limits.patience(raw)
            if not self._pipe.poll(patience):
                raise ParseTooSlow(_too_slow(patience))
            answer = self._pipe.recv_bytes(_MOST_TEXT)
        except (EOFError, ConnectionError) as error:
            raise _death(self.end(), limits) from error
        except OSError as error:  # as `recv_bytes` says that there is more
            raise ParseFailed(f"it holds more text than {_MOST_TEXT // 1024**2} MB") from error
        found: dict[str, Any] = json.loads(answer)
        return found

    def kill(self) -> None:
        """Kill it, and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill it and return its exit code, or its own if it had died; twice is once."""
        if self._process.returncode is None:  # till then its id is nobody else's
            self.kill()
            self._process.wait()
            self._pipe.close()
        return self._process.returncode


def _death(code: int, limits: Limits) -> ParseFailed:
    if code == _OUT_OF_MEMORY:
        return ParseFailed(f"its parser needed more than {limits.memory / 1024**3:g} GB of memory")
    if code == -signal.SIGXCPU:
        return ParseTooSlow(_too_slow(limits.seconds))
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return ParseFailed(f"its parser crashed ({how})")


def _too_slow(seconds: int) -> str:
    return f"its parser took longer than {seconds} s"


def _parsed(answer: dict[str, Any]) -> Parsed:
    """Return what a process parsed.

    Raises:
        ParseFailed: it could not.
    """
    if answer["is_empty"]:
        raise DocumentEmpty(answer["reason"])
    if answer["reason"] is not None:
        raise ParseFailed(answer["reason"])
    told = {name: _as_tuples(value) for name, value in answer["parsed"].items()}
    audiences = told.pop("audiences")
    told["audiences"] = None if audiences is None else frozenset(audiences)
    told["remarks"] = tuple(Note(**remark) for remark in told["remarks"])
    return Parsed(**told)


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


# What a process does ----------------------------------------------------------------------------


def serve(descriptor: int, seconds: int, memory: int) -> None:
    """Parse what comes in, until the other end is closed; the main function of a process.

    Answers are JSON, since a hostile document must not reach the pool even if it takes over its
    parser, as it would through a pickle.
    """
    import resource

    os.set_inheritable(descriptor, False)
    # Each thread of a library that computes would take address space.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", OMP_THREAD_LIMIT="1")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()
    pipe = Connection(descriptor)
    while True:
        try:
            used = resource.getrusage(resource.RUSAGE_SELF)
            most = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
            raw = pickle.loads(pipe.recv_bytes())  # noqa: S301 - of the pool
            pipe.send_bytes(json.dumps(_answer(raw)).encode())
        except MemoryError:
            os._exit(_OUT_OF_MEMORY)
        except EOFError:
            return


def _end_with(descriptor: int) -> None:
    """Wait until the pool's end of the pipe is closed, however it died, and end this group."""
    closing = select.poll()
    closing.register(descriptor, 0)
    closing.poll()
    os.killpg(0, signal.SIGKILL)


def _answer(raw: RawDocument) -> dict[str, Any]:
    from ingest.parsers import parse
    from ingest.screening import screened
    from knowledge.documents import content_hash

    answer: dict[str, Any] = {"reason": None, "is_empty": False, "parsed": None}
    try:
        parsed = screened(raw, parse(raw))
        audiences = None if parsed.audiences is None else sorted(parsed.audiences)
        answer["parsed"] = {**asdict(parsed), "audiences": audiences}
    except ParseFailed as error:
        answer |= {"reason": str(error), "is_empty": isinstance(error, DocumentEmpty)}
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the door of this process
        answer["reason"] = f"its parser failed ({type(error).__name__}: {error})"
    stamp = raw.stamp or content_hash(raw.data)
    return {**answer, "stamp": stamp, "is_worn": _resident() > _WORN_BYTES}


def _resident() -> int:
    """Return the bytes of memory that this process has; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
