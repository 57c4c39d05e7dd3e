"""The mail server on the lab's internet: it takes mail for everybody, hands none on and keeps it (`lab mail`).

Two kinds of port, because they take mail from different clients:

- 25 and 2525 are a relay: no TLS, no password. EC2 lets no instance reach port 25 of a public address (EC2 user guide,
  "Restriction on email sent using port 25"), and so does the fabric; clients of the lab's internet get there.
- 587 is submission as Amazon SES has it (SES developer guide, "Connecting to an Amazon SES SMTP endpoint"): STARTTLS
  first, then a password, any here. Keepalived's client speaks neither.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from lab.mail import PEER, PORT, RECIPIENTS, SENDER, keep
from lab.names import MAIL_NAME

log = logging.getLogger(__name__)
RELAY_PORTS = (25, 2525)
SUBMISSION_PORT = 587
# Keepalived's are half a KiB; RFC 5321, 4.5.3.1.7: at least 64 KiB.
MESSAGE_BYTES = 1 << 16
IDLE_SECONDS = 60.0


class KeepingHandler(MessageHandler):
    """Keeps each message with its envelope in a Maildir, and says so in one line of the log."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__()
        self._directory = directory
        self._port = port

    def prepare_message(self, session: Session, envelope: Envelope) -> Message:
        """The message with its envelope in headers of its own; the client's headers of these names do not count."""
        message: Message = super().prepare_message(session, envelope)
        facts = {
            SENDER: envelope.mail_from or "",  # RFC 5321, 4.5.5: that of a notice of delivery
            RECIPIENTS: ", ".join(envelope.rcpt_tos),
            PEER: str(session.peer[0] if session.peer else ""),
            PORT: str(self._port),
        }
        for name, value in facts.items():
            del message[name]
            message[name] = value
        return message

    def handle_message(self, message: Message) -> None:
        """Keep it."""
        keep(self._directory, message)
        log.info("mail from %s by port %d: %s", message[PEER], self._port, message["Subject"])


class MailSink:
    """The server, on open listening sockets by the port they stand for. `tls` is for submission."""

    def __init__(self, listeners: Mapping[int, socket.socket], directory: Path, tls: ssl.SSLContext) -> None:
        self._listeners = listeners
        self._directory = directory
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="mail", daemon=True)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for listener in self._listeners.values():
            listener.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        for port, listener in self._listeners.items():
            self._loop.run_until_complete(
                self._loop.create_server(lambda port=port: self._protocol(port), sock=listener)  # type: ignore[misc]
            )
        self._loop.run_forever()
        # Whoever is still talking: a task may not be forgotten while it waits.
        talking = asyncio.all_tasks(self._loop)
        for task in talking:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*talking, return_exceptions=True))

    def _protocol(self, port: int) -> Any:
        submission: dict[str, Any] = {
            "tls_context": self._tls,
            "auth_required": True,  # and a password only over TLS, which is the library's default
            "authenticator": lambda *_: AuthResult(success=True),
        }
        return SMTP(
            KeepingHandler(self._directory, port),
            hostname=MAIL_NAME,
            ident="lab",
            data_size_limit=MESSAGE_BYTES,
            timeout=IDLE_SECONDS,
            loop=self._loop,
            **(submission if port == SUBMISSION_PORT else {}),
        )
