"""Elastic IPs and their associations."""

from __future__ import annotations

from typing import Any

from lab.names import internal_name, public_name
from lab.protocol.contract import Properties
from lab.provider.account import Account, absent, given, only, tag_specifications, tags_of
from lab.provider.registry import ResourceType, Work
from lab.provider.schema import addresses as schema

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
    work.wait(id_, "allocated", lambda: "gone" if _address(work.account, id_) is None else "allocated")
    holder = {theirs: work.inputs[ours] for ours, theirs in HOLDERS.items() if work.inputs.get(ours)}
    if not holder:
        return

    def state() -> str:
        address: Any = _address(work.account, id_) or {}
        held = all(address.get(key) == value for key, value in holder.items())
        return "associated" if held else "not associated"

    if state() != "associated":
        work.account.ec2.associate_address(AllocationId=id_, AllowReassociation=True, **holder)
    work.wait(id_, "associated", state)


def _disassociate_state(work: Work, _id: str, _changed: frozenset[str]) -> None:
    """Take away the association the state knows, as the real provider before it makes another one."""
    if association := work.outputs.get("associationId"):
        with absent("InvalidAssociationID.NotFound"):
            work.account.ec2.disassociate_address(AssociationId=association)


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
    """Like the real provider: disassociate the association of the state only, then release, once."""
    _disassociate_state(work, id_, frozenset())
    with absent("InvalidAllocationID.NotFound"):
        work.account.ec2.release_address(AllocationId=id_)


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


def _ready_association(work: Work, id_: str) -> None:
    def state() -> str:
        return "not associated" if _read_association(work.account, id_, work.inputs) is None else "associated"

    work.wait(id_, "associated", state)


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


TYPES = (
    ResourceType(
        token="aws:ec2/eip:Eip",  # noqa: S106 - a type's name
        schema=schema.EIP,
        create=_allocate,
        ready=_associate_declared,
        read=_read,
        update=_disassociate_state,
        updates=frozenset(HOLDERS),
        delete=_release,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/eipAssociation:EipAssociation",  # noqa: S106
        schema=schema.EIP_ASSOCIATION,
        create=_associate,
        ready=_ready_association,
        read=_read_association,
        delete=_disassociate,
    ),
)
