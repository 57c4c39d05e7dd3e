"""For every rule, changes of one property each of the recorded program that must make exactly that rule speak."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.policy.recorded_stack import Made, Resources, changed, urn_of, with_property

DIRECTOR, WEB_SERVER = ("Instance", "director-1"), ("Instance", "web-1")
CLIENTS = "tcp-80-from-0-0-0-0-0"


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One property of one resource changed.

    `value` may be a function of the old value; `comes_from` are the resources (type, name) the new value is made of;
    None leaves what it was made of.
    """

    rule: str
    of: tuple[str, str]
    path: str
    value: Any
    comes_from: tuple[tuple[str, str], ...] | None = None

    def __str__(self) -> str:
        return f"{self.rule}:{self.of[1]}.{self.path}"

    def done_to(self, resources: Resources) -> Resources:
        urn = urn_of(resources, *self.of)
        sources = None if self.comes_from is None else [urn_of(resources, *one) for one in self.comes_from]

        def change(one: Made) -> Made:
            if self.path == "protect":
                return replace(one, protect=self.value)
            if self.path == "type":
                return replace(one, type=self.value)
            if self.path == "dependencies":
                kept = tuple(each for each in one.dependencies if not each.endswith(f"::{self.value}"))
                return replace(one, dependencies=kept)
            value = self.value(one.inputs.get(self.path)) if callable(self.value) else self.value
            return with_property(one, self.path, value, comes_from=sources)

        return changed(resources, urn, change)


def in_text(old: str, new: str) -> Callable[[str], str]:
    """Put `new` in the place of `old`, which the text must have once."""

    def change(text: str) -> str:
        assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
        return text.replace(old, new)

    return change


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


SCOPE = "arn:aws-test:ec2:eu-central-1:123456789012"


def rights(*, actions: tuple[str, ...] = (), interface: str = "eni-director-1", more: tuple[str, ...] = ()) -> str:
    own = [f"{SCOPE}:network-interface/{interface}", f"{SCOPE}:elastic-ip/eipalloc-elastic-ip", *more]
    actions = ("ec2:AssignPrivateIpAddresses", "ec2:AssociateAddress", *actions)
    return policy({"Effect": "Allow", "Action": list(actions), "Resource": own})


