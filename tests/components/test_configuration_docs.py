"""docs/configuration.md is the settings' own word: complete, and made anew whenever they change."""

import pytest

from components.configuration_docs import MEANINGS, OBJECTS, PAGE, allowed, page
from components.settings import ACCOUNT_KEYS, DEFAULTS


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m components.configuration_docs"


def test_every_key_has_its_place() -> None:
    text = page()
    for key in DEFAULTS:
        assert f"\n## {key}\n" in text
    nested = {f"{path}.{key}" for path, known in OBJECTS.items() for key in known} | set(ACCOUNT_KEYS)
    assert set(MEANINGS) == nested
    for path in nested:
        assert text.count(f"\n| `{path}` | ") == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("vrrp.routerId", "a whole number from 1 to 255"),
        ("services[].healthCheck.kind", "one of http, tcp, udp"),
        ("directors[].priority", "a whole number from 1 to 254"),
        ("webServers", "must have 1 to 200 entries"),
        ("clientCidrs", "each an IPv4 network such as 198.51.100.0/24 (the load balancer has no IPv6)"),
        ("notification.to", "each a mail address such as ops@example.com"),
        ("production", "true or false"),
    ],
)
def test_what_is_allowed_is_what_the_fault_says(path: str, words: str) -> None:
    assert allowed(path) == words
