"""The cloud as a process: options, its announcement, its end; and inside a network namespace as machines see it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from lab.cloud.options import parse
from lab.fabric.client import FabricClient
from lab.mail import received

PROJECT = Path(__file__).resolve().parents[3]
REQUIRED = ["--region", "us-east-1", "--home", "h", "--run", "r", "--cache", "c"]


def test_delays_are_those_of_machines_only() -> None:
    alone, full = parse(REQUIRED), parse([*REQUIRED, "--fabric"])
    assert (alone.fabric, alone.remap_delay_seconds, alone.api_delay_seconds) == (False, 0.0, 0.0)
    assert (full.fabric, full.remap_delay_seconds, full.api_delay_seconds) == (True, 1.0, 0.3)
    given = parse([*REQUIRED, "--fabric", "--remap-delay", "0.2", "--api-delay", "0"])
    assert (given.remap_delay_seconds, given.api_delay_seconds) == (0.2, 0.0)
    assert alone.paths.home.is_absolute()


@pytest.mark.parametrize("wrong", [["--listen", "4566"], ["--listen", "127.0.0.1:99999"], ["--api-delay", "-1"]])
def test_wrong_options(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([*REQUIRED, *wrong])
    assert caught.value.code == 2
    assert wrong[1] in capsys.readouterr().err


@contextmanager
def running(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    directories = ["--home", str(home), "--run", str(home / "run"), "--cache", str(home / "cache")]
    command = [sys.executable, "-m", "lab.cloud", "--region", "us-east-1", *directories, *options]
    process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE)
    announcement = home / "cloud.json"
    try:
        deadline = time.monotonic() + 30
        while not announcement.exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process, json.loads(announcement.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.mark.cloud
def test_it_announces_itself_answers_and_ends(tmp_path: Path) -> None:
    with running(tmp_path) as (process, announced):
        assert announced["pid"] == process.pid
        keys = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
        endpoint = f"http://127.0.0.1:{announced['port']}"
        for service in ("ec2", "iam", "sts", "ssm"):
            client = boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", **keys)
            call = {
                "ec2": "describe_vpcs",
                "iam": "list_roles",
                "sts": "get_caller_identity",
                "ssm": "describe_parameters",
            }
            assert getattr(client, call[service])()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert process.returncode == 0
    assert not (tmp_path / "cloud.json").exists()


@pytest.mark.cloud
def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with running(tmp_path) as (_, announced):
        second = subprocess.run(
            [sys.executable, "-m", "lab.cloud", *REQUIRED, "--listen", f"127.0.0.1:{announced['port']}"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert second.returncode == 1
    assert second.stderr.strip().splitlines() == [
        f"lab.cloud: 127.0.0.1:{announced['port']} is taken; end what listens there or choose another port"
    ]


@pytest.mark.cloud
def test_without_a_fabric_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.cloud", *REQUIRED, "--fabric"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == f"lab.cloud: no fabric answers at {tmp_path}/r/fabric.sock; start one first: lab up"


IN_NAMESPACE = """
import json, smtplib, socket, ssl, sys, urllib.error, urllib.request
from dnslib import DNSRecord
found = {}
address = {}
for name in ("ec2.us-east-1.amazonaws.com", "no.such.name"):
    address[name] = DNSRecord.parse(DNSRecord.question(name).send("169.254.169.254", 53, timeout=5))
found["dns"] = [str(record.rdata) for record in address["ec2.us-east-1.amazonaws.com"].rr]
found["nxdomain"] = address["no.such.name"].header.rcode
tls = ssl.create_default_context(cafile=sys.argv[1])
with socket.create_connection((found["dns"][0], 443), timeout=5) as plain:
    with tls.wrap_socket(plain, server_hostname="ec2.us-east-1.amazonaws.com") as secured:
        secured.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        found["api"] = secured.recv(4096).decode().splitlines()[0]
try:
    urllib.request.urlopen(urllib.request.Request("http://169.254.169.254/latest/api/token", method="PUT"), timeout=5)
except urllib.error.HTTPError as error:
    found["metadata"] = error.code
found["mail"] = {}
for port in (25, 587, 2525):
    with smtplib.SMTP("192.0.2.30", port, timeout=5) as client:
        code, said = client.ehlo("client")
        found["mail"][port] = [code, b"STARTTLS" in said]
        if port == 2525:
            client.sendmail("a@b.test", ["c@d.test"], b"Subject: arrived")
print(json.dumps(found))
"""


@pytest.mark.cloud
@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_inside_the_labs_network(tmp_path: Path) -> None:
    """API by its name and certificate, metadata, DNS, where machines reach them; and the API on the host too."""
    run = tmp_path / "run"
    fabric = subprocess.Popen([sys.executable, "-m", "lab.fabric", "--run", str(run)], cwd=PROJECT)
    try:
        client, deadline = FabricClient(run / "fabric.sock"), time.monotonic() + 20
        while not (run / "fabric.sock").exists():
            assert fabric.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with running(tmp_path, "--fabric", "--api-delay", "0") as (_, announced):
            authority = str(tmp_path / "cache" / "authority" / "ca.pem")
            command = ["nsenter", f"--net=/proc/{client.ping()}/ns/net", sys.executable, "-c", IN_NAMESPACE, authority]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == {
                "dns": ["192.0.2.10"],
                "nxdomain": 3,
                "api": "HTTP/1.1 403 FORBIDDEN",  # unsigned: it is for no service
                "metadata": 404,  # the caller is no instance
                "mail": {"25": [250, False], "587": [250, True], "2525": [250, False]},
            }
            assert [mail.subject for mail in received(tmp_path / "mail")] == ["arrived"]
            keys = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
            endpoint = f"http://127.0.0.1:{announced['port']}"
            ec2 = boto3.client("ec2", endpoint_url=endpoint, region_name="us-east-1", **keys)
            assert ec2.describe_instances()["Reservations"] == []
    finally:
        fabric.terminate()
        fabric.wait(20)
