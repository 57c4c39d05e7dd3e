"""What the command says when it cannot: one clear line with the remedy, the right exit code, nothing changed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from lab.processes import start_time
from tests.lab.under_test import LAB


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def lab(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LAB_HOME": str(home), "LAB_CACHE": str(home.parent / "cache")}
    return subprocess.run(
        [str(LAB), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_verb(home: Path) -> None:
    done = lab(home, "--help")
    assert done.returncode == 0
    for verb in (
        "up",
        "down",
        "status",
        "curl",
        "run",
        "logs",
        "mail",
        "kill",
        "start",
        "cloud",
        "image",
        "fault",
        "clear",
        "preview",
        "refresh",
        "destroy",
        "stack",
    ):
        assert f" {verb} " in done.stdout


@pytest.mark.parametrize("words", [("nonsense",), ("up", "--port", "0"), ("up", "--port", "many"), ("run", "web-1")])
def test_wrong_usage_exits_with_2(home: Path, words: tuple[str, ...]) -> None:
    done = lab(home, *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not home.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--json"),
        ("curl",),
        ("logs", "web-1"),
        ("run", "web-1", "--", "true"),
        ("kill", "web-1"),
        ("clear",),
        ("preview",),
        ("refresh",),
        ("destroy",),
        ("stack", "output"),
        ("fault", "api", "denied"),
        ("fault", "metadata", "gone"),
        ("fault", "remap", "5"),
        ("fault", "block", "web-1", "*"),
        ("fault", "pause", "web-1"),
        ("fault", "unplug", "web-1"),
        ("fault", "clock", "web-1", "--by", "-60"),
    ],
)
def test_verbs_of_a_running_lab_say_how_to_get_one(home: Path, words: tuple[str, ...]) -> None:
    done = lab(home, *words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["lab: the lab is not up; start it with: lab up"]


def test_down_of_nothing_is_no_error(home: Path) -> None:
    done = lab(home, "down")
    assert done.returncode == 0
    assert "the lab was not up" in done.stdout


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="`lab up` asks for root before anything else")


@needs_root
def test_an_unknown_stack_lists_those_there_are(home: Path) -> None:
    done = lab(home, "up", "--stack", "staging")
    assert done.returncode == 1
    assert "there is no Pulumi.staging.yaml; stacks here: dev, local, prod" in done.stderr


@needs_root
def test_a_taken_port_is_named_with_the_way_out(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = lab(home, "up", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr
    assert not (home.parent / "cache").exists()


@needs_root
@pytest.mark.parametrize("words", [("--port", "18081"), ("--port", "18080", "--stack", "dev")])
def test_a_running_lab_keeps_its_stack_and_its_port(home: Path, words: tuple[str, ...]) -> None:
    (home / "processes").mkdir(parents=True)
    record = {"pid": os.getpid(), "start_time": start_time(os.getpid())}
    for name in ("fabric", "cloud"):
        (home / "processes" / f"{name}.json").write_text(json.dumps(record))
    told = {"stack": "local", "port": 18080, "region": "us-east-1", "overrides": {"lvs-aws:imageId": "ami-2"}}
    (home / "lab.json").write_text(json.dumps(told))
    done = lab(home, "up", *words)
    assert done.returncode == 1
    assert "the lab is up with stack local on port 18080; to have" in done.stderr
    assert "run first: lab down" in done.stderr
    assert json.loads((home / "lab.json").read_text()) == told


@needs_root
def test_a_half_dead_lab_is_not_built_upon(home: Path) -> None:
    """The fabric lives, the cloud with the account is gone."""
    (home / "processes").mkdir(parents=True)
    record = {"pid": os.getpid(), "start_time": start_time(os.getpid())}
    (home / "processes" / "fabric.json").write_text(json.dumps(record))
    done = lab(home, "up", "--port", "18080")
    assert done.returncode == 1
    assert "only the fabric of the last lab still runs; clear it away first: lab down" in done.stderr
