"""A client in the same subnet: the short way back would be the wrong one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.running import LabError
from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(900)]

ADDRESS = "10.0.0.200"
ASK = "for n in $(seq 8); do curl -sf -m 3 http://{to}/ || echo failed; done"


@pytest.fixture
def client(lab: LabUnderTest, owner: str) -> Iterator[str]:
    """A fifth machine in the subnet, with nothing on it: its instance's id."""
    ec2 = lab.inside.ec2()
    like = ec2.describe_instances(InstanceIds=[lab.inside.machine("web-1").instance_id])["Reservations"][0]
    web = like["Instances"][0]
    made = ec2.run_instances(
        ImageId=web["ImageId"],
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=web["SubnetId"],
        PrivateIpAddress=ADDRESS,
        SecurityGroupIds=[group["GroupId"] for group in web["SecurityGroups"]],
    )
    instance = str(made["Instances"][0]["InstanceId"])
    try:
        # Its first address is lent to cloud-init and goes again: only networkd's stays.
        lab.wait("the client has its network", lambda: _network(lab, instance) == "active", seconds=240)
        yield instance
    finally:
        ec2.terminate_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig={"Delay": 2, "MaxAttempts": 60})


def _network(lab: LabUnderTest, instance: str) -> str:
    try:
        asked = "systemctl is-active network-online.target"
        return lab.inside.run(lab.inside.machine(instance), asked, timeout_seconds=30).stdout.strip()
    except LabError:
        return ""


def test_it_reaches_the_virtual_ip_and_a_web_server_alike(lab: LabUnderTest, client: str) -> None:
    for to, pages in (("10.0.0.100", {"web-1", "web-2"}), ("10.0.0.80", {"web-1"})):
        said = lab.run(client, ASK.format(to=to))
        assert "failed" not in said, said
        assert f"answers {ADDRESS}" in said
        assert {name for name in ("web-1", "web-2") if f"<h1>{name}</h1>" in said} == pages
