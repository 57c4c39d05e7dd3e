"""Patterns of a policy: wildcards, the segments of an ARN, and variables that the request fills in. Pure.

Sources, all of the IAM user guide: "IAM JSON policy elements: Resource" (wildcards and segments), "... Variables and
tags" (variables, defaults, variables with no value), "... Condition operators" (ARN operators).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

Context = Mapping[str, tuple[str, ...]]
"""What is known of a request: values by condition key. Keys are in lower case, for they are compared without case."""

# In the text of a pattern, so that a star that comes from the request is only a star.
STAR, ANY_ONE = "\0", "\1"
SEGMENTS = 6
VARIABLE = re.compile(r"\$\{\s*([^{},']+?)\s*(?:,\s*'([^']*)'\s*)?\}")
SPECIAL = ("*", "?", "$")


@dataclass(frozen=True)
class Variable:
    """A condition key whose value stands here, and what stands here without one."""

    key: str
    default: str | None


@dataclass(frozen=True)
class Pattern:
    """A text of a policy, with wildcards and variables."""

    parts: tuple[str | Variable, ...]

    def filled(self, context: Context) -> str | None:
        """The text with its variables' values, its wildcards as STAR and ANY_ONE.

        None where a variable has no value, or several: such a text is equal to nothing and like nothing.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        texts = [_value(part, context) for part in self.parts]
        return None if None in texts else "".join(text for text in texts if text is not None)

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys its variables name."""
        return frozenset(part.key for part in self.parts if isinstance(part, Variable))


def pattern(text: str, *, variables: bool) -> Pattern:
    """The pattern of a policy's text. Without `variables` (policies before 2012-10-17) `${...}` is only text."""
    parts: list[str | Variable] = []
    rest = 0
    for match in VARIABLE.finditer(text) if variables else ():
        parts.append(_wild(text[rest : match.start()]))
        key, default = match.group(1, 2)
        parts.append(key if key in SPECIAL else Variable(key.lower(), default))
        rest = match.end()
    parts.append(_wild(text[rest:]))
    if all(isinstance(part, str) for part in parts):
        return Pattern(("".join(str(part) for part in parts),))
    return Pattern(tuple(part for part in parts if part != ""))


def plain(filled: str) -> str:
    """A filled text in which wildcards mean nothing."""
    return filled.replace(STAR, "*").replace(ANY_ONE, "?")


def is_like(filled: str, value: str) -> bool:
    """Whether a value has the form of a filled text: * is any characters, ? is one."""
    return _glob(filled).fullmatch(value) is not None


def is_resource(filled: str, arn: str) -> bool:
    """Whether a policy's Resource covers an ARN.

    "You can use wildcard characters (* and ?) within the individual segments of an ARN ... If the * wildcard is the
    last character of a resource ARN segment, it can expand to match beyond the colon boundaries."
    """
    return _resource_glob(filled).fullmatch(arn) is not None


def is_arn_like(filled: str, arn: str) -> bool:
    """ArnLike: each of the six components is compared by itself. A lone star is like every ARN."""
    if filled == STAR:
        return True
    wanted, found = filled.split(":", SEGMENTS - 1), arn.split(":", SEGMENTS - 1)
    return len(wanted) == len(found) == SEGMENTS and all(map(is_like, wanted, found))


def _value(part: str | Variable, context: Context) -> str | None:
    if isinstance(part, str):
        return part
    values = context.get(part.key, ())
    return values[0] if len(values) == 1 else part.default if not values else None


def _wild(text: str) -> str:
    return text.replace("*", STAR).replace("?", ANY_ONE)


@lru_cache(maxsize=4096)
def _glob(filled: str) -> re.Pattern[str]:
    wild = {STAR: ".*", ANY_ONE: "."}
    return re.compile("".join(wild.get(char) or re.escape(char) for char in filled), re.DOTALL)


@lru_cache(maxsize=4096)
def _resource_glob(filled: str) -> re.Pattern[str]:
    expression, colons = "", 0
    for index, char in enumerate(filled):
        last = colons == SEGMENTS - 1
        if char == STAR:
            expression += ".*" if last or filled[index + 1 : index + 2] in ("", ":") else "[^:]*"
        elif char == ANY_ONE:
            expression += "." if last else "[^:]"
        else:
            expression += re.escape(char)
            colons = min(colons + (char == ":"), SEGMENTS - 1)
    return re.compile(expression, re.DOTALL)
