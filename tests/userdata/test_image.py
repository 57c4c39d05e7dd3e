"""Debian's own tools on the rendered bytes, in the image's file system."""

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.userdata.examples import DIRECTORS, balancer, many_web_servers
from tests.userdata.fake_aws import FakeAws
from tests.userdata.machine_tree import MachineTree, machine_tree
from tests.userdata.test_agent import running_agent, until
from userdata.render import director_user_data, web_server_user_data
from userdata.templates import HERE
from userdata.values import HealthCheck, LoadBalancer, Notification, Service, Vrrp

pytestmark = pytest.mark.image

EVERYTHING = {
    "vrrp": Vrrp(version=2, advert_interval_seconds=1, preempt=True, preempt_delay_seconds=9, password="word"),
    "notification": Notification(smtp_server="10.0.0.9", sender="lb@x.org", recipients=("a@x.org", "b@x.org")),
    "services": (
        Service(port=80, scheduler="wlc", persistence_seconds=60, inhibit_on_failure=True),
        Service(port=443, scheduler="mh", health_check=HealthCheck(kind="tcp", interval_seconds=6)),
        Service(port=8080, scheduler="sh", health_check=HealthCheck(path="/up?x=1", status=204)),
        Service(port=443, protocol="udp", health_check=HealthCheck(port=80, path="/quic")),
        Service(port=53, protocol="udp", health_check=HealthCheck(kind="udp", payload="00ff")),
        Service(port=54, protocol="udp", health_check=HealthCheck(kind="udp", port=53)),
    ),
}
BALANCERS = {
    "default": balancer(),
    "everything": balancer(**EVERYTHING),
    "preempt at once": balancer(vrrp=Vrrp(preempt=True)),
    "200 web servers": balancer(web_servers=many_web_servers(200), subnet_cidr="10.0.0.0/20"),
}
# A network card named as on EC2's Nitro machines, with what DHCP gives.
NETWORK = (
    "ip link set lo up; ip link add ens5 type veth peer name far; ip link set ens5 up; ip link set far up; "
    "ip address add {address}/24 dev ens5; ip route add default via 10.0.0.1 dev ens5 metric 100; "
)
DIRECTOR_NETWORK = NETWORK.format(address="10.0.0.36")
WEB_NETWORK = NETWORK.format(address="10.0.0.80")
SEEN = "type filter hook prerouting priority 0;"
LIB = "/usr/local/lib/lvs-aws"
SYNC_LINK = "ip link add vxs type veth peer name sxv"  # director.nft names it

Build = Callable[[str], MachineTree]


