"""Progress of long work as plain lines with times: readable in a terminal and in a CI log alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Prints lines with the seconds since it was made."""

    console: Console
    began: float = field(default_factory=time.monotonic)

    def line(self, text: str) -> None:
        """One line of news."""
        self.console.print(f"[dim]{time.monotonic() - self.began:6.1f} s[/dim]  {text}", highlight=False)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A named piece of work: a line when it is done, with what it took."""
        began = time.monotonic()
        yield
        self.line(f"{what} [dim]({time.monotonic() - began:.1f} s)[/dim]")
