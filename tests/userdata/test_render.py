"""The rendered bytes, read as cloud-init would."""

import base64
import bz2
import dataclasses
import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.userdata.examples import DIRECTORS, WEB_SERVERS, balancer, many_web_servers
from userdata import faults
from userdata.render import ARCHIVE_PATH, LIMIT_BYTES, director_user_data, web_server_user_data
from userdata.values import HealthCheck, Notification, Service, Vrrp, WebServer


def files_of(user_data: str) -> dict[str, str]:
    """Every file of user data by path: the plain ones, then the archive's."""
    config = yaml.safe_load(user_data)
    files = {entry["path"]: entry["content"] for entry in config["write_files"] if entry["path"] != ARCHIVE_PATH}
    packed = next(entry for entry in config["write_files"] if entry["path"] == ARCHIVE_PATH)
    unpacked = json.loads(bz2.decompress(base64.b85decode(packed["content"])))
    return {**files, **{f"/{path}": text for path, text in unpacked.items()}}


def director(index: int = 0, **changes: object) -> str:
    changed = balancer(**changes)
    return director_user_data(changed, changed.directors[index])


def web_server(index: int = 0, **changes: object) -> str:
    changed = balancer(**changes)
    return web_server_user_data(changed, changed.web_servers[index])


@pytest.mark.parametrize("text", [director(), web_server()], ids=["director", "web server"])
def test_user_data_is_ascii_cloud_config_that_fits(text):
    assert text.startswith("#cloud-config\n")
    assert text.isascii() and len(text) <= LIMIT_BYTES
    config = yaml.safe_load(text)
    assert config["hostname"] in ("director-1", "web-1")
    assert all(content.endswith("\n") for content in files_of(text).values() if content)


def test_what_may_change_is_plain_text():
    paths = [entry["path"] for entry in yaml.safe_load(director())["write_files"]]
    assert "/etc/lvs-aws/keepalived.conf" in paths and "/etc/lvs-aws/director.nft" in paths
    before, after = (
        director(web_servers=(WebServer(name="web-1", address="10.0.0.80", weight=weight),)).splitlines()
        for weight in (100, 50)
    )
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [("      weight 100", "      weight 50")]