@pytest.fixture(scope="module")
def build(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    return lambda user_data: machine_tree(image_root, user_data, tmp_path_factory.mktemp("tree") / "tree")


@pytest.fixture(scope="module")
def director(build: Build) -> MachineTree:
    return build(director_user_data(balancer(), DIRECTORS[0]))


@pytest.fixture(scope="module")
def web_server(build: Build) -> MachineTree:
    return build(web_server_user_data(balancer(), balancer().web_servers[0]))


def output(done: subprocess.CompletedProcess[str]) -> str:
    """What it said; the test fails unless it ended well."""
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("name", ["default", "200 web servers"])
def test_cloud_init_accepts_the_schema(build: Build, name: str):
    this = BALANCERS[name]
    for text in (director_user_data(this, DIRECTORS[0]), web_server_user_data(this, this.web_servers[0])):
        done = build(text).run("cloud-init schema --config-file /mnt/user-data 2>&1")
        assert "Valid schema" in output(done)


@pytest.mark.parametrize("this", BALANCERS.values(), ids=BALANCERS.keys())
def test_keepalived_accepts_the_configuration_of_both_directors(build: Build, this: LoadBalancer):
    for director, address in zip(this.directors, ("10.0.0.36", "10.0.0.56"), strict=True):
        tree = build(director_user_data(this, director))
        script = (
            NETWORK.format(address=address)
            + f"ln -s /etc/lvs-aws/keepalived.conf /etc/keepalived/; {LIB}/prepare-keepalived.sh; "
            + "keepalived --config-test 2>&1"
        )
        assert output(tree.run(script)) == ""


def test_keepalived_refuses_a_broken_configuration(director: MachineTree):
    """The check above can fail."""
    script = (
        f"{DIRECTOR_NETWORK} ln -s /etc/lvs-aws/keepalived.conf /etc/keepalived/; {LIB}/prepare-keepalived.sh; "
        "sed -i s/nopreempt/nopremptt/ /etc/lvs-aws/keepalived.conf; keepalived --config-test"
    )
    done = director.run(script)
    assert done.returncode == 5 and "nopremptt" in done.stderr


def test_keepalived_takes_the_name_of_any_network_card(director: MachineTree):
    script = (
        DIRECTOR_NETWORK.replace("ens5", "enX0")
        + f"ln -s /etc/lvs-aws/keepalived.conf /etc/keepalived/; {LIB}/prepare-keepalived.sh; "
        + "cat /run/lvs-aws/interface.conf; keepalived --config-test; test -p /run/lvs-aws/vrrp.fifo"
    )
    assert output(director.run(script)) == "$NIC=enX0\n"


def test_nft_accepts_the_rules_and_leaves_other_tables(director: MachineTree):
    load = "nft -f /etc/lvs-aws/director.nft;"
    script = (
        f"{SYNC_LINK}; nft -c -f /etc/lvs-aws/director.nft; nft add table ip other; {load} {load} nft -j list ruleset"
    )
    listed = json.loads(output(director.run(script)))["nftables"]
    assert {each["table"]["name"] for each in listed if "table" in each} == {"other", "lvs_aws"}
    assert sum("rule" in each for each in listed) == 10


def test_nginx_accepts_the_site(build: Build):
    for this in BALANCERS.values():
        tree = build(web_server_user_data(this, this.web_servers[0]))
        script = (
            "rm /etc/nginx/sites-enabled/default; "
            "ln -s /etc/lvs-aws/nginx-site.conf /etc/nginx/sites-enabled/lvs-aws; nginx -t 2>&1"
        )
        assert "test is successful" in output(tree.run(script))


def test_nginx_answers_and_logs_the_client(web_server: MachineTree):
    script = (
        "ip link set lo up; rm /etc/nginx/sites-enabled/default; "
        "ln -s /etc/lvs-aws/nginx-site.conf /etc/nginx/sites-enabled/lvs-aws; nginx; "
        "curl -s -i http://127.0.0.1/healthz; curl -s --interface 127.0.0.9 http://127.0.0.1/; "
        "echo; cat /var/log/nginx/access.log; nginx -s stop; while [ -e /run/nginx.pid ]; do sleep 0.1; done"
    )
    text = output(web_server.run(script))
    assert text.startswith("HTTP/1.1 200 OK") and "\nok\n" in text
    assert "<h1>web-1</h1><p>10.0.0.80:80 answers 127.0.0.9." in text
    assert [line.split()[0] for line in text.splitlines() if '"GET' in line] == ["127.0.0.9"], (
        "health checks are not logged"
    )


def test_a_full_log_of_nginx_becomes_the_old_one(web_server: MachineTree):
    site = "rm /etc/nginx/sites-enabled/default; ln -s /etc/lvs-aws/nginx-site.conf /etc/nginx/sites-enabled/lvs-aws"
    script = (
        f"ip link set lo up; {site}; cd /var/log/nginx; echo older >access.log.1; nginx; "
        f"curl -s http://127.0.0.1/first >/dev/null; {LIB}/turn-logs.sh; ls; "
        f"truncate -s 100000001 access.log; {LIB}/turn-logs.sh; "
        "for i in $(seq 99); do [ -e access.log ] && break; sleep 0.1; done; "
        "curl -s http://127.0.0.1/second >/dev/null; stat -c '%n %s' access.log.1; ls error.log*; "
        "grep -c first access.log.1; grep -c -a . access.log; grep -c second access.log; "
        "nginx -s stop; while [ -e /run/nginx.pid ]; do sleep 0.1; done"
    )
    assert output(web_server.run(script)).split() == [
        "access.log", "access.log.1", "error.log",
        "access.log.1", "100000001", "error.log", "1", "1", "1",
    ]  # fmt: skip


def test_systemd_accepts_the_units(director: MachineTree, web_server: MachineTree):
    for tree, units in (
        (director, "lvs-network.service lvs-agent.service keepalived.service"),
        (web_server, "lvs-return-path.service nginx.service lvs-logs.timer lvs-logs.service"),
    ):
        done = tree.run(f"systemd-analyze verify --man=no {units} 2>&1")
        assert output(done) == ""


def test_the_agent_may_do_little(director: MachineTree):
    """systemd's own judgement, 0 (may do nothing) to 10; an unconfined service has 9.6."""
    exposure = "systemd-analyze security --offline=yes --no-pager lvs-agent.service"
    [overall] = [line for line in output(director.run(exposure)).splitlines() if "Overall exposure level" in line]
    assert float(overall.split(":")[1].split()[0]) <= 2.5, overall


AS_AGENT = "setpriv --reuid lvs-agent --regid lvs-agent --clear-groups"


def test_the_run_directory_is_root_s_and_the_same_whoever_makes_it_first(director: MachineTree):
    """As systemd makes it for the agent, and as Keepalived's script does; a FIFO that is there stays."""
    script = f"""
        {DIRECTOR_NETWORK} run=/run/lvs-aws
        for first in "install -d -o lvs-agent -g lvs-agent $run/agent" "{LIB}/prepare-keepalived.sh"; do
            rm -rf $run; umask 022; $first
            rm -f $run/vrrp.fifo; touch $run/vrrp.fifo
            {LIB}/prepare-keepalived.sh; inode=$(stat -c %i $run/vrrp.fifo); {LIB}/prepare-keepalived.sh
            install -d -o lvs-agent -g lvs-agent $run/agent; echo 0 >$run/penalty
            test $inode = $(stat -c %i $run/vrrp.fifo) && stat -c '%U %a %F' $run $run/agent $run/vrrp.fifo
            {AS_AGENT} sh -c "cd $run; echo seen >agent/status.json; : <>vrrp.fifo && echo opened
                (echo -254 >penalty) 2>/dev/null || echo refused; rm -f penalty 2>/dev/null || echo refused
                touch penalty.before 2>/dev/null || echo refused"
            cat $run/status.json $run/penalty
        done
    """
    once = [
        "root 755 directory", "lvs-agent 755 directory", "lvs-agent 600 fifo", "opened",
        "refused", "refused", "refused", "seen", "0",
    ]  # fmt: skip
    assert output(director.run(script)).splitlines() == once + once


def test_the_role_s_credentials_are_for_root_and_the_agent(director: MachineTree):
    script = f"""
        {SYNC_LINK}; ip link set lo up; ip address add 169.254.169.254/32 dev lo; nft -f /etc/lvs-aws/director.nft
        ask="curl -s -m 3 http://169.254.169.254:9/"
        for who in root lvs-agent www-data; do
            setpriv --reuid $who --clear-groups --regid $who $ask || true
        done
        nft list chain ip lvs_aws credentials | sed -n 's/.* counter packets \\([0-9]*\\) .*/\\1/p'
    """
    assert int(output(director.run(script)).split()[-1]) == 1


# The kernel's own settings are the host's: only what a network namespace has is set here.
SYSCTL = (
    "sed -i /^kernel/d /etc/sysctl.d/60-lvs-aws.conf; "
    "/usr/lib/systemd/systemd-sysctl --strict /etc/sysctl.d/60-lvs-aws.conf"
)


def test_sysctl_settings_reach_the_network_card(director: MachineTree, web_server: MachineTree):
    script = (
        f"{DIRECTOR_NETWORK} {SYSCTL}; cd /proc/sys/net/ipv4; "
        "cat ip_forward conf/all/send_redirects conf/ens5/send_redirects conf/ens5/rp_filter"
    )
    assert output(director.run(script)).split() == ["1", "0", "0", "2"]
    script = (
        f"{WEB_NETWORK} {SYSCTL}; cd /proc/sys/net/ipv4/neigh/ens5; "
        "cat base_reachable_time_ms delay_first_probe_time retrans_time_ms locktime ucast_solicit"
    )
    assert output(web_server.run(script)).split() == ["500", "0", "100", "0", "1"]


def test_what_a_director_forwards(director: MachineTree):
    """The web servers' way out is masqueraded, untranslated replies get the virtual IP; metadata does not pass."""
    script = f"""
        ip link set lo up
        ip netns add web; ip netns add outside
        ip link add ens5 type veth peer name far netns web; ip link add out type veth peer name far netns outside
        ip address add 10.0.0.36/24 dev ens5; ip link set ens5 up
        ip address add 192.0.2.1/24 dev out; ip link set out up; ip route add default via 192.0.2.2
        ip -n web address add 10.0.0.80/24 dev far; ip -n web link set far up
        ip -n web route add default via 10.0.0.36
        ip -n outside address add 192.0.2.2/24 dev far; ip -n outside link set far up; ip -n outside link set lo up
        for address in 203.0.113.9 169.254.169.254; do ip -n outside address add $address/32 dev lo; done
        {SYSCTL}
        {SYNC_LINK}; nft -f /etc/lvs-aws/director.nft
        ip netns exec outside nft -f - <<END
        table ip seen {{ chain seen {{ {SEEN} ip saddr 10.0.0.100 tcp sport 80 counter; }}; }}
END
        ip netns exec web ping -q -c 1 -W 2 203.0.113.9 >/dev/null && echo masqueraded
        ip netns exec web ping -q -c 1 -W 1 169.254.169.254 >/dev/null || echo no metadata
        ping -q -c 1 -W 2 169.254.169.254 >/dev/null && echo own metadata
        ip netns exec web curl -s -m 1 --local-port 80 http://203.0.113.9:9/ || echo no answer to a web server
        ip netns exec web curl -s -m 1 http://203.0.113.9:9/ || echo $?
        nft list chain ip lvs_aws metadata | sed -n 's/.* counter packets \\([0-9]*\\) .*/\\1/p'
        ip netns exec outside nft list chain ip seen seen | sed -n 's/.* counter packets \\([0-9]*\\) .*/\\1/p'
    """
    *said, metadata, seen = output(director.run(script)).splitlines()
    assert said == [
        "masqueraded",
        "no metadata",
        "own metadata",
        "no answer to a web server",
        "7",
    ]  # 7: refused, so reached
    assert int(metadata) == 1 and int(seen) >= 1


# A segment amid a connection: a TCP header with the flag ACK and nothing else.
SEGMENT = (
    "import socket, struct, sys; to = '10.0.0.100'; "
    "ends = socket.inet_aton(sys.argv[1]) + socket.inet_aton(to) + struct.pack('>HH', 6, 20); "
    "head = lambda check: struct.pack('>HHIIBBHHH', 40000, 80, 1, 1, 5 << 4, 16, 1000, check, 0); "
    "check = 65535 - sum(struct.unpack('>16H', ends + head(0))) % 65535; "
    "socket.socket(socket.AF_INET, socket.SOCK_RAW, 6).sendto(head(check), (to, 0))"
)


def test_a_segment_of_an_unknown_connection_is_for_the_other_directors(director: MachineTree):
    """While this one is new: later a reset is the answer, and what another director sent gets none at all."""
    counted = "counter packets \\([0-9]*\\) .*/\\1/p"
    script = f"""
        ip link set lo up; ip netns add outside; ip netns add other
        ip link add out type veth peer name far netns outside; ip link add vxs type veth peer name vxs netns other
        ip address add 192.0.2.1/24 dev out; ip link set out up; ip route add default via 192.0.2.2
        ip address add 10.0.0.36/32 dev vxs; ip link set vxs up; ip route add default dev vxs metric 9999
        ip route add local 10.0.0.100 dev lo
        ip -n other address add 10.0.0.56/32 dev vxs; ip -n other link set lo up; ip -n other link set vxs up
        ip -n other route add default dev vxs; ip -n other route add local 10.0.0.100 dev lo
        ip -n outside address add 192.0.2.2/24 dev far; ip -n outside link set far up
        ip -n outside route add 10.0.0.100 via 192.0.2.1
        {SYSCTL}
        nft -f /etc/lvs-aws/director.nft
        ip netns exec outside nft -f - <<END
        table ip seen {{ chain seen {{ {SEEN} tcp flags & rst == rst counter; }}; }}
END
        ip netns exec other nft -f - <<END
        table ip seen {{ chain seen {{ {SEEN} ip dscp 1 tcp dport 80 counter drop; }}; }}
END
        seen() {{ sleep 0.2; ip netns exec $1 nft list chain ip seen seen | sed -n 's/.* {counted}'; }}
        for from in outside outside; do ip netns exec $from python3 -c "{SEGMENT}" 192.0.2.2; done
        seen other; seen outside
        nft flush set ip lvs_aws fresh; ip netns exec outside python3 -c "{SEGMENT}" 192.0.2.2
        seen other; seen outside
        ip netns exec other ip route del local 10.0.0.100 dev lo
        ip netns exec other python3 -c "{SEGMENT}" 10.0.0.56; seen other; seen outside
        nft list chain ip lvs_aws unknown | sed -n 's/.* {counted}'
    """
    assert output(director.run(script)).split() == ["2", "0", "2", "1", "2", "1", "2"]


def test_the_return_path(web_server: MachineTree):
    script = (
        f"{WEB_NETWORK} export $(cat /etc/lvs-aws/network.env); {LIB}/return-path.sh; {LIB}/return-path.sh; "
        "for rules in 1 2; do nft -f /etc/lvs-aws/return-path.nft; done; for to in "
        "198.51.100.1 169.254.169.254 169.254.169.123 10.0.0.2 '10.0.0.200 mark 1' '198.51.100.1 mark 2'; "
        "do ip -o route get $to; done"
    )
    ways = [line.split(" src ")[0].split(" uid ")[0].strip() for line in output(web_server.run(script)).splitlines()]
    assert ways == [
        "198.51.100.1 via 10.0.0.100 dev ens5",
        "169.254.169.254 via 10.0.0.1 dev ens5",
        "169.254.169.123 via 10.0.0.1 dev ens5",
        "10.0.0.2 dev ens5",
        "10.0.0.200 via 10.0.0.36 dev ens5 table 5101",
        "198.51.100.1 via 10.0.0.56 dev ens5 table 5102",
    ]


def test_connection_sync_has_a_link_of_its_own_to_every_other_director(build: Build):
    directors = (*DIRECTORS, dataclasses.replace(DIRECTORS[0], name="director-3", address="10.0.0.57", priority=252))
    this = balancer(directors=directors)
    tree = build(director_user_data(this, directors[0]))
    script = (
        f"{DIRECTOR_NETWORK} export $(cat /etc/lvs-aws/network.env); {LIB}/sync-link.sh; {LIB}/sync-link.sh; "
        "cat /sys/class/net/vxs/address; ip -o -4 address show dev vxs; bridge fdb show dev vxs | sort; "
        "ip route get 10.0.0.100"
    )
    mac, address, *others, way, _ = output(tree.run(script)).splitlines()
    assert mac == "02:33:0a:00:00:24"  # of the address 10.0.0.36: no two directors have the same
    assert " 10.0.0.36/32 " in address
    assert [line.split()[:3] for line in others] == [
        ["00:00:00:00:00:00", "dst", "10.0.0.56"],
        ["00:00:00:00:00:00", "dst", "10.0.0.57"],
    ]
    assert way.startswith("local 10.0.0.100 dev lo"), "served here, whether Keepalived is MASTER or not"


def test_a_director_that_stops_hands_over_first_and_is_itself_again_afterwards(director: MachineTree):
    """The agent says by a file whether the address is here; FAULT makes another director claim it."""
    script = (
        "mkdir -p /run/lvs-aws/agent; cd /run/lvs-aws; echo 7 >penalty; "
        f"{LIB}/hand-over.sh; cat penalty; touch agent/owner; (sleep 3; cat penalty; rm agent/owner) & "
        f"date +%s; {LIB}/hand-over.sh; date +%s; {LIB}/keepalived-stopped.sh; cat penalty; ls"
    )
    before, began, fault, ended, after, *files = output(director.run(script)).split()
    assert (before, fault, after, files) == ("7", "-254", "7", ["agent", "penalty"])
    assert 4 <= int(ended) - int(began) <= 10, "three for the address, two for sync"


def test_a_permanent_virtual_ip_is_taken_off_the_network_card(director: MachineTree):
    file = "/run/systemd/network/10-netplan-ens5.network"
    script = (
        f"{DIRECTOR_NETWORK} ip address add 10.0.0.100/24 dev ens5; mkdir -p /run/systemd/netif/links; "
        f"echo NETWORK_FILE={file} > /run/systemd/netif/links/$(cat /sys/class/net/ens5/ifindex); "
        f"export $(cat /etc/lvs-aws/network.env); {LIB}/release-virtual-ip.sh; {LIB}/release-virtual-ip.sh; "
        "ip -4 -o address show dev ens5; cat /etc/systemd/network/10-netplan-ens5.network.d/lvs-aws.conf"
    )
    text = output(director.run(script))
    assert "10.0.0.36/24" in text and "10.0.0.100/24 " not in text.partition("\n")[2]
    assert text.endswith("[Network]\nAddress=\n")


def test_the_agent_hears_of_a_killed_keepalived(director: MachineTree):
    script = (
        f"mkdir /run/lvs-aws; {LIB}/keepalived-stopped.sh; mkfifo /run/lvs-aws/vrrp.fifo; "
        f"exec 3<>/run/lvs-aws/vrrp.fifo; {LIB}/keepalived-stopped.sh; head -n 1 <&3"
    )
    assert output(director.run(script)) == 'INSTANCE "LVS" STOP 0\n'


def test_installed_packages_need_no_apt(director: MachineTree, web_server: MachineTree):
    for tree, package in ((director, "python3-boto3"), (web_server, "nginx")):
        asked = f"""set -- $(sed -n 's/.*install-packages.sh" //p' {LIB}/first-boot.sh)"""
        text = output(tree.run(f'rm /usr/bin/apt-get; {asked}; {LIB}/install-packages.sh "$@"'))
        assert text.startswith("install-packages: all installed: ") and package in text.split()


def test_units_are_started_now_and_at_every_boot(director: MachineTree):
    systemctl = director.shared / "units/systemctl"
    systemctl.parent.mkdir()
    # The first time a unit was loaded before its files came, the second time not.
    systemctl.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = show ]; then [ -e /tmp/reloaded ] && echo NeedDaemonReload=no || echo NeedDaemonReload=yes\n'
        'else echo systemctl "$@"; fi\n'
    )
    systemctl.chmod(0o755)
    script = (
        f"userdel lvs-agent; export PATH=/mnt/units:$PATH; {LIB}/first-boot.sh >/mnt/said; "
        "grep -v ^install-packages /mnt/said; id -un lvs-agent; "
        f"touch /tmp/reloaded; {LIB}/start-units.sh lvs-agent.service; "
        "cd /etc/systemd/system/multi-user.target.wants; "
        "readlink -e lvs-network.service lvs-agent.service keepalived.service; "
        f"{DIRECTOR_NETWORK} {LIB}/prepare-keepalived.sh; keepalived --config-test"
    )
    assert output(director.run(script)).splitlines() == [
        "systemctl try-restart systemd-journald.service",
        "systemctl daemon-reload",
        "systemctl start lvs-network.service lvs-agent.service keepalived.service",
        "lvs-aws: this director is ready",
        "lvs-agent",
        "systemctl start lvs-agent.service",
        "/etc/systemd/system/lvs-network.service",
        "/etc/systemd/system/lvs-agent.service",
        "/usr/lib/systemd/system/keepalived.service",
    ]


