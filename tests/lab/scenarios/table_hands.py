"""Somebody else's hands in the account: the virtual IP and its Elastic IP taken away or given to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.failover_causes import Pair
from lab.running import RunningLab
from tests.lab.scenarios.scenario import NOTHING_SECONDS, SINGLE_REQUESTS, Scenario

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import AddressTypeDef

# Measured: 1.6 to 7.0 s. The next look is 7 s away at most; then one call and a remap, or two.
LOOK_AND_REPAIR_SECONDS = 14.0


def _remove(lab: RunningLab, before: Pair) -> None:
    lab.ec2().unassign_private_ip_addresses(
        NetworkInterfaceId=str(before.owner.interface_id), PrivateIpAddresses=[_virtual_ip(lab)]
    )


def _give_to(lab: RunningLab, interface: str | None) -> None:
    lab.ec2().assign_private_ip_addresses(
        NetworkInterfaceId=str(interface), PrivateIpAddresses=[_virtual_ip(lab)], AllowReassignment=True
    )


def _give_to_web_server(lab: RunningLab, _: Pair) -> None:
    _give_to(lab, lab.machine("web-1").interface_id)


def _give_to_other(lab: RunningLab, before: Pair) -> None:
    _give_to(lab, before.other.interface_id)


def _dissociate(lab: RunningLab, _: Pair) -> None:
    lab.ec2().disassociate_address(AssociationId=_elastic_ip(lab)["AssociationId"])


def _associate_elsewhere(lab: RunningLab, _: Pair) -> None:
    web = lab.machine("web-1")
    lab.ec2().associate_address(
        AllocationId=_elastic_ip(lab)["AllocationId"],
        NetworkInterfaceId=str(web.interface_id),
        PrivateIpAddress=web.address,
        AllowReassociation=True,
    )


def _virtual_ip(lab: RunningLab) -> str:
    return str(lab.outputs()["virtualIp"])


def _elastic_ip(lab: RunningLab) -> AddressTypeDef:
    return lab.ec2().describe_addresses(PublicIps=[str(lab.outputs()["elasticIp"])])["Addresses"][0]


SCENARIOS = (
    Scenario(
        name="address-removed",
        text="somebody unassigns the virtual IP",
        act=_remove,
        next_owner="same",
        outage_seconds=LOOK_AND_REPAIR_SECONDS,
    ),
    Scenario(
        name="association-removed",
        text="somebody disassociates the Elastic IP",
        act=_dissociate,
        next_owner="same",
        outage_seconds=LOOK_AND_REPAIR_SECONDS,
        core=True,
    ),
    Scenario(
        name="stolen-by-third-eni",
        text="somebody assigns the virtual IP to a web server's interface",
        act=_give_to_web_server,
        next_owner="same",
        outage_seconds=LOOK_AND_REPAIR_SECONDS,
        core=True,
    ),
    Scenario(
        name="given-to-standby",
        text="somebody assigns the virtual IP to the other director, which is BACKUP",
        act=_give_to_other,
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="elastic-ip-stolen",
        text="somebody associates the Elastic IP with a web server's address",
        act=_associate_elsewhere,
        next_owner="same",
        outage_seconds=LOOK_AND_REPAIR_SECONDS,
    ),
)
