"""The unmodified program under recording mocks: what it registers, with which options, in preview and in an update."""

import json
from typing import Any

import pulumi
import pytest

from tests.components.recorded_program import ACCOUNT, IMAGE, LEAST, UNKNOWN, Recording, run_program

# Types whose real counterparts have no tags.
UNTAGGED = {
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
    "aws:ec2/eipAssociation:EipAssociation",
    "aws:iam/rolePolicy:RolePolicy",
}
DIRECTORS = {"director-1": "10.0.0.36", "director-2": "10.0.0.56"}
WEB_SERVERS = {"web-1": "10.0.0.80", "web-2": "10.0.0.194"}


@pytest.fixture
def update() -> Recording:
    return run_program()


@pytest.fixture(params=[True, False], ids=["preview", "update"])
def either(request: pytest.FixtureRequest) -> Recording:
    return run_program(preview=request.param)


def test_it_makes_this_and_nothing_else(either: Recording) -> None:
    assert sorted(f"{one.type.rpartition(':')[2]} {one.name}" for one in either.resources) == sorted(
        [
            "Vpc vpc",
            "InternetGateway internet-gateway",
            "Subnet subnet",
            "RouteTable route-table",
            "Route default-route",
            "RouteTableAssociation route-table-association",
            "Eip elastic-ip",
            "SubnetCidrReservation virtual-ip",
            *(f"SecurityGroup {name}" for name in ("director", "web-server")),
            *(f"SecurityGroupEgressRule {name}-egress" for name in ("director", "web-server")),
            *(
                f"SecurityGroupIngressRule {name}"
                for name in (
                    "director-tcp-80-from-0-0-0-0-0",
                    "director-fragmentation-needed",
                    "director-vrrp",
                    "director-vxlan",
                    "director-tcp-from-web-servers",
                    "director-ntp-from-web-servers",
                    "web-server-tcp-80-from-0-0-0-0-0",
                    "web-server-fragmentation-needed",
                    "web-server-announcements",
                    "web-server-tcp-80-from-directors",
                )
            ),
            *(f"{kind} {name}" for name in DIRECTORS for kind in ("Role", "InstanceProfile", "RolePolicy")),
            *(f"{kind} {name}" for name in DIRECTORS for kind in ("Instance", "Eip", "EipAssociation")),
            *(f"Instance {name}" for name in WEB_SERVERS),
        ]
    )


def test_every_resource_has_a_component_for_parent_and_the_explicit_provider(either: Recording) -> None:
    assert len(either.of_type("aws")) == 1
    urns = {one.urn: one for one in either.registrations}
    for one in either.resources:
        assert urns[one.request.parent].type.startswith("lvs-aws:components:"), one.name
        assert "pulumi:providers:aws::aws::" in one.request.provider, one.name
        assert one.request.version == "7.51.1", one.name


def test_every_component_says_its_outputs_and_only_the_outermost_hangs_on_the_stack(update: Recording) -> None:
    components = [one for one in update.registrations if one.type.startswith("lvs-aws:")]
    assert {one.urn for one in components} <= set(update.component_outputs)
    on_stack = [one.name for one in components if "pulumi:pulumi:Stack::" in one.request.parent]
    assert on_stack == ["load-balancer"]


def test_everything_that_has_tags_has_a_name_and_the_default_tags(either: Recording) -> None:
    (provider,) = either.of_type("aws")
    assert json.loads(provider.inputs["defaultTags"]) == {
        "tags": {"Project": "lvs-aws", "Stack": "dev", "ManagedBy": "pulumi"}
    }
    for one in either.resources:
        name = one.inputs.get("tags", {}).get("Name")
        assert (name == f"lvs-aws-dev-{one.name}") != (one.type in UNTAGGED), one.name


def test_own_tags_and_account_reach_the_provider() -> None:
    recording = run_program(
        {
            **LEAST,
            "lvs-aws:tags": '{"Team": "web"}',
            "aws:profile": "work",
            "aws:allowedAccountIds": f'["{ACCOUNT}"]',
        },
        stack="prod",
    )
    (provider,) = recording.of_type("aws")
    assert provider.inputs["region"] == "eu-central-1"
    assert provider.inputs["profile"] == "work"
    assert json.loads(provider.inputs["allowedAccountIds"]) == [ACCOUNT]
    assert json.loads(provider.inputs["defaultTags"])["tags"] == {
        "Team": "web",
        "Project": "lvs-aws",
        "Stack": "prod",
        "ManagedBy": "pulumi",
    }


