"""Which configured provider serves a type or a deployed row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from lab.engine import urn as urns
from lab.engine.contract import Checked, Configured, Properties, Provider
from lab.engine.goal import Goal, RefusedError
from lab.engine.state import Row
from lab.engine.wire import plain_properties


class Providers:
    """The configured providers of one run, by URN. `live` finds a deployed row, `register` brings a provider about."""

    def __init__(
        self,
        *,
        provider: Provider,
        config: Mapping[str, str],
        project: str,
        stack: str,
        live: Callable[[str], Row | None],
        register: Callable[[Goal], Row],
    ) -> None:
        self._provider = provider
        self._config = config
        self._project = project
        self._stack = stack
        self._live = live
        self._register = register
        self._configured: dict[str, Configured] = {}
        self._lock = threading.RLock()

    def check(self, urn: str, inputs: Properties) -> Checked:
        """Check a provider resource's inputs."""
        self._require_package(urns.type_of(urn).removeprefix(urns.PROVIDERS), urn)
        return self._provider.check_config(inputs)

    def configure(self, urn: str, inputs: Properties) -> None:
        """Make a provider resource ready to serve."""
        configured = self._provider.configure(inputs)
        with self._lock:
            self._configured[urn] = configured

    def serving(self, token: str, reference: str, version: str) -> tuple[str, Configured]:
        """The provider a resource or function asks for, as URN::ID and itself: the default one without a reference."""
        self._require_package(token.split(":")[0], token)
        if not reference:
            row = self._default(token.split(":")[0], version)
            reference = f"{row.urn}::{row.id}"
        with self._lock:
            configured = self._configured.get(reference.rpartition("::")[0])
        if configured is None:
            raise RefusedError(f"{token!r} refers to the provider {reference!r}, which the program does not register")
        return reference, configured

    def of(self, row: Row) -> Configured:
        """The provider of a deployed row, from its own state where the program does not register it (any more)."""
        with self._lock:
            if row.provider_urn not in self._configured:
                provider = self._live(row.provider_urn)
                if provider is None:
                    raise RefusedError(
                        f"the state has lost {row.provider_urn!r}, the provider of {row.urn!r}: `lab down`"
                    )
                self.configure(row.provider_urn, plain_properties(provider.inputs))
            return self._configured[row.provider_urn]

    def _default(self, package: str, version: str) -> Row:
        """The provider the program did not name, made on first use from the stack's configuration (`aws:region`)."""
        name = "default" + (f"_{version.replace('.', '_')}" if version else "")
        type_ = f"{urns.PROVIDERS}{package}"
        urn = urns.make(stack=self._stack, project=self._project, parent="", type_=type_, name=name)
        with self._lock:  # held while it is made: all who need it wait for the one that makes it
            if urn not in self._configured:
                named = (key.split(":", 1) for key in self._config)
                inputs: Properties = {key: self._config[f"{package}:{key}"] for space, key in named if space == package}
                if version:
                    inputs["version"] = version
                self._register(Goal(urn=urn, type=type_, name=name, custom=True, inputs=inputs))
            row = self._live(urn)
        assert row is not None
        return row

    def _require_package(self, package: str, what: str) -> None:
        if package != self._provider.package:
            raise RefusedError(
                f"{what!r} needs a provider for the package {package!r}; the lab's engine has one for "
                f"{self._provider.package!r} only: deploy this with the Pulumi CLI"
            )
