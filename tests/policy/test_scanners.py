"""What parliament and cloudsplaining say of the policies here, and why what they say stays."""

from __future__ import annotations

import json
import warnings
from fnmatch import fnmatchcase

import pytest

from components.identity import claim_policy
from tests.components.recorded_program import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pkg_resources says that it will go
    import parliament
    from cloudsplaining.scan.policy_document import PolicyDocument

INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
CLAIM = claim_policy(INSTANCE, "eni-0123456789abcdef0", "eipalloc-0123456789abcdef0")
DEPLOYER = (ROOT / "docs/iam-deployer.json").read_text()
# All findings about the deployer's policy that stay, by scanner: there are none about the directors'.
JUSTIFIED = {
    "RESOURCE_STAR": "looking is on every resource: most of ec2:Describe* know no resources, and none changes anything",
}
UNRESTRICTED = {
    "ec2:CreateSubnetCidrReservation": "the scanners disagree: cloudsplaining's table has it about a subnet, "
    "parliament's about no resource. `*` is right by both; it keeps addresses from being given out and touches none",
    "ec2:DisassociateAddress": "where the association is gone already the call is about no resource, and a destroy "
    "would end there (tried on the lab); it takes nothing from anybody that AssociateAddress does not give back",
}


def parliaments(document: str) -> set[str]:
    return {finding.issue for finding in parliament.analyze_policy_string(document).findings}


def cloudsplainings(document: str) -> dict[str, list[str]]:
    """By kind of risk, the actions that are a risk; kinds without any are left out."""
    # A statement with a condition is looked at like any other: without this it is passed over.
    scanned = PolicyDocument(json.loads(document), flag_conditional_statements=True)
    found = {
        "privilege escalation": [one["type"] for one in scanned.allows_privilege_escalation],
        "data exfiltration": scanned.allows_data_exfiltration_actions,
        "permissions management": scanned.permissions_management_without_constraints,
        "writing": scanned.write_actions_without_constraints,
        "tagging": scanned.tagging_actions_without_constraints,
        "credentials": scanned.credentials_exposure,
        "whole services": scanned.service_wildcard,
    }
    return {kind: actions for kind, actions in found.items() if actions}


def test_the_directors_policy_has_no_finding() -> None:
    assert parliaments(CLAIM) == set()
    assert cloudsplainings(CLAIM) == {}


def test_the_deployers_policy_has_the_justified_findings_only() -> None:
    assert parliaments(DEPLOYER) == set(JUSTIFIED)
    assert cloudsplainings(DEPLOYER) == {"writing": sorted(UNRESTRICTED)}


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("ec2:AssociateAddress", "ec2:AssociateAdress", "UNKNOWN_ACTION"),
        ("network-interface/", "instance/", "RESOURCE_MISMATCH"),
        ('"Allow"', '"Alow"', "MALFORMED"),
    ],
)
def test_parliament_would_say_so(old: str, new: str, issue: str) -> None:
    assert issue in parliaments(CLAIM.replace(old, new))


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("ec2:*", "whole services"),
        ("ec2:TerminateInstances", "writing"),
        ("iam:PutRolePolicy", "permissions management"),
        ("ec2:CreateTags", "tagging"),
        ("s3:GetObject", "data exfiltration"),
        ("sts:AssumeRole", "credentials"),
    ],
)
def test_cloudsplaining_would_say_so(action: str, kind: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    found = cloudsplainings(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert any(fnmatchcase(one, action) or kind == "whole services" for one in found[kind])
