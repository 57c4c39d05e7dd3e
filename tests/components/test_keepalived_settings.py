"""What every key does to keepalived.conf, on both directors alike; and what Keepalived itself reads there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from components.configuration_docs import OBJECTS
from components.settings import DEFAULTS, SCHEDULERS, settings_from
from tests.components.bad_configs import LEAST, mail, service
from tests.components.good_configs import good_configs
from tests.components.keepalived_settings import BOUNDS, ELSEWHERE, ROWS, Row, statements, vrrp
from tests.components.recorded_program import ROOT
from tests.userdata.machine_tree import MachineTree, machine_tree
from userdata.keepalived import keepalived_config
from userdata.render import director_user_data
from userdata.values import LoadBalancer

OWN = re.compile(
    r"global_defs / router_id \S+|vrrp_instance LVS / (priority|timer_expired_backup|unicast_src_ip) \S+|"
    r"vrrp_instance LVS / unicast_peer / \S+"
)
"""What a director has for itself: its name, its priority and what it makes of the others', its address, its peers."""


def balancer_of(config: Mapping[str, Any]) -> LoadBalancer:
    return settings_from({**LEAST, **config}).load_balancer


def first_file(config: Mapping[str, Any]) -> frozenset[str]:
    balancer = balancer_of(config)
    return statements(keepalived_config(balancer, balancer.directors[0]))


def keys() -> Iterator[str]:
    """Every key that holds a value: objects and lists of them stand for what is in them."""
    for key in DEFAULTS:
        if not any(place.removesuffix("[]") == key for place in OBJECTS):
            yield key
    for place, known in OBJECTS.items():
        yield from (f"{place}.{key}" for key in known if f"{place}.{key}" not in OBJECTS)


def test_every_key_of_the_schema_has_its_row() -> None:
    rows = {row.key for row in ROWS}
    assert sorted(keys()) == sorted(rows | set(ELSEWHERE))
    assert not rows & set(ELSEWHERE)


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_is_proved_elsewhere_is(place: str) -> None:
    file, _, name = place.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text())
    found = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert name in found


def test_every_scheduler_has_its_row() -> None:
    rows = [row.config["services"][0]["scheduler"] for row in ROWS if row.key == "services[].scheduler"]
    assert sorted([*rows, "wrr"]) == sorted(SCHEDULERS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.key} {row.config}"[:90])
def test_a_key_says_what_it_should(row: Row) -> None:
    before, after = first_file({}), first_file(row.config)
    assert set(row.comes) <= after - before
    assert set(row.goes) <= before - after
    assert row.comes or row.goes


@given(config=good_configs())
def test_directors_files_are_the_same_but_for_their_own_lines(config: dict[str, Any]) -> None:
    balancer = balancer_of(config)
    files = [keepalived_config(balancer, director) for director in balancer.directors]
    texts = [re.sub(r"(?m)^.*$", lambda line: line[0].strip(), text).splitlines() for text in files]
    first = statements(files[0])
    for director, text in zip(balancer.directors, files, strict=True):
        mine = statements(text)
        assert all(OWN.fullmatch(line) for line in first ^ mine)
        others = [other for other in balancer.directors if other != director]
        assert {line for line in mine if OWN.fullmatch(line)} == {
            f"global_defs / router_id {director.name}",
            f"vrrp_instance LVS / priority {director.priority}",
            f"vrrp_instance LVS / unicast_src_ip {director.address}",
            *(f"vrrp_instance LVS / unicast_peer / {other.address}" for other in others),
            *(
                [f"vrrp_instance LVS / timer_expired_backup {max(other.priority for other in others)}"]
                if not config["vrrp"]["preempt"]
                else []
            ),
        }
    # The order counts, too: IPVS fills its tables in it.
    order = [[line for line in text if line.split()[0] in ("virtual_server", "real_server")] for text in texts]
    assert all(each == order[0] for each in order)


def test_no_number_has_an_exponent() -> None:
    """Keepalived reads none."""
    for config in BOUNDS:
        assert not [line for line in first_file(config) if re.search(r" [0-9.]+e[+-]", line)]


