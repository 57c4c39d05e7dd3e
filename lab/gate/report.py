"""What a pack said, as the Pulumi CLI prints it under "Policies:"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lab.gate.pack import Diagnostic, Pack
from lab.protocol import urn as urns


def report(pack: Pack, diagnostics: Iterable[Diagnostic], not_applicable: Mapping[str, str]) -> str:
    """Text without colour: the pack with a sign for how it went, and each violation with its message below it."""
    said = list(dict.fromkeys(sorted(diagnostics, key=lambda one: (one.level != "mandatory", one.rule, one.urn))))
    sign = "❌" if any(one.level == "mandatory" for one in said) else "⚠️" if said else "✅"
    lines = ["Policies:", f"    {sign} {pack.name}@v{pack.version} (local: {pack.directory.name})"]
    lines += [line for one in said for line in _lines(one)]
    # The CLI shows these in its Cloud only; a rule that did not look is worth a line.
    lines += [f"        - [not applicable]  {rule}: {reason}" for rule, reason in sorted(not_applicable.items())]
    return "\n".join(lines)


def _lines(one: Diagnostic) -> Iterator[str]:
    yield f"        - [{one.level}]  {one.rule}  ({urns.type_of(one.urn)}: {urns.name_of(one.urn)})"
    for line in one.message.rstrip().split("\n"):
        yield f"          {line}"
