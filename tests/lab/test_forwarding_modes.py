"""The finding the project grew out of, reproduced: behind an internet gateway only NAT works; DR and TUN cannot.

DR and TUN are set up by hand, as the textbooks say, on the running lab; the fabric's counters name what stops them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

REQUESTS = 4
REQUEST_SECONDS = 1
WEB_SERVERS = {"web-1": "10.0.0.80", "web-2": "10.0.0.194"}
VIRTUAL_IP = "10.0.0.100"
GATEWAY_RULE = "igw-source-not-an-address-of-this-eni"
OPTION = {"NAT": "-m", "DR": "-g", "TUN": "-i"}
# What any machine says of itself, whatever it serves.
BACKGROUND = ("garp-request", "ipv6", "multicast-or-broadcast")
# IPVS remembers how a half-open connection was forwarded for a minute, and a client may use its port again.
FORGOTTEN = "for _ in $(seq 60); do ipvsadm -Lcn | grep -q SYN_RECV || exit 0; sleep 2; done; ipvsadm -Lcn; exit 1"
# A web server takes packets for the virtual IP itself, says nothing about it by ARP, and answers clients directly.
DIRECT = (
    "nft delete table ip lvs_return; sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; "
    "ip route replace default via 10.0.0.1 dev ens5; "
)
HAND_MADE = {
    "DR": DIRECT + f"ip address add {VIRTUAL_IP}/32 dev lo",
    "TUN": f"modprobe ipip; {DIRECT}ip address add {VIRTUAL_IP}/32 dev tunl0; ip link set tunl0 up",
}
UNDONE = (
    "sysctl -qw net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.arp_announce=0; "
    f"ip address del {VIRTUAL_IP}/32 dev lo 2>/dev/null; modprobe -r ipip; systemctl restart lvs-return-path"
)


def forward_by(lab: LabUnderTest, mode: str) -> None:
    """Have the owner's IPVS forward by NAT, DR or TUN; Keepalived goes on checking health and does not notice."""
    edits = [f"ipvsadm -e -t {VIRTUAL_IP}:80 -r {address}:80 {OPTION[mode]} -w 100" for address in WEB_SERVERS.values()]
    lab.run(lab.status()["owner"], " && ".join(edits))


def check_of_web_servers(lab: LabUnderTest, *, on: bool) -> None:
    for machine in lab.inside.machines():
        if machine.name in WEB_SERVERS:
            lab.inside.ec2().modify_instance_attribute(InstanceId=machine.instance_id, SourceDestCheck={"Value": on})


@contextmanager
def tunnels_allowed(lab: LabUnderTest) -> Iterator[None]:
    """The web servers' group lets IP in IP (protocol 4) in; without that, TUN ends at the group already."""
    ec2 = lab.inside.ec2()
    shown = ec2.describe_instances(Filters=[{"Name": "private-ip-address", "Values": [WEB_SERVERS["web-1"]]}])
    group = shown["Reservations"][0]["Instances"][0]["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "4", "IpRanges": [{"CidrIp": "10.0.0.0/24"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    try:
        yield
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])


@contextmanager
def set_up_by_hand(lab: LabUnderTest, mode: str) -> Iterator[None]:
    try:
        for name in WEB_SERVERS:
            lab.run(name, HAND_MADE[mode])
        forward_by(lab, mode)
        yield
    finally:
        forward_by(lab, "NAT")
        for name in WEB_SERVERS:
            lab.run(name, UNDONE)
        check_of_web_servers(lab, on=True)


def requests(lab: LabUnderTest) -> tuple[list[str], Counter[str]]:
    """The status codes of some requests through the Elastic IP (000: no answer), and what was dropped meanwhile."""
    before = lab.drops()
    url = str(lab.inside.outputs()["url"])
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", str(REQUEST_SECONDS), url]
    codes = [lab.inside.in_namespace(curl, capture_output=True, text=True).stdout for _ in range(REQUESTS)]
    return codes, lab.drops() - before


def test_nat_works_and_dr_and_tun_are_stopped_by_the_rules_of_a_vpc(lab: LabUnderTest) -> None:
    rows = []
    for mode, check, rule in (
        ("NAT", True, None),
        # The packet for the virtual IP does not even arrive: the web server's interface does not hold that address.
        ("DR", True, "dst-check"),
        # It arrives, and the answer comes from an address that has no public one on the web server's interface.
        ("DR", False, GATEWAY_RULE),
        # The packet arrives in its tunnel, and the answer is not the web server's to send.
        ("TUN", True, "src-check"),
        ("TUN", False, GATEWAY_RULE),
        ("NAT", True, None),
    ):
        check_of_web_servers(lab, on=check)
        if mode == "NAT":
            codes, dropped = requests(lab)
            assert codes == ["200"] * REQUESTS, (mode, check, codes, dropped)
        else:
            with tunnels_allowed(lab), set_up_by_hand(lab, mode):
                check_of_web_servers(lab, on=check)
                codes, dropped = requests(lab)
            assert codes == ["000"] * REQUESTS, (mode, check, codes, dropped)
            # Both web servers were tried, and on each it was this rule.
            assert all(dropped[f"{rule}@{name}"] for name in WEB_SERVERS), (mode, check, dropped)
            strangers = {key for key in dropped if key.split("@")[0] not in (rule, *BACKGROUND)}
            assert not {key for key in strangers if key.split("@")[1] in WEB_SERVERS}, (mode, check, dropped)
        rows.append((mode, "on" if check else "off", " ".join(codes), dict(dropped)))
    lab.run(lab.status()["owner"], FORGOTTEN)
    print()
    for row in rows:
        print("  {:<4} check {:<4} {}  {}".format(*row))
