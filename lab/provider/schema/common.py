"""Inputs many types share."""

from __future__ import annotations

from typing import Any

from lab.provider.registry import Property

# internal/provider/sdkv2/region.go, forceNewIfRegionChanges, and internal/provider/framework/region.go.
REGION: dict[str, Property] = {
    "region": Property(source="region (every type): Computed, ForceNew by CustomizeDiff", computed=True, replace=True)
}
# internal/tags, TagsSchema; what follows of defaults is lab/provider/tagging.py's.
TAGS: dict[str, Property] = {"tags": Property(source="tags", kind=dict)}
REGIONAL = REGION | TAGS


def named(wrong: Any, prefix_wrong: Any) -> dict[str, Property]:
    """A name, made automatically where the program gives none, and its prefix."""
    return {
        "name": Property(source="name: Computed, ForceNew", computed=True, replace=True, wrong=wrong),
        "namePrefix": Property(
            source="name_prefix: Computed, ForceNew", computed=True, replace=True, wrong=prefix_wrong
        ),
    }
