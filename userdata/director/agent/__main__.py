"""`python3 -m agent CONFIG.json`: run the agent until SIGTERM."""

import signal
import sys
from pathlib import Path

from .config import load_config
from .runtime import Agent


def main() -> int:
    """Run the agent with the configuration file named on the command line."""
    agent = Agent(load_config(Path(sys.argv[1])))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    return agent.run()


sys.exit(main())
