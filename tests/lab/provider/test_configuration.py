"""The provider's own configuration."""

from __future__ import annotations

import pytest

from lab.protocol.contract import Properties, ProviderError
from lab.provider import AwsProvider
from lab.provider.configuration import config_faults, read_settings
from tests.lab.provider.conftest import REGION

OK: Properties = {"region": REGION, "version": "7.51.1"}


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({}, "region", "set aws:region"),
        ({"regoin": REGION}, "regoin", "did you mean region"),
        ({"assumeRoles": "[]"}, "assumeRoles", "the lab does not model assumeRoles of the aws provider: leave it away"),
        ({"endpoints": '[{"ec2": "x"}]'}, "endpoints", "does not model"),
        ({"defaultTags": "{"}, "defaultTags", "no JSON"),
        ({"defaultTags": '{"tag": {}}'}, "defaultTags.tag", "did you mean defaultTags.tags"),
        ({"defaultTags": '{"tags": {"A": 1}}'}, "defaultTags.tags.A", "must be a text, not 1"),
        ({"defaultTags": '"x"'}, "defaultTags", "must be an object"),
        ({"ignoreTags": '{"keys": "A"}'}, "ignoreTags.keys", "must be a list"),
        ({"ignoreTags": '{"prefixes": []}'}, "ignoreTags.prefixes", "keyPrefixes"),
        ({"allowedAccountIds": "123"}, "allowedAccountIds", "must be a list"),
        ({"skipRegionValidation": '"yes"'}, "skipRegionValidation", "must be true or false"),
        (
            {"allowedAccountIds": '["1"]', "forbiddenAccountIds": '["2"]'},
            "allowedAccountIds",
            "at most one of allowedAccountIds, forbiddenAccountIds",
        ),
    ],
)
def test_refused(inputs: Properties, path: str, reason: str) -> None:
    given = {**OK, **inputs} if inputs and "regoin" not in inputs else inputs
    found = {failure.property: failure.reason for failure in config_faults(given)}
    assert found.keys() == ({path} if "regoin" not in inputs else {"regoin", "region"})
    assert reason in found[path]


def test_nested_values_are_texts_of_json_or_themselves() -> None:
    for tags in ('{"tags": {"A": "1"}}', {"tags": {"A": "1"}}):
        assert config_faults({**OK, "defaultTags": tags, "skipRegionValidation": "true", "maxRetries": "3"}) == ()
        assert read_settings({**OK, "defaultTags": tags}).tagging.defaults == {"A": "1"}
    ignored = read_settings({**OK, "ignoreTags": '{"keys": ["A"], "keyPrefixes": ["b/"]}'}).tagging
    assert (ignored.ignored_keys, ignored.ignored_prefixes) == (frozenset({"A"}), ("b/",))


def test_a_provider_with_a_fault_is_not_configured() -> None:
    provider = AwsProvider(endpoint_url="http://127.0.0.1:1")
    with pytest.raises(ProviderError, match=r"aws provider: defaultTags\.tag: .*did you mean defaultTags\.tags"):
        provider.configure({**OK, "defaultTags": '{"tag": {}}'})
