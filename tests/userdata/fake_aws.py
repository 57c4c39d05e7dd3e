"""EC2 and instance metadata of one interface, on loopback: enough for the agent, with asynchronous remapping."""

import json
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAC = "02:00:00:00:00:24"
INTERFACE = "eni-0123456789abcdef0"
ALLOCATION = "eipalloc-0123456789abcdef0"
PRIMARY, VIRTUAL_IP, ELASTIC_IP = "10.0.0.36", "10.0.0.100", "203.0.113.7"


@dataclass
class FakeAws:
    """The world as one director sees it. Change its fields while the agent runs.

    `refusals` are the error codes of the next calls that are no rehearsals, `call_seconds` how long a call takes,
    `lag_seconds` how long instance metadata lags behind.
    """

    owner: bool = False
    associated: bool = False
    refusals: list[str] = field(default_factory=list)
    rehearsal_refusal: str = "DryRunOperation"
    call_seconds: float = 0.0
    lag_seconds: float = 0.0
    metadata_answers: bool = True
    own_elastic_ip: bool = True
    tagged: bool = True
    token: str = "token"
    requests: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    _visible_from: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "FakeAws":
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                assert self.path == "/latest/api/token"
                self._answer(200 if world.metadata_answers else 503, world.token)

            def do_GET(self) -> None:
                if self.headers.get("X-aws-ec2-metadata-token") != world.token:
                    self._answer(401, "")
                    return
                found = world.metadata(self.path.removeprefix("/latest/meta-data/"))
                if not world.metadata_answers:
                    self._answer(503, "")
                else:
                    self._answer(404 if found is None else 200, found or "")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer(*world.call(dict(urllib.parse.parse_qsl(body))))

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def metadata(self, path: str) -> str | None:
        shown = self.owner and time.monotonic() >= self._visible_from
        associations = [PRIMARY_ELASTIC_IP] if self.own_elastic_ip else []
        associations += [ELASTIC_IP] if shown and self.associated else []
        interface = f"network/interfaces/macs/{MAC}/"
        return {
            "mac": MAC,
            "tags/instance/ElasticIpAllocationId": ALLOCATION if self.tagged else None,
            interface + "interface-id": INTERFACE,
            interface + "local-ipv4s": "\n".join([PRIMARY, *([VIRTUAL_IP] if shown else [])]),
            interface + "ipv4-associations/": "\n".join(associations) or None,
            interface + f"ipv4-associations/{PRIMARY_ELASTIC_IP}": PRIMARY,
            interface + f"ipv4-associations/{ELASTIC_IP}": VIRTUAL_IP if shown and self.associated else None,
        }.get(path)

    def call(self, request: dict[str, str]) -> tuple[int, str]:
        rehearsal = request.get("DryRun") == "true"
        if rehearsal:
            return _error(self.rehearsal_refusal)
        with self._lock:
            self.requests.append((time.monotonic(), request))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.call_seconds)
        with self._lock:
            self.at_once -= 1
            if self.refusals:
                return _error(self.refusals.pop(0))
            if request["Action"] == "AssignPrivateIpAddresses":
                self._visible_from = time.monotonic() + (0 if self.owner else self.lag_seconds)
                self.owner = True
            else:
                self.associated = True
        name = request["Action"]
        return (
            200,
            f'<{name}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><return>true</return></{name}Response>',
        )

    @property
    def actions(self) -> list[str]:
        """The calls so far by name, rehearsals left out."""
        return [request["Action"] for _, request in self.requests]


PRIMARY_ELASTIC_IP = "203.0.113.5"


def _error(code: str) -> tuple[int, str]:
    status = {"UnauthorizedOperation": 403, "InternalError": 500, "RequestLimitExceeded": 503}.get(code, 400)
    return status, (
        f"<Response><Errors><Error><Code>{code}</Code><Message>for the test</Message></Error></Errors>"
        "<RequestID>0</RequestID></Response>"
    )


def lines(text: str) -> list[dict[str, object]]:
    """The agent's log as objects."""
    return [json.loads(line) for line in text.splitlines()]