@pytest.mark.parametrize("text", [director(), web_server()], ids=["director", "web server"])
def test_shellcheck_finds_nothing_in_the_scripts(text, tmp_path):
    scripts = {path: content for path, content in files_of(text).items() if content.startswith("#!")}
    assert len(scripts) >= 5
    for path, content in scripts.items():
        (tmp_path / path.rpartition("/")[2]).write_text(content)
    run = subprocess.run(["shellcheck", *tmp_path.iterdir()], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")


def test_200_web_servers_fit_and_are_all_there():
    servers = many_web_servers(200)
    text = director(web_servers=servers)
    assert len(text) <= LIMIT_BYTES
    configuration = files_of(text)["/etc/lvs-aws/keepalived.conf"]
    assert [line.split()[1] for line in configuration.splitlines() if "real_server " in line] == [
        server.address for server in servers
    ]
    assert len(web_server(199, web_servers=servers)) < LIMIT_BYTES / 2


def test_what_cannot_fit_is_refused_with_the_sizes():
    services = tuple(Service(port=8000 + number * 17) for number in range(40))
    with pytest.raises(
        faults.UserDataError, match=r"director-1 is \d{5} bytes, EC2 takes 16384: .*keepalived.conf \d+"
    ):
        director(web_servers=many_web_servers(200), services=services)


def test_other_web_servers_do_not_change_a_web_server():
    assert web_server() == web_server(web_servers=(*WEB_SERVERS, WebServer(name="web-3", address="10.0.0.7")))


def test_the_same_values_give_the_same_bytes_in_another_process():
    code = "from tests.userdata.test_render import director, web_server\nprint(director(), web_server(), end='')"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": "."}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout == f"{director()} {web_server()}"


def test_every_fault_is_named_at_once():
    with pytest.raises(faults.UserDataError) as caught:
        director(
            region="eu-c\u3000entral-1",
            vrrp=Vrrp(password="a b"),
            web_servers=(WebServer(name="w{eb", address="10.0.0.80"),),
            directors=tuple(dataclasses.replace(each, priority=100) for each in DIRECTORS),
        )
    text = str(caught.value)
    for part in (
        r"balancer.region has '\u3000'",
        "vrrp.password has ' '",
        "web_servers[0].name has '{'",
        "version 3",
        "[100, 100]",
    ):
        assert part in text
    assert text.isascii()


def test_version_2_counts_whole_seconds():
    with pytest.raises(faults.UserDataError, match=r"is 0.5, but VRRP version 2 counts whole seconds"):
        director(vrrp=Vrrp(version=2))


def test_a_machine_of_another_balancer_is_refused():
    with pytest.raises(faults.UserDataError, match="director-9"):
        director_user_data(balancer(), dataclasses.replace(DIRECTORS[0], name="director-9"))
    with pytest.raises(faults.UserDataError, match="web-9"):
        web_server_user_data(balancer(), WebServer(name="web-9", address="10.0.0.9"))


@pytest.mark.parametrize("text", [director(), web_server()], ids=["director", "web server"])
def test_whatever_stays_up_comes_back_and_the_journal_is_bounded(text: str) -> None:
    files = files_of(text)
    services = {path: content for path, content in files.items() if "/systemd/system/" in path}
    for path, content in services.items():
        if "[Service]" in content and not path.endswith("/lvs-logs.service"):  # its timer starts that one again
            assert "\nRestart=" in content and "\nStartLimitIntervalSec=0\n" in content, path
    assert len(services) >= 3
    assert "\nSystemMaxUse=200M\n" in files["/etc/systemd/journald.conf.d/lvs-aws.conf"]
    assert "systemd-journald" in files["/usr/local/lib/lvs-aws/first-boot.sh"]


def test_the_agent_is_no_root_and_has_bounds() -> None:
    lines = files_of(director())["/etc/systemd/system/lvs-agent.service"].splitlines()
    for expected in (
        "User=lvs-agent", "CapabilityBoundingSet=", "WatchdogSec=10", "Restart=always", "MemoryMax=256M", "TasksMax=32",
        "LogRateLimitBurst=300",
    ):  # fmt: skip
        assert expected in lines


def test_the_agent_learns_its_region_and_address():
    assert json.loads(files_of(director())["/etc/lvs-aws/agent.json"]) == {
        "region": "eu-central-1",
        "virtual_ip": "10.0.0.100",
        "rank": 0,
    }


def test_the_agent_learns_how_many_directors_have_a_higher_priority():
    directors = tuple(
        dataclasses.replace(DIRECTORS[0], name=f"director-{number}", address=f"10.0.0.{number}", priority=priority)
        for number, priority in ((10, 90), (11, 200), (12, 150))
    )
    configurations = [files_of(director(index, directors=directors))["/etc/lvs-aws/agent.json"] for index in range(3)]
    assert [json.loads(text)["rank"] for text in configurations] == [2, 0, 1]


def test_directors_differ_in_name_priority_and_addresses_only():
    one, two = (files_of(director(index)) for index in (0, 1))
    assert {path for path in one if one[path] != two[path]} == {
        "/etc/lvs-aws/keepalived.conf", "/etc/lvs-aws/director.nft", "/etc/lvs-aws/agent.json",
    }  # fmt: skip
    ranks = [json.loads(each["/etc/lvs-aws/agent.json"]).pop("rank") for each in (one, two)]
    assert ranks == [0, 1]
    pairs = zip(*(each["/etc/lvs-aws/director.nft"].splitlines() for each in (one, two)), strict=True)
    stamp, copy = (pair for pair in pairs if pair[0] != pair[1])
    assert tuple(line.rpartition(" ")[2] for line in stamp) == ("1", "2")
    assert [line.partition("dup to ")[2].split()[0] for line in copy] == ["10.0.0.56", "10.0.0.36"]
    pairs = zip(*(each["/etc/lvs-aws/keepalived.conf"].splitlines() for each in (one, two)), strict=True)
    assert {a.split()[0] for a, b in pairs if a != b} == {
        "router_id", "timer_expired_backup", "priority", "unicast_src_ip", "10.0.0.56",
    }  # fmt: skip


def test_everything_the_values_can_say_reaches_keepalived():
    text = files_of(
        director(
            vrrp=Vrrp(
                version=2,
                router_id=7,
                advert_interval_seconds=2,
                preempt=True,
                preempt_delay_seconds=9,
                password="word",
            ),
            notification=Notification(
                smtp_server="10.0.0.9", smtp_port=2525, sender="lb@x.org", recipients=("a@x.org", "b@x.org")),
            services=(
                Service(port=443, scheduler="wlc", persistence_seconds=60, inhibit_on_failure=True,
                        health_check=HealthCheck(kind="tcp", interval_seconds=6, timeout_seconds=10, retries=3,
                                                 retry_delay_seconds=3)),
                Service(port=8080, health_check=HealthCheck(path="/up?x=1", status=204)),
            ),
        )
    )["/etc/lvs-aws/keepalived.conf"]  # fmt: skip
    lines = [line.strip() for line in text.splitlines()]
    for expected in (
        "vrrp_version 2", "virtual_router_id 7", "advert_int 2", "preempt_delay 9",
        "auth_pass word # no secret: every advert carries it in clear text",
        "smtp_server 10.0.0.9 2525", "notification_email_from lb@x.org", "a@x.org", "b@x.org",
        "virtual_server 10.0.0.100 443 {", "lvs_sched wlc", "persistence_timeout 60", "inhibit_on_failure",
        "TCP_CHECK {", "delay_loop 6", "connect_timeout 10", "retry 3", "delay_before_retry 3",
        "virtual_server 10.0.0.100 8080 {", "path /up?x=1", "status_code 204",
    ):  # fmt: skip
        assert expected in lines, expected
    assert "nopreempt" not in lines and not any(line.startswith("timer_expired_backup") for line in lines)
    assert all(lines)


def test_three_directors_know_each_other():
    third = dataclasses.replace(DIRECTORS[0], name="director-3", address="10.0.0.57", priority=252)
    text = files_of(director(2, directors=(*DIRECTORS, third)))["/etc/lvs-aws/keepalived.conf"]
    block = text.partition("unicast_peer {")[2].partition("}")[0].split()
    assert block == ["10.0.0.36", "10.0.0.56"]
    assert "timer_expired_backup 254\n" in text


def test_dns_outside_the_subnet_keeps_its_own_way():
    def network(**changes: str) -> str:
        return files_of(web_server(**changes))["/etc/lvs-aws/network.env"]

    assert network().splitlines()[:2] == ["ROUTER=10.0.0.1", "DNS="]
    assert network(subnet_cidr="10.0.64.0/20").splitlines()[:2] == ["ROUTER=10.0.64.1", "DNS=10.0.0.2"]


def test_every_machine_knows_the_directors_in_the_same_order_and_each_director_stamps_its_place():
    third = dataclasses.replace(DIRECTORS[0], name="director-3", address="10.0.0.57", priority=252)
    directors = (*DIRECTORS, third)
    line = "DIRECTORS=10.0.0.36,10.0.0.56,10.0.0.57"
    web = files_of(web_server(directors=directors))
    assert line in web["/etc/lvs-aws/network.env"].splitlines()
    rules = web["/etc/lvs-aws/return-path.nft"]
    assert "{ 10.0.0.36 : 1, 10.0.0.56 : 2, 10.0.0.57 : 3 }" in rules and "{ 1 : 1, 2 : 2, 3 : 3 }" in rules
    for number in (1, 2, 3):
        assert f"meta mark set {number} meta mark @active ct mark set meta mark accept" in rules
        assert f"ct mark != {number} dup to {directors[number - 1].address}\n" in rules
        assert f"meta mark set {number} delete @active {{ meta mark }}" in rules
        files = files_of(director(number - 1, directors=directors))
        assert f"ip dscp set {number}\n" in files["/etc/lvs-aws/director.nft"]
        assert line in files["/etc/lvs-aws/network.env"].splitlines()


def test_more_directors_than_stamps_are_refused():
    directors = tuple(
        dataclasses.replace(DIRECTORS[0], name=f"d-{n}", address=f"10.0.0.{n}", priority=n) for n in range(1, 65)
    )
    with pytest.raises(faults.UserDataError, match="64 directors: 63 is the most"):
        director(directors=directors)
    assert director(directors=directors[:63])


def test_nginx_answers_what_each_health_check_asks():
    site = files_of(
        web_server(
            services=(
                Service(),
                Service(port=81, health_check=HealthCheck(path="/up?x=1", status=204)),
                Service(port=82, health_check=HealthCheck(path="/")),
            )
        )
    )["/etc/lvs-aws/nginx-site.conf"]
    blocks = site.split("server {")[1:]
    assert ["location = /healthz {" in blocks[0], "location = /up {" in blocks[1], "location = /healthz {" in blocks[2]]
    assert "return 204" in blocks[1]
    assert all(f"listen {port} default_server;" in block for port, block in zip((80, 81, 82), blocks, strict=True))


SEVERAL = (
    Service(),
    Service(port=443, health_check=HealthCheck(kind="tcp")),
    Service(port=443, protocol="udp", health_check=HealthCheck(port=80, path="/quic", status=204)),
    Service(port=53, protocol="udp", health_check=HealthCheck(kind="udp", payload="00ff")),
    Service(port=54, protocol="udp", health_check=HealthCheck(kind="udp", port=53)),
)


def test_nginx_has_a_page_for_plain_tcp_only_and_answers_whatever_check_asks_there():
    site = files_of(web_server(services=SEVERAL))["/etc/lvs-aws/nginx-site.conf"]
    assert [line.split()[1] for line in site.splitlines() if "listen " in line] == ["80"]
    assert site.index("location = /healthz {") < site.index("return 200") < site.index("location = /quic {")
    assert "return 204" in site
    assert "location = /healthz {" in files_of(web_server())["/etc/lvs-aws/nginx-site.conf"]


def test_keepalived_forwards_and_checks_each_service_by_its_protocol():
    text = files_of(director(services=SEVERAL))["/etc/lvs-aws/keepalived.conf"]
    blocks = text.split("virtual_server ")[1:]
    assert [(block.split()[1], block.partition("protocol ")[2].split()[0]) for block in blocks] == [
        ("80", "TCP"), ("443", "TCP"), ("443", "UDP"), ("53", "UDP"), ("54", "UDP"),
    ]  # fmt: skip
    checks = [
        [line.strip() for line in block.partition("_CHECK {" if "_CHECK {" in block else "HTTP_GET {")[2].split("\n")]
        for block in blocks
    ]
    kinds = [[kind for kind in ("HTTP_GET", "TCP_CHECK", "UDP_CHECK") if f"{kind} {{" in block] for block in blocks]
    assert kinds == [["HTTP_GET"], ["TCP_CHECK"], ["HTTP_GET"], ["UDP_CHECK"], ["UDP_CHECK"]]
    assert not any("connect_port" in line for check in checks[:2] for line in check)
    assert {"connect_port 80", "path /quic", "status_code 204"} <= set(checks[2])
    assert checks[3][1:4] == ["payload 00ff", "require_reply", "}"]
    assert checks[4][1:3] == ["connect_port 53", "}"]


def test_packets_of_a_service_are_those_of_its_protocol_and_port():
    services = "{ tcp . 80, tcp . 443, udp . 443, udp . 53, udp . 54 }"
    rules = files_of(director(services=SEVERAL))["/etc/lvs-aws/director.nft"]
    assert f"meta l4proto . th sport {services} counter ip saddr set 10.0.0.100" in rules  # guard
    assert f"meta l4proto . th dport {services} ip dscp set 1" in rules
    rules = files_of(web_server(services=SEVERAL))["/etc/lvs-aws/return-path.nft"]
    assert f"meta l4proto . th dport {services} ct mark set ip dscp map @stamps" in rules


def test_a_web_servers_own_udp_does_not_wait_for_an_owner_and_its_answers_do():
    rules = files_of(web_server())["/etc/lvs-aws/return-path.nft"]
    waiting = [line.strip() for line in rules.splitlines() if "@lately meta l4proto" in line]
    assert [line.partition("l4proto ")[2] for line in waiting] == [
        "tcp counter accept",
        "udp ct mark != 0 counter accept",
    ]


def test_several_services_are_the_same_on_all_directors():
    one, two = (files_of(director(index, services=SEVERAL))["/etc/lvs-aws/keepalived.conf"] for index in (0, 1))
    assert one.partition("virtual_server")[2] == two.partition("virtual_server")[2] != ""


def test_the_default_directors_configuration_is_readable():
    archive, *plain = [entry["path"] for entry in yaml.safe_load(director())["write_files"]]
    assert archive == ARCHIVE_PATH and len(plain) == 4


def test_a_balancer_is_looked_over_once_for_all_its_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the cost of 200 web servers would grow with the square of their number."""
    looked: list[object] = []
    monkeypatch.setattr(faults, "asdict", lambda value: looked.append(value) or dataclasses.asdict(value))
    changed = balancer(web_servers=many_web_servers(10), virtual_ip="10.0.0.99")
    for web_server in changed.web_servers:
        web_server_user_data(changed, web_server)
    assert len(looked) == 1
