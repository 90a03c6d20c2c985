"""A branch of a git repository as a source, on this machine or at an https address.

The `git` command fetches into a bare repository under the home folder, where nothing is ever
checked out: documents are blobs, and a blob's id is its stamp, so that what is unchanged is not
read. No hook and no setting of a repository or a user takes part.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from ingest.addresses import without_login
from ingest.config import SourceSettings
from ingest.errors import (
    FetchFailed,
    FetchRefused,
    ParseFailed,
    SourceUnreachable,
    SourceUnusable,
)
from ingest.fetching import Resolver, checked_addresses, resolve, web_address
from ingest.parsers import ENDINGS
from ingest.sources.base import MAX_DOCUMENT_BYTES, About, Labels, Listed, Listing, RawDocument
from ingest.sources.names import ending_of, printable, why_no_document, why_no_folder
from ingest.sources.state import SourceState
from ingest.sources.web import quarter_hour, rules_of
from knowledge.documents import content_hash
from knowledge.failures import Failure
from knowledge.files import disk_errors

_OLDEST_GIT = (2, 37)  # the first to be told which address a host is at
_DEPTH = 200  # commits that are fetched, to tell when a document was changed last
_FETCH_SECONDS = 300.0
_SECONDS = 60.0
_HEAD = "refs/supportbot/head"
_BRANCH = re.compile(r"(?![-/.])(?!.*(\.\.|@\{|//|\.lock$|[./]$))[\w./+@-]+")
_REFUSALS = ("remote ref", "not found", "Authentication failed", "could not read", "error: 403")
_PLAIN_FILES = ("100644", "100755")
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "http.proxy": "",
}


def open_source(settings: SourceSettings, labels: Labels, home: Path) -> GitSource:
    """Return the documents of a branch, or of a folder of it."""
    return GitSource(settings, labels, home)


@dataclass(frozen=True, slots=True)
class _Blob:
    """One file of a commit."""

    mode: str
    id: str
    size: int
    path: str  # from the folder on; bytes that are no UTF-8 as Python holds them


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a repository is fetched from, and what git is told for that."""

    url: str
    protocol: str
    settings: Mapping[str, str] = field(default_factory=dict)


