"""The design this project began with, as the bench puts it on: it must run, or the comparison is none."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import original
from bench.original import FILES, configuration, unpack
from lab.status import Machine

VALUES = {
    "NIC": "ens5",
    "ADDRESS": "10.0.0.36",
    "PEER": "10.0.0.56",
    "VIRTUAL_IP": "10.0.0.100",
    "WEB_1": "10.0.0.80",
    "WEB_2": "10.0.0.194",
}
SCRIPTS = ("notify-master.sh", "notify-backup.sh")
# An `aws` that says how it was called, and a curl that says what it was asked.
TOOLS = {
    "curl": '#!/bin/sh\nfor word; do case $word in Action=*) echo "$word" >>"$LOG" ;; esac; done\n'
    "case \"$*\" in *Describe*) echo '<x><networkInterfaceId>eni-0a1</networkInterfaceId></x>' ;;\n"
    "*instance-id*) echo i-1 ;; *token*) echo t ;; esac\n"
}


def test_the_two_directors_differ_in_what_makes_them_master_and_backup() -> None:
    first, second = (configuration(number, VALUES).splitlines() for number in (0, 1))
    assert [each.split() for each in first if each not in second] == [["state", "MASTER"], ["priority", "100"]]
    assert [each.split() for each in second if each not in first] == [["state", "BACKUP"], ["priority", "90"]]
    with pytest.raises(KeyError):
        configuration(0, {})


def test_everything_is_ascii_and_says_what_was_repaired() -> None:
    for file in FILES.glob("*.*"):
        text = file.read_text("ascii")
        assert file.suffix == ".py" or "epair" in text, file


@pytest.mark.image
@pytest.mark.parametrize("number", [0, 1])
def test_keepalived_takes_its_configuration(image_root: Path, tmp_path: Path, number: int) -> None:
    files = {script: (FILES / script).read_text() for script in SCRIPTS}
    made = unpack(files | {"keepalived.conf": configuration(number, VALUES)}, tmp_path)
    subprocess.run(made, shell=True, check=True)
    enter = (
        "ip link add ens5 type veth && ip link set lo up && ip address add 10.0.0.36/24 dev ens5 && "
        f"mount -t tmpfs tmpfs {image_root}/opt && mkdir {image_root}/opt/original && "
        f"cp -p {tmp_path}/* {image_root}/opt/original/ && mount -t tmpfs tmpfs {image_root}/run && "
        f"exec chroot {image_root} keepalived -t -f /opt/original/keepalived.conf"
    )
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "--net", "sh", "-c", enter],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == "", "it was skipped, or not understood"


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        (
            "notify-master.sh",
            [
                "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1",
                "Action=AssignPrivateIpAddresses&Version=2016-11-15&NetworkInterfaceId=eni-0a1"
                "&PrivateIpAddress.1=10.0.0.100&AllowReassignment=true",
                "Action=AssociateAddress&Version=2016-11-15&AllocationId=eipalloc-1&NetworkInterfaceId=eni-0a1"
                "&PrivateIpAddress=10.0.0.100",
            ],
        ),
        (
            "notify-backup.sh",
            [
                "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1",
                "Action=UnassignPrivateIpAddresses&Version=2016-11-15&NetworkInterfaceId=eni-0a1"
                "&PrivateIpAddress.1=10.0.0.100",
            ],
        ),
    ],
)
def test_its_scripts_make_its_calls(tmp_path: Path, script: str, calls: list[str]) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "curl").write_text(TOOLS["curl"])
    (tools / "settings").write_text(
        "VIRTUAL_IP=10.0.0.100 ALLOCATION_ID=eipalloc-1 REGION=us-east-1 ACCESS_KEY_ID=A SECRET_ACCESS_KEY=S\n"
    )
    for name in (script, "aws.sh"):
        text = (FILES / name).read_text().replace("/opt/original", str(tools))
        (tools / name.replace("aws.sh", "aws")).write_text(text)
    for file in tools.iterdir():
        file.chmod(0o700)
    environment = {"PATH": "/usr/bin:/bin", "LOG": str(tmp_path / "log")}
    done = subprocess.run([tools / script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().splitlines() == calls


def test_an_interrupted_run_leaves_nothing_of_it_even_where_a_director_has_no_power(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Lab:
        def machines(self) -> tuple[Machine, ...]:
            return tuple(
                Machine(name=n, role=role, instance_id=n, interface_id=n, state="running", addresses=(n,))
                for n, role in (("d1", "director"), ("d2", "director"), ("w1", "web-server"), ("w2", "web-server"))
            )

        def outputs(self) -> dict[str, str]:
            return {"virtualIp": "10.0.0.100"}

        def iam(self) -> None:
            pass

        def told(self) -> dict[str, str]:
            return {"region": "us-east-1"}

    def must_run(_: object, machine: Machine, command: str) -> str:
        done.append(f"{machine.name} {command.rpartition('/')[2]}")
        return "ens5"

    monkeypatch.setattr(original, "must_run", must_run)
    monkeypatch.setattr(original, "heal", lambda _: done.append("heal"))
    monkeypatch.setattr(original, "_access_key", lambda _: {})
    monkeypatch.setattr(original, "_forget_user", lambda _: done.append("forget"))
    monkeypatch.setattr(original, "_allocation", lambda _: "eipalloc-1")
    lab: Any = Lab()
    with pytest.raises(KeyboardInterrupt), original.original(lab):
        raise KeyboardInterrupt
    end = done[done.index("heal") :]
    assert sorted(end[1:5]) == [f"d{n} director.sh remove" for n in (1, 2)] + [
        f"w{n} web-server.sh remove" for n in (1, 2)
    ]
    assert end[5:] == ["forget"]
