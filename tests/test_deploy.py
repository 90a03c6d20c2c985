"""The deployment files name only what exists, and only settings that the programs read."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest.cli import build_parser as build_ingest_parser
from ingest.config import IngestSettings
from knowledge.config import FILE_KEYS, variables_of
from supportbot.cli import build_parser as build_bot_parser
from supportbot.config import BotSettings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
UNITS = sorted((DEPLOY / "systemd").iterdir())
SETTING = re.compile(r"\b(?:SUPPORTBOT|SLACK|RUNAPI)_[A-Z_]+\b")


def known_variables() -> set[str]:
    classes = (BotSettings, IngestSettings)
    fields = [field for settings in classes for field in settings.model_fields.values()]
    return {variable for field in fields for variable in variables_of(field)} | {
        "SUPPORTBOT_CONFIG"
    }


def instructions(name: str) -> list[str]:
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{name} ")]


def test_everything_that_the_image_copies_exists() -> None:
    for line in instructions("COPY"):
        words = line.split()
        if not words[0].startswith("--from"):
            *sources, _ = [word for word in words if not word.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source


def test_what_the_image_copies_is_not_ignored_by_docker() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    allowed = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    for line in instructions("COPY"):
        words = line.split()
        if not words[0].startswith("--from"):
            assert {word.rstrip("/") for word in words[:-1]} <= allowed


def test_the_image_runs_without_root_and_checks_its_health() -> None:
    assert instructions("USER")[-1].split(":")[0] not in {"root", "0"}
    assert "/healthz" in instructions("HEALTHCHECK")[0]
    assert "ca-certificates" in DOCKERFILE
    assert instructions("VOLUME")


@pytest.mark.parametrize(
    "path", [DEPLOY / "Dockerfile", DEPLOY / "compose.yaml", *UNITS], ids=lambda path: path.name
)
def test_only_settings_that_exist_are_named(path: Path) -> None:
    assert set(SETTING.findall(path.read_text(encoding="utf-8"))) <= known_variables()


def test_every_command_of_a_container_is_understood() -> None:
    for service in COMPOSE["services"].values():
        if service.get("command", [""])[0] == "supportbot":
            build_bot_parser().parse_args(service["command"][1:])


def test_a_container_is_reachable_from_its_own_machine_only() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_every_command_of_a_unit_is_understood() -> None:
    parsers = {"supportbot": build_bot_parser, "supportbot-ingest": build_ingest_parser}
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=(.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE):
            program, *arguments = line.split()
            parsers[Path(program).name]().parse_args(arguments)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        # The programs are not installed where a unit expects them.
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_settings_are_valid() -> None:
    values = tomllib.loads((DEPLOY / "supportbot.example.toml").read_text(encoding="utf-8"))
    assert set(values) <= FILE_KEYS
    for settings in (BotSettings, IngestSettings):
        known = settings.model_fields.keys() & values.keys()
        settings.model_validate({name: values[name] for name in known})