class GitSource:
    """The documents of one branch; a document's id is its path relative to the folder.

    Raises:
        SourceUnusable: a setting makes no sense, or there is no `git` that can be used.
    """

    def __init__(
        self,
        settings: SourceSettings,
        labels: Labels,
        home: Path,
        resolver: Resolver = resolve,
        certificates: str = "",
    ) -> None:
        self.name = without_login(settings.place)
        self.labels = labels
        self._settings = settings
        self._folder = settings.folder.strip("/")
        self._resolver = resolver
        self._certificates = certificates
        folder = home / "sources" / f"{content_hash(_key(settings))[:24]}.git"
        self.memory = SourceState(folder)
        self._git = _Git(folder)
        self._modified_at: Mapping[str, str] = {}
        if settings.branch and not _BRANCH.fullmatch(settings.branch):
            raise SourceUnusable(f"{self.name}: {settings.branch!r} is no name of a branch")
        if settings.path and not Path(settings.path).expanduser().is_dir():
            raise SourceUnusable(
                f"{self.name}: no such repository on this machine; one elsewhere has an"
                " address such as https://host/name.git"
            )
        if settings.url and settings.url.scheme != "https":
            raise SourceUnusable(f"{self.name}: repositories are fetched over https")
        if settings.url:
            rules_of(settings)

    def list(self) -> Listing:
        """Return what the branch has now; as it was last where it cannot be fetched."""
        failures = []
        try:
            self._fetch()
        except ParseFailed as error:
            if not self._git.has(_HEAD):
                kind = SourceUnusable if self._is_refused(error) else SourceUnreachable
                raise kind(f"{self.name}: {error}") from error
            failures.append(Failure(self.name, f"{error}; its documents stay as they were"))
        skipped: Counter[str] = Counter()
        items = []
        for blob in self._blobs():
            why, document_id = _why_skipped(blob), printable(blob.path)
            if why:
                skipped[why] += 1
            elif blob.size > MAX_DOCUMENT_BYTES:
                limit = f"{MAX_DOCUMENT_BYTES // 1024**2} MB"
                failures.append(Failure(document_id, f"larger than {limit}"))
            else:
                items.append(Listed(document_id, self, blob.id, self.labels, blob.path))
        self._modified_at = self._git.last_changes(_HEAD, self._folder)
        items.sort(key=lambda item: item.id)
        return Listing(tuple(items), tuple(failures), tuple(sorted(skipped.items())))

    def _is_refused(self, error: ParseFailed) -> bool:
        """Tell whether a setting is to be mended, rather than the host waited for."""
        if self._settings.path or isinstance(error, FetchRefused):
            return True
        return any(words in str(error) for words in _REFUSALS)

    def read(self, item: Listed) -> RawDocument:
        """Return the bytes of a listed blob."""
        data = self._git.run("cat-file", "blob", item.stamp)
        about = About(modified_at=self._modified_at.get(item.place, ""))
        ending = ending_of(item.place)
        return RawDocument(item.id, self.name, ending, data, self.labels, about, item.stamp)

    def stamp(self) -> str:
        """Return the branch's commit; of an address, the quarter of an hour."""
        if self._settings.url:
            return quarter_hour()
        try:
            remote = self._remote()
            return self._git.run("ls-remote", remote.url, self._ref, remote=remote).decode()
        except ParseFailed as error:
            return str(error)

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self._settings.branch}" if self._settings.branch else "HEAD"

    def _fetch(self) -> None:
        remote = self._remote()
        with self._git.alone():
            try:
                self._git.fetch(remote, self._ref)
            except FetchFailed:
                if self._git.is_whole():
                    raise
                self._git.forget()
                self._git.fetch(remote, self._ref)

    def _blobs(self) -> Iterator[_Blob]:
        try:
            listed = self._git.run("ls-tree", "-r", "-l", "-z", f"{_HEAD}:{self._folder}")
        except ParseFailed as error:
            raise SourceUnusable(f"{self.name}: no folder {self._folder!r} ({error})") from error
        for line in filter(None, os.fsdecode(listed).split("\0")):
            about, _, path = line.partition("\t")
            mode, _, blob_id, size = about.split()
            yield _Blob(mode, blob_id, int(size) if size.isdecimal() else 0, path)

    def _remote(self) -> Remote:
        """Return where to fetch from; of a host, only addresses that were checked.

        Raises:
            FetchRefused: the host is at an address that may not be fetched from.
            FetchFailed: the host has no address.
        """
        if not self._settings.url:
            path = Path(self._settings.path).expanduser().resolve()
            return Remote(f"file://{quote(str(path))}", "file")
        address = web_address(self._settings.place)
        found = checked_addresses(address.host, rules_of(self._settings), self._resolver)
        shown = [f"[{each}]" if isinstance(each, IPv6Address) else str(each) for each in found]
        told = {"http.curloptResolve": f"{address.host}:{address.port}:{','.join(shown)}"}
        if self._certificates:
            told["http.sslCAInfo"] = self._certificates
        if self._settings.token:
            login = f"{self._settings.user or 'git'}:{self._settings.token.get_secret_value()}"
            packed = base64.b64encode(login.encode()).decode()
            told["http.extraHeader"] = f"Authorization: Basic {packed}"
        return Remote(address.url, "https", told)


