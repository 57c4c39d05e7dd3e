"""The cloud's list of faults, from the host: /_lab/faults of its API's port (lab/cloud/host_service.py)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 30.0


class FaultRefusedError(RuntimeError):
    """The cloud did not do it; the text says everything that is wrong, or how to get a cloud that answers."""


@dataclass(frozen=True, kw_only=True)
class FaultClient:
    """Faults of the cloud at `endpoint`. All methods raise FaultRefusedError."""

    endpoint: str

    def current(self) -> list[dict[str, Any]]:
        """Those in force: documents with `id` and `text`, and what they were made of."""
        return list(self._ask("GET"))

    def add(self, fault: Mapping[str, Any]) -> dict[str, Any]:
        """Put one in force and give its document; keys that are None are left out."""
        return dict(self._ask("POST", body={key: value for key, value in fault.items() if value is not None}))

    def clear(self, name: str) -> None:
        """End one."""
        self._ask("DELETE", f"/{name}")

    def _ask(self, method: str, path: str = "", *, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_lab/faults{path}", method=method, data=data)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the lab's own
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise FaultRefusedError(_reason(error)) from None
        except OSError as error:
            raise FaultRefusedError(
                f"the lab's cloud does not answer: {error}; clear it away with `lab down` and bring it up again"
            ) from None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the lab's cloud answers {error.code} about faults: it is of another version; run: lab down, lab up"
