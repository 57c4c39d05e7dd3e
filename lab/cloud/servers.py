"""HTTP servers for the cloud's WSGI applications: a thread a connection, kept open, plain or over TLS."""

from __future__ import annotations

import io
import logging
import socket
import ssl
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.test import run_wsgi_app

log = logging.getLogger("lab.cloud.http")
HANDSHAKE_SECONDS = 10.0
# A machine that dies in the middle of a request must not hold its thread for ever.
IDLE_SECONDS = 120.0
# More than any call of the lab's services carries: user data is at most 16 KiB, policies 10 KiB.
BODY_BYTES = 1 << 20
# How much of a body that is refused is still read, so that its sender sees the refusal and not a reset.
DRAINED_BYTES = 16 << 20


class KeepAliveHandler(MotoRequestHandler):  # type: ignore[misc]
    """Reads a request whole, answers whole, and leaves the connection open, as AWS's endpoints do (werkzeug's closes).

    Logs requests at debug only: instance metadata is asked for several times a second.
    """

    timeout = IDLE_SECONDS
    # One packet an answer: with the headers sent apart, Nagle's algorithm waits for a delayed ACK (RFC 896, RFC 1122).
    wbufsize = -1

    def run_wsgi(self) -> None:
        """One request."""
        try:
            environ = self.make_environ()
            body = self._read_body(environ)
        except ValueError as error:
            self.close_connection = True
            self.send_error(HTTPStatus.BAD_REQUEST, explain=str(error))
            return
        if body is None:
            self.close_connection = True
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, explain=f"a request has at most {BODY_BYTES} bytes")
            self._drain()
            return
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        if isinstance(self.connection, ssl.SSLSocket):
            environ["wsgi.url_scheme"] = "https"
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        content = b"".join(chunks)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for key, value in headers.items():
            if key.lower() not in ("connection", "content-length"):
                self.send_header(key, value)
        bodiless = self.command == "HEAD" or int(code) in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        length = headers.get("Content-Length", "0") if bodiless else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if not bodiless:
            self.wfile.write(content)
        self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - the base's signature
        """One line a request."""
        log.debug("%s %s %s", self.address_string(), self.requestline, code)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        """Errors of the connection."""
        log.info(f"{type}: {message}", *args)

    def _read_body(self, environ: dict[str, Any]) -> bytes | None:
        """The whole body; None for one beyond BODY_BYTES. Raises ValueError for a length that is none."""
        if environ.get("wsgi.input_terminated"):  # chunked, and decoded as it is read
            try:
                body = bytes(environ["wsgi.input"].read(BODY_BYTES + 1))
            except OSError as error:
                raise ValueError(f"chunks that are none: {error}") from error
            return body if len(body) <= BODY_BYTES else None
        length = environ.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdecimal()):
            raise ValueError(f"Content-Length {length!r} is no number")
        if int(length) > BODY_BYTES:
            return None
        body = bytes(self.rfile.read(int(length)))
        if len(body) < int(length):
            raise ValueError(f"the body ended after {len(body)} of {length} bytes")
        return body

    def _drain(self) -> None:
        self.wfile.flush()
        self.connection.settimeout(1.0)
        left = DRAINED_BYTES
        with suppress(OSError):
            while left > 0 and (data := self.rfile.read1(1 << 16)):
                left -= len(data)


class Server(ThreadedWSGIServer):  # type: ignore[misc]
    """One application on an open listening socket. With `tls`, the handshake is done in the connection's own thread."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, application: Any, *, tls: ssl.SSLContext | None = None) -> None:
        host, port = listener.getsockname()[:2]
        self._tls = tls
        super().__init__(host, port, application, handler=KeepAliveHandler, fd=listener.detach())

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake, then serve."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(HANDSHAKE_SECONDS)
        try:
            secured = self._tls.wrap_socket(request, server_side=True)
        except OSError as error:
            log.info("no TLS with %s: %s", client_address[0], error)
            return
        with secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base's signature
        """A client that hung up is its own business; anything else is a bug, and only this connection's end."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            log.debug("%s hung up: %s", client_address[0], error)
        else:
            log.error("a connection of %s failed", client_address[0], exc_info=error)

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, name=f"http {self.port}", daemon=True).start()


def hang_up(environ: dict[str, Any]) -> None:
    """Close the connection of a request without an answer."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket in the calling thread's network namespace. Raises OSError where it is taken."""
    return socket.create_server((address, port), backlog=128)
