"""Who may take a new configuration in one update."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from components.rollout import HELD_PROPERTIES, Fixed, Machine, behind, is_named, notice, refusal
from tests.userdata.examples import balancer
from userdata.render import director_user_data, known_directors

ADDRESSES = {"director-1": "10.0.0.36", "director-2": "10.0.0.56", "director-3": "10.0.0.57"}
SAME = dict.fromkeys(HELD_PROPERTIES, "same")


def director(name: str, *, knows: tuple[str, ...] = ("director-1", "director-2"), **changed: str) -> Machine:
    text = f"# Directors: {' '.join(ADDRESSES[one] for one in knows)}"
    found = {**SAME, "privateIp": ADDRESSES[name], "userData": text}
    return Machine(name=name, role="director", wanted={**found, **changed}, found=found)


def web_server(name: str, **changed: str) -> Machine:
    return Machine(name=name, role="web-server", wanted={**SAME, **changed}, found=SAME)


def test_what_the_config_asks_for_and_is_there_needs_nobody() -> None:
    machines = [director("director-1"), director("director-2"), web_server("web-1")]
    for rollout in ([], ["web-*"], ["director-1"]):
        assert refusal(machines, rollout) is None
    assert behind(machines) == [] and notice(machines) is None


@pytest.mark.parametrize("key", HELD_PROPERTIES)
def test_each_held_property_counts(key: str) -> None:
    machines = [director("director-1", **{key: "new"}), director("director-2")]
    assert behind(machines) == ["director-1"]
    why = refusal(machines, ["web-*"])
    assert why is not None and f"\n  director-1: {key}\n" in why


def test_directors_that_nobody_leads_through_the_change_are_named_with_the_remedy() -> None:
    machines = [director("director-1", userData="new"), director("director-2", userData="new", ami="new")]
    why = refusal(machines, ["web-*"])
    assert why is not None
    assert "\n  director-1: userData\n  director-2: ami, userData\n" in why
    assert why.endswith("pulumi config set --path 'rollout[0]' director-2 && pulumi up")
    assert "docs/changes.md" in why


def test_a_named_director_lets_the_others_wait_and_says_who_is_left() -> None:
    machines = [director("director-1", userData="new"), director("director-2"), web_server("web-1", ami="new")]
    assert refusal(machines, ["director-2"]) is None
    left = notice(machines)
    assert left is not None and "director-1, web-1" in left


def test_web_servers_that_wait_are_refused_only_where_nobody_is_named() -> None:
    machines = [director("director-1"), director("director-2"), web_server("web-1", ami="new"), web_server("web-2")]
    why = refusal(machines, [])
    assert why is not None and "\n  web-1: ami\n" in why
    assert refusal(machines, ["web-2"]) is None


@pytest.mark.parametrize("named", ["director-1", "director-2"])
def test_a_director_its_peers_do_not_know_is_refused_whoever_is_named(named: str) -> None:
    everybody = ("director-1", "director-2", "director-3")
    machines = [
        director("director-1", knows=everybody),
        director("director-2", userData="new"),
        director("director-3", knows=everybody),
    ]
    why = refusal(machines, [named])
    assert why is not None and "planned: true" in why
    assert [line for line in why.splitlines() if line.startswith("  ")] == [
        "  director-2 does not know director-3 at 10.0.0.57"
    ]


def test_what_a_stack_keeps_for_life_is_named_first_and_all_of_it() -> None:
    fixed = [
        Fixed(key="virtualIp", wanted="10.0.0.101", found="10.0.0.100"),
        Fixed(key="vpcCidr", wanted="10.0.0.0/16", found="10.0.0.0/16"),
        Fixed(key="subnetCidr", wanted="10.0.1.0/24", found="10.0.0.0/24"),
    ]
    why = refusal([director("director-1", userData="new"), director("director-2")], [], fixed)
    assert why is not None
    assert "\n  virtualIp is 10.0.0.100 and cannot become 10.0.0.101\n  subnetCidr is 10.0.0.0/24" in why
    assert "vpcCidr" not in why and "rollout" not in why
    assert refusal([], [], fixed[1:2]) is None


@pytest.mark.parametrize(
    ("machine", "rollout", "named"),
    [
        ("web-1", ["web-*"], True),
        ("web-1", ["web-?"], True),
        ("web-10", ["web-?"], False),
        ("director-1", ["web-*"], False),
        ("director-1", ["web-*", "director-1"], True),
        ("director-10", ["director-1"], False),
        ("web-1", [], False),
    ],
)
def test_names_and_patterns(machine: str, rollout: list[str], named: bool) -> None:
    assert is_named(machine, rollout) is named


def test_user_data_says_whom_a_director_counts_with() -> None:
    whole = balancer()
    told: Mapping[str, frozenset[str]] = {
        one.name: known_directors(director_user_data(whole, one)) for one in whole.directors
    }
    assert set(told.values()) == {frozenset(one.address for one in whole.directors)}
    assert known_directors("#cloud-config\n") == frozenset()
