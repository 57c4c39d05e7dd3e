"""How a resource type and a function are declared: inputs as the real provider has them, and the calls behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.protocol.contract import Failure, Properties
from lab.provider.account import Account

Rule = Callable[[Properties], tuple[Failure, ...]]
"""What inputs must satisfy together; UNKNOWN counts as given."""

PROPAGATION_SECONDS = 300.0
"""How long the real provider waits for EC2 to show what it has made (ec2PropagationTimeout, service/ec2/wait.go)."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """An input as the real provider's source has it.

    `source` is the row in the file the type's `Schema` names: the attribute, and its words Required, Computed, ForceNew
    and Default, which the other fields say to the code (a test holds the two together). `replace` may depend on what is
    deployed and what is wanted. `computed`: AWS chooses where the program does not, so leaving it out is no change.
    `default`: what is filled in. `normal` makes values of one meaning equal, such as sets, policies and networks.
    `wrong` says why a value is refused, or nothing. `nested` are the properties of an object or of each in a list.
    `document`: JSON, which a program may also give as an object (pulumi-aws, TransformJSONDocument).
    """

    source: str
    kind: type = str
    required: bool = False
    replace: bool | Callable[[Properties, Properties], bool] = False
    computed: bool = False
    default: Any = None
    normal: Callable[[Any], Any] | None = None
    wrong: Callable[[Any], str] | None = None
    nested: Mapping[str, Property] | None = None
    document: bool = False


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds the real provider gives each verb where the program does not say (`customTimeouts`)."""

    create: float = PROPAGATION_SECONDS
    update: float = PROPAGATION_SECONDS
    delete: float = PROPAGATION_SECONDS


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A type's inputs. `file` is where they stand in hashicorp/terraform-provider-aws.

    `unmodelled` are the inputs the SDK sends too and the lab does not carry; paths into objects are written with a dot.
    """

    file: str
    inputs: Mapping[str, Property]
    unmodelled: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True, kw_only=True)
class Work:
    """One call for one resource: with all its tags, and its time limit in seconds."""

    account: Account
    type: str
    name: str
    inputs: Properties
    outputs: Properties = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    seconds: float = PROPAGATION_SECONDS

    def what(self, id_: str) -> str:
        """The resource in a message, such as "Instance web-1 (i-1)"."""
        return f"{self.type.rpartition(':')[2]} {self.name} ({id_})"

    def wait(self, id_: str, wanted: str, look: Callable[[], str]) -> None:
        """Wait until `look` sees the resource in the wanted state; ProviderError when the time is over."""
        self.account.wait(self.what(id_), wanted, look, seconds=self.seconds)

    def release(self, id_: str, call: Callable[[], object], *gone: str) -> None:
        """Make the deleting call, again while something holds the resource, content with the codes of what is gone."""
        self.account.release(call, what=self.what(id_), gone=gone, seconds=self.seconds)


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type.

    `create` answers the id; `ready` then waits and sets what can only be set afterwards (a failure there leaves a
    resource that the next `up` finishes). `read` answers every output there is, with `tagsAll` as found, or None where
    the resource is gone. `update` sets the changed inputs among `updates`; others that do not replace are refused.
    `retag` sets exactly these tags in place of those. `delete` is content where the resource is gone.
    """

    token: str
    schema: Schema
    create: Callable[[Work], str]
    read: Callable[[Account, str, Properties], Properties | None]
    delete: Callable[[Work, str], None]
    ready: Callable[[Work, str], None] | None = None
    update: Callable[[Work, str, frozenset[str]], None] | None = None
    updates: frozenset[str] = frozenset()
    retag: Callable[[Account, str, Mapping[str, str], Mapping[str, str]], None] | None = None

    @property
    def inputs(self) -> Mapping[str, Property]:
        """The inputs by name."""
        return self.schema.inputs


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function: its arguments as in the real provider's source, and the call behind it."""

    token: str
    schema: Schema
    call: Callable[[Account, Properties], Properties]