def test_nginx_starts_with_our_site_at_once(web_server: MachineTree):
    """Its installation makes a site of its own only where the name is free (Debian's nginx-common.postinst)."""
    systemctl = web_server.shared / "units/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text("#!/bin/sh\n")
    systemctl.chmod(0o755)
    site = "/etc/nginx/sites-enabled/default"
    install = f"/var/lib/dpkg/info/nginx-common.postinst configure '' >/dev/null 2>&1; readlink {site}"
    script = (
        f"{WEB_NETWORK} mkdir -p /run/systemd/netif/links; "
        "echo NETWORK_FILE= > /run/systemd/netif/links/$(cat /sys/class/net/ens5/ifindex); "
        f"export PATH=/mnt/units:$PATH DEBIAN_FRONTEND=noninteractive; rm {site}; {install}; rm {site}; "
        f"{LIB}/first-boot.sh >/dev/null; {install}; nginx -t 2>&1 | tail -n 1"
    )
    debians, ours, tested = output(web_server.run(script)).splitlines()
    assert (debians, ours) == ("/etc/nginx/sites-available/default", "/etc/lvs-aws/nginx-site.conf")
    assert tested.endswith("test is successful")


def test_a_web_server_asks_apt_again_once_a_director_has_the_virtual_ip(web_server: MachineTree):
    script = (
        f"{WEB_NETWORK} "
        "nft -f /etc/lvs-aws/return-path.nft; (sleep 4; nft add element ip lvs_return active '{ 1 timeout 60s }') & "
        f"date +%s; {LIB}/wait-for-director.sh 1; date +%s; {LIB}/wait-for-director.sh 1; date +%s"
    )
    before, found, again = map(int, output(web_server.run(script)).split())
    assert 3 <= found - before <= 20
    assert again - found <= found - before


