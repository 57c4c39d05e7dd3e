"""Looking images up."""

from __future__ import annotations

import re
from typing import Any

from lab.protocol.contract import Properties, ProviderError
from lab.provider.account import Account, given, tags_of
from lab.provider.registry import Function
from lab.provider.schema.functions import GET_AMI


def _get_ami(account: Account, args: Properties) -> Properties:
    filters: Any = [{"Name": item["name"], "Values": item["values"]} for item in args.get("filters") or []]
    found: list[Any] = account.ec2.describe_images(
        **given(
            Owners=args.get("owners"),
            ExecutableUsers=args.get("executableUsers"),
            Filters=filters or None,
            IncludeDeprecated=args.get("includeDeprecated"),
        )
    )["Images"]
    if pattern := args.get("nameRegex"):
        try:
            found = [image for image in found if re.search(pattern, image.get("Name", ""))]
        except re.error as error:
            raise ProviderError(f"nameRegex: {pattern!r} is no regular expression: {error}") from error
    if not found:
        raise ProviderError("Your query returned no results. Please change your search criteria and try again.")
    if len(found) > 1 and not args.get("mostRecent"):
        raise ProviderError(
            "Your query returned more than one result. Please try a more specific search criteria, or set "
            "`most_recent` attribute to true."
        )
    return _outputs(account, max(found, key=lambda image: image.get("CreationDate", "")), args)


def _outputs(account: Account, image: Any, args: Properties) -> Properties:
    id_, root = image["ImageId"], image.get("RootDeviceName", "")
    disks = image.get("BlockDeviceMappings", [])
    snapshots = [disk.get("Ebs", {}).get("SnapshotId", "") for disk in disks if disk.get("DeviceName") == root]
    return {
        "allowUnsafeFilter": args.get("allowUnsafeFilter"),
        "architecture": image.get("Architecture", ""),
        "arn": f"arn:aws:ec2:{account.region}::image/{id_}",
        "blockDeviceMappings": [
            {
                "deviceName": disk.get("DeviceName", ""),
                "ebs": {key: str(value) for key, value in disk.get("Ebs", {}).items()},
                "noDevice": disk.get("NoDevice", ""),
                "virtualName": disk.get("VirtualName", ""),
            }
            for disk in disks
        ],
        "bootMode": image.get("BootMode", ""),
        "creationDate": image.get("CreationDate", ""),
        "deprecationTime": image.get("DeprecationTime", ""),
        "description": image.get("Description", ""),
        "enaSupport": image.get("EnaSupport", False),
        "executableUsers": args.get("executableUsers"),
        "filters": args.get("filters"),
        "hypervisor": image.get("Hypervisor", ""),
        "id": id_,
        "imageId": id_,
        "imageLocation": image.get("ImageLocation", ""),
        "imageOwnerAlias": image.get("ImageOwnerAlias", ""),
        "imageType": image.get("ImageType", "machine"),
        "imdsSupport": image.get("ImdsSupport", ""),
        "includeDeprecated": args.get("includeDeprecated", False),
        "kernelId": image.get("KernelId", ""),
        "lastLaunchedTime": image.get("LastLaunchedTime", ""),
        "mostRecent": args.get("mostRecent", False),
        "name": image.get("Name", ""),
        "nameRegex": args.get("nameRegex"),
        "ownerId": image.get("OwnerId", ""),
        "owners": args.get("owners"),
        "platform": image.get("Platform", ""),
        "platformDetails": image.get("PlatformDetails", "Linux/UNIX"),
        "productCodes": [],
        "public": image.get("Public", False),
        "ramdiskId": image.get("RamdiskId", ""),
        "region": account.region,
        "rootDeviceName": root,
        "rootDeviceType": image.get("RootDeviceType", ""),
        "rootSnapshotId": snapshots[0] if snapshots else "",
        "sriovNetSupport": image.get("SriovNetSupport", ""),
        "state": image.get("State", ""),
        "stateReason": {"code": "UNSET", "message": "UNSET"},
        "tags": tags_of(image),
        "tpmSupport": image.get("TpmSupport", ""),
        "uefiData": None,
        "usageOperation": image.get("UsageOperation", ""),
        "virtualizationType": image.get("VirtualizationType", ""),
    }


FUNCTIONS = (Function(token="aws:ec2/getAmi:getAmi", schema=GET_AMI, call=_get_ami),)  # noqa: S106 - a function's name
