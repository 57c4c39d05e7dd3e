"""Both ends of the channel: the host's against guest/channel.py itself, over a socket that stands for QEMU's."""

import json
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.machines.channel import ChannelError, run_command, wait_ready
from lab.machines.guest import channel as guest


class Port:
    """QEMU's character device between a listening socket and the guest's file: one host at a time, the others wait."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.host_side, self.guest_side = socket.socketpair()
        self.connections = 0
        threading.Thread(target=self.carry, daemon=True).start()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        guest.serve(self.guest_side.fileno(), lambda: time.sleep(0.01))

    def carry(self) -> None:
        while True:
            client, _ = self.listener.accept()
            self.connections += 1
            while self.carried(client):
                pass
            client.close()

    def carried(self, client: socket.socket) -> bool:
        """Carry what is there one way or the other; False when the host hung up."""
        try:
            readable, _, _ = select.select([client, self.host_side], [], [])
            if client in readable:
                data = client.recv(65536)
                self.host_side.sendall(data)
                return bool(data)
            client.sendall(self.host_side.recv(65536))
        except OSError:
            return False
        return True


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    yield Port(tmp_path / "i-1.channel")


def test_exit_code_and_both_outputs(port: Port) -> None:
    result = run_command(port.path, "echo out; echo err >&2; exit 3", 10)
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_a_list_is_not_read_by_a_shell(port: Port) -> None:
    assert run_command(port.path, ["printf", "%s|", "$HOME", "a b"], 10).stdout == "$HOME|a b|"


def test_what_is_not_there_or_dies(port: Port) -> None:
    assert run_command(port.path, ["/no/such/program"], 10).exit_code == 127
    assert run_command(port.path, "kill -9 $$", 10).exit_code == 137


def test_time_out_ends_all_it_started(port: Port, tmp_path: Path) -> None:
    began = time.monotonic()
    result = run_command(port.path, f"(sleep 30; touch {tmp_path}/late) & echo $! >{tmp_path}/pid; sleep 30", 0.3)
    assert result.exit_code == 124
    assert time.monotonic() - began < 10
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] not in "ZX":
        assert time.monotonic() < deadline, "a child of the command lives on"
        time.sleep(0.05)


def test_output_larger_than_any_buffer(port: Port) -> None:
    assert len(run_command(port.path, "head -c 3000000 /dev/zero | tr '\\0' x", 30).stdout) == 3_000_000


def test_a_long_command_does_not_keep_others_out(port: Port) -> None:
    with ThreadPoolExecutor() as pool:
        long = pool.submit(run_command, port.path, "sleep 4; echo long", 30)
        time.sleep(0.3)
        began = time.monotonic()
        assert run_command(port.path, "echo short", 30).stdout == "short\n"
        assert time.monotonic() - began < 2
        assert not long.done()
        assert long.result().stdout == "long\n"


def test_a_host_that_hung_up_does_not_disturb_the_next(port: Port) -> None:
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(port.path))
        rude.sendall(b'{"id": "a", "command": "echo unheard", "timeout": 5}\nnot json\n{"half": ')
        time.sleep(0.1)
    # The half line stays in front of what comes next: QEMU's port tells the guest of a hang-up, this socket cannot.
    port.host_side.sendall(b"\n")
    assert run_command(port.path, "echo heard", 10).stdout == "heard\n"


def test_a_command_forgotten_by_a_restart_is_an_error() -> None:
    jobs: dict[str, guest.Job] = {}
    assert "restarted" in guest.answer_to(b'{"id": "gone"}', jobs)["error"]
    assert guest.answer_to(b"[]", jobs)["id"] is None


def test_a_command_runs_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    jobs: dict[str, guest.Job] = {}
    request = b'{"id": "x", "command": "echo ran >>%s/log", "timeout": 5}' % os.fsencode(tmp_path)
    for _ in range(3):
        assert guest.answer_to(request, jobs)["exit_code"] == 0
    assert (tmp_path / "log").read_text() == "ran\n"


def test_finished_answers_do_not_pile_up() -> None:
    jobs: dict[str, guest.Job] = {}
    for number in range(guest.KEPT_RESULTS + 20):
        guest.answer_to(b'{"id": "%d", "command": ["true"], "timeout": 5}' % number, jobs)
    assert len(jobs) <= guest.KEPT_RESULTS + 1


def test_half_a_request_is_forgotten_when_the_host_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bytes] = []
    heard = iter([b'{"half": ', b"", b'{"id": "x", "command": "echo whole", "timeout": 5}\n'])
    monkeypatch.setattr(guest, "os", SimpleNamespace(read=lambda descriptor, size: next(heard)))
    monkeypatch.setattr(guest, "write_all", lambda descriptor, data: said.append(data))
    with pytest.raises(StopIteration):
        guest.serve(0, lambda: None)
    assert [json.loads(line)["stdout"] for line in said] == ["whole\n"]


def test_an_answer_meant_for_a_host_that_hung_up_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "i-1.channel"
    stale = {"id": "somebody else's", "exit_code": 1, "stdout": "stale", "stderr": ""}

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            name = json.loads(connection.recv(65536))["id"]
            fresh = {"id": name, "exit_code": 0, "stdout": "fresh", "stderr": ""}
            connection.sendall(f"{json.dumps(stale)}\nrubbish\n{json.dumps(fresh)}\n".encode())

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        assert run_command(path, "true", 5).stdout == "fresh"
        server.join()


def test_ready_waits_for_the_machine_to_answer(tmp_path: Path) -> None:
    path = tmp_path / "i-1.channel"
    threading.Timer(0.4, lambda: Port(path)).start()
    wait_ready(path, timeout_seconds=10)
    assert run_command(path, ["true"], 5).exit_code == 0


def test_silence_is_an_error_that_names_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "i-9.channel"
    with pytest.raises(ChannelError, match="i-9 runs no commands after 0 s"):
        wait_ready(path, timeout_seconds=0.3)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(ChannelError, match="i-9 does not answer"):
            run_command(path, "true", 0.1, grace_seconds=0.2)