@pytest.mark.parametrize("exit_code", [0, 1])
def test_what_a_lost_power_interrupts_begins_anew_until_it_succeeded_once(director: MachineTree, exit_code: int):
    """What cloud-init does once an instance, its semaphores say (cloudinit/helpers.py, FileSemaphores)."""
    config = yaml.safe_load((director.shared / "user-data").read_text())
    [bootcmd], [runcmd] = config["bootcmd"], config["runcmd"]
    again, once = ["config_runcmd", "config_scripts_user", "config_write_files"], ["config_set_hostname"]
    look = f"(cd /var/lib/cloud/instance/sem; touch {' '.join(again + once)}; {bootcmd}; cd sem; ls; echo end)"
    _, _, rest = runcmd.partition(" && ")
    script = (
        "mkdir -p /var/lib/cloud/instances/i-1/sem; ln -s instances/i-1 /var/lib/cloud/instance; "
        f"{look}; printf '#!/bin/sh\\nexit {exit_code}\\n' >{LIB}/first-boot.sh; {rest} || true; {look}"
    )
    before, after = (part.split() for part in output(director.run(script)).split("end\n")[:2])
    assert before == once
    assert after == (once if exit_code else sorted(again + once))


def test_a_failed_installation_is_tried_again(director: MachineTree):
    """apt-get fails twice, then brings the package; an index that a lost power left empty is gone by then."""
    programs = {
        "apt-get": """
            [ ! -e /var/lib/apt/lists/empty ] || exit 100
            [ -e /tmp/first ] || { touch /tmp/first; exit 100; }
            [ -e /tmp/second ] || { touch /tmp/second; exit 100; }
            case "$*" in *" install "*keepalived) touch /tmp/installed ;; esac
        """,
        "dpkg-query": "[ -e /tmp/installed ] && echo installed",
        "dpkg": "true",
    }
    for name, text in programs.items():
        path = director.shared / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    empty = "touch /var/lib/apt/lists/empty"
    done = director.run(f"{empty}; PATH=/mnt/bin:$PATH PAUSE='echo pause' {LIB}/install-packages.sh keepalived")
    assert output(done).splitlines()[-1] == "install-packages: all installed: keepalived"
    assert [line for line in done.stderr.splitlines() if "failed" in line] == [
        "install-packages: attempt 1 failed, next in 1 s",
        "install-packages: attempt 2 failed, next in 2 s",
        "install-packages: attempt 3 failed, next in 3 s",
    ]
    assert [line for line in done.stdout.splitlines() if line.startswith("pause")] == ["pause 1", "pause 2", "pause 3"]


