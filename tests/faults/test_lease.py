"""Writers on several machines, which share a Chroma server and nothing else."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.errors import StoreBusy
from knowledge.lease import PREFIX
from knowledge.releases import ReleaseStore
from knowledge.vectors import ChromaServer
from tests.faults.lease_child import TURNS, put
from tests.servers.chroma import ChromaProcess

ROOT = Path(__file__).parents[2]
SILENCE = 6.0
PATIENT = 300.0


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    started = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    started.start()
    yield started
    started.kill()


class Machines:
    """Homes of writers that share a server."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self._running: list[subprocess.Popen[str]] = []
        self._opened: list[ReleaseStore] = []

    def store(self, name: str) -> ReleaseStore:
        opened = ReleaseStore(self.folder / name, self.url, SILENCE)
        self._opened.append(opened)
        return opened

    def start(self, command: str, name: str) -> subprocess.Popen[str]:
        words = [command, str(self.folder / name), self.url, str(SILENCE)]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.lease_child", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(child)
        return child

    def held(self, command: str, name: str) -> subprocess.Popen[str]:
        """Start a writer, and wait until it has come to where it waits to be told."""
        child = self.start(command, name)
        assert child.stdout
        assert child.stdout.readline().strip() in ("built", "locked")
        return child

    def kill(self) -> None:
        for child in self._running:
            child.kill()
            child.communicate()

    def close(self) -> None:
        self.kill()
        for store in self._opened:
            store.close()


@pytest.fixture
def machines(process: ChromaProcess, tmp_path: Path) -> Iterator[Machines]:
    running = Machines(tmp_path, process.url)
    yield running
    running.close()
    server = ChromaServer(process.url, 30)
    for name in server.names():
        server.delete(name)
    server.close()


def documents(store: ReleaseStore) -> set[str]:
    current = store.current()
    return set(current.documents) if current else set()


def test_a_second_machine_is_told_who_syncs_and_waits_for_its_end(machines: Machines) -> None:
    first = machines.held("builds", "first")
    second = machines.store("second")
    who = rf"process {first.pid} on {socket.gethostname()} since 20.* is syncing .*{machines.url}"
    for timeout in (0, 1):
        with pytest.raises(StoreBusy, match=who), second.lock(timeout):
            pass
    writer = second.writer()
    assert writer
    assert (writer.process, writer.host) == (first.pid, socket.gethostname())
    print(file=first.stdin, flush=True)
    with second.lock(PATIENT):
        second.promote(put(second, "second"))
    assert first.wait(60) == 0
    assert documents(second) == {"first.md", "second.md"}
    assert second.writer() is None


def test_machines_that_write_at_once_write_one_after_the_other(machines: Machines) -> None:
    names = ["one", "two", "three"]
    children = [machines.start("writes", name) for name in names]
    assert [child.communicate()[1] for child in children] == ["", "", ""]
    store = machines.store("reader")
    assert documents(store) == {f"{name}-{turn}.md" for name in names for turn in range(TURNS)}
    server = ChromaServer(machines.url, 30)
    assert sum(name.startswith(PREFIX) for name in server.names()) == 1
    server.close()


def test_a_machine_that_died_is_followed_by_another(machines: Machines) -> None:
    dead = machines.held("builds", "dead")
    dead.send_signal(signal.SIGKILL)
    store = machines.store("next")
    with pytest.raises(StoreBusy, match=f"process {dead.pid}"), store.lock():
        pass
    with store.lock(1):  # longer than that, as it shows no sign of life
        store.promote(put(store, "next"))
    assert documents(store) == {"next.md"}


def test_a_machine_follows_its_own_dead_sync_at_once(machines: Machines) -> None:
    machines.held("builds", "same").send_signal(signal.SIGKILL)
    store = machines.store("same")
    machines.kill()
    assert store.writer() is None
    with store.lock():  # which does not wait
        store.promote(put(store, "same"))


def test_a_machine_goes_on_from_what_another_has_promoted_a_moment_ago(machines: Machines) -> None:
    first, second = machines.store("first"), machines.store("second")
    with first.lock():
        first.promote(put(first, "first"))
    with second.lock():
        release_id = put(second, "second")
        assert first.current_id() != release_id
        second.promote(release_id)
    with first.lock():
        assert first.current_id() == release_id


def test_a_last_write_of_a_machine_that_was_taken_for_dead_has_no_effect(
    machines: Machines,
) -> None:
    first, second = machines.store("first"), machines.store("second")
    with first.lock():
        first.promote(old := put(first, "first"))
    with second.lock():
        second.promote(put(second, "second"))
    server = ChromaServer(machines.url, 30)
    server.write("supportbot-releases", "current-1", old)
    assert documents(machines.store("third")) == {"first.md", "second.md"}
    for name in server.names():  # somebody tidies up
        if name.startswith(PREFIX):
            server.delete(name)
    server.close()
    with first.lock():
        first.promote(put(first, "third"))
    assert documents(machines.store("third")) == {"first.md", "second.md", "third.md"}


@pytest.mark.parametrize("command", ["builds", "begins"])
def test_a_machine_that_was_paused_changes_nothing_after_it_was_taken_for_dead(
    command: str, machines: Machines
) -> None:
    paused = machines.held(command, "paused")
    paused.send_signal(signal.SIGSTOP)
    store = machines.store("next")
    with store.lock(1):
        release_id = put(store, "next")
        paused.send_signal(signal.SIGCONT)
        _, said = paused.communicate("\n")
        assert "StoreBusy: another machine took this sync for dead" in said
        store.promote(release_id)
    assert documents(store) == {"next.md"}
    with store.open() as opened:
        assert opened.vectors.count() == 1
    with machines.store("third").lock():  # the paused one freed nothing that was not its own
        pass
