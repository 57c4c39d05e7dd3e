"""The mail server on the lab's internet, as Keepalived's client and as others speak to it; and `lab mail`."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab import cli
from lab.cloud.authority import ensure_authority
from lab.cloud.mail_sink import MESSAGE_BYTES, MailSink
from lab.mail import PORT, Mail, keep, received
from lab.names import MAIL_NAME
from lab.paths import LabPaths
from lab.running import RunningLab
from lab.verbs import PROJECT

# What Keepalived's client sends (keepalived/core/smtp.c): HELO, no extension, bare headers.
DIALOGUE = (
    (None, 220),
    ("HELO localhost", 250),
    ("MAIL FROM:<lvs@example.com>", 250),
    ("RCPT TO:<ops@example.com>", 250),
    ("RCPT TO:<boss@example.com>", 250),
    ("DATA", 354),
    (
        "From: lvs@example.com\r\nSubject: [director-2] VRRP Instance LVS - Entering MASTER state\r\n"
        "X-Mailer: Keepalived\r\nTo: ops@example.com, boss@example.com\r\n\r\n=> now owning <=\r\n.",
        250,
    ),
    ("QUIT", 221),
)


@dataclass(frozen=True, kw_only=True)
class Serving:
    directory: Path
    ports: dict[int, int]
    trusted: ssl.SSLContext

    def only(self) -> Mail:
        """The one message there is; it may still be on its way into its file."""
        [found] = received(self.directory)
        return found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    authority = ensure_authority(tmp_path / "authority")
    issued = authority.issue((MAIL_NAME, "127.0.0.1"), tmp_path / "certificates")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(issued.certificate, issued.key)
    listeners = {port: socket.create_server(("127.0.0.1", 0)) for port in (25, 587, 2525)}
    ports = {port: listener.getsockname()[1] for port, listener in listeners.items()}
    trusted = ssl.create_default_context(cafile=str(authority.certificate))
    trusted.check_hostname = False  # it is reached by an address here
    sink = MailSink(listeners, tmp_path / "mail", tls)
    sink.start()
    try:
        yield Serving(directory=tmp_path / "mail", ports=ports, trusted=trusted)
    finally:
        sink.close()


def codes(port: int) -> list[int]:
    """The answers to Keepalived's dialogue, up to the first that it does not go on from."""
    said = []
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        connection.makefile("rb") as answers,
    ):
        for line, wanted in DIALOGUE:
            if line is not None:
                connection.sendall(line.encode() + b"\r\n")
            said.append(int(answers.readline()[:3]))
            if said[-1] != wanted:
                break
    return said


@pytest.mark.parametrize("port", [25, 2525])
def test_the_relay_takes_what_keepalived_sends(serving: Serving, port: int) -> None:
    before = time.time()
    assert codes(serving.ports[port]) == [code for _, code in DIALOGUE]
    mail = serving.only()
    assert before - 1 <= mail.at <= time.time() + 1
    assert (mail.port, mail.peer, mail.sender) == (port, "127.0.0.1", "lvs@example.com")
    assert mail.recipients == ("ops@example.com", "boss@example.com")
    assert mail.subject == "[director-2] VRRP Instance LVS - Entering MASTER state"
    assert "now owning" in mail.text


def test_submission_takes_nothing_from_keepalived(serving: Serving) -> None:
    assert codes(serving.ports[587]) == [220, 250, 530]  # RFC 4954, 6: authentication required
    assert received(serving.directory) == ()


def test_submission_takes_mail_over_tls_with_a_password_only(serving: Serving) -> None:
    message = EmailMessage()
    message["Subject"] = "tést"
    message.set_content("body")
    with smtplib.SMTP("127.0.0.1", serving.ports[587], timeout=10) as client:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            client.login("user", "word")  # it offers none in clear
        client.starttls(context=serving.trusted)
        with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
            client.send_message(message, "a@example.com", ["b@example.com"])
        client.login("user", "word")
        client.send_message(message, "a@example.com", ["b@example.com"])
    mail = serving.only()
    assert (mail.port, mail.subject, mail.text.strip()) == (587, "tést", "body")


def test_a_client_cannot_say_who_it_was(serving: Serving) -> None:
    message = EmailMessage()
    message["X-Peer"], message["X-Port"] = "203.0.113.9", "587"
    message["X-MailFrom"], message["X-RcptTo"] = "c@example.com", "d@example.com"
    with smtplib.SMTP("127.0.0.1", serving.ports[25], timeout=10) as client:
        client.send_message(message, "a@example.com", ["b@example.com"])
    mail = serving.only()
    assert (mail.peer, mail.port, mail.sender, mail.recipients) == (
        "127.0.0.1",
        25,
        "a@example.com",
        ("b@example.com",),
    )


def test_what_is_too_large_is_refused(serving: Serving) -> None:
    content = b"x: y\r\n\r\n" + b"0123456789\r\n" * (MESSAGE_BYTES // 10)
    refused = pytest.raises(smtplib.SMTPResponseException, match="552")
    with smtplib.SMTP("127.0.0.1", serving.ports[2525], timeout=10) as client, refused:
        client.sendmail("a@example.com", ["b@example.com"], content)
    assert received(serving.directory) == ()


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(7):
        message = Message()
        message["Subject"], message[PORT] = str(number), "25"
        keep(tmp_path / "mail", message, most=3)
        time.sleep(0.01)  # a file's time decides
    assert [mail.subject for mail in received(tmp_path / "mail")] == ["4", "5", "6"]
    assert sum(path.is_file() for path in (tmp_path / "mail").rglob("*")) == 3


SUBJECT = "[director-1] VRRP Instance LVS - Entering MASTER state"


def test_the_verb_shows_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = RunningLab(project=PROJECT, paths=LabPaths(home=tmp_path, run=tmp_path, cache=tmp_path))
    monkeypatch.setattr(cli, "running_lab", lambda: lab)
    show = CliRunner().invoke
    assert show(cli.app, ["mail"]).output == "no mail\n"
    assert json.loads(show(cli.app, ["mail", "--json"]).output) == []
    message = Message()
    for name, value in (
        ("Subject", SUBJECT), ("X-MailFrom", "a@b.test"), ("X-RcptTo", "c@d.test, e@f.test"),
        ("X-Peer", "203.0.113.7"), ("X-Port", "2525"),
    ):  # fmt: skip
        message[name] = value
    message.set_payload("text")
    keep(lab.paths.mail, message)
    [line] = [line for line in show(cli.app, ["mail"]).output.splitlines() if "a@b.test" in line]
    assert "c@d.test, e@f.test" in line and SUBJECT in line
    [found] = json.loads(show(cli.app, ["mail", "--json"]).output)
    assert {key: found[key] for key in ("peer", "port", "recipients", "subject", "text")} == {
        "peer": "203.0.113.7", "port": 2525, "recipients": ["c@d.test", "e@f.test"], "subject": SUBJECT,
        "text": "text",
    }  # fmt: skip
