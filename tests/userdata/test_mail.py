"""Keepalived of the image and the mail server of the lab's internet, without machines: what it says on transitions."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.cloud.authority import ensure_authority
from lab.cloud.mail_sink import MailSink
from lab.fabric.namespace import enter
from lab.mail import Mail, received
from lab.names import MAIL_ADDRESS, MAIL_NAME
from tests.userdata.examples import DIRECTORS, balancer
from tests.userdata.machine_tree import MachineTree, machine_tree
from userdata.render import director_user_data
from userdata.values import Notification

pytestmark = pytest.mark.image

PORTS = (2525, 587)
# Measured: 5 s, of which Keepalived waits 2 s, and then three and a half advertisements.
PATIENCE_SECONDS = 60.0
NETWORK = (
    f"ip link set lo up; ip address add {MAIL_ADDRESS}/32 dev lo; "
    "ip link add ens5 type veth peer name far; ip link set ens5 up; ip link set far up; "
    "ip address add 10.0.0.56/24 dev ens5; ip route add default via 10.0.0.1; "
    "ln -s /etc/lvs-aws/keepalived.conf /etc/keepalived/; /usr/local/lib/lvs-aws/prepare-keepalived.sh; "
)
RUN = (
    "echo network; read serving; "
    "exec timeout 60 keepalived --vrrp --dont-fork --log-console --log-detail --no-syslog >/mnt/said 2>&1"
)


def director(image: Path, directory: Path, port: int) -> MachineTree:
    mail = Notification(
        smtp_server=MAIL_ADDRESS, smtp_port=port, sender="lvs@x.org", recipients=("ops@x.org", "boss@x.org")
    )
    return machine_tree(image, director_user_data(balancer(notification=mail), DIRECTORS[1]), directory)


@contextmanager
def mail_server(pid: int, directory: Path) -> Iterator[Path]:
    """The server in the network of process `pid`; where it keeps what comes."""

    def listeners() -> dict[int, socket.socket]:
        enter(pid)
        return {port: socket.create_server((MAIL_ADDRESS, port)) for port in PORTS}

    issued = ensure_authority(directory / "authority").issue((MAIL_NAME,), directory / "certificates")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(issued.certificate, issued.key)
    with ThreadPoolExecutor(max_workers=1) as elsewhere:
        sink = MailSink(elsewhere.submit(listeners).result(), directory / "mail", tls)
    sink.start()
    try:
        yield directory / "mail"
    finally:
        sink.close()


@contextmanager
def keepalived(tree: MachineTree, directory: Path) -> Iterator[Path]:
    """A director alone: it becomes MASTER. Yields where its mail is kept."""
    command = tree.command(NETWORK + RUN)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "network\n"
        with mail_server(process.pid, directory) as mail:
            process.stdin.write("serving\n")
            process.stdin.flush()
            yield mail
    finally:
        process.terminate()
        process.wait(20)
        process.stdin.close()
        process.stdout.close()


def wait(what: str, found: Callable[[], object], tree: MachineTree) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found():
        assert time.monotonic() < deadline, f"{what}\n{(tree.shared / 'said').read_text()}"
        time.sleep(0.1)


def test_every_transition_is_told_to_everybody(image_root: Path, tmp_path: Path) -> None:
    tree = director(image_root, tmp_path / "tree", 2525)
    with keepalived(tree, tmp_path) as directory:

        def of(state: str) -> list[Mail]:
            subject = f"[director-2] VRRP Instance LVS - Entering {state} state"
            return [mail for mail in received(directory) if mail.subject == subject]

        wait("mail of both states", lambda: of("BACKUP") and of("MASTER"), tree)
        [backup], [master] = of("BACKUP"), of("MASTER")
    assert backup.at <= master.at
    for mail in (backup, master):
        assert (mail.sender, mail.recipients, mail.port) == ("lvs@x.org", ("ops@x.org", "boss@x.org"), 2525)


def test_it_has_neither_tls_nor_a_password(image_root: Path, tmp_path: Path) -> None:
    """So it cannot use a submission port, such as Amazon SES has."""
    tree = director(image_root, tmp_path / "tree", 587)
    with keepalived(tree, tmp_path) as directory:
        said = tree.shared / "said"
        wait("a refusal", lambda: said.exists() and "MAIL cmd on SMTP server" in said.read_text(), tree)
        assert "SMTP status code = 530" in said.read_text()
        assert received(directory) == ()