@pytest.fixture(scope="module")
def tree(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> MachineTree:
    balancer = balancer_of({})
    user_data = director_user_data(balancer, balancer.directors[0])
    return machine_tree(image_root, user_data, tmp_path_factory.mktemp("tree") / "tree")


def files_of(configs: list[Mapping[str, Any]], directory: Path) -> int:
    """Both directors' files of every config, into `directory`; how many."""
    directory.mkdir(exist_ok=True)
    count = 0
    for config in configs:
        balancer = balancer_of(config)
        for director in balancer.directors:
            (directory / f"{count:03}.conf").write_text(keepalived_config(balancer, director))
            count += 1
    return count


NETWORK = (
    "ip link set lo up; ip link add ens5 type veth peer name far; ip link set ens5 up; ip link set far up; "
    "for last in 36 37 56 57; do ip address add 10.0.0.$last/24 dev ens5; done; "
    "ip route add default via 10.0.0.1; "
    "ln -s /etc/lvs-aws/keepalived.conf /etc/keepalived/; /usr/local/lib/lvs-aws/prepare-keepalived.sh; "
)


@pytest.mark.image
def test_keepalived_accepts_every_row_and_every_bound(tree: MachineTree) -> None:
    configs = [*(row.config for row in ROWS), *BOUNDS]
    count = files_of(configs, tree.shared / "configs")
    (tree.shared / "configs/broken.conf").write_text("global_defs {\n router_ib x\n}\n")  # the check can fail
    script = (
        "cd /mnt/configs; for file in *.conf; do "
        "said=$(keepalived --config-test -f $PWD/$file 2>&1) && code=0 || code=$?; "
        '[ "$code$said" = 0 ] && echo well || echo "$file $code $said"; done'
    )
    done = tree.run(NETWORK + script)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    refused = [line for line in said if line != "well"]
    assert [line.split()[0] for line in refused if ".conf 5 " in line] == ["broken.conf"], refused
    assert said.count("well") == count == 2 * len(configs)


EVERYTHING: dict[str, Any] = {
    **vrrp(version=2, routerId=7, advertIntervalSeconds=2, preempt=True, preemptDelaySeconds=9, password="word"),
    **mail(**{"smtpServer": "10.0.0.9", "smtpPort": 2525, "from": "lvs@example.com", "to": ["b@x.org", "c@x.org"]}),
    **service(port=80),
}


@pytest.mark.image
def test_keepalived_reads_them_as_they_are_meant(tree: MachineTree) -> None:
    """Its own words (--dump-conf): a keyword it takes and puts aside would pass the check above."""
    files_of([EVERYTHING, vrrp(advertIntervalSeconds=0.25)], tree.shared / "read")

    def read(file: str) -> list[str]:
        script = (
            f"sed '/vrrp_startup_delay/d' /mnt/read/{file} >/tmp/read.conf; "
            "timeout 1 keepalived --vrrp --dont-fork --log-console --dump-conf --log-detail -f /tmp/read.conf 2>&1 || :"
        )
        done = tree.run(NETWORK + script)
        assert done.returncode == 0, done.stderr
        return [line.partition(": ")[2].strip() for line in done.stdout.splitlines()]

    said = read("000.conf")
    for line in (
        "Router ID = director-1", "Smtp server = 10.0.0.9", "Smtp server port = 2525",
        "Email notification from = lvs@example.com", "b@x.org", "c@x.org", "Using smtp notification = yes",
        "VRRP Version = 2", "Virtual Router ID = 7", "Priority = 254", "Advert interval = 2 sec", "Preempt = enabled",
        "Preempt delay = 9 secs", "Authentication type = SIMPLE_PASSWORD", "Password = word",
        "LVS syncd syncid = 7", "Using src_ip = 10.0.0.36 (from configuration)", "10.0.0.56 min_ttl 0 max_ttl 255",
    ):  # fmt: skip
        assert line in said, line
    said = read("003.conf")
    for line in ("Router ID = director-2", "VRRP Version = 3", "Priority = 253", "Preempt = disabled"):
        assert line in said, line
    assert any(re.fullmatch(r"Advert interval = 250 milli-sec|Advert interval = 0\.25.*", line) for line in said)
    assert not any(line.startswith(("Smtp server", "Authentication type")) for line in said)
