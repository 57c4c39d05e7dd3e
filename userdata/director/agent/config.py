"""What the agent is told by user data; everything else it learns from instance metadata."""

import json
import re
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
    run: Path = Path("/run/lvs-aws/agent")
    fifo: Path = Path("/run/lvs-aws/vrrp.fifo")
    metadata: str = "http://169.254.169.254"
    keepalived: Path = Path("/etc/lvs-aws/keepalived.conf")

    def web_servers(self) -> tuple[str, ...]:
        """The web servers' addresses: Keepalived's configuration is the one place that lists them."""
        try:
            text = self.keepalived.read_text("ascii")
        except OSError:
            return ()
        return tuple(dict.fromkeys(re.findall(r"real_server (\S+)", text)))


def load_config(path: Path) -> Config:
    """Read the configuration; OSError, ValueError or TypeError (unknown key) if it is not one."""
    values = json.loads(path.read_text("ascii"))
    for key in values.keys() & {"run", "fifo", "keepalived"}:
        values[key] = Path(values[key])
    return Config(**values)
