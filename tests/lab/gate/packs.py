"""Small policy packs in a directory."""

from __future__ import annotations

from pathlib import Path

HEAD = """
from pulumi_policy import (EnforcementLevel as L, PolicyConfigSchema, PolicyPack, ResourceValidationPolicy as R,
                           StackValidationPolicy as S)
"""


def pack(directory: Path, program: str, *, manifest: str = "runtime: python\nversion: 1.2.3\n") -> Path:
    """A pack whose program is this, in a directory of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "PulumiPolicy.yaml").write_text(manifest)
    (directory / "__main__.py").write_text(HEAD + program)
    return directory