RIGHTS = ("RolePolicy", "director-1")
VIOLATIONS = (
    Violation(rule="role-actions", of=RIGHTS, path="policy", value=rights(actions=("ec2:DescribeAddresses",))),
    Violation(rule="role-actions", of=RIGHTS, path="policy", value=rights(actions=("ec2:*",))),
    Violation(rule="role-actions", of=RIGHTS, path="policy", value=rights(more=(f"{SCOPE}:network-interface/*",))),
    Violation(
        rule="role-actions",
        of=RIGHTS,
        path="policy",
        value=policy(json.loads(rights())["Statement"][0], {"Effect": "Allow", "NotAction": "iam:*", "Resource": []}),
    ),
    Violation(
        rule="role-actions",
        of=RIGHTS,
        path="policy",
        value=policy({"Effect": "Allow", "Action": "ec2:AssociateAddress", "Resource": []}),
    ),
    Violation(rule="role-own-resources", of=RIGHTS, path="policy", value=rights(interface="eni-director-2")),
    Violation(
        rule="role-own-resources",
        of=RIGHTS,
        path="policy",
        value=rights(),
        comes_from=(("Instance", "director-2"), ("Eip", "elastic-ip")),
    ),
    Violation(
        rule="role-trust",
        of=("Role", "director-1"),
        path="assumeRolePolicy",
        value=policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}),
    ),
    Violation(
        rule="role-one-policy",
        of=("Role", "director-1"),
        path="managedPolicyArns",
        value=["arn:aws:iam::aws:policy/AdministratorAccess"],
    ),
    Violation(rule="web-server-without-role", of=WEB_SERVER, path="iamInstanceProfile", value="profile-director-1"),
    Violation(rule="imdsv2-required", of=DIRECTOR, path="metadataOptions.httpTokens", value="optional"),
    Violation(rule="imdsv2-required", of=WEB_SERVER, path="metadataOptions.httpPutResponseHopLimit", value=2.0),
    Violation(rule="imdsv2-required", of=WEB_SERVER, path="metadataOptions", value=None),
    Violation(rule="disk-encrypted", of=WEB_SERVER, path="rootBlockDevice.encrypted", value=False),
    Violation(rule="disk-encrypted", of=DIRECTOR, path="rootBlockDevice", value=None),
    Violation(rule="disk-encrypted", of=DIRECTOR, path="ebsBlockDevices", value=[{"deviceName": "/dev/sdf"}]),
    Violation(rule="source-dest-check", of=DIRECTOR, path="sourceDestCheck", value=True),
    Violation(rule="source-dest-check", of=DIRECTOR, path="sourceDestCheck", value=None),
    Violation(rule="source-dest-check", of=WEB_SERVER, path="sourceDestCheck", value=False),
    Violation(rule="image-pinned", of=WEB_SERVER, path="ami", value="ami-0newer"),
    Violation(rule="elastic-ip-holder", of=("Eip", "elastic-ip"), path="instance", value="id-director-1"),
    Violation(rule="elastic-ip-holder", of=("Eip", "elastic-ip"), path="networkInterface", value="eni-director-1"),
    Violation(
        rule="elastic-ip-association",
        of=("EipAssociation", "director-1"),
        path="allocationId",
        value="eipalloc-elastic-ip",
        comes_from=(("Eip", "elastic-ip"),),
    ),
    Violation(
        rule="elastic-ip-association",
        of=("EipAssociation", "director-1"),
        path="networkInterfaceId",
        value="eni-web-1",
        comes_from=(("Instance", "web-1"),),
    ),
    Violation(
        rule="elastic-ip-association",
        of=("EipAssociation", "director-1"),
        path="privateIpAddress",
        value="10.0.0.100",
    ),
    Violation(rule="secondary-address", of=DIRECTOR, path="secondaryPrivateIps", value=["10.0.0.100"]),
    Violation(rule="director-automatic-address", of=DIRECTOR, path="associatePublicIpAddress", value=False),
    Violation(rule="web-server-public-address", of=WEB_SERVER, path="associatePublicIpAddress", value=True),
    Violation(rule="subnet-public-address", of=("Subnet", "subnet"), path="mapPublicIpOnLaunch", value=True),
    Violation(rule="virtual-ip-in-subnet", of=("Subnet", "subnet"), path="cidrBlock", value="10.0.0.0/26"),
    Violation(
        rule="virtual-ip-reserved",
        of=("SubnetCidrReservation", "virtual-ip"),
        path="cidrBlock",
        value="10.0.0.101/32",
    ),
    Violation(
        rule="virtual-ip-reserved",
        of=("SubnetCidrReservation", "virtual-ip"),
        path="reservationType",
        value="prefix",
    ),
    Violation(rule="virtual-ip-unused", of=WEB_SERVER, path="privateIp", value="10.0.0.100"),
    Violation(
        rule="director-protocols",
        of=("SecurityGroupIngressRule", "director-vrrp"),
        path="cidrIpv4",
        value="10.0.0.0/24",
    ),
    Violation(
        rule="director-protocols",
        of=("SecurityGroupIngressRule", "director-vxlan"),
        path="referencedSecurityGroupId",
        value="id-web-server",
        comes_from=(("SecurityGroup", "web-server"),),
    ),
    Violation(
        rule="director-protocols",
        of=("SecurityGroupIngressRule", "director-ntp-from-web-servers"),
        path="toPort",
        value=5000.0,
    ),
    Violation(
        rule="networks-to-services",
        of=("SecurityGroupIngressRule", f"director-{CLIENTS}"),
        path="toPort",
        value=81.0,
    ),
    Violation(
        rule="networks-to-services",
        of=("SecurityGroupIngressRule", "web-server-fragmentation-needed"),
        path="fromPort",
        value=-1.0,
    ),
    Violation(rule="no-ssh", of=("SecurityGroupIngressRule", f"director-{CLIENTS}"), path="fromPort", value=22.0),
    Violation(
        rule="web-server-admits-clients",
        of=("SecurityGroupIngressRule", f"web-server-{CLIENTS}"),
        path="cidrIpv4",
        value="10.0.0.0/24",
    ),
    Violation(
        rule="web-server-admits-clients",
        of=("SecurityGroupIngressRule", f"web-server-{CLIENTS}"),
        path="cidrIpv4",
        value=None,
    ),
    Violation(rule="no-inline-rules", of=("SecurityGroup", "director"), path="ingress", value=[]),
    Violation(rule="user-data-plain", of=WEB_SERVER, path="userDataBase64", value="IyEvYmluL3No"),
    Violation(rule="user-data-plain", of=DIRECTOR, path="userDataReplaceOnChange", value=False),
    Violation(
        rule="user-data-no-secret",
        of=WEB_SERVER,
        path="userData",
        value=lambda text: f"{text}# AKIAIOSFODNN7EXAMPLE\n",
    ),
    Violation(
        rule="user-data-no-secret",
        of=DIRECTOR,
        path="userData",
        value=in_text('"region": ', '"aws_secret_access_key": "x", "region": '),
    ),
    Violation(
        rule="user-data-no-secret",
        of=WEB_SERVER,
        path="userData",
        value=in_text(
            "write_files:\n", "write_files:\n- path: /etc/x\n  encoding: b64\n  content: cGFzc3dvcmQ6IGh1bnRlcjI=\n"
        ),
    ),
    Violation(rule="user-data-size", of=WEB_SERVER, path="userData", value=lambda text: text + "#" * 16384),
    Violation(rule="known-types", of=("Route", "default-route"), path="type", value="aws:iam/user:User"),
    Violation(
        rule="required-tags",
        of=("RouteTable", "route-table"),
        path="tags",
        value=None,
    ),
    Violation(rule="directors-one-at-a-time", of=("Instance", "director-2"), path="dependencies", value="director-1"),
    Violation(rule="directors-agree", of=DIRECTOR, path="userData", value=in_text("priority 254", "priority 253")),
    Violation(
        rule="directors-agree",
        of=DIRECTOR,
        path="userData",
        value=in_text("virtual_router_id 51", "virtual_router_id 52"),
    ),
    Violation(rule="director-address-as-told", of=DIRECTOR, path="privateIp", value="10.0.0.37"),
)