class _Git:
    """The `git` command on one bare repository of our own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Holds the last commit beside which there was nothing: a fetch may be killed before `gc`.
        self._clean = folder / "supportbot-clean"
        self._command = shutil.which("git") or ""
        if not self._command:
            raise SourceUnusable("the command `git` is not installed")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes out, and clear away the locks of one that was killed.

        Raises:
            FetchFailed: another one takes too long.
        """
        with disk_errors(self._folder):
            self._folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{self._folder}.lock", timeout=_FETCH_SECONDS):
                for lock in self._folder.rglob("*.lock"):
                    lock.unlink(missing_ok=True)
                yield
        except Timeout as error:
            raise FetchFailed("another process is fetching it", is_transient=True) from error

    def fetch(self, remote: Remote, ref: str) -> None:
        """Fetch the last commits of a ref, and drop what a rewritten history no longer holds.

        Raises:
            FetchFailed: they cannot be fetched.
            SourceUnusable: the installed git is too old to be safe.
        """
        self._prepare()
        words = ("fetch", "--quiet", "--no-tags", f"--depth={_DEPTH}", "--no-write-fetch-head")
        is_first = not self.has(_HEAD)
        self.run(*words, remote.url, f"+{ref}:{_HEAD}", remote=remote, seconds=_FETCH_SECONDS)
        head = self.run("rev-parse", _HEAD).decode().strip()
        if not is_first and not self._follows(head):
            self.run("gc", "--quiet", "--prune=now", seconds=_FETCH_SECONDS)
        with disk_errors(self._clean):
            self._clean.write_text(head, encoding="ascii")

    def _follows(self, head: str) -> bool:
        """Tell whether all that was ever fetched is in the history of a commit."""
        try:
            self.run("merge-base", "--is-ancestor", self._clean.read_text(encoding="ascii"), head)
        except (FetchFailed, OSError, ValueError):
            return False
        return True

    def is_whole(self) -> bool:
        """Tell whether nothing of what was fetched is damaged."""
        try:
            self.run("fsck", "--no-dangling", "--no-progress")
        except FetchFailed as error:
            return isinstance(error.__cause__, subprocess.TimeoutExpired)  # it is only large
        return True

    def forget(self) -> None:
        """Remove all that was fetched."""
        with disk_errors(self._folder):
            shutil.rmtree(self._folder)

    def _prepare(self) -> None:
        """Make the repository if it is not there yet.

        Raises:
            SourceUnusable: the installed git is too old to be safe.
        """
        if (self._folder / "HEAD").is_file():
            return
        version = self.run("version", at_home=False).decode()
        numbers = re.search(r"(\d+)\.(\d+)", version)
        if not numbers or (int(numbers[1]), int(numbers[2])) < _OLDEST_GIT:
            oldest = ".".join(map(str, _OLDEST_GIT))
            raise SourceUnusable(f"{version.strip()} is too old; {oldest} or newer is needed")
        self.run("init", "--quiet", "--bare", "--template=", str(self._folder), at_home=False)

    def has(self, ref: str) -> bool:
        """Tell whether there is something at a ref."""
        if not self._folder.is_dir():
            return False
        try:
            return bool(self.run("rev-parse", "--verify", "--quiet", ref))
        except FetchFailed:
            return False

    def last_changes(self, ref: str, folder: str) -> dict[str, str]:
        """Return when each file was changed last, as far as the fetched commits tell.

        The oldest of them seems to add every file there is, and tells nothing.
        """
        edge = self._folder / "shallow"
        oldest = set(edge.read_text().split()) if edge.is_file() else set()
        told = self.run(
            *("log", "-z", "--name-only", "--no-renames", "--format=%x01%H %cI%x02"),
            *(f"--max-count={_DEPTH}", ref, "--", folder or "."),
        )
        prefix = f"{folder}/" if folder else ""
        changes: dict[str, str] = {}
        for commit in os.fsdecode(told).split("\x01")[1:]:
            head, _, names = commit.partition("\x02")
            commit_id, _, at = head.partition(" ")
            if commit_id in oldest:
                continue
            for name in names.split("\0"):
                changes.setdefault(name.strip("\n").removeprefix(prefix), at)
        return changes

    def run(
        self,
        *words: str,
        remote: Remote | None = None,
        seconds: float = _SECONDS,
        at_home: bool = True,
    ) -> bytes:
        """Run one command to its end, and return what it prints.

        Raises:
            FetchFailed: it fails, or takes too long.
        """
        settings = {**_SETTINGS, **(remote.settings if remote else {})}
        place = ["--git-dir", str(self._folder)] if at_home else []
        process = subprocess.Popen(  # noqa: S603 - no shell, and the words are our own
            [self._command, *place, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(settings, remote.protocol if remote else ""),
            start_new_session=True,
        )
        with process:
            try:
                printed, said = process.communicate(timeout=seconds)
            except BaseException as error:
                # It has children that would go on fetching.
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    reason = f"git {words[0]} takes longer than {seconds:g} s"
                    raise FetchFailed(reason, is_transient=True) from error
                raise
        if process.returncode:
            raise FetchFailed(f"git {words[0]} failed: {_reason(said)}", is_transient=True)
        return printed


def _environment(settings: Mapping[str, str], protocol: str) -> dict[str, str]:
    """Return all that git is told; settings go here, since others can read a command line."""
    told = {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": protocol or "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        told |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return told


def _key(settings: SourceSettings) -> str:
    return f"git\n{settings.place}\n{settings.branch}"


def _why_skipped(blob: _Blob) -> str:
    if blob.mode not in _PLAIN_FILES:
        return "links and submodules"
    *folders, name = blob.path.split("/")
    return next(filter(None, map(why_no_folder, folders)), "") or why_no_document(name, ENDINGS)


def _reason(said: bytes) -> str:
    """Return what git gives as the reason; advice may follow it."""
    lines = said.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    told = next((line for line in lines if line.startswith("fatal: ")), lines[-1])
    return without_login(told)[:300]
