"""User data is read as cloud-init would, its archive included; what cannot be read is a fault, not an empty list."""

from __future__ import annotations

import base64

import pytest
from pulumi.runtime.rpc import UNKNOWN
from pulumi_policy.proxy import unknown_checking_proxy

from components.settings import settings_from
from policy.reading import UnreadableError, declares, role_of
from policy.rendered import KEEPALIVED, election, files_of
from policy.rule import Rule
from policy.user_data import NO_SECRET
from tests.policy.recorded_stack import changed, config_of, judge, recorded, sample_config, urn_of, with_property
from userdata.archive import pack
from userdata.render import director_user_data


def user_data(entry: str) -> str:
    return f"#cloud-config\nwrite_files:\n- path: /etc/x\n{entry}\n"


def test_the_archives_files_are_seen() -> None:
    (director,) = [one for one in recorded("prod") if one.type.endswith(":Instance") and one.name == "director-1"]
    files = files_of(director.inputs["userData"])
    assert KEEPALIVED in files
    assert "#!/bin/sh" in files["/usr/local/lib/lvs-aws/first-boot.sh"]


@pytest.mark.parametrize("ours", [True, False])
def test_a_secret_inside_an_archive_is_found(ours: bool) -> None:
    archive = pack({"etc/key.pem": b"-----BEGIN RSA PRIVATE KEY-----\n"})
    packed = f'- path: /x.b85\n  content: "{base64.b85encode(archive).decode()}"'
    if not ours:
        packed = f"- path: /x\n  encoding: b64\n  content: {base64.b64encode(archive).decode()}"
    resources = recorded("prod")
    urn = urn_of(resources, "Instance", "web-1")
    text = f"#cloud-config\nwrite_files:\n{packed}\n"
    hidden = changed(resources, urn, lambda one: with_property(one, "userData", text))
    rules: tuple[Rule, ...] = (NO_SECRET,)
    (said,) = judge(hidden, sample_config("prod"), stack_config=config_of("prod"), rules=rules)
    assert "/etc/key.pem holds what looks like a private key" in said.message


def test_an_election_is_read_from_the_archive_too_where_it_is_too_large_for_plain_text() -> None:
    servers = [{"address": f"10.0.{1 + index // 250}.{1 + index % 250}"} for index in range(200)]
    given = {"aws:region": "us-east-1", "imageId": "ami-0123456789abcdef0", "subnetCidr": "10.0.0.0/16"}
    settings = settings_from({**given, "webServers": servers})
    text = director_user_data(settings.load_balancer, settings.directors[1])
    assert KEEPALIVED not in text
    found = election(text)
    assert (found.address, found.priority, found.virtual_ip) == ("10.0.0.56", 253, "10.0.0.100")
    assert (found.peers, found.services) == ({"10.0.0.36"}, {("tcp", 80)})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\n", "no cloud-config"),
        ("#cloud-config\n: [", "no cloud-config"),
        (user_data("  encoding: gz+b64\n  content: AAAA"), "encoded as gz\\+b64"),
        (user_data("  encoding: b64\n  content: A"), "cannot be read"),
        ("#cloud-config\nwrite_files:\n- path: /x.b85\n  content: a b\n", "cannot be read"),
        (user_data(f"  encoding: b64\n  content: {base64.b64encode(b'BZh9 broken').decode()}"), "cannot be read"),
        (user_data(f"  encoding: b64\n  content: {base64.b64encode(bytes([255])).decode()}"), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_a_fault(text: str, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        files_of(text)


@pytest.mark.parametrize("line", ["virtual_router_id 51", "priority 254", "unicast_src_ip 10.0.0.36"])
def test_a_line_that_is_missing_or_doubled_is_a_fault(line: str) -> None:
    (director,) = [one for one in recorded("prod") if one.type.endswith(":Instance") and one.name == "director-1"]
    text = director.inputs["userData"]
    for new in ("", f"{line}\n          {line}"):
        with pytest.raises(UnreadableError, match=f"{'0' if not new else '2'} times, not once"):
            election(text.replace(line, new))


def test_whether_a_property_is_given_does_not_depend_on_its_value_being_known() -> None:
    props = unknown_checking_proxy({"a": UNKNOWN, "b": None, "tags": {"Role": "director", "Of": UNKNOWN}})
    assert declares(props, "a") and not declares(props, "b") and not declares(props, "c")
    assert role_of(props) == "director"
    assert role_of({}) == "" and role_of({"tags": {}}) == ""
