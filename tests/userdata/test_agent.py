"""The agent as a process, with real boto3, against EC2 and instance metadata on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.userdata.fake_aws import ALLOCATION, ELASTIC_IP, INTERFACE, MAC, PRIMARY, VIRTUAL_IP, FakeAws, lines
from userdata.director.agent import runtime
from userdata.director.agent.config import Config, load_config
from userdata.director.agent.decision import RIVALS, Call
from userdata.director.agent.metadata import Addresses, Identity, Metadata

PROJECT = Path(__file__).parents[2]
PATIENCE = 20.0


@dataclass
class RunningAgent:
    """The agent at work: `keepalived` writes to its FIFO, `status` and `log` are what it tells."""

    process: subprocess.Popen[str]
    run: Path
    output: Path

    def keepalived(self, *states: str) -> None:
        with (self.run / "vrrp.fifo").open("r+b", buffering=0) as fifo:
            fifo.write("".join(f'INSTANCE "LVS" {state} 254\n' for state in states).encode())

    @property
    def status(self) -> dict[str, object]:
        return json.loads((self.run / "status.json").read_text())

    @property
    def log(self) -> list[dict[str, object]]:
        return lines(self.output.read_text())

    def told(self, event: str) -> list[dict[str, object]]:
        return [line for line in self.log if line["event"] == event]


def until(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for `what`; the test fails if it does not come true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def running_agent(
    aws: FakeAws,
    directory: Path,
    command: Sequence[str] = (sys.executable, "-m", "userdata.director.agent"),
    inside: Path | None = None,
    keepalived: Path = Path("/nonexistent"),
) -> Iterator[RunningAgent]:
    """The agent, from start to READY=1; ended at the end. `inside` is what `directory` is called where it runs,

    `keepalived` the configuration that lists web servers.
    """
    inside = inside or directory
    run = directory / "run"
    make_run(run)
    (directory / "agent.json").write_text(
        json.dumps(
            {
                "region": "eu-central-1",
                "virtual_ip": VIRTUAL_IP,
                "run": str(inside / "run"),
                "fifo": str(inside / "run/vrrp.fifo"),
                "metadata": aws.url,
                "keepalived": str(keepalived),
            }
        )
    )
    notified = directory / "notify"
    notified.unlink(missing_ok=True)
    environment = {
        **{key: os.environ[key] for key in ("PATH",)},
        "NOTIFY_SOCKET": str(inside / "notify"),
        "AWS_ENDPOINT_URL_EC2": aws.url,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "for the test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (directory / "log").open("w") as log:
        ready.bind(str(notified))
        ready.settimeout(60)
        process = subprocess.Popen(
            [*command, str(inside / "agent.json")], stdout=log, env=environment, cwd=PROJECT, text=True
        )
        try:
            while ready.recv(100) != b"READY=1":
                pass
            yield RunningAgent(process, run, directory / "log")
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws(associated=True) as world:
        yield world


@pytest.fixture
def agent(aws: FakeAws, tmp_path: Path) -> Iterator[RunningAgent]:
    with running_agent(aws, tmp_path) as running:
        yield running


def test_master_claims_with_one_call_and_says_how_long_it_took(aws, agent):
    assert aws.actions == []
    aws.lag_seconds = 0.4
    began = time.monotonic()
    agent.keepalived("MASTER")
    until(lambda: agent.told("verified"))
    at, request = aws.requests[0]
    assert {key: request[key] for key in request if key != "Version"} == {
        "Action": "AssignPrivateIpAddresses",
        "NetworkInterfaceId": INTERFACE,
        "PrivateIpAddress.1": VIRTUAL_IP,
        "AllowReassignment": "true",
    }
    assert aws.actions == ["AssignPrivateIpAddresses"]
    assert at - began < 0.25, "from the event to the request"
    claim = agent.status["last_claim"]
    assert claim["claimed_seconds"] < 0.4 <= claim["visible_seconds"] < claim["verified_seconds"]
    assert agent.told("call")[0]["waited"] < 0.1
    assert [line["event"] for line in agent.log if "phase" in line] == ["detected", "claimed", "visible", "verified"]


def test_the_status_file_says_who_owns(aws, agent):
    until(lambda: agent.status["interface_id"])
    assert (agent.status["vrrp"], agent.status["owner"], agent.status["elastic_ip"]) == ("INIT", False, None)
    agent.keepalived("MASTER")
    until(lambda: agent.status["owner"])
    assert agent.status["vrrp"] == "MASTER" and agent.status["elastic_ip"] == ELASTIC_IP
    assert agent.status["interface_id"] == INTERFACE and agent.status["virtual_ip"] == VIRTUAL_IP
    agent.keepalived("FAULT")
    until(lambda: agent.status["vrrp"] == "FAULT")
    assert agent.status["owner"], "what metadata says stays said"


def test_backup_calls_nothing(aws, agent):
    agent.keepalived("BACKUP")
    until(lambda: agent.status["vrrp"] == "BACKUP")
    agent.keepalived("MASTER", "FAULT", "BACKUP")  # a burst: only its end counts
    time.sleep(0.5)
    assert aws.actions == []


def test_a_missing_association_is_made_and_a_present_one_left_alone(aws, agent):
    aws.associated = aws.own_elastic_ip = False  # metadata then lists no associations at all: 404
    agent.keepalived("MASTER")
    until(lambda: aws.associated and agent.told("visible"))
    assert aws.actions == ["AssignPrivateIpAddresses", "AssociateAddress"]
    request = aws.requests[1][1]
    assert (request["AllocationId"], request["NetworkInterfaceId"]) == (ALLOCATION, INTERFACE)
    assert (request["PrivateIpAddress"], request["AllowReassociation"]) == (VIRTUAL_IP, "true")


def test_refusals_are_retried_while_master_and_never_two_at_once(aws, agent):
    aws.call_seconds = 0.2
    aws.refusals = ["UnauthorizedOperation", "RequestLimitExceeded", "InternalError"]
    agent.keepalived("MASTER")
    for _ in range(5):
        time.sleep(0.05)
        agent.keepalived("MASTER_RX_LOWER_PRI")
    until(lambda: agent.told("visible"))
    assert aws.most_at_once == 1
    assert not aws.refusals and aws.owner
    assert len(agent.told("call")) == len(aws.requests), "boto3 repeats nothing on its own"


def test_a_claim_that_ends_late_is_not_undone(aws, agent):
    aws.call_seconds = 0.5
    agent.keepalived("MASTER")
    until(lambda: aws.requests)
    agent.keepalived("BACKUP")
    until(lambda: agent.told("finished-late"))
    time.sleep(0.3)
    assert aws.actions == ["AssignPrivateIpAddresses"] and aws.owner


def test_a_lost_address_is_claimed_again(aws, agent):
    agent.keepalived("MASTER")
    until(lambda: agent.told("visible"))
    aws.owner = False
    until(lambda: aws.owner)
    assert agent.told("lost")


def test_silent_metadata_is_no_loss(aws, agent):
    agent.keepalived("MASTER")
    until(lambda: agent.told("visible"))
    aws.metadata_answers = False
    until(lambda: agent.told("no-metadata"))
    aws.metadata_answers = True
    until(lambda: agent.told("verified"))
    assert aws.actions == ["AssignPrivateIpAddresses"]


def test_it_starts_again_with_what_keepalived_wrote_meanwhile(aws, tmp_path):
    with running_agent(aws, tmp_path) as first:
        keeper = (tmp_path / "run/vrrp.fifo").open("r+b", buffering=0)  # Keepalived holds its end open
        assert first.status["vrrp"] == "INIT"
    with keeper:
        keeper.write(b'INSTANCE "LVS" MASTER 254\n')
        with running_agent(aws, tmp_path) as second:
            until(lambda: second.told("visible"))


def test_the_virtual_ip_on_lo_at_start_is_a_claim(aws, tmp_path, monkeypatch):
    """Keepalived, MASTER already, writes nothing when the agent comes back."""
    monkeypatch.setattr(runtime, "virtual_ip_is_local", lambda virtual_ip: virtual_ip == VIRTUAL_IP)
    calls = []

    class Recording(DeadEc2):
        def call(self, call: Call, identity: Identity) -> None:
            calls.append((call, identity.interface_id))
            aws.owner = True

    agent = runtime.Agent(config_of(tmp_path, aws.url), ec2=Recording())
    thread = threading.Thread(target=agent.run, daemon=True)
    thread.start()
    until(lambda: calls == [(Call.ASSIGN, INTERFACE)])
    agent.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_the_virtual_ip_on_lo_at_start_needs_no_claim_where_metadata_lists_it(aws, tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "virtual_ip_is_local", lambda _: True)
    aws.owner = True
    calls = []

    class Recording(DeadEc2):
        def call(self, call: Call, identity: Identity) -> None:
            calls.append(call)

    agent = runtime.Agent(config_of(tmp_path, aws.url), ec2=Recording())
    thread = threading.Thread(target=agent.run, daemon=True)
    thread.start()
    status = tmp_path / "run/status.json"
    until(lambda: status.exists() and json.loads(status.read_text())["phase"] == "holding")
    agent.stop()
    thread.join(5)
    assert calls == [] and not thread.is_alive()


def test_the_rank_of_the_configuration_reaches_the_decisions(tmp_path):
    (tmp_path / "agent.json").write_text('{"region": "eu-central-1", "virtual_ip": "10.0.0.100", "rank": 2}')
    assert runtime.Agent(load_config(tmp_path / "agent.json"))._state.rank == 2


def test_a_rival_is_answered_with_a_look_not_with_a_call(aws, agent):
    agent.keepalived("MASTER")
    until(lambda: agent.told("verified"))  # the next look is 2 s away
    for _ in range(RIVALS - 1):
        agent.keepalived("MASTER_RX_LOWER_PRI")
        time.sleep(0.1)
    assert aws.actions == ["AssignPrivateIpAddresses"]
    aws.owner = False
    agent.keepalived("MASTER_RX_LOWER_PRI")
    began = time.monotonic()
    until(lambda: aws.owner)
    assert time.monotonic() - began < 0.9, "sooner than the next look"


def test_an_expired_token_is_renewed(aws):
    metadata = Metadata(aws.url)
    assert metadata.addresses(MAC, VIRTUAL_IP).private == (PRIMARY,)
    aws.token = "another"
    aws.owner = True
    assert metadata.addresses(MAC, VIRTUAL_IP) == Addresses(private=(PRIMARY, VIRTUAL_IP), elastic_ip=ELASTIC_IP)


def test_the_address_is_claimed_before_the_tag_is_there(aws, tmp_path):
    aws.tagged, aws.associated = False, False
    with running_agent(aws, tmp_path) as agent:
        agent.keepalived("MASTER")
        until(lambda: "NoAllocationIdTag" in [line["error"] for line in agent.told("failed")])
        assert aws.owner and aws.actions == ["AssignPrivateIpAddresses"]
        aws.tagged = True
        until(lambda: aws.associated)


def test_ready_without_ec2_so_that_keepalived_can_start(aws, tmp_path, monkeypatch):
    aws.rehearsal_refusal = "UnauthorizedOperation"  # the policy lands after the machine
    with running_agent(aws, tmp_path) as refused:
        assert refused.told("ready")[0]["answered"] is True
        assert refused.told("rehearsed")[0]["error"] == "UnauthorizedOperation"
    monkeypatch.setattr(runtime, "READY_PATIENCE_SECONDS", 0.5)
    said = []
    monkeypatch.setattr(runtime, "notify", said.append)
    agent = runtime.Agent(config_of(tmp_path, "http://127.0.0.1:9"), ec2=DeadEc2())
    threading.Thread(target=agent._keep_warm, daemon=True).start()
    assert said == []
    until(lambda: said == ["READY=1"])


def test_a_standby_that_starts_again_still_says_so(aws, tmp_path):
    """Keepalived, BACKUP already, writes nothing when the agent comes back; what the one before wrote down tells."""
    with running_agent(aws, tmp_path) as first:
        first.keepalived("BACKUP")
        until(lambda: first.status["vrrp"] == "BACKUP")
    with running_agent(aws, tmp_path) as second:
        until(lambda: second.status["vrrp"] == "BACKUP")
        second.keepalived("MASTER")
        until(lambda: second.told("verified"))
    with running_agent(aws, tmp_path) as third:  # without the address on lo it is MASTER no longer
        assert third.status["vrrp"] == "INIT"
    (tmp_path / "run/status.json").write_text("{")
    with running_agent(aws, tmp_path) as fourth:
        assert fourth.status["vrrp"] == "INIT"
    assert aws.actions == ["AssignPrivateIpAddresses"]


def test_sigterm_ends_it_cleanly(aws, agent):
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(5) == 0
    assert agent.told("stopped")[0]["failed"] is False
    assert (agent.run / "vrrp.fifo").is_fifo()


def test_it_ends_if_a_part_of_it_fails(tmp_path):
    """Half an agent would look alive to systemd."""

    class Broken(DeadEc2):
        def connect(self) -> None:
            raise RuntimeError("for the test")

    assert runtime.Agent(config_of(tmp_path, "http://127.0.0.1:9"), ec2=Broken()).run() == 1


def test_no_secret_is_told(aws, agent):
    agent.keepalived("MASTER")
    until(lambda: agent.told("visible"))
    text = agent.output.read_text() + (agent.run / "status.json").read_text()
    assert "for the test" not in text and '"token"' not in text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a network namespace")
@pytest.mark.parametrize(("address", "local"), [("10.0.0.100/32", True), ("10.0.0.101/32", False)])
def test_the_virtual_ip_on_lo_means_master(address, local):
    code = f"from userdata.director.agent.runtime import virtual_ip_is_local as f; print(f('{VIRTUAL_IP}'))"
    script = f'ip link set lo up; ip address add {address} dev lo; exec {sys.executable} -c "{code}"'
    run = subprocess.run(["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert run.stdout.strip() == str(local)


class DeadEc2:
    answered = False

    def connect(self) -> None:
        pass

    def rehearse(self, identity: object) -> str:
        return "EndpointConnectionError"


def config_of(directory: Path, metadata: str):
    run = directory / "run"
    make_run(run)
    return Config(region="eu-central-1", virtual_ip=VIRTUAL_IP, run=run, fifo=run / "vrrp.fifo", metadata=metadata)


def make_run(run: Path) -> None:
    """What tmpfiles.d/lvs-aws.conf and systemd make on a machine."""
    run.mkdir(exist_ok=True)
    if not (run / "vrrp.fifo").exists():
        os.mkfifo(run / "vrrp.fifo", 0o600)
