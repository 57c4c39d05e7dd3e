"""How a resource type is declared: its properties, what forces a replacement, and the calls behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.engine.contract import Failure, Properties
from lab.provider.account import Account


@dataclass(frozen=True, kw_only=True)
class Property:
    """An input. What follows from its change is the real provider's: its documentation's "Forces new resource".

    `replace` may depend on the new inputs. `computed`: AWS chooses where the program does not, so leaving it out is no
    change. `unordered`: a set. `json`: a document, compared by meaning. `default`: what the real provider fills in.
    """

    required: bool = False
    replace: bool | Callable[[Properties], bool] = False
    computed: bool = False
    unordered: bool = False
    json: bool = False
    default: Any = None


@dataclass(frozen=True, kw_only=True)
class Work:
    """One call for one resource: with all its tags, and the time limit in seconds (None: the type's own)."""

    account: Account
    name: str
    inputs: Properties
    outputs: Properties = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type.

    `create` answers the id; `ready` then waits and sets what can only be set afterwards (a failure there leaves a
    resource that the next `up` finishes). `read` answers every output there is, with `tagsAll` as found, or None where
    the resource is gone. `update` sets the changed inputs among `updates`; others that do not replace are refused.
    `retag` sets exactly these tags in place of those. `delete` is content where the resource is gone.
    """

    token: str
    inputs: Mapping[str, Property]
    create: Callable[[Work], str]
    read: Callable[[Account, str, Properties], Properties | None]
    delete: Callable[[Work, str], None]
    ready: Callable[[Work, str], None] | None = None
    update: Callable[[Work, str, frozenset[str]], None] | None = None
    updates: frozenset[str] = frozenset()
    retag: Callable[[Account, str, Mapping[str, str], Mapping[str, str]], None] | None = None
    named: bool = False
    regional: bool = True
    validate: Callable[[Properties], tuple[Failure, ...]] | None = None


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function: its arguments' names, and the call behind it."""

    token: str
    args: frozenset[str]
    call: Callable[[Account, Properties], Properties]
