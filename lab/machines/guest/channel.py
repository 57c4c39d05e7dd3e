"""The guest's end of the channel: runs the host's commands, over a virtio-serial port, before there is any network.

One JSON object a line. `{"id", "command", "timeout"}` starts a command once; `{"id"}` asks for it again. The answer is
`{"id", "exit_code", "stdout", "stderr"}`, or `{"id", "running": true}` where it takes longer than PATIENCE_SECONDS: the
host may then hang up and ask later, so a long command does not keep others out. Exit code 124 is a time-out.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PORT_NAME = "lab.agent"
PATIENCE_SECONDS = 0.5
KEPT_RESULTS = 64


class Job:
    """One command and, once it is done, its answer."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.done = threading.Event()
        self.answer: dict[str, Any] = {}
        self.request = request
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        """Run it to its end, or kill it and all it started when its time is out."""
        command = self.request["command"]
        try:
            process = subprocess.Popen(
                command,
                shell=isinstance(command, str),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self.finish(127, b"", str(error).encode())
            return
        try:
            stdout, stderr = process.communicate(timeout=self.request["timeout"])
            exit_code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            exit_code = 124
        self.finish(exit_code, stdout, stderr)

    def finish(self, exit_code: int, stdout: bytes, stderr: bytes) -> None:
        """Keep the answer for whoever asks."""
        self.answer = {
            "exit_code": exit_code,
            "stdout": stdout.decode(errors="replace"),
            "stderr": stderr.decode(errors="replace"),
        }
        self.done.set()


def answer_to(line: bytes, jobs: dict[str, Job]) -> dict[str, Any]:
    """The answer to one request line; starts its command where it is new."""
    try:
        request = json.loads(line)
        name = request["id"]
    except (ValueError, KeyError, TypeError):
        return {"id": None, "error": "not a request"}
    if name not in jobs:
        if "command" not in request:
            return {"id": name, "error": "no such command here: the machine restarted since"}
        jobs[name] = Job({"command": request["command"], "timeout": request.get("timeout")})
        finished = [old for old, job in jobs.items() if job.done.is_set()]
        for old in finished[:-KEPT_RESULTS]:
            del jobs[old]
    if not jobs[name].done.wait(PATIENCE_SECONDS):
        return {"id": name, "running": True}
    return {"id": name, **jobs[name].answer}


def write_all(descriptor: int, data: bytes) -> None:
    """Write the whole of `data`, however little the port takes at a time."""
    while data:
        data = data[os.write(descriptor, data) :]


def serve(descriptor: int, await_host: Callable[[], None]) -> None:
    """Answer requests for ever. A read of nothing means that no host is connected: wait for one with `await_host()`."""
    jobs: dict[str, Job] = {}
    pending = b""
    while True:
        data = os.read(descriptor, 65536)
        if not data:
            pending = b""  # half a request of a host that hung up
            await_host()
            continue
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            write_all(descriptor, json.dumps(answer_to(line, jobs)).encode() + b"\n")


def port_device() -> Path:
    """The device of the port, found by name without waiting for udev's links."""
    while True:
        for name in Path("/sys/class/virtio-ports").glob("*/name"):
            if name.read_text().strip() == PORT_NAME:
                return Path("/dev") / name.parent.name
        time.sleep(0.1)


def main() -> None:
    """Serve the port until the machine ends."""
    descriptor = os.open(port_device(), os.O_RDWR)
    # The driver sends SIGIO when a host connects (drivers/char/virtio_console.c): no polling while nobody asks.
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGIO, lambda *_: None)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)

    def await_host() -> None:
        select.select([wake_read], [], [], 1.0)
        with contextlib.suppress(BlockingIOError):
            os.read(wake_read, 4096)

    serve(descriptor, await_host)


if __name__ == "__main__":
    main()
