"""The design this project began with, repaired as far as needed to run, on the machines of a running lab.

Its files are beside this one; every repair is commented where it is. `original` puts them on and takes them off again.
"""

from __future__ import annotations

import base64
import io
import json
import shlex
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from bench.failover_causes import heal
from bench.on_machines import in_parallel, must_run, of_role
from lab.running import RunningLab
from lab.status import Machine

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

FILES = Path(__file__).parent
HOME = "/opt/original"
USER = "original"
# What its scripts call, without conditions, as its text has it; its text lacked the last two. (Repair.)
ACTIONS = ("DescribeInstances", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "AssociateAddress")
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": [f"ec2:{action}" for action in ACTIONS], "Resource": "*"}],
}
PLAIN = ("keepalived.conf", "settings")
STATES = (("MASTER", 100), ("BACKUP", 90))


def configuration(number: int, values: Mapping[str, str]) -> str:
    """keepalived.conf of the first (0) or second director; `values`: NIC, ADDRESS, PEER, VIRTUAL_IP, WEB_1, WEB_2."""
    state, priority = STATES[number]
    text = (FILES / "keepalived.conf").read_text("ascii")
    return Template(text).substitute(values, STATE=state, PRIORITY=priority)


@contextmanager
def original(lab: RunningLab) -> Iterator[None]:
    """The lab's two directors and two web servers run the original meanwhile. Raises LabError."""
    directors, web_servers = of_role(lab, "director"), of_role(lab, "web-server")
    virtual_ip = str(lab.outputs()["virtualIp"])
    iam = lab.iam()
    settings = {
        "VIRTUAL_IP": virtual_ip,
        "ALLOCATION_ID": _allocation(lab),
        "REGION": lab.told()["region"],
        **_access_key(iam),
    }
    try:
        in_parallel(lambda machine: _install_web_server(lab, machine, virtual_ip), web_servers)
        # One after the other: two that start at once both claim.
        addresses = [machine.address for machine in directors]
        web = {f"WEB_{number}": machine.address for number, machine in enumerate(web_servers, 1)}
        in_parallel(lambda machine: _stop(lab, machine), directors)
        for number, machine in enumerate(directors):
            nic = must_run(lab, machine, "/usr/local/lib/lvs-aws/interface.sh").strip()
            values = {"NIC": nic, "ADDRESS": addresses[number], "PEER": addresses[1 - number], "VIRTUAL_IP": virtual_ip}
            files = _files() | {
                "keepalived.conf": configuration(number, values | web),
                "settings": "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items()),
            }
            must_run(lab, machine, unpack(files))
            must_run(lab, machine, f"{HOME}/director.sh install {virtual_ip}")
        for machine in directors:
            must_run(lab, machine, "systemctl --no-block start keepalived")
        yield
    finally:
        try:
            heal(lab)  # an interrupted run leaves a director without power
            in_parallel(lambda machine: must_run(lab, machine, f"{HOME}/director.sh remove"), directors)
            in_parallel(lambda machine: must_run(lab, machine, f"{HOME}/web-server.sh remove"), web_servers)
        finally:
            _forget_user(iam)


def _stop(lab: RunningLab, machine: Machine) -> None:
    must_run(lab, machine, "systemctl stop keepalived lvs-agent")


def _install_web_server(lab: RunningLab, machine: Machine, virtual_ip: str) -> None:
    must_run(lab, machine, unpack(_files()))
    must_run(lab, machine, f"{HOME}/web-server.sh install {virtual_ip}")


def _files() -> dict[str, str]:
    scripts = {file.name: file.read_text("ascii") for file in FILES.glob("*.sh")}
    return scripts | {"aws": scripts.pop("aws.sh")}


def unpack(files: Mapping[str, str], home: Path = Path(HOME)) -> str:
    """The command that makes the files in `home`; Keepalived refuses a configuration that is executable."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o600 if name in PLAIN else 0o700
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"mkdir -p {home} && echo {base64.b64encode(packed.getvalue()).decode()} | base64 -d | tar xz -C {home}"


def _allocation(lab: RunningLab) -> str:
    found = lab.ec2().describe_addresses(PublicIps=[str(lab.outputs()["elasticIp"])])["Addresses"]
    return str(found[0]["AllocationId"])


def _access_key(iam: IAMClient) -> dict[str, str]:
    """A user with a key that lies on the machines: what `aws configure` leaves behind."""
    _forget_user(iam)
    iam.create_user(UserName=USER)
    iam.put_user_policy(UserName=USER, PolicyName=USER, PolicyDocument=json.dumps(POLICY))
    made: Any = iam.create_access_key(UserName=USER)["AccessKey"]
    return {"ACCESS_KEY_ID": made["AccessKeyId"], "SECRET_ACCESS_KEY": made["SecretAccessKey"]}


def _forget_user(iam: IAMClient) -> None:
    if USER not in [user["UserName"] for user in iam.list_users()["Users"]]:
        return
    for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    for name in iam.list_user_policies(UserName=USER)["PolicyNames"]:
        iam.delete_user_policy(UserName=USER, PolicyName=name)
    iam.delete_user(UserName=USER)
