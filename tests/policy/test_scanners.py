"""What parliament says of the policies here, and why what it says stays."""

from __future__ import annotations

import warnings

import pytest

from components.identity import claim_policy
from tests.components.recorded_program import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pkg_resources says that it will go
    import parliament

INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
CLAIM = claim_policy(INSTANCE, "eni-0123456789abcdef0", "eipalloc-0123456789abcdef0")
DEPLOYER = (ROOT / "docs/iam-deployer.json").read_text()
JUSTIFIED = {
    "RESOURCE_STAR": "looking is on every resource: most of ec2:Describe* know no resources, and none changes anything",
}


def findings(document: str) -> set[str]:
    return {finding.issue for finding in parliament.analyze_policy_string(document).findings}


def test_the_directors_policy_has_no_finding() -> None:
    assert findings(CLAIM) == set()


def test_the_deployers_policy_has_the_justified_findings_only() -> None:
    assert findings(DEPLOYER) == set(JUSTIFIED)


@pytest.mark.parametrize(
    ("old", "new", "issue"),
    [
        ("ec2:AssociateAddress", "ec2:AssociateAdress", "UNKNOWN_ACTION"),
        ("network-interface/", "instance/", "RESOURCE_MISMATCH"),
        ('"Allow"', '"Alow"', "MALFORMED"),
    ],
)
def test_the_scanner_would_say_so(old: str, new: str, issue: str) -> None:
    assert issue in findings(CLAIM.replace(old, new))
