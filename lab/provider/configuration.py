"""The provider's own configuration: what it heeds, what makes no difference in the lab, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.protocol.contract import UNKNOWN, Failure, Properties
from lab.provider.checking import faults
from lab.provider.registry import Property, Schema
from lab.provider.rules import conflicting
from lab.provider.tagging import Tagging

PROVIDER = "the aws provider"


def _unheeded(source: str, kind: type = bool) -> Property:
    return Property(source=f"{source}: no difference to the lab", kind=kind)


CONFIGURATION = Schema(
    file="internal/provider/sdkv2/provider.go",
    inputs={
        "region": Property(source="region"),
        "defaultTags": Property(
            source="default_tags", kind=dict, nested={"tags": Property(source="default_tags.tags", kind=dict)}
        ),
        "ignoreTags": Property(
            source="ignore_tags",
            kind=dict,
            nested={
                "keys": Property(source="ignore_tags.keys", kind=list),
                "keyPrefixes": Property(source="ignore_tags.key_prefixes", kind=list),
            },
        ),
        "allowedAccountIds": Property(source="allowed_account_ids", kind=list),
        "forbiddenAccountIds": Property(source="forbidden_account_ids", kind=list),
        # Whose credentials and which checks: the lab's API has one administrator and nothing to skip.
        "version": _unheeded("version (pulumi)", str),
        "profile": _unheeded("profile", str),
        "maxRetries": _unheeded("max_retries", int),
        "skipCredentialsValidation": _unheeded("skip_credentials_validation"),
        "skipMetadataApiCheck": _unheeded("skip_metadata_api_check"),
        "skipRegionValidation": _unheeded("skip_region_validation"),
        "skipRequestingAccountId": _unheeded("skip_requesting_account_id"),
    },
    unmodelled=frozenset(
        {
            *("accessKey", "assumeRoleWithWebIdentity", "assumeRoles", "customCaBundle", "ec2MetadataServiceEndpoint"),
            *("ec2MetadataServiceEndpointMode", "endpoints", "httpProxy", "httpsProxy", "insecure", "noProxy"),
            *("retryMode", "s3UsEast1RegionalEndpoint", "s3UsePathStyle", "secretKey", "sharedConfigFiles"),
            *("sharedCredentialsFiles", "stsRegion", "tagPolicyCompliance", "token", "tokenBucketRateLimiterCapacity"),
            *("useDualstackEndpoint", "useFipsEndpoint", "userAgents"),
        }
    ),
    rules=(conflicting("allowedAccountIds", "forbiddenAccountIds"),),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, read."""

    region: str
    tagging: Tagging
    allowed: frozenset[str]
    forbidden: frozenset[str]


def config_faults(inputs: Properties) -> tuple[Failure, ...]:
    """Everything wrong with a provider's inputs; nested values arrive as JSON text, as with the real provider."""
    parsed, failures = {}, []
    for key, value in inputs.items():
        try:
            parsed[key] = _parsed(key, value)
        except ValueError:
            failures.append(Failure(property=key, reason=f"no JSON: {value!r}"))
    failures += faults(PROVIDER, CONFIGURATION, parsed)
    if not inputs.get("region"):
        failures.append(Failure(property="region", reason="missing: set aws:region, or region of the provider"))
    return tuple(failures)


def read_settings(inputs: Mapping[str, Any]) -> Settings:
    """The settings of checked inputs."""
    parsed = {key: _parsed(key, value) for key, value in inputs.items()}
    ignored = parsed.get("ignoreTags") or {}
    return Settings(
        region=str(parsed["region"]),
        tagging=Tagging(
            defaults=(parsed.get("defaultTags") or {}).get("tags") or {},
            ignored_keys=frozenset(ignored.get("keys") or ()),
            ignored_prefixes=tuple(ignored.get("keyPrefixes") or ()),
        ),
        allowed=frozenset(parsed.get("allowedAccountIds") or ()),
        forbidden=frozenset(parsed.get("forbiddenAccountIds") or ()),
    )


def _parsed(key: str, value: Any) -> Any:
    known = CONFIGURATION.inputs.get(key)
    if known is None or known.kind is str or not isinstance(value, str) or value in ("", UNKNOWN):
        return value or None
    return json.loads(value)
