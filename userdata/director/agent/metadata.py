"""Instance metadata, version 2 (AWS EC2 user guide, "Instance metadata categories"): free, quick, unthrottled."""

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass

TOKEN_SECONDS = 21600
TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What never changes while this machine lives; the tag with the allocation id may come late."""

    mac: str
    interface_id: str
    allocation_id: str | None


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """What the interface holds: its private addresses, and the Elastic IP of the virtual IP if it has one."""

    private: tuple[str, ...]
    elastic_ip: str | None


class Metadata:
    """A client that keeps its token. Every method raises OSError (a URLError among them) if there is no answer."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._token: str | None = None
        # Never through a proxy of the environment: the answers are this machine's own.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def identity(self) -> Identity:
        """Who this machine is. KeyError where the interface is not listed."""
        mac = self._need("mac")
        return Identity(
            mac=mac,
            interface_id=self._need(f"network/interfaces/macs/{mac}/interface-id"),
            allocation_id=(self._get("tags/instance/ElasticIpAllocationId") or "").strip() or None,
        )

    def addresses(self, mac: str, virtual_ip: str) -> Addresses:
        """What the interface holds now. It lags behind EC2's answers: remapping is asynchronous."""
        base = f"network/interfaces/macs/{mac}/"
        private = self.private(mac)
        elastic_ip = None
        if virtual_ip in private:
            for public in (self._get(base + "ipv4-associations/") or "").split():
                if virtual_ip in (self._get(base + "ipv4-associations/" + public) or "").split():
                    elastic_ip = public
        return Addresses(private=private, elastic_ip=elastic_ip)

    def private(self, mac: str) -> tuple[str, ...]:
        """The interface's private addresses, for one request."""
        return tuple(self._need(f"network/interfaces/macs/{mac}/local-ipv4s").split())

    def _need(self, path: str) -> str:
        text = self._get(path)
        if text is None:
            raise KeyError(path)
        return text.strip()

    def _get(self, path: str) -> str | None:
        """The text at `path`, None for 404. An expired token is renewed once."""
        for fresh in (False, True):
            if self._token is None or fresh:
                headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
                self._token = self._ask("PUT", "api/token", headers)
            try:
                return self._ask("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": self._token})
            except urllib.error.HTTPError as error:
                error.close()
                if error.code == 404:
                    return None
                if error.code != 401 or fresh:
                    raise
        raise AssertionError("the loop returns or raises")

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"{self._base}/latest/{path}", method=method, headers=headers)  # noqa: S310
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return str(answer.read().decode())
        except http.client.HTTPException as error:
            raise OSError(f"instance metadata broke off: {error!r}") from error