def test_directors_route_and_web_servers_do_not(either: Recording) -> None:
    for name, address in {**DIRECTORS, **WEB_SERVERS}.items():
        inputs = either.one("Instance", name).inputs
        assert inputs["sourceDestCheck"] is (name not in DIRECTORS)
        assert inputs["privateIp"] == address
        assert inputs["ami"] == IMAGE
        assert inputs["instanceType"] == "t3.micro"
        assert inputs["tags"]["Role"] == ("director" if name in DIRECTORS else "web-server")


def test_machines_are_locked_down(either: Recording) -> None:
    for one in either.of_type("Instance"):
        assert one.inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
            "instanceMetadataTags": "enabled",
        }
        assert one.inputs["rootBlockDevice"]["encrypted"] is True
        assert "keyName" not in one.inputs
        assert ("iamInstanceProfile" in one.inputs) is (one.name in DIRECTORS)


def test_what_moves_is_declared_nowhere(either: Recording) -> None:
    """A failover must be no drift: nobody holds the virtual IP or the service's Elastic IP, no public-IP argument."""
    for one in either.of_type("Instance"):
        assert not {
            "associatePublicIpAddress",
            "secondaryPrivateIps",
            "networkInterfaces",
            "primaryNetworkInterface",
        } & set(one.inputs)
    assert either.one("Subnet", "subnet").inputs["mapPublicIpOnLaunch"] is False
    for one in either.of_type("Eip"):
        assert set(one.inputs) == {"domain", "tags"}
    assert not either.of_type("NetworkInterface")
    holders = [
        (one.type, key)
        for one in either.resources
        for key, value in one.inputs.items()
        if "10.0.0.100" in json.dumps(value) and key != "userData"
    ]
    assert holders == [("aws:ec2/subnetCidrReservation:SubnetCidrReservation", "cidrBlock")]


def test_only_the_directors_own_elastic_ips_are_associated(update: Recording) -> None:
    assert {one.name: dict(one.inputs) for one in update.of_type("EipAssociation")} == {
        name: {
            "allocationId": f"eipalloc-{name}",
            "networkInterfaceId": f"eni-{name}",
            "privateIpAddress": address,
        }
        for name, address in DIRECTORS.items()
    }


def test_the_virtual_ip_is_reserved(update: Recording) -> None:
    inputs = update.one("SubnetCidrReservation", "virtual-ip").inputs
    assert (inputs["cidrBlock"], inputs["reservationType"], inputs["subnetId"]) == (
        "10.0.0.100/32",
        "explicit",
        "id-subnet",
    )


def test_the_default_route_leads_to_the_internet(update: Recording) -> None:
    route = update.one("Route", "default-route").inputs
    assert route["destinationCidrBlock"] == "0.0.0.0/0"
    assert route["gatewayId"] == "id-internet-gateway"
    association = update.one("RouteTableAssociation", "route-table-association").inputs
    assert (association["subnetId"], association["routeTableId"]) == ("id-subnet", route["routeTableId"])


@pytest.mark.parametrize("name", DIRECTORS)
def test_a_director_may_pull_to_itself_and_nothing_else(update: Recording, name: str) -> None:
    policy = update.one("RolePolicy", name)
    assert policy.inputs["role"] == f"role-{name}"
    assert update.one("InstanceProfile", name).inputs["role"] == f"role-{name}"
    assert update.one("Instance", name).inputs["iamInstanceProfile"] == f"profile-{name}"
    scope = f"arn:aws-test:ec2:eu-central-1:{ACCOUNT}"
    allowed = {
        (action, resource)
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
        if statement["Effect"] == "Allow"
    }
    assert allowed == {
        ("ec2:AssignPrivateIpAddresses", f"{scope}:network-interface/eni-{name}"),
        ("ec2:AssociateAddress", f"{scope}:network-interface/eni-{name}"),
        ("ec2:AssociateAddress", f"{scope}:elastic-ip/eipalloc-elastic-ip"),
    }
    trust = json.loads(update.one("Role", name).inputs["assumeRolePolicy"])["Statement"]
    assert [(one["Action"], one["Principal"]) for one in trust] == [
        ("sts:AssumeRole", {"Service": "ec2.amazonaws.com"})
    ]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_directors_are_replaced_one_after_the_other(update: Recording) -> None:
    """All that is the first director's stands before the second is touched; web servers wait for neither."""
    requests = {one.name: one.request for one in update.of_type("Instance")}
    firsts = {
        update.one(kind, "director-1").urn
        for kind in ("Instance", "Eip", "EipAssociation", "RolePolicy", "Role", "InstanceProfile")
    }
    assert firsts <= set(requests["director-2"].dependencies)
    for name in ("director-1", *WEB_SERVERS):
        assert not {urn for urn in requests[name].dependencies if "Instance::" in urn}
    # By depends_on alone: a property of the first in the second would take both down in one step.
    for dependencies in requests["director-2"].propertyDependencies.values():
        assert not set(dependencies.urns) & firsts
    for request in requests.values():
        assert request.deleteBeforeReplace


