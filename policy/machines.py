"""What every machine is: its role, its metadata service, its disk, its image, and whether AWS checks its addresses."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_aws import ec2
from pulumi_policy import Severity

from policy.reading import Resource, declares, role_of, setting
from policy.rule import Parameters, ResourceRule

ROLES = ("director", "web-server")


def _machine_role(resource: Resource, _: Parameters) -> Iterator[str]:
    role = role_of(resource.props)
    if role not in ROLES:
        yield f"the tag Role is {role!r}, not one of {', '.join(ROLES)}: rules about directors would not see it"


MACHINE_ROLE = ResourceRule(
    id="machine-role",
    description="Every instance has the tag Role, director or web-server: the other rules tell machines apart by it.",
    severity=Severity.HIGH,
    remediation="Tag the instance with Role, as components/directors.py and components/web_servers.py do.",
    watches=(ec2.Instance,),
    check=_machine_role,
)


def _imdsv2(resource: Resource, _: Parameters) -> Iterator[str]:
    options = resource.props["metadataOptions"] if declares(resource.props, "metadataOptions") else {}
    if not declares(options, "httpTokens") or options["httpTokens"] != "required":
        yield "metadataOptions.httpTokens is not required: a request forged by a client would be answered"
    if not declares(options, "httpPutResponseHopLimit") or options["httpPutResponseHopLimit"] != 1:
        yield "metadataOptions.httpPutResponseHopLimit is not 1: a forwarded request would be answered"


IMDSV2 = ResourceRule(
    id="imdsv2-required",
    description="Instance metadata answers to tokens only (IMDSv2), and one hop far.",
    severity=Severity.HIGH,
    remediation="Set metadata_options by components/machines.py's metadata_options().",
    watches=(ec2.Instance,),
    check=_imdsv2,
)


def _encrypted(resource: Resource, _: Parameters) -> Iterator[str]:
    disk = resource.props["rootBlockDevice"] if declares(resource.props, "rootBlockDevice") else {}
    if not declares(disk, "encrypted") or disk["encrypted"] is not True:
        yield "rootBlockDevice.encrypted is not true"
    for index, more in enumerate(
        resource.props["ebsBlockDevices"] if declares(resource.props, "ebsBlockDevices") else ()
    ):
        if not declares(more, "encrypted") or more["encrypted"] is not True:
            yield f"ebsBlockDevices[{index}].encrypted is not true"


ENCRYPTED = ResourceRule(
    id="disk-encrypted",
    description="Every disk of a machine is encrypted.",
    severity=Severity.HIGH,
    remediation="Set root_block_device by components/machines.py's root_disk().",
    watches=(ec2.Instance,),
    check=_encrypted,
)


def _source_dest_check(resource: Resource, _: Parameters) -> Iterator[str]:
    # Not given is on (EC2 user guide, "Elastic network interfaces").
    on = not declares(resource.props, "sourceDestCheck") or resource.props["sourceDestCheck"] is not False
    if resource.role == "director" and on:
        yield "it is on for a director: AWS would drop every packet of a client or web server on its way through"
    if resource.role != "director" and not on:
        yield "it is off for a machine that only sends and receives for itself: it could forge addresses"


SOURCE_DEST_CHECK = ResourceRule(
    id="source-dest-check",
    description="The source/destination check is off on directors, which forward, and on everywhere else.",
    severity=Severity.CRITICAL,
    remediation="source_dest_check=False on directors only.",
    watches=(ec2.Instance,),
    check=_source_dest_check,
)


def _image_pinned(resource: Resource, told: Parameters) -> Iterator[str]:
    given = setting(resource.urn, "imageId")
    pinned = told["imageId"] or given
    if pinned is None:
        resource.not_applicable(
            "whoever runs the pack tells it no config of the stack; set imageId in the pack's config"
        )
    elif not pinned:
        yield "the image is looked up by name: the next newer one replaces every machine at some later `up`"
    elif resource.props["ami"] != pinned:
        yield f"it boots {resource.props['ami']}, the stack pins {pinned}"


IMAGE_PINNED = ResourceRule(
    id="image-pinned",
    description="Machines boot the one image the stack's config pins by id.",
    severity=Severity.MEDIUM,
    remediation="Set imageId in the stack's config, and imageName not at all.",
    parameters={
        "imageId": {
            "type": "string",
            "description": "The image that is pinned; empty takes the stack's own imageId.",
            "default": "",
        }
    },
    watches=(ec2.Instance,),
    check=_image_pinned,
)

RULES = (MACHINE_ROLE, IMDSV2, ENCRYPTED, SOURCE_DEST_CHECK, IMAGE_PINNED)
