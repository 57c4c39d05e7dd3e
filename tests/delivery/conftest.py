"""A project as `make` needs it, with a `pulumi` and a `gh` that only record."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]

FAKE_PULUMI = """#!{python} -S
import json, os, pathlib, sys
here = pathlib.Path({state!r})
arguments = sys.argv[1:]
with (here / "pulumi.jsonl").open("a") as record:
    record.write(json.dumps({{"arguments": arguments, "environment": dict(os.environ)}}) + "\\n")
if arguments[:2] == ["stack", "history"]:
    print((here / "history.json").read_text())
    sys.exit(0)
print("said on stdout")
print("said on stderr", file=sys.stderr)
code = int((here / "exit-code").read_text())
if "--save-plan" in arguments and code == 0:
    pathlib.Path(arguments[arguments.index("--save-plan") + 1]).write_text("the plan")
sys.exit(code)
"""

FAKE_GH = """#!{python} -S
import json, pathlib, sys
here = pathlib.Path({state!r})
arguments = sys.argv[1:]
sent = json.load(sys.stdin) if "--input" in arguments else None
with (here / "gh.jsonl").open("a") as record:
    record.write(json.dumps({{"arguments": arguments, "sent": sent}}) + "\\n")
if sent is None:
    pages = json.loads((here / "pages.json").read_text())
    # As gh does it: all pages only when asked, and one list of them only when asked.
    pages = pages if "--paginate" in arguments else pages[:1]
    print(json.dumps(pages) if "--slurp" in arguments else "".join(json.dumps(page) for page in pages))
"""


@dataclass(frozen=True, kw_only=True)
class DeliveryProject:
    """A checkout in `directory`; `state` is where the fakes are told what to do and record what they were asked."""

    directory: Path
    state: Path

    @property
    def programs(self) -> Path:
        return self.state / "bin"

    def make(self, *words: str, path: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `make` with the real environment of Python and, by default, the fakes on PATH."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "MAKE", "MFLAGS"))}
        search = path if path is not None else os.pathsep.join([str(self.programs), os.environ["PATH"]])
        environment = {**kept, "PATH": search, **variables}
        command = (shutil.which("make") or "make", f"VENV={PROJECT / '.venv'}", *words)
        return subprocess.run(command, cwd=self.directory, env=environment, text=True, capture_output=True, check=False)

    def ends_with(self, exit_code: int) -> None:
        """What `pulumi` will end with."""
        (self.state / "exit-code").write_text(str(exit_code))

    def has_history(self, *entries: dict[str, Any]) -> None:
        (self.state / "history.json").write_text(json.dumps(entries))

    def has_pages(self, *pages: list[dict[str, Any]]) -> None:
        """What GitHub lists, comments or issues."""
        (self.state / "pages.json").write_text(json.dumps(pages))

    def pulumi_calls(self) -> list[list[str]]:
        """The arguments of every call but the questions for history."""
        calls = [call["arguments"] for call in self._calls("pulumi")]
        return [call for call in calls if call[:2] != ["stack", "history"]]

    def pulumi_environment(self) -> dict[str, str]:
        found: dict[str, str] = self._calls("pulumi")[-1]["environment"]
        return found

    def gh_writes(self) -> list[tuple[str, str, dict[str, str]]]:
        """Method, path and fields of every call that changed something."""
        calls = [call for call in self._calls("gh") if call["sent"] is not None]
        return [(call["arguments"][2], call["arguments"][3], call["sent"]) for call in calls]

    def commit(self) -> str:
        """A new commit of everything, by its id."""
        author = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
        for words in (
            ("add", "--all"),
            (*author, "commit", "--quiet", "--allow-empty", "-m", "more"),
            ("rev-parse", "HEAD"),
        ):
            done = subprocess.run(("git", *words), cwd=self.directory, text=True, capture_output=True, check=True)
        return done.stdout.strip()

    def _calls(self, program: str) -> list[dict[str, Any]]:
        record = self.state / f"{program}.jsonl"
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> DeliveryProject:
    found = DeliveryProject(directory=tmp_path / "project", state=tmp_path / "state")
    found.programs.mkdir(parents=True)
    shutil.copytree(PROJECT / "delivery", found.directory / "delivery", ignore=shutil.ignore_patterns("__pycache__"))
    # With their times: `make` must see that the environment is newer.
    for name in ("Makefile", "pyproject.toml", "uv.lock", ".gitignore"):
        shutil.copy2(PROJECT / name, found.directory / name)
    for file in PROJECT.glob("Pulumi*.yaml"):
        shutil.copy2(file, found.directory / file.name)
    for name, text in (("pulumi", FAKE_PULUMI), ("gh", FAKE_GH)):
        program = found.programs / name
        program.write_text(text.format(python=sys.executable, state=str(found.state)))
        program.chmod(0o755)
    subprocess.run(("git", "init", "--quiet", "."), cwd=found.directory, check=True)
    found.commit()
    found.ends_with(0)
    found.has_history()
    found.has_pages([])
    return found
