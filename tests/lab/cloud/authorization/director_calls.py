"""The rows of the matrix: calls of a director of the deployed program, and what AWS answers each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from werkzeug.test import Client

from lab.cloud.api import Api
from lab.cloud.corrections.images import LAB_IMAGE_ID
from lab.cloud.local import LocalCloud
from tests.lab.cloud.authorization.conftest import Caller, allow, document
from tests.lab.cloud.authorization.scene import ACCOUNT, TAG, UDP
from tests.lab.cloud.authorization.signing import FORM, signed, signed_post
from tests.lab.cloud.conftest import client

YES = "yes"
DENIED, NOBODY, TOO_LATE = "UnauthorizedOperation 403", "AuthFailure 401", "RequestExpired 400"
NO_IAM, NO_SSM = "AccessDenied 403", "AccessDeniedException 400"


def metadata(http: Client, address: str, path: str) -> tuple[int, str]:
    """What the machine with this address reads from its metadata service, with a session token as it has to."""
    here = {"environ_overrides": {"REMOTE_ADDR": address}}
    token = http.put("/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}, **here).text
    answer = http.get(f"/latest/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token}, **here)
    return answer.status_code, answer.text


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The deployed program; `own` and `peer` are the directors as its outputs show them."""

    cloud: LocalCloud
    ec2: Any
    outputs: dict[str, Any]
    http: Client
    director: Caller
    other: Caller
    own: dict[str, str]
    peer: dict[str, str]

    @property
    def virtual_ip(self) -> str:
        return str(self.outputs["virtualIp"])

    @property
    def service(self) -> str:
        return str(self.outputs["elasticIpAllocationId"])

    def described(self, kind: str, **filters: str) -> dict[str, Any]:
        """The first thing of a kind in the stack's VPC, as the administrator sees it."""
        wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        found = getattr(self.ec2, f"describe_{kind}")(Filters=wanted)
        return next(value for key, value in found.items() if key != "ResponseMetadata")[0]


def director(cloud: LocalCloud, http: Client, shown: dict[str, str]) -> Caller:
    status, role = metadata(http, shown["privateIp"], "iam/security-credentials/")
    assert status == 200
    keys = json.loads(metadata(http, shown["privateIp"], f"iam/security-credentials/{role}")[1])
    return Caller(
        cloud=cloud,
        iam=client(cloud, "iam"),
        kind="role",
        name=role,
        key_id=keys["AccessKeyId"],
        secret=keys["SecretAccessKey"],
        token=keys["Token"],
    )


def assign(s: Stack, to: dict[str, str], address: str | None = None) -> Any:
    return s.director("ec2").assign_private_ip_addresses(
        NetworkInterfaceId=to["interfaceId"],
        PrivateIpAddresses=[address or s.virtual_ip],
        AllowReassignment=True,
    )


def associate(s: Stack, **what: Any) -> Any:
    return s.director("ec2").associate_address(AllowReassociation=True, **what)


def own_elastic_ip(s: Stack, shown: dict[str, str]) -> dict[str, Any]:
    return s.described("addresses", private_ip_address=shown["privateIp"])


def launch(s: Stack) -> Any:
    subnet = s.outputs["subnetId"]
    return s.director("ec2").run_instances(
        ImageId=LAB_IMAGE_ID, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet
    )


def raw(s: Stack, **options: Any) -> Any:
    """A claim signed by hand; `changed` claims for the peer what was signed for oneself."""
    form = "Action=AssignPrivateIpAddresses&Version=2016-11-15&AllowReassignment=true&PrivateIpAddress.1="
    body = f"{form}{s.virtual_ip}&NetworkInterfaceId={s.own['interfaceId']}".encode()
    if options.pop("changed", False):
        options["sent"] = body.replace(s.own["interfaceId"].encode(), s.peer["interfaceId"].encode())
    caller = options.pop("caller", s.director)
    token = options.pop("token", caller.token)
    keys = {"key_id": caller.key_id, "secret": caller.secret, "token": token}
    return _raise(*signed_post(s.cloud.endpoint, body, **keys, **options))


def made_up_key_from_a_machine(s: Stack) -> Any:
    """As it arrives at the API: from the director's public address."""
    body = b"Action=DescribeInstances&Version=2016-11-15"
    headers = signed(host="localhost", body=body, key_id="lab", secret="lab", more=FORM)
    http, public = Client(Api(s.cloud.account, delay_seconds=0.0)), s.own["publicIp"]
    got = http.post("/", data=body, headers=headers, environ_overrides={"REMOTE_ADDR": public})
    return _raise(got.status_code, got.text)


