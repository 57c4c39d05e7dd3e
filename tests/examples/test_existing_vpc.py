"""The example that brings its VPC along: nothing of a VPC is made, all else is as in the project's own stack."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.components.recorded_program import IMAGE, LEAST, ROOT, Recording, run_program

EXAMPLE = ROOT / "examples/existing-vpc"
SETTINGS: dict[str, Any] = {
    "vpcCidr": "10.20.0.0/16",
    "subnetCidr": "10.20.4.0/24",
    "virtualIp": "10.20.4.100",
    "directors": [{"address": "10.20.4.36", "priority": 254}, {"address": "10.20.4.56", "priority": 253}],
    "webServers": [{"address": "10.20.4.80"}],
    "imageId": IMAGE,
}
CONFIG = {
    "aws:region": "eu-central-1",
    "aws:skipMetadataApiCheck": "true",  # the default provider's: not this program's business
    "shop:vpcId": "vpc-1",
    "shop:subnetId": "subnet-1",
    "shop:loadBalancer": json.dumps(SETTINGS),
}
NETWORK = {"Vpc", "InternetGateway", "Subnet", "RouteTable", "Route", "RouteTableAssociation"}


def run(
    config: Mapping[str, str] = CONFIG, *, preview: bool = False, secret: tuple[str, ...] = (), **more: Any
) -> Recording:
    return run_program(
        config, preview=preview, secret_keys=secret, main=EXAMPLE / "__main__.py", project="shop", **more
    )


def kinds(recording: Recording) -> list[str]:
    return sorted(one.type.rpartition(":")[2] for one in recording.resources)


def test_it_makes_what_the_project_makes_but_the_network() -> None:
    web_servers = json.dumps([{"address": "10.0.0.80"}])
    whole = kinds(run_program({**LEAST, "lvs-aws:webServers": web_servers}))
    assert kinds(run()) == [kind for kind in whole if kind not in NETWORK]


@pytest.mark.parametrize("preview", [True, False])
def test_everything_is_in_the_vpc_and_the_subnet_it_was_given(preview: bool) -> None:
    recording = run(preview=preview)
    assert {one.inputs["subnetId"] for one in recording.of_type("Instance")} == {"subnet-1"}
    assert {one.inputs["vpcId"] for one in recording.of_type("SecurityGroup")} == {"vpc-1"}
    reservation = recording.one("SubnetCidrReservation", "virtual-ip").inputs
    assert (reservation["subnetId"], reservation["cidrBlock"]) == ("subnet-1", "10.20.4.100/32")
    assert "10.20.4.0/24" in recording.one("Instance", "director-1").inputs["userData"]
    assert (recording.outputs["vpcId"], recording.outputs["subnetId"]) == ("vpc-1", "subnet-1")
    assert recording.one("Instance", "web-1").inputs["tags"]["Name"] == "shop-dev-web-1"
    firewall = {rule.urn for rule in recording.of_type("SecurityGroupIngressRule")}
    for one in recording.of_type("Instance"):
        assert firewall <= set(one.request.dependencies)
    assert recording.one("RolePolicy", "director-1").urn in recording.one("Instance", "director-2").request.dependencies


def refusal(config: Mapping[str, str], secret: tuple[str, ...] = ()) -> str:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as caught:
        run(config, secret=secret, recording=recording)
    assert {one.type for one in recording.registrations} <= {"pulumi:pulumi:Stack"}
    return str(caught.value)


def test_faults_are_named_by_their_place_in_this_programs_config() -> None:
    wrong = json.dumps({**SETTINGS, "virtualIp": "10.20.4.36", "vrrp": {"routerID": 5}})
    text = refusal({**CONFIG, "shop:loadBalancer": wrong, "aws:region": "here"})
    assert text.splitlines()[0] == "the config of stack dev has 3 faults, so nothing was begun:"
    assert '\n  shop:loadBalancer.virtualIp = "10.20.4.36": ' in text
    assert "\n  shop:loadBalancer.vrrp.routerID = 5: unknown key; did you mean routerId?" in text
    assert '\n  aws:region = "here": ' in text


@pytest.mark.parametrize("given", [{}, {"shop:loadBalancer": "10.20.4.100"}])
def test_the_settings_must_be_there_and_an_object(given: dict[str, str]) -> None:
    rest = {key: value for key, value in CONFIG.items() if key != "shop:loadBalancer"}
    (_, fault) = refusal({**rest, **given}).splitlines()
    assert fault.startswith("  shop:loadBalancer = ")
    assert fault.endswith("must be an object")


def test_secret_settings_are_refused_and_not_shown() -> None:
    text = refusal(CONFIG, ("shop:loadBalancer",))
    assert 'shop:loadBalancer = "[secret]": must not be secret' in text
    assert "10.20" not in text


PROGRAM = """
import pulumi, pulumi_aws as aws
from components.component import Naming
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.network import ExistingNetwork
from components.settings import settings_from

