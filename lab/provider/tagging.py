"""Default tags and ignored tags of a provider, as the real one has them (website/docs/index.html.markdown)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.protocol.contract import UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """`defaults` go to everything that takes tags; a resource's own tag of the same key wins.

    Tags with one of `ignored_keys`, or whose key begins with one of `ignored_prefixes`, belong to somebody else: they
    are not seen by a read, so they are no difference and no update takes them away.
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    ignored_keys: frozenset[str] = frozenset()
    ignored_prefixes: tuple[str, ...] = ()

    def given(self, own: Any) -> Any:
        """The tags a new resource gets, sorted by key: ignored ones too, as the real provider's TagsIn."""
        if own == UNKNOWN:
            return UNKNOWN
        return dict(sorted({**self.defaults, **(own or {})}.items()))

    def all(self, own: Any) -> Any:
        """`tagsAll` as it should be."""
        given = self.given(own)
        return given if given == UNKNOWN else self.seen(given)

    def seen(self, found: Mapping[str, str]) -> dict[str, str]:
        """Of the tags found, those that are ours to look at."""
        return {key: value for key, value in found.items() if not self._ignored(key)}

    def own(self, found: Mapping[str, str], declared: Any) -> dict[str, str] | None:
        """`tags` of the tags found: without the defaults, unless the program declares the same; None without any."""
        declared = declared if isinstance(declared, dict) else {}
        kept = {k: v for k, v in self.seen(found).items() if self.defaults.get(k) != v or declared.get(k) == v}
        return kept or None

    def _ignored(self, key: str) -> bool:
        return key in self.ignored_keys or key.startswith(self.ignored_prefixes)