def after_its_end(s: Stack) -> Any:
    """The very session, once it is over."""
    session = s.cloud.account.sts.get_assumed_role_from_access_key(s.other.key_id)
    kept, session.expiration = session.expiration, datetime.now(UTC) - timedelta(seconds=1)
    try:
        return s.other("ec2").assign_private_ip_addresses(
            NetworkInterfaceId=s.peer["interfaceId"], PrivateIpAddresses=[s.virtual_ip], AllowReassignment=True
        )
    finally:
        session.expiration = kept


def _raise(status: int, text: str) -> None:
    if status >= 400:
        found = re.search("<Code>(.*)</Code>", text)
        code = {"Code": found[1] if found else text}
        raise ClientError({"Error": code, "ResponseMetadata": {"HTTPStatusCode": status}}, "raw")


EVIL = document(allow())
Row = tuple[str, Callable[[Stack], Any], str]
CLAIMS: list[Row] = [
    ("assign the virtual IP to its interface", lambda s: assign(s, s.own), YES),
    ("the same again", lambda s: assign(s, s.own), YES),
    ("assign it to the peer's interface", lambda s: assign(s, s.peer), DENIED),
    # Allowed, and refused by EC2 itself: no policy can name the address.
    ("assign an address outside the subnet", lambda s: assign(s, s.own, "10.9.9.9"), "InvalidParameterValue 400"),
    ("assign the peer's primary one", lambda s: assign(s, s.own, s.peer["privateIp"]), "InvalidParameterValue 400"),
    (
        "rehearse: associate with a dry run",
        lambda s: associate(s, AllocationId=s.service, NetworkInterfaceId=s.own["interfaceId"], DryRun=True),
        "DryRunOperation 412",
    ),
    (
        "associate the service's Elastic IP with its interface",
        lambda s: associate(
            s, AllocationId=s.service, NetworkInterfaceId=s.own["interfaceId"], PrivateIpAddress=s.virtual_ip
        ),
        YES,
    ),
    (
        "the same by public address",
        lambda s: associate(
            s,
            PublicIp=s.outputs["elasticIp"],
            NetworkInterfaceId=s.own["interfaceId"],
            PrivateIpAddress=s.virtual_ip,
        ),
        # Allowed, and refused by EC2 itself: in a VPC an Elastic IP goes by its allocation id.
        "InvalidParameterCombination 400",
    ),
    (
        "associate it with the peer's interface",
        lambda s: associate(s, AllocationId=s.service, NetworkInterfaceId=s.peer["interfaceId"]),
        DENIED,
    ),
    (
        "the same with a dry run",
        lambda s: associate(s, AllocationId=s.service, NetworkInterfaceId=s.peer["interfaceId"], DryRun=True),
        DENIED,
    ),
    (
        "associate it with its instance",
        lambda s: associate(s, AllocationId=s.service, InstanceId=s.own["instanceId"]),
        DENIED,
    ),
    (
        "associate the peer's own Elastic IP with its interface",
        lambda s: associate(
            s,
            AllocationId=own_elastic_ip(s, s.peer)["AllocationId"],
            NetworkInterfaceId=s.own["interfaceId"],
        ),
        DENIED,
    ),
    (
        "the same by public address",
        lambda s: associate(s, PublicIp=s.peer["publicIp"], NetworkInterfaceId=s.own["interfaceId"]),
        DENIED,
    ),
    (
        "unassign the virtual IP from its interface",
        lambda s: s.director("ec2").unassign_private_ip_addresses(
            NetworkInterfaceId=s.own["interfaceId"], PrivateIpAddresses=[s.virtual_ip]
        ),
        DENIED,
    ),
    (
        "disassociate the service's Elastic IP",
        lambda s: s.director("ec2").disassociate_address(
            AssociationId=s.described("addresses", allocation_id=s.service)["AssociationId"]
        ),
        DENIED,
    ),
    (
        "disassociate the peer's own",
        lambda s: s.director("ec2").disassociate_address(AssociationId=own_elastic_ip(s, s.peer)["AssociationId"]),
        DENIED,
    ),
    (
        "release the service's Elastic IP",
        lambda s: s.director("ec2").release_address(AllocationId=s.service),
        DENIED,
    ),
    ("allocate an Elastic IP", lambda s: s.director("ec2").allocate_address(Domain="vpc"), DENIED),
]
OTHERS: list[Row] = [
    ("describe instances", lambda s: s.director("ec2").describe_instances(), DENIED),
    ("describe interfaces", lambda s: s.director("ec2").describe_network_interfaces(), DENIED),
    ("describe addresses", lambda s: s.director("ec2").describe_addresses(), DENIED),
    ("launch an instance", launch, DENIED),
    ("stop itself", lambda s: s.director("ec2").stop_instances(InstanceIds=[s.own["instanceId"]]), DENIED),
    ("stop the peer", lambda s: s.director("ec2").stop_instances(InstanceIds=[s.peer["instanceId"]]), DENIED),
    ("reboot the peer", lambda s: s.director("ec2").reboot_instances(InstanceIds=[s.peer["instanceId"]]), DENIED),
    (
        "terminate the peer",
        lambda s: s.director("ec2").terminate_instances(InstanceIds=[s.peer["instanceId"]]),
        DENIED,
    ),
    (
        "turn its source check on",
        lambda s: s.director("ec2").modify_instance_attribute(
            InstanceId=s.own["instanceId"], SourceDestCheck={"Value": True}
        ),
        DENIED,
    ),
    (
        "change the groups of its interface",
        lambda s: s.director("ec2").modify_network_interface_attribute(
            NetworkInterfaceId=s.own["interfaceId"],
            Groups=[s.described("security_groups", vpc_id=s.outputs["vpcId"])["GroupId"]],
        ),
        DENIED,
    ),
    (
        "do without session tokens for metadata",
        lambda s: s.director("ec2").modify_instance_metadata_options(
            InstanceId=s.own["instanceId"], HttpTokens="optional"
        ),
        DENIED,
    ),
    (
        "replace the default route",
        lambda s: s.director("ec2").replace_route(
            RouteTableId=s.described("route_tables", vpc_id=s.outputs["vpcId"])["RouteTableId"],
            DestinationCidrBlock="0.0.0.0/0",
            NetworkInterfaceId=s.own["interfaceId"],
        ),
        DENIED,
    ),
    (
        "open a group",
        lambda s: s.director("ec2").authorize_security_group_ingress(
            GroupId=s.described("security_groups", vpc_id=s.outputs["vpcId"])["GroupId"], IpPermissions=[UDP]
        ),
        DENIED,
    ),
    (
        "tag itself",
        lambda s: s.director("ec2").create_tags(Resources=[s.own["instanceId"]], Tags=[TAG]),
        DENIED,
    ),
    (
        "make an interface",
        lambda s: s.director("ec2").create_network_interface(SubnetId=s.outputs["subnetId"]),
        DENIED,
    ),
    ("read its role", lambda s: s.director("iam").get_role(RoleName=s.director.name), NO_IAM),
    (
        "give itself more rights",
        lambda s: s.director("iam").put_role_policy(RoleName=s.director.name, PolicyName="evil", PolicyDocument=EVIL),
        NO_IAM,
    ),
    ("make a user", lambda s: s.director("iam").create_user(UserName="evil"), NO_IAM),
    (
        "ask what it may do",
        lambda s: s.director("iam").simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/{s.director.name}", ActionNames=["ec2:RunInstances"]
        ),
        NO_IAM,
    ),
    (
        "take the peer's role",
        lambda s: s.director("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{s.other.name}", RoleSessionName="evil"
        ),
        NO_IAM,
    ),
    ("read a parameter", lambda s: s.director("ssm").get_parameter(Name="/a"), NO_SSM),
    (
        "run a command on the peer",
        lambda s: s.director("ssm").send_command(InstanceIds=[s.peer["instanceId"]], DocumentName="AWS-RunShellScript"),
        NO_SSM,
    ),
    ("ask who it is", lambda s: s.director("sts").get_caller_identity(), YES),
    (
        "claim in another region",
        lambda s: raw(s, region="eu-west-1"),
        DENIED,
    ),
    ("claim, signed by hand", lambda s: raw(s), YES),
    ("with another secret", lambda s: raw(s, caller=replace(s.director, secret=s.other.secret)), NOBODY),
    ("with the peer's session token", lambda s: raw(s, token=s.other.token), NOBODY),
    ("without a session token", lambda s: raw(s, token=None), NOBODY),
    ("with an unsigned session token", lambda s: raw(s, left_out=("x-amz-security-token",)), NOBODY),
    ("with a key that looks like a session's", lambda s: raw(s, caller=replace(s.director, key_id="ASIAEVIL")), NOBODY),
    ("with a body changed on the way", lambda s: raw(s, changed=True), NOBODY),
    ("signed six minutes ago", lambda s: raw(s, when=datetime.now(UTC) - timedelta(minutes=6)), TOO_LATE),
    ("signed six minutes from now", lambda s: raw(s, when=datetime.now(UTC) + timedelta(minutes=6)), TOO_LATE),
    ("after its session's end", after_its_end, TOO_LATE),
    ("with a key made up on a machine", made_up_key_from_a_machine, NOBODY),
]
