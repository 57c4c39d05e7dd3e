"""The AWS provider everything is made with: explicit, so that region, account and tags do not depend on who runs it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi_aws as aws

from components.component import Naming
from components.settings import Account


def aws_provider(account: Account, naming: Naming, tags: Mapping[str, str]) -> aws.Provider:
    """The provider for `account`; it tags everything with the user's `tags` and with where it comes from."""
    return aws.Provider(
        "aws",
        region=account.region,
        profile=account.profile or None,
        allowed_account_ids=list(account.allowed_account_ids) or None,
        forbidden_account_ids=list(account.forbidden_account_ids) or None,
        default_tags={"tags": {**tags, "Project": naming.project, "Stack": naming.stack, "ManagedBy": "pulumi"}},
    )
