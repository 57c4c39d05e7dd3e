"""Which configured provider serves a type or a deployed row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from lab.engine.custom import resource_of
from lab.engine.goal import Goal, accepted
from lab.engine.row import Row
from lab.protocol import urn as urns
from lab.protocol.contract import Configured, Diff, Properties, Provider, RefusedError
from lab.protocol.wire import contains, is_unknown, plain_properties


class Providers:
    """The configured providers of one run, by URN; `live` finds a deployed one's row. Any thread may call."""

    def __init__(self, provider: Provider, config: Mapping[str, str], live: Callable[[str], Row | None]) -> None:
        self._provider = provider
        self._config = config
        self._live = live
        self._configured: dict[str, Configured] = {}
        self._lock = threading.Lock()  # of `of`: configuring is not to be done twice at once

    def configure(self, urn: str, inputs: Properties) -> Properties:
        """Check a provider resource's inputs and make it ready to serve."""
        package = urns.type_of(urn).removeprefix(urns.PROVIDERS)
        if package != self._provider.package:
            raise RefusedError(
                f"it needs a provider for the package {package!r}; the lab's engine has one for "
                f"{self._provider.package!r} only: deploy this with the Pulumi CLI"
            )
        inputs = accepted(self._provider.check_config(inputs))
        if contains(inputs, is_unknown):
            raise RefusedError("a provider has an input that a preview cannot know; give it a literal value")
        self._configured[urn] = self._provider.configure(inputs)
        return inputs

    def of(self, urn: str) -> Configured:
        """The provider of this URN, from its own state where the program does not register it (any more)."""
        with self._lock:
            if urn not in self._configured:
                row = self._live(urn)
                if row is None:
                    raise RefusedError(f"the state has lost its provider {urn!r}: `lab down`, then `lab up`")
                self.configure(urn, plain_properties(row.inputs))
            return self._configured[urn]

    def diff(self, row: Row, inputs: Properties) -> Diff:
        """What the provider of a deployed row says to other inputs, which may have UNKNOWN."""
        return self.of(row.provider).diff(resource_of(row), plain_properties(inputs))

    def default(self, token: str, version: str, make_urn: Callable[[str, str], str]) -> Goal:
        """The provider the program did not name, from the stack's configuration (`aws:region`)."""
        package = token.split(":")[0]
        own = {key.split(":", 1)[1]: value for key, value in self._config.items() if key.startswith(f"{package}:")}
        inputs: Properties = {**own, **({"version": version} if version else {})}
        type_, name = f"{urns.PROVIDERS}{package}", urns.default_name(version)
        return Goal(row=Row(urn=make_urn(type_, name), type=type_, custom=True, inputs=inputs))