vpc = aws.ec2.Vpc("my-vpc", cidr_block="10.0.0.0/16")
subnet = aws.ec2.Subnet("my-subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/24")
gateway = aws.ec2.InternetGateway("my-gateway", vpc_id=vpc.id)
route = aws.ec2.Route("my-route", route_table_id=vpc.main_route_table_id, gateway_id=gateway.id)
LoadBalancer(
    "load-balancer",
    args=LoadBalancerArgs(
        naming=Naming(project="own", stack="test"),
        settings=settings_from({"aws:region": "eu-central-1", "imageId": "ami-0123456789abcdef0"}),
        network=ExistingNetwork(vpc_id=vpc.id, subnet_id=subnet.id, after=(route,)),
    ),
)
"""


def test_a_program_may_make_the_network_itself_and_have_machines_wait_for_its_route(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(PROGRAM)
    recording = run_program({}, main=tmp_path / "__main__.py", project="own")
    route = recording.one("Route", "my-route").urn
    machines = recording.of_type("Instance")
    assert len(machines) == 4
    for one in machines:
        assert one.inputs["subnetId"] == "id-my-subnet"
        assert route in one.request.dependencies
    # Its own provider settings do as well: the component brings none.
    assert not recording.of_type("Network")
    assert not [one for one in recording.registrations if one.type == "pulumi:providers:aws"]


def test_the_project_file_describes_what_the_program_reads() -> None:
    project = yaml.safe_load((EXAMPLE / "Pulumi.yaml").read_text())
    assert project["name"] == "shop"
    assert {f"shop:{key}" for key in project["config"]} == {key for key in CONFIG if key.startswith("shop:")}
    readme = (EXAMPLE / "README.md").read_text()
    for key in project["config"]:
        assert f"pulumi config set {key} " in readme or f"pulumi config set --path {key}." in readme


@pytest.mark.cloud
def test_it_lives_and_dies_in_a_vpc_that_stays(tmp_path: Path) -> None:
    """Through the lab's engine, against an EC2 that refuses what EC2 refuses."""
    import boto3

    from lab.cloud.corrections.images import LAB_IMAGE_ID
    from lab.cloud.local import local_cloud
    from lab.engine.deploy import deploy, destroy
    from lab.provider import AwsProvider
    from lab.stack.project import load_project

    with local_cloud() as cloud:
        session = boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab", region_name="us-east-1")
        ec2 = session.client("ec2", endpoint_url=cloud.endpoint)
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.4.0/24")["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
        table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
        ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

        project = load_project(EXAMPLE)
        settings = json.dumps({**SETTINGS, "imageId": LAB_IMAGE_ID})
        given = ["aws:region=us-east-1", f"vpcId={vpc}", f"subnetId={subnet}", f"loadBalancer={settings}"]
        config, provider, state = (
            project.stack("dev", project.overrides(given)),
            AwsProvider(endpoint_url=cloud.endpoint),
            tmp_path / "s",
        )
        up = deploy(project, config, provider, state)
        reservations = ec2.describe_instances(Filters=[{"Name": "subnet-id", "Values": [subnet]}])["Reservations"]
        machines = {one["PrivateIpAddress"] for each in reservations for one in each["Instances"]}
        assert machines == {"10.20.4.36", "10.20.4.56", "10.20.4.80"}
        assert (up.outputs["vpcId"], up.outputs["subnetId"]) == (vpc, subnet)
        schema = json.loads((ROOT / "docs/outputs.schema.json").read_text())
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(up.outputs)
        assert not deploy(project, config, provider, state).changed
        destroy(project, config, provider, state)
        assert [one["VpcId"] for one in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]] == [vpc]
        assert ec2.describe_addresses()["Addresses"] == []
        assert len(ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]) == 1
