"""The picture `lab status` draws, from recorded answers."""

from typing import Any

from lab.status import DirectorProbe, director_probe, lab_status, machines_from, owner_of

OUTPUTS = {"virtualIp": "10.0.0.100", "elasticIp": "203.0.113.9", "url": "http://203.0.113.9/"}
TABLE = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.0.0.100:80 wrr
  -> 10.0.0.80:80                 Masq    100    0          3
  -> 10.0.0.194:80                Masq    0      0          0
"""


def instance(name: str, role: str, addresses: list[str], *, state: str = "running") -> dict[str, Any]:
    tags = {"Project": "lvs-aws", "Stack": "local", "Name": f"lvs-aws-local-{name}", "Role": role}
    # EC2 does not promise the primary address first.
    listed = [{"PrivateIpAddress": address, "Primary": address == addresses[0]} for address in reversed(addresses)]
    return {
        "InstanceId": f"i-{name}",
        "State": {"Name": state},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "NetworkInterfaces": [{"NetworkInterfaceId": f"eni-{name}", "PrivateIpAddresses": listed}],
    }


RESERVATIONS = [
    {"Instances": [instance("web-10", "web-server", ["10.0.0.90"]), instance("web-2", "web-server", ["10.0.0.194"])]},
    {"Instances": [instance("web-1", "web-server", ["10.0.0.80"])]},
    {"Instances": [instance("director-2", "director", ["10.0.0.56", "10.0.0.100"])]},
    {"Instances": [instance("director-1", "director", ["10.0.0.36"])]},
    {"Instances": [instance("director-1", "director", ["10.0.0.36"], state="terminated")]},
]
MACHINES = machines_from(RESERVATIONS)
ALL = frozenset(machine.instance_id for machine in MACHINES)


def test_machines_are_directors_first_in_natural_order_and_terminated_ones_are_gone() -> None:
    assert [machine.name for machine in MACHINES] == ["director-1", "director-2", "web-1", "web-2", "web-10"]


def test_the_primary_address_is_the_machine_s() -> None:
    assert MACHINES[1].address == "10.0.0.56"


def test_the_owner_is_whose_interface_holds_the_virtual_ip() -> None:
    owner = owner_of(MACHINES, "10.0.0.100")
    assert owner is not None
    assert owner.name == "director-2"
    assert owner_of(MACHINES, "10.0.0.101") is None


def test_a_director_s_answer_gives_state_and_the_servers_with_weight() -> None:
    probe = director_probe('{"vrrp": "MASTER"}\n---\n' + TABLE)
    assert probe == DirectorProbe(vrrp="MASTER", healthy=frozenset({"10.0.0.80"}))


def test_a_web_server_is_healthy_that_every_service_has() -> None:
    udp = "UDP  10.0.0.100:53 wrr\n  -> 10.0.0.194:53                Masq    100    0          0\n"
    assert director_probe("---\n" + TABLE + udp).healthy == frozenset()
    both = udp + "  -> 10.0.0.80:53                 Masq    100    0          0\n"
    assert director_probe("---\n" + TABLE + both).healthy == frozenset({"10.0.0.80"})


def test_a_director_without_an_agent_has_no_state() -> None:
    assert director_probe("\n---\n") == DirectorProbe(vrrp=None, healthy=frozenset())


def test_the_document_names_owner_states_and_health() -> None:
    probes = {
        "i-director-1": DirectorProbe(vrrp="BACKUP", healthy=frozenset()),
        "i-director-2": DirectorProbe(vrrp="MASTER", healthy=frozenset({"10.0.0.80"})),
    }
    document = lab_status(stack="local", outputs=OUTPUTS, machines=MACHINES, alive=ALL, probes=probes).as_json()
    assert (document["owner"], document["elasticIp"], document["virtualIp"]) == (
        "director-2",
        "203.0.113.9",
        "10.0.0.100",
    )
    assert [machine["vrrp"] for machine in document["machines"]] == ["BACKUP", "MASTER", None, None, None]
    assert [machine["health"] for machine in document["machines"]] == [None, None, "healthy", "unhealthy", "unhealthy"]
    assert set(document["machines"][0]) == {"name", "role", "state", "vrrp", "address", "instanceId", "health"}


def test_a_machine_without_power_is_dead_whatever_ec2_says_and_has_no_vrrp_state() -> None:
    probes = {"i-director-2": DirectorProbe(vrrp="MASTER", healthy=frozenset({"10.0.0.80"}))}
    status = lab_status(stack="local", outputs=OUTPUTS, machines=MACHINES, alive=ALL - {"i-director-2"}, probes=probes)
    dead = status.machines[1]
    assert (dead.state, dead.vrrp) == ("dead", None)


def test_health_is_unknown_where_no_owner_answers() -> None:
    status = lab_status(stack="local", outputs=OUTPUTS, machines=MACHINES, alive=ALL, probes={})
    assert {machine.health for machine in status.machines} == {None}
