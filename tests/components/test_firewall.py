"""The matrix of who may send what to whom: exactly this, and the resources are the table."""

from components.firewall import inbound_rules
from tests.components.recorded_program import LEAST, run_program
from userdata.values import HealthCheck, Service

ANY = "0.0.0.0/0"
WEB = (Service(),)


def matrix(services: tuple[Service, ...], clients: tuple[str, ...]) -> set[tuple[object, ...]]:
    return {
        (rule.group, rule.protocol, rule.from_port, rule.to_port, rule.from_cidr or rule.from_group)
        for rule in inbound_rules(services, clients)
    }


def test_one_service_for_everybody() -> None:
    assert matrix(WEB, (ANY,)) == {
        ("director", "tcp", 80, 80, ANY),
        ("web-server", "tcp", 80, 80, ANY),
        ("director", "112", None, None, "director"),
        ("director", "udp", 4789, 4789, "director"),
        ("director", "tcp", 0, 65535, "web-server"),
        ("director", "udp", 123, 123, "web-server"),
        ("web-server", "tcp", 80, 80, "director"),
        ("web-server", "udp", 5151, 5153, "director"),
        ("director", "icmp", 3, 4, ANY),
        ("web-server", "icmp", 3, 4, ANY),
    }


def test_clients_reach_services_on_directors_and_web_servers_alike_and_health_checks_do_not_depend_on_them() -> None:
    clients = ("198.51.100.0/24", "203.0.113.0/24")
    rules = matrix((Service(), Service(port=8443)), clients)
    for group in ("director", "web-server"):
        assert {(rule[2], rule[4]) for rule in rules if rule[0] == group and rule[4] in clients} == {
            (port, client) for port in (80, 8443) for client in clients
        }
    assert {rule[2] for rule in rules if rule[:2] == ("web-server", "tcp") and rule[4] == "director"} == {80, 8443}
    assert {rule for rule in rules if rule[4] == ANY} == {
        ("director", "icmp", 3, 4, ANY),
        ("web-server", "icmp", 3, 4, ANY),
    }


def test_vrrp_connection_sync_and_announcements_come_from_directors_only() -> None:
    for rule in inbound_rules(WEB, (ANY,)):
        if rule.protocol == "112" or rule.from_port in (4789, 5151):
            receiver = "web-server" if rule.from_port == 5151 else "director"
            assert (rule.group, rule.from_group, rule.from_cidr) == (receiver, "director", None)
        assert (rule.from_cidr is None) != (rule.from_group is None)


def test_names_do_not_depend_on_the_order_of_lists() -> None:
    services = (Service(), Service(port=443), Service(port=443, protocol="udp"))
    forward = {rule.name for rule in inbound_rules(services, ("10.0.0.0/8", ANY))}
    backward = {rule.name for rule in inbound_rules(services[::-1], (ANY, "10.0.0.0/8"))}
    assert forward == backward
    assert len(forward) == len(list(inbound_rules(services, ("10.0.0.0/8", ANY))))


def test_a_udp_service_is_let_in_and_its_replies_reach_any_director_but_not_where_connections_are_told() -> None:
    dns = Service(port=53, protocol="udp", health_check=HealthCheck(port=80))
    assert matrix((*WEB, dns), ("198.51.100.0/24",)) - matrix(WEB, ("198.51.100.0/24",)) == {
        ("director", "udp", 53, 53, "198.51.100.0/24"),
        ("web-server", "udp", 53, 53, "198.51.100.0/24"),
        ("director", "udp", 0, 4788, "web-server"),
        ("director", "udp", 4790, 65535, "web-server"),
    }


def test_a_health_check_reaches_the_port_it_asks_and_no_other() -> None:
    checks = (HealthCheck(kind="udp"), HealthCheck(kind="tcp", port=443), HealthCheck(port=80))
    for check, expected in zip(checks, (("udp", 53), ("tcp", 443), ("tcp", 80)), strict=True):
        dns = Service(port=53, protocol="udp", health_check=check)
        checked = {rule[1:3] for rule in matrix((dns,), (ANY,)) if rule[0] == "web-server" and rule[4] == "director"}
        assert checked == {expected, ("udp", 5151)}


def test_the_resources_are_the_table() -> None:
    recording = run_program({**LEAST, "lvs-aws:clientCidrs": '["198.51.100.0/24"]'})
    groups = {"id-director": "director", "id-web-server": "web-server"}
    made = {
        (
            groups[one.inputs["securityGroupId"]],
            one.inputs["ipProtocol"],
            one.inputs.get("fromPort"),
            one.inputs.get("toPort"),
            one.inputs.get("cidrIpv4") or groups[one.inputs["referencedSecurityGroupId"]],
        )
        for one in recording.of_type("SecurityGroupIngressRule")
    }
    assert made == matrix(WEB, ("198.51.100.0/24",))
    for one in recording.of_type("SecurityGroup"):  # inline rules and rules of their own undo each other
        assert not {"ingress", "egress", "name"} & set(one.inputs)
    egress = recording.of_type("SecurityGroupEgressRule")
    assert {
        (groups[one.inputs["securityGroupId"]], one.inputs["ipProtocol"], one.inputs["cidrIpv4"]) for one in egress
    } == {
        ("director", "-1", ANY),
        ("web-server", "-1", ANY),
    }


def test_machines_are_in_their_groups() -> None:
    for one in run_program().of_type("Instance"):
        expected = "id-director" if one.name.startswith("director") else "id-web-server"
        assert one.inputs["vpcSecurityGroupIds"] == [expected]