def test_machines_wait_for_network_and_firewall_and_die_before_the_elastic_ip(update: Recording) -> None:
    for one in update.of_type("Instance"):
        dependencies = set(one.request.dependencies)
        assert update.one("Route", "default-route").urn in dependencies
        assert update.one("RouteTableAssociation", "route-table-association").urn in dependencies
        assert {rule.urn for rule in update.of_type("SecurityGroupIngressRule")} <= dependencies
        assert (update.one("Eip", "elastic-ip").urn in dependencies) is (one.name in DIRECTORS)


def test_user_data_is_literal_and_what_the_renderer_makes(either: Recording) -> None:
    from components.settings import settings_from
    from userdata.render import director_user_data, web_server_user_data

    balancer = settings_from({"aws:region": "eu-central-1", "imageId": IMAGE}).load_balancer
    expected = {
        **{one.name: director_user_data(balancer, one) for one in balancer.directors},
        **{one.name: web_server_user_data(balancer, one) for one in balancer.web_servers},
    }
    assert {one.name: one.inputs["userData"] for one in either.of_type("Instance")} == expected
    for one in either.of_type("Instance"):
        assert one.inputs["userDataReplaceOnChange"] is True
        assert UNKNOWN not in one.inputs["userData"]


def test_ids_reach_a_director_by_its_tags() -> None:
    tags = {name: run_program().one("Instance", name).inputs["tags"] for name in DIRECTORS}
    assert {name: tag["ElasticIpAllocationId"] for name, tag in tags.items()} == dict.fromkeys(
        DIRECTORS, "eipalloc-elastic-ip"
    )
    assert run_program(preview=True).one("Instance", "director-1").inputs["tags"]["ElasticIpAllocationId"] == UNKNOWN


@pytest.mark.parametrize("protect", [True, False])
def test_protect_guards_what_cannot_be_had_again(protect: bool) -> None:
    recording = run_program({**LEAST, "lvs-aws:protect": str(protect).lower()})
    protected = {one.name for one in recording.registrations if one.request.protect}
    assert protected == ({"elastic-ip", "vpc", "subnet"} if protect else set())


def test_nothing_is_imported_or_kept_and_only_what_must_not_change_at_once_is_ignored(either: Recording) -> None:
    ignored = {}
    for one in either.resources:
        request = one.request
        assert not (request.importId or request.retainOnDelete or request.aliases), one.name
        if request.ignoreChanges:
            ignored[one.name] = tuple(request.ignoreChanges)
    # As the wire has them: names of inputs as the SDK translates them.
    held = ("ami", "instanceType", "subnetId", "privateIp", "userData")
    assert ignored == {
        "vpc": ("cidrBlock",),
        "subnet": ("cidrBlock", "availabilityZone"),
        "virtual-ip": ("cidrBlock",),
        "director-1": held,
        "director-2": held,
    }


@pytest.mark.parametrize(
    ("rollout", "held"),
    [
        ([], {"director-1", "director-2", "web-1", "web-2"}),
        (["director-2"], {"director-1", "web-1", "web-2"}),
        (["director-1", "web-*"], {"director-2"}),
        (["web-2"], {"director-1", "director-2", "web-1"}),
    ],
)
def test_only_named_machines_take_a_new_configuration(rollout: list[str], held: set[str]) -> None:
    recording = run_program({**LEAST, "lvs-aws:rollout": json.dumps(rollout)})
    assert {one.name for one in recording.of_type("Instance") if one.request.ignoreChanges} == held


def test_a_planned_director_is_a_peer_and_not_a_machine() -> None:
    third = {"address": "10.0.0.57", "priority": 252}
    two = [{"address": "10.0.0.36", "priority": 254}, {"address": "10.0.0.56", "priority": 253}]
    recordings = [
        run_program({**LEAST, "lvs-aws:directors": json.dumps([*two, director])})
        for director in ({**third, "planned": True}, third)
    ]
    texts = [[one.inputs["userData"] for one in recording.of_type("Instance")] for recording in recordings]
    assert [len(each) for each in texts] == [4, 5]
    # Nothing changes for the others when it is made: they counted with it.
    assert set(texts[0]) < set(texts[1])
    assert "10.0.0.57" in recordings[0].one("Instance", "director-1").inputs["userData"]
    assert [one["name"] for one in recordings[0].outputs["directors"]] == ["director-1", "director-2"]


