"""What the agent is told by user data; everything else it learns from instance metadata."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """The agent's settings; `rank` is how many directors have a higher priority.

    Paths and the metadata address are fixed on a machine; tests give their own.
    """

    region: str
    virtual_ip: str
    rank: int = 0
    instance: str = "LVS"
    run: Path = Path("/run/lvs-aws")
    metadata: str = "http://169.254.169.254"


def load_config(path: Path) -> Config:
    """Read the configuration; OSError, ValueError or TypeError (unknown key) if it is not one."""
    values = json.loads(path.read_text("ascii"))
    if "run" in values:
        values["run"] = Path(values["run"])
    return Config(**values)
