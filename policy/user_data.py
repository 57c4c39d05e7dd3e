"""What machines are told at their first boot: readable, small, and no secret, for everybody on them can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_aws import ec2
from pulumi_policy import Severity

from policy.reading import Resource, declares
from policy.rendered import files_of
from policy.rule import Parameters, ResourceRule

LIMIT_BYTES = 16384
"""EC2 user guide, "Instance user data": raw form, before base64."""

SECRETS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "an AWS secret key": r"(?i)aws_(?:secret_access_key|session_token)\b[\"']?\s*[:=]",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_\w{30}|glpat-[\w-]{20}|xox[abprs]-[\w-]{10})",
    "a password": r"(?i)\b(?:password|passwd|api_?key|client_secret)[\"']?\s*[:=]\s*[\"']?[^\s\"',]{6}",
}
"""How secrets look: IAM user guide, "IAM identifiers" (prefixes); RFC 7468; GitHub's, GitLab's and Slack's prefixes."""


def _plain(resource: Resource, _: Parameters) -> Iterator[str]:
    if declares(resource.props, "userDataBase64"):
        yield "userDataBase64 is used: a preview shows no change in it"
    if not declares(resource.props, "userData"):
        yield "there is no userData: the machine would never become one of ours"
    elif not declares(resource.props, "userDataReplaceOnChange") or not resource.props["userDataReplaceOnChange"]:
        yield "userDataReplaceOnChange is not true: new user data would restart the machine, and nothing would read it"


PLAIN = ResourceRule(
    id="user-data-plain",
    description="User data is plain text, and new user data means a new machine.",
    severity=Severity.MEDIUM,
    remediation="user_data=..., user_data_replace_on_change=True.",
    watches=(ec2.Instance,),
    check=_plain,
)


def _no_secret(resource: Resource, _: Parameters) -> Iterator[str]:
    if not declares(resource.props, "userData"):
        return  # user-data-plain's finding
    text = str(resource.props["userData"])
    for path, content in {"user data": text, **files_of(text)}.items():
        for name, pattern in SECRETS.items():
            if re.search(pattern, content):
                yield f"{path} holds what looks like {name}"


NO_SECRET = ResourceRule(
    id="user-data-no-secret",
    description="User data, its archive included, holds no key, token or password.",
    severity=Severity.CRITICAL,
    remediation="Give rights by the instance role, read secrets at run time. Renew a secret that was here.",
    watches=(ec2.Instance,),
    check=_no_secret,
)


def _size(resource: Resource, told: Parameters) -> Iterator[str]:
    if declares(resource.props, "userData"):
        size = len(str(resource.props["userData"]).encode())
        if size > told["maxBytes"]:
            yield f"it is {size} bytes, {told['maxBytes']:.0f} are allowed"


SIZE = ResourceRule(
    id="user-data-size",
    description="User data fits into what EC2 takes.",
    severity=Severity.HIGH,
    remediation="Fewer services or web servers, or larger files into the archive (userdata/render.py).",
    parameters={
        "maxBytes": {
            "type": "integer",
            "minimum": 1,
            "maximum": LIMIT_BYTES,
            "description": "The most bytes there may be; EC2 takes 16384.",
            "default": LIMIT_BYTES,
        }
    },
    watches=(ec2.Instance,),
    check=_size,
)

RULES = (PLAIN, NO_SECRET, SIZE)