def test_debians_python_runs_the_agent_of_the_archive(director: MachineTree):
    """Python 3.13 and botocore 1.37 of Debian 13, the code without its comments, and nobody special as its user."""
    unit = (HERE / "director/root/etc/systemd/system/lvs-agent.service").read_text()
    [started] = re.findall(r"^ExecStart=(.*) /etc/lvs-aws/agent.json$", unit, re.M)
    [mebibytes] = re.findall(r"^MemoryMax=(\d+)M$", unit, re.M)
    with FakeAws(associated=True) as aws:
        run = f"chown -R lvs-agent /mnt/run /mnt/notify; cd {LIB}; exec {AS_AGENT} {started} /mnt/agent.json"
        command = director.command(run, own_network=False)
        with running_agent(aws, director.shared, command, inside=Path("/mnt")) as agent:
            agent.keepalived("MASTER")
            until(lambda: agent.told("verified"))
            assert aws.actions == ["AssignPrivateIpAddresses"]
            lines = Path(f"/proc/{agent.process.pid}/status").read_text().splitlines()
            status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
            assert "0" not in status["Uid"] and int(status["CapEff"][0], 16) == 0
            print(status["VmHWM"], status["VmRSS"], status["Threads"])
            assert int(status["VmHWM"][0]) * 2 <= int(mebibytes) * 1024, "its most until now, twice, is granted"


def test_debians_python_makes_the_same_archive(director: MachineTree):
    (director.shared / "archive.py").write_bytes((HERE / "archive.py").read_bytes())
    subprocess.run(["cp", "-a", str(HERE / "director"), str(director.shared)], check=True)
    code = (
        "import sys, hashlib, pathlib; sys.path.insert(0, '{at}'); import archive; "
        "print(hashlib.sha256(archive.pack(archive.read_tree(pathlib.Path('{at}/director')))).hexdigest())"
    )
    there = output(director.run(f'python3 -B -c "{code.format(at="/mnt")}"'))
    here = subprocess.run(
        [sys.executable, "-B", "-c", code.format(at=director.shared)], capture_output=True, text=True, check=True
    )
    assert there == here.stdout and len(there.strip()) == len(hashlib.sha256().hexdigest())
