"""HTTP servers for the cloud's WSGI applications: a thread a connection, plain or over TLS."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

log = logging.getLogger("lab.cloud.http")
HANDSHAKE_SECONDS = 10.0
# A machine that dies in the middle of a request must not hold its thread for ever.
IDLE_SECONDS = 120.0


class QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    """Logs requests at debug only: instance metadata is asked for several times a second."""

    timeout = IDLE_SECONDS

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - the base's signature
        """One line a request."""
        log.debug("%s %s %s", self.address_string(), self.requestline, code)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        """Errors of the connection."""
        log.info(f"{type}: {message}", *args)


class Server(ThreadedWSGIServer):  # type: ignore[misc]
    """One application on an open listening socket. With `tls`, the handshake is done in the connection's own thread."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, application: Any, *, tls: ssl.SSLContext | None = None) -> None:
        host, port = listener.getsockname()[:2]
        self._tls = tls
        super().__init__(host, port, application, handler=QuietHandler, fd=listener.detach())

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handshake, then serve."""
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

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, name=f"http {self.port}", daemon=True).start()


def listen(address: str, port: int) -> socket.socket:
    """A listening socket in the calling thread's network namespace. Raises OSError where it is taken."""
    return socket.create_server((address, port), backlog=128)
