"""The lab's certificate authority."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from lab.cloud.authority import Authority, ensure_authority

NAME = "ec2.us-east-1.amazonaws.com"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return ensure_authority(tmp_path / "authority")


def test_is_made_once(authority: Authority) -> None:
    before = authority.certificate.read_bytes()
    assert ensure_authority(authority.certificate.parent) == authority
    assert authority.certificate.read_bytes() == before


def test_keys_are_private(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue([NAME], tmp_path)
    for key in (authority.key, issued.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_server_certificate_needs_a_name(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        authority.issue([], tmp_path)


def _handshake(authority: Authority, tmp_path: Path, server_name: str, cafile: Path) -> None:
    issued = authority.issue([NAME, "iam.amazonaws.com"], tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued.certificate, issued.key)
    client = ssl.create_default_context(cafile=str(cafile))
    # As Python 3.13 does by default (Debian 13's machines): RFC 5280 in earnest.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(left, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(right, server_hostname=server_name) as secured:
            secured.send(b"x")
    finally:
        right.close()
        thread.join(5)


@pytest.mark.parametrize("name", [NAME, "iam.amazonaws.com"])
def test_a_client_that_trusts_the_authority_accepts_its_servers(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    _handshake(authority, tmp_path, name, authority.certificate)


def test_another_name_is_refused(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(authority, tmp_path, "s3.amazonaws.com", authority.certificate)


def test_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = ensure_authority(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(authority, tmp_path, NAME, other.certificate)
