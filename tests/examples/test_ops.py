"""The examples for operators, run as an operator runs them; the commands they call are found in a directory on PATH."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.components.recorded_program import ROOT

OPS = ROOT / "examples/ops"


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    return directory


def command(directory: Path, name: str, prints: str) -> None:
    """Put a command on PATH that keeps its arguments and prints a text."""
    file = directory / name
    (directory / f"{name}.prints").write_text(prints)
    file.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$0.asked"\ncat "$0.prints"\n')
    file.chmod(0o755)


def run(
    script: str, *arguments: str, commands: Path, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    words: Sequence[str] = [str(OPS / script), *arguments]
    if script.endswith(".py"):
        words = [sys.executable, *words]
    path = f"{commands}:{os.environ['PATH']}"
    return subprocess.run(
        words, input=given, capture_output=True, text=True, env={**os.environ, "PATH": path, **environment}
    )


@pytest.fixture
def site() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if self.path == "/ill" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_all_services_answer(outputs: dict[str, Any], site: str, commands: Path) -> None:
    assert len(outputs["services"]) == 3
    for service in outputs["services"][:2]:  # the third is UDP, and has no page
        service["url"] = f"{site}/{service['port']}"
    done = run("check_services.sh", commands=commands, given=json.dumps(outputs), no_proxy="127.0.0.1")
    assert (done.returncode, done.stdout) == (0, f"{site}/80 200\n{site}/8080 200\n")


def test_one_service_does_not_answer_and_the_next_is_asked_still(
    outputs: dict[str, Any], site: str, commands: Path
) -> None:
    outputs["services"][0]["url"] = f"{site}/ill"
    outputs["services"][1]["url"] = f"{site}/well"
    done = run("check_services.sh", commands=commands, given=json.dumps(outputs), no_proxy="127.0.0.1")
    assert (done.returncode, done.stdout) == (1, f"{site}/well 200\n")
    assert f"{site}/ill does not answer" in done.stderr


@pytest.mark.parametrize(
    ("answer", "exit_code"),
    [
        ("public-ip-of-elastic-ip\n", 0),
        ("lb.example.com.\npublic-ip-of-elastic-ip\n", 0),
        ("public-ip-of-elastic-ip\n192.0.2.9\n", 1),
        ("192.0.2.9\n", 1),
        ("", 1),
    ],
)
def test_a_name_leads_to_the_load_balancer_alone(
    outputs_file: Path, commands: Path, answer: str, exit_code: int
) -> None:
    command(commands, "dig", answer)
    done = run("check_dns.sh", "www.example.com", str(outputs_file), commands=commands)
    assert done.returncode == exit_code, done.stderr
    assert (commands / "dig.asked").read_text().splitlines() == ["+short", "www.example.com", "A"]
    if exit_code:
        assert "www.example.com should be public-ip-of-elastic-ip" in done.stderr


def address_held_by(interface: str | None) -> str:
    held = {"NetworkInterfaceId": interface} if interface else {}
    return json.dumps({"Addresses": [{"AllocationId": "eipalloc-elastic-ip", **held}]})


def test_the_owner_is_who_ec2_says(outputs_file: Path, commands: Path) -> None:
    command(commands, "aws", address_held_by("eni-director-2"))
    done = run("owner.sh", commands=commands, given=outputs_file.read_text())
    assert (done.returncode, done.stdout) == (0, "director-2\n")
    asked = (commands / "aws.asked").read_text().split()
    assert asked[asked.index("--region") + 1] == "eu-central-1"
    assert asked[asked.index("--allocation-ids") + 1] == "eipalloc-elastic-ip"


@pytest.mark.parametrize("interface", [None, "eni-of-a-stranger"])
def test_no_owner_is_a_failure(outputs_file: Path, commands: Path, interface: str | None) -> None:
    command(commands, "aws", address_held_by(interface))
    done = run("owner.sh", str(outputs_file), commands=commands)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no director has the Elastic IP" in done.stderr


def test_the_inventory_has_every_machine_in_its_group(outputs_file: Path, commands: Path) -> None:
    done = run("ansible_inventory.py", "--list", commands=commands, LVS_AWS_OUTPUTS=str(outputs_file))
    made = json.loads(done.stdout)
    assert made["directors"] == {"hosts": ["director-1", "director-2"]}
    assert made["web_servers"] == {"hosts": ["web-1", "web-2"]}
    assert made["all"]["vars"] == {"elastic_ip": "public-ip-of-elastic-ip", "virtual_ip": "10.0.0.100"}
    assert made["_meta"]["hostvars"] == {
        name: {
            "ansible_host": address,
            "ansible_aws_ssm_instance_id": f"id-{name}",
            "ansible_aws_ssm_region": "eu-central-1",
        }
        for name, address in {
            "director-1": "10.0.0.36",
            "director-2": "10.0.0.56",
            "web-1": "10.0.0.80",
            "web-2": "10.0.0.194",
        }.items()
    }


def test_the_inventory_asks_pulumi_and_knows_one_machine(outputs_file: Path, commands: Path) -> None:
    command(commands, "pulumi", outputs_file.read_text())
    done = run("ansible_inventory.py", "--host", "web-1", commands=commands, LVS_AWS_OUTPUTS="")
    assert json.loads(done.stdout)["ansible_host"] == "10.0.0.80"
    assert (commands / "pulumi.asked").read_text().split() == ["stack", "output", "--json"]


def test_prometheus_gets_the_services_and_on_demand_the_machines(outputs_file: Path, commands: Path) -> None:
    services = json.loads(run("prometheus_targets.py", str(outputs_file), commands=commands).stdout)
    assert [(one["targets"], one["labels"]["port"]) for one in services] == [
        (["http://public-ip-of-elastic-ip/"], "80"),
        (["http://public-ip-of-elastic-ip:8080/"], "8080"),
    ]
    done = run("prometheus_targets.py", str(outputs_file), "--exporter-port", "9100", commands=commands)
    machines = [one for one in json.loads(done.stdout) if one["labels"]["kind"] != "service"]
    assert [(one["labels"]["kind"], one["labels"]["name"], one["targets"]) for one in machines] == [
        ("director", "director-1", ["10.0.0.36:9100"]),
        ("director", "director-2", ["10.0.0.56:9100"]),
        ("web-server", "web-1", ["10.0.0.80:9100"]),
        ("web-server", "web-2", ["10.0.0.194:9100"]),
    ]
    for one in [*services, *machines]:  # file_sd_config: a list of addresses, labels of text
        assert set(one) == {"targets", "labels"}
        assert all(isinstance(value, str) for value in one["labels"].values())


@pytest.mark.parametrize("script", sorted(file.name for file in OPS.iterdir() if os.access(file, os.X_OK)))
def test_outputs_of_another_version_are_refused(
    outputs: dict[str, Any], tmp_path: Path, commands: Path, script: str
) -> None:
    file = tmp_path / "newer.json"
    file.write_text(json.dumps({**outputs, "outputsVersion": 2}))
    arguments = ["www.example.com", str(file)] if script == "check_dns.sh" else [str(file)]
    if script == "ansible_inventory.py":
        arguments = ["--list"]
    done = run(script, *arguments, commands=commands, LVS_AWS_OUTPUTS=str(file))
    assert done.returncode != 0
    assert done.stdout == ""
    assert "not outputs of version 1" in done.stderr


def test_every_script_is_on_the_page() -> None:
    page = (ROOT / "docs/outputs.md").read_text()
    scripts = [file.name for file in OPS.iterdir() if os.access(file, os.X_OK) and file.is_file()]
    assert len(scripts) == 5
    for name in scripts:
        assert f"\n| `{name}" in page
