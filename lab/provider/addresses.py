"""Elastic IPs and their associations."""

from __future__ import annotations

from typing import Any

from lab.engine.contract import Properties
from lab.names import internal_name, public_name
from lab.provider.account import Account, absent, given, only, tag_specifications, tags_of
from lab.provider.registry import Property, ResourceType, Work

HOLDERS = {
    "instance": "InstanceId",
    "networkInterface": "NetworkInterfaceId",
    "associateWithPrivateIp": "PrivateIpAddress",
}


def _allocate(work: Work) -> str:
    made = work.account.ec2.allocate_address(Domain="vpc", **tag_specifications(work.tags, "elastic-ip"))
    return made["AllocationId"]


def _associate_declared(work: Work, id_: str) -> None:
    """Associate it where the program says with what. Where it does not, the holder is somebody else's business."""
    holder = {theirs: work.inputs[ours] for ours, theirs in HOLDERS.items() if work.inputs.get(ours)}
    if not holder:
        return
    address: Any = _address(work.account, id_) or {}
    if any(address.get(key) != value for key, value in holder.items()):
        work.account.ec2.associate_address(AllocationId=id_, AllowReassociation=True, **holder)


def _address(account: Account, id_: str) -> dict[str, Any] | None:
    with absent("InvalidAllocationID.NotFound"):
        return only(account.ec2.describe_addresses(AllocationIds=[id_])["Addresses"])
    return None


def _read(account: Account, id_: str, inputs: Properties) -> Properties | None:
    address = _address(account, id_)
    if address is None:
        return None
    private = address.get("PrivateIpAddress", "")
    return {
        "address": None,
        "allocationId": id_,
        "arn": account.arn(f"elastic-ip/{id_}"),
        "associateWithPrivateIp": inputs.get("associateWithPrivateIp"),
        "associationId": address.get("AssociationId", ""),
        "carrierIp": "",
        "customerOwnedIp": "",
        "customerOwnedIpv4Pool": "",
        "domain": address.get("Domain", "vpc"),
        "instance": address.get("InstanceId", ""),
        "ipamPoolId": None,
        "networkBorderGroup": address.get("NetworkBorderGroup", account.region),
        "networkInterface": address.get("NetworkInterfaceId", ""),
        "privateDns": internal_name(private, account.region) if private else None,
        "privateIp": private,
        "ptrRecord": "",
        "publicDns": public_name(address["PublicIp"], account.region),
        "publicIp": address["PublicIp"],
        "publicIpv4Pool": address.get("PublicIpv4Pool", "amazon"),
        "tagsAll": tags_of(address),
    }


def _release(work: Work, id_: str) -> None:
    """Like the real provider: disassociate the association of the state only, then release."""
    if association := work.outputs.get("associationId"):
        with absent("InvalidAssociationID.NotFound"):
            work.account.ec2.disassociate_address(AssociationId=association)
    gone = ["InvalidAllocationID.NotFound"]
    work.account.release(lambda: work.account.ec2.release_address(AllocationId=id_), gone=gone)


def _associate(work: Work) -> str:
    inputs = work.inputs
    made = work.account.ec2.associate_address(
        **given(
            AllocationId=inputs.get("allocationId"),
            PublicIp=inputs.get("publicIp"),
            InstanceId=inputs.get("instanceId"),
            NetworkInterfaceId=inputs.get("networkInterfaceId"),
            PrivateIpAddress=inputs.get("privateIpAddress"),
            AllowReassociation=inputs.get("allowReassociation"),
        )
    )
    return made["AssociationId"]


def _read_association(account: Account, id_: str, inputs: Properties) -> Properties | None:
    associated: Any = {"Name": "association-id", "Values": [id_]}
    address = only(account.ec2.describe_addresses(Filters=[associated])["Addresses"])
    if address is None:
        return None
    return {
        "allocationId": address["AllocationId"],
        "allowReassociation": inputs.get("allowReassociation"),
        "instanceId": address.get("InstanceId", ""),
        "networkInterfaceId": address.get("NetworkInterfaceId", ""),
        "privateIpAddress": address.get("PrivateIpAddress", ""),
        "publicIp": address["PublicIp"],
    }


def _disassociate(work: Work, id_: str) -> None:
    with absent("InvalidAssociationID.NotFound"):
        work.account.ec2.disassociate_address(AssociationId=id_)


COMPUTED_FORCES_NEW = Property(replace=True, computed=True)

TYPES = (
    ResourceType(
        token="aws:ec2/eip:Eip",  # noqa: S106 - a type's name
        inputs={
            "domain": COMPUTED_FORCES_NEW,
            # Unset means that whoever holds it is no drift: the directors move the service's address.
            "instance": Property(computed=True),
            "networkInterface": Property(computed=True),
            "associateWithPrivateIp": Property(),
        },
        create=_allocate,
        ready=_associate_declared,
        read=_read,
        update=lambda _work, _id, _changed: None,
        updates=frozenset(HOLDERS),
        delete=_release,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/eipAssociation:EipAssociation",  # noqa: S106
        inputs={
            "allocationId": COMPUTED_FORCES_NEW,
            "publicIp": COMPUTED_FORCES_NEW,
            "instanceId": COMPUTED_FORCES_NEW,
            "networkInterfaceId": COMPUTED_FORCES_NEW,
            "privateIpAddress": COMPUTED_FORCES_NEW,
            "allowReassociation": Property(replace=True),
        },
        create=_associate,
        read=_read_association,
        delete=_disassociate,
    ),
)
