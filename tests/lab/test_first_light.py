"""The main job, on machines: a page through Elastic IP, director and web server; then through the other director."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]

# A takeover needs 1.0 to 1.5 s to detect, one call and the remap; emulated machines under load take several times that.
TAKEOVER_SECONDS = 60.0


def test_the_page_comes_from_both_web_servers(lab: LabUnderTest) -> None:
    pages = {lab.page() for _ in range(8)}
    assert None not in pages
    names = {machine["name"] for machine in lab.status()["machines"] if machine["role"] == "web-server"}
    served = {name for name in names for page in pages if page and name in page}
    assert served == names


def test_status_agrees_with_keepalived_and_ec2(lab: LabUnderTest) -> None:
    status = lab.status()
    states = {machine["name"]: machine["vrrp"] for machine in status["machines"] if machine["role"] == "director"}
    assert sorted(states.values()) == ["BACKUP", "MASTER"]
    assert states[status["owner"]] == "MASTER"
    assert {machine["health"] for machine in status["machines"] if machine["role"] == "web-server"} == {"healthy"}
    assert {machine["state"] for machine in status["machines"]} == {"running"}
    assert status["virtualIp"] == "10.0.0.100"
    assert re.fullmatch(r"203\.0\.113\.\d+", status["elasticIp"])


def test_cloud_init_really_ran_without_errors_on_every_machine(lab: LabUnderTest) -> None:
    for machine in lab.status()["machines"]:
        result = json.loads(lab.run(machine["name"], "cat /run/cloud-init/status.json"))["v1"]
        assert result["datasource"].startswith("DataSourceEc2"), machine["name"]
        errors = {stage: entry["errors"] for stage, entry in result.items() if isinstance(entry, dict)}
        assert not any(errors.values()), (machine["name"], errors)


def test_the_virtual_ip_is_on_no_interface_but_lo_of_the_owner(lab: LabUnderTest) -> None:
    status = lab.status()
    for machine in status["machines"]:
        links = json.loads(lab.run(machine["name"], "ip -j -4 addr"))
        holders = {
            link["ifname"] for link in links for entry in link["addr_info"] if entry["local"] == status["virtualIp"]
        }
        assert holders == ({"lo"} if machine["name"] == status["owner"] else set()), machine["name"]


def test_the_web_servers_see_the_client_s_own_address(lab: LabUnderTest) -> None:
    client = "198.51.100.77"
    for _ in range(4):
        done = lab("curl", "/?who=client-77", "--client", client)
        assert done.returncode == 0, done.stderr
    seen = "".join(lab.run(web, "grep client-77 /var/log/nginx/access.log || true") for web in ("web-1", "web-2"))
    addresses = [line.split()[0] for line in seen.splitlines()]
    assert addresses == [client] * 4


def test_run_hands_on_output_and_exit_code(lab: LabUnderTest) -> None:
    done = lab("run", "web-1", "--", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_machine_that_does_not_exist_is_refused_with_the_names_there_are(lab: LabUnderTest) -> None:
    done = lab("run", "web-9", "--", "true")
    assert done.returncode == 1
    assert "director-1, director-2, web-1, web-2" in done.stderr


def test_logs_hold_the_agent_s_claim(lab: LabUnderTest) -> None:
    owner = lab.status()["owner"]
    assert '"event":' in lab("logs", owner, "-n", "400").stdout.replace('"event" :', '"event":')


def test_a_second_up_changes_nothing_and_is_quick(lab: LabUnderTest) -> None:
    before = lab.status()
    done = lab.up()
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* unchanged", done.stdout), done.stdout
    assert not re.search(r"\d+ (created|updated|replaced|deleted)", done.stdout), done.stdout
    assert lab.status() == before


def test_a_killed_owner_is_replaced_and_comes_back_as_standby(lab: LabUnderTest) -> None:
    before = lab.status()["owner"]
    other = {"director-1": "director-2", "director-2": "director-1"}[before]
    assert lab("kill", before).returncode == 0
    outage = lab.wait("the page through the other director", lambda: lab.page(timeout=1), seconds=TAKEOVER_SECONDS)
    print(f"the page answered {outage:.1f} s after the kill returned")
    status = lab.status()
    assert status["owner"] == other
    assert lab.machine(before)["state"] == "dead"
    assert lab("kill", before).returncode == 1

    assert lab("start", before, timeout=300).returncode == 0
    lab.wait("the killed director as BACKUP", lambda: lab.machine(before)["vrrp"] == "BACKUP", seconds=240)
    assert lab.status()["owner"] == other  # it does not take the address back
    assert lab.page() is not None


def test_after_that_failover_there_is_nothing_to_do_and_up_moves_nothing(lab: LabUnderTest) -> None:
    """The address is where the deployment did not put it: that is no drift, and not what `up` is there to mend."""
    owner = lab.status()["owner"]
    for verb in (("preview", "--refresh"), ("refresh",), ("up", "--port", str(lab.port))):
        done = lab(*verb, "--expect-no-changes", timeout=300)
        assert done.returncode == 0, (verb, done.stdout, done.stderr)
    assert lab.status()["owner"] == owner
    assert lab.page() is not None