def test_outputs(update: Recording) -> None:
    assert update.outputs == {
        "outputsVersion": 1,
        "url": "http://public-ip-of-elastic-ip/",
        "services": [{"port": 80, "protocol": "tcp", "url": "http://public-ip-of-elastic-ip/"}],
        "region": "eu-central-1",
        "elasticIp": "public-ip-of-elastic-ip",
        "elasticIpAllocationId": "eipalloc-elastic-ip",
        "virtualIp": "10.0.0.100",
        "directors": [
            {
                "name": name,
                "instanceId": f"id-{name}",
                "privateIp": address,
                "publicIp": f"public-ip-of-{name}",
                "interfaceId": f"eni-{name}",
            }
            for name, address in DIRECTORS.items()
        ],
        "webServers": [
            {"name": name, "instanceId": f"id-{name}", "privateIp": address} for name, address in WEB_SERVERS.items()
        ],
        "pendingMachines": [],
        "imageId": IMAGE,
        "vpcId": "id-vpc",
        "subnetId": "id-subnet",
    }


@pytest.mark.parametrize(
    ("port", "url"), [(443, "https://public-ip-of-elastic-ip/"), (8080, "http://public-ip-of-elastic-ip:8080/")]
)
def test_the_url_is_that_of_the_first_service(port: int, url: str) -> None:
    udp = {"port": port, "protocol": "udp", "healthCheck": {"port": 80}}
    services = json.dumps([{"port": port, "healthCheck": {"kind": "tcp"}}, {"port": 80}, udp])
    outputs = run_program({**LEAST, "lvs-aws:services": services}).outputs
    assert outputs["url"] == url
    assert outputs["services"] == [
        {"port": port, "protocol": "tcp", "url": url},
        {"port": 80, "protocol": "tcp", "url": "http://public-ip-of-elastic-ip/"},
        {"port": port, "protocol": "udp", "url": f"udp://public-ip-of-elastic-ip:{port}"},
    ]


@pytest.mark.parametrize("preview", [True, False])
def test_an_image_is_looked_up_only_when_asked_for(preview: bool) -> None:
    assert run_program(preview=preview).invokes == []
    recording = run_program({"aws:region": "eu-central-1", "lvs-aws:imageName": "debian-13-amd64-*"}, preview=preview)
    ((token, args, provider),) = recording.invokes
    assert token == "aws:ec2/getAmi:getAmi"
    assert args["owners"] == ["136693071363"]
    assert args["mostRecent"] is True
    assert {one["name"]: one["values"] for one in args["filters"]} == {
        "name": ["debian-13-amd64-*"],
        "state": ["available"],
    }
    assert "pulumi:providers:aws::aws::" in provider
    assert {one.inputs["ami"] for one in recording.of_type("Instance")} == {"ami-found"}
    assert recording.outputs["imageId"] == "ami-found"


def test_more_machines_are_named_in_their_order() -> None:
    config = {
        **LEAST,
        "lvs-aws:directors": json.dumps([{"address": f"10.0.0.{n}", "priority": n} for n in (21, 22, 23)]),
        "lvs-aws:webServers": json.dumps([{"address": f"10.0.0.{n}"} for n in (31, 32, 33)]),
        "lvs-aws:availabilityZone": "eu-central-1b",
    }
    recording = run_program(config)
    addresses: dict[str, Any] = {one.name: one.inputs["privateIp"] for one in recording.of_type("Instance")}
    assert addresses == {
        **{f"director-{n}": f"10.0.0.2{n}" for n in (1, 2, 3)},
        **{f"web-{n}": f"10.0.0.3{n}" for n in (1, 2, 3)},
    }
    third = set(recording.one("Instance", "director-3").request.dependencies)
    assert recording.one("RolePolicy", "director-2").urn in third
    assert recording.one("Subnet", "subnet").inputs["availabilityZone"] == "eu-central-1b"


def test_a_bad_config_registers_nothing_but_the_stack() -> None:
    recording = Recording()
    config = {**LEAST, "lvs-aws:virtualIp": "10.0.0.36", "lvs-aws:forwardingMode": "DR"}
    with pytest.raises(pulumi.RunError) as caught:
        run_program(config, recording=recording)
    assert {one.type for one in recording.registrations} <= {"pulumi:pulumi:Stack"}
    assert recording.invokes == []
    text = str(caught.value)
    assert text.startswith("the config of stack dev has 2 faults, so nothing was begun:\n")
    assert 'lvs-aws:virtualIp = "10.0.0.36"' in text
    assert 'lvs-aws:forwardingMode = "DR"' in text
