"""Which policy pack a deployment is held against, and running it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.gate.configuration import PackConfigError, reconcile
from lab.gate.pack import MANIFEST, Pack, PackError, running_pack
from lab.protocol.contract import StackConfig


class ChoiceError(Exception):
    """What was chosen is no policy pack, or no configuration of one."""


@dataclass(frozen=True, kw_only=True)
class Policies:
    """A pack's directory and its configuration file, None for the pack's own levels and defaults."""

    pack: Path
    config: Path | None

    @property
    def options(self) -> tuple[str, ...]:
        """The same choice as options of the Pulumi CLI, which runs in another directory."""
        config = ("--policy-pack-config", str(self.config.resolve())) if self.config is not None else ()
        return ("--policy-pack", str(self.pack.resolve()), *config)

    @contextmanager
    def running(self, project: str, stack: StackConfig, *, dry_run: bool) -> Iterator[Pack]:
        """Run the pack, configured. Raises PackError, also for a configuration that is wrong."""
        text = self.config.read_text() if self.config is not None else ""
        with running_pack(self.pack, project, stack, dry_run=dry_run) as pack:
            try:
                pack.configure(reconcile(pack.rules, text))
            except PackConfigError as error:
                raise PackError(f"the policy pack's configuration {self.config} is wrong: {error}") from None
            yield pack


def chosen(project: Path, stack: str, pack: Path | None, config: Path | None) -> Policies | None:
    """What the options say; by default the project's own pack, and of a pack its configuration for the stack.

    None where nothing is chosen and the project has no pack. Raises ChoiceError for a path that is none of these.
    """
    own = project / "policy"
    if pack is None and not (own / MANIFEST).exists():
        if config is not None:
            raise ChoiceError(f"{config} configures a policy pack, and there is none in {own}")
        return None
    directory = pack or own
    for name in (MANIFEST, "__main__.py"):
        if not (directory / name).is_file():
            raise ChoiceError(f"{directory} is no policy pack: it has no {name}")
    if config is not None and not config.is_file():
        raise ChoiceError(f"there is no file {config}")
    usual = directory / "config" / f"{stack}.json"
    return Policies(pack=directory, config=config or (usual if usual.is_file() else None))
