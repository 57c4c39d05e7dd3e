"""Reads what `pulumi stack output --json` prints: from a file, or by asking Pulumi in the current directory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

VERSION = 1


def read(file: str | None) -> dict[str, Any]:
    """The outputs of the selected stack, or those in `file`. SystemExit where they are of another version."""
    if file:
        text = Path(file).read_text()
    else:
        words = ["pulumi", "stack", "output", "--json"]
        text = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    outputs: dict[str, Any] = json.loads(text)
    if outputs.get("outputsVersion") != VERSION:
        raise SystemExit(f"these are not outputs of version {VERSION}; see docs/outputs.md")
    return outputs
