"""Processes of the lab: started once, told apart from strangers, ended for good."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.processes import Daemon, ProcessFailedError, end_process, start_time


@pytest.fixture
def daemon(tmp_path: Path):
    made = Daemon(name="thing", directory=tmp_path / "processes", logs=tmp_path / "logs")
    yield made
    made.stop()


def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    (tmp_path / "a_daemon.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "a_daemon"


def test_it_runs_until_it_is_stopped(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = tmp_path / "ready"
    name = module(tmp_path, monkeypatch, f"import pathlib, time\npathlib.Path({str(flag)!r}).touch()\ntime.sleep(60)\n")
    pid = daemon.start(name, [], flag.exists, timeout_seconds=10)
    assert daemon.pid() == pid
    assert daemon.stop()
    assert daemon.pid() is None
    assert start_time(pid) is None
    assert not daemon.stop()


def test_one_that_ends_early_is_an_error_with_its_last_words(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module(tmp_path, monkeypatch, "raise SystemExit('no such bridge')\n")
    with pytest.raises(ProcessFailedError, match=r"thing ended with 1: no such bridge \(log: .*thing.log\)"):
        daemon.start(name, [], lambda: False, timeout_seconds=10)
    assert not daemon.record.exists()


def test_one_that_is_never_ready_is_ended(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(tmp_path, monkeypatch, "import time\ntime.sleep(60)\n")
    seen: list[int] = []

    def ready() -> bool:
        seen.append(daemon.pid() or 0)
        return False

    with pytest.raises(ProcessFailedError, match="not ready after 0 s"):
        daemon.start(name, [], ready, timeout_seconds=0.3)
    assert start_time(seen[-1]) is None


def test_a_recycled_pid_is_not_ours(daemon: Daemon) -> None:
    daemon.directory.mkdir()
    stranger = subprocess.Popen(["sleep", "60"])
    daemon.record.write_text(json.dumps({"pid": stranger.pid, "start_time": 1}))
    try:
        assert daemon.pid() is None
        assert not daemon.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_one_that_ignores_sigterm_is_killed() -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    began = time.monotonic()
    end_process(process.pid, grace_seconds=0.2)
    assert time.monotonic() - began < 10
    assert process.wait(5) == -9
    process.stdout.close()
