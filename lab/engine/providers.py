"""Which configured provider serves a type or a deployed row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.engine import urn as urns
from lab.engine.contract import Configured, Properties, Provider, RefusedError
from lab.engine.goal import Goal, accepted
from lab.engine.state import Row
from lab.engine.wire import contains, is_unknown, plain_properties


class Providers:
    """The configured providers of one run, by URN. Not thread-safe but for `of`."""

    def __init__(self, provider: Provider, config: Mapping[str, str]) -> None:
        self._provider = provider
        self._config = config
        self._configured: dict[str, Configured] = {}

    def configure(self, urn: str, inputs: Properties) -> Properties:
        """Check a provider resource's inputs and make it ready to serve."""
        self._require_package(urns.type_of(urn).removeprefix(urns.PROVIDERS))
        inputs = accepted(self._provider.check_config(inputs))
        if contains(inputs, is_unknown):
            raise RefusedError("a provider has an input that a preview cannot know; give it a literal value")
        self._configured[urn] = self._provider.configure(inputs)
        return inputs

    def serving(self, urn: str) -> Configured:
        """A provider the program has registered."""
        if urn not in self._configured:
            raise RefusedError(f"it refers to the provider {urn!r}, which the program does not register")
        return self._configured[urn]

    def of(self, row: Row, live: Callable[[str], Row | None]) -> Configured:
        """The provider of a deployed row, from its own state where the program does not register it (any more)."""
        if row.provider not in self._configured:
            provider = live(row.provider)
            if provider is None:
                raise RefusedError(f"the state has lost {row.provider!r}, the provider of {row.urn!r}: `lab down`")
            self.configure(row.provider, plain_properties(provider.inputs))
        return self._configured[row.provider]

    def default(self, token: str, version: str, make_urn: Callable[[str, str], str]) -> Goal:
        """The provider the program did not name, from the stack's configuration (`aws:region`)."""
        package = token.split(":")[0]
        self._require_package(package)
        own = {key.split(":", 1)[1]: value for key, value in self._config.items() if key.startswith(f"{package}:")}
        inputs: Properties = {**own, **({"version": version} if version else {})}
        type_, name = f"{urns.PROVIDERS}{package}", urns.default_name(version)
        return Goal(row=Row(urn=make_urn(type_, name), type=type_, custom=True, inputs=inputs))

    def _require_package(self, package: str) -> None:
        if package != self._provider.package:
            raise RefusedError(
                f"it needs a provider for the package {package!r}; the lab's engine has one for "
                f"{self._provider.package!r} only: deploy this with the Pulumi CLI"
            )
