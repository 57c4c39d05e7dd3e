"""Mail that reached the lab's internet: a Maildir (maildir(5)) in the lab's home, for as many messages as are kept."""

from __future__ import annotations

import mailbox
from dataclasses import asdict, dataclass
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

KEPT = 200
"""Messages; with more the oldest goes. A switch makes two to four of them."""

# Where a kept message has its envelope (the names are those of aiosmtpd's handlers), and the port it came by.
SENDER, RECIPIENTS, PEER, PORT = "X-MailFrom", "X-RcptTo", "X-Peer", "X-Port"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One message: `at` in seconds of the epoch, sender and recipients of the envelope, by which port it came.

    `peer` is the address it came from, as the lab's internet sees it: a machine's public one.
    """

    at: float
    peer: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def received(directory: Path) -> tuple[Mail, ...]:
    """The messages in the Maildir `directory`, the oldest first; none where there is no such directory."""
    if not directory.is_dir():
        return ()
    kept = mailbox.Maildir(directory, create=False)
    found = []
    for key in kept.iterkeys():
        try:
            message = kept[key]
        except KeyError:
            continue  # went meanwhile, for a newer one
        found.append(_mail(message))
    return tuple(sorted(found, key=lambda mail: mail.at))


def keep(directory: Path, message: Message, most: int = KEPT) -> None:
    """Put `message` into the Maildir `directory`, and the oldest out while there are more than `most`."""
    kept: mailbox.Maildir = mailbox.Maildir(directory)
    kept.add(message)
    by_age = sorted(kept.iterkeys(), key=lambda key: kept[key].get_date())
    for key in by_age[: max(0, len(by_age) - most)]:
        kept.discard(key)


def _mail(message: mailbox.MaildirMessage) -> Mail:
    payload = message.get_payload(decode=True)
    return Mail(
        at=message.get_date(),
        peer=str(message[PEER]),
        port=int(message[PORT]),
        sender=str(message[SENDER]),
        recipients=tuple(str(message[RECIPIENTS]).split(", ")),
        subject=str(make_header(decode_header(message["Subject"] or ""))),
        text=payload.decode(errors="replace") if isinstance(payload, bytes) else str(message.get_payload()),
    )
