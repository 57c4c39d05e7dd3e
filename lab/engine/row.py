"""What the state keeps of one resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from lab.protocol.contract import Properties


@dataclass(frozen=True, kw_only=True)
class Row:
    """One deployed resource, with the options that outlive a run.

    `provider` is a URN. `external` rows were read, not made. `delete` marks one that has been replaced and waits for
    its deletion; `pending_replacement` one that was deleted and waits for its replacement; `init_errors` one that was
    made but did not get ready.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # read from a file, a field that is not known is an error

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Any = None
    secret_outputs: tuple[str, ...] = ()
    delete_timeout_seconds: float | None = None
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    init_errors: tuple[str, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        """The URNs that must outlive this row."""
        named = {urn for urns in self.property_dependencies.values() for urn in urns}
        others = {*self.dependencies, *named, *self.replace_with, self.deleted_with, self.parent, self.provider}
        return frozenset(others - {"", self.urn})
