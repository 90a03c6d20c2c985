"""A git repository that tests write to, with commits at dates of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Repository:
    """A repository with a working tree, on branch `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str, date: str = "2026-01-02T03:04:05+00:00") -> str:
        """Run a command of git in it, and return what it prints."""
        env = os.environ | {
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        who = ("-c", "user.name=Writer", "-c", "user.email=writer@example.com")
        command = ["git", "-C", str(self.folder), *who, *words]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    def write(self, path: str, text: str, date: str = "2026-01-02T03:04:05+00:00") -> None:
        """Write a file and commit it."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        self.commit(date)

    def remove(self, path: str) -> None:
        """Remove a file and commit that."""
        (self.folder / path).unlink()
        self.commit()

    def commit(self, date: str = "2026-01-02T03:04:05+00:00") -> None:
        """Commit all that is there."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "change", date=date)
