"""What all components share: their type, how children are tied to them, and how resources are named and tagged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Naming:
    """The names resources show in AWS: `PROJECT-STACK-NAME`, as a Name tag."""

    project: str
    stack: str

    def tags(self, name: str, **more: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
        """The Name tag of the resource `name`, with more tags beside it."""
        return {"Name": f"{self.project}-{self.stack}-{name}", **more}


class Component(pulumi.ComponentResource):
    """A component of this project, of type `lvs-aws:components:CLASS`."""

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(f"lvs-aws:components:{type(self).__name__}", name, None, opts)

    def child_opts(
        self,
        *,
        depends_on: Sequence[pulumi.Resource] = (),
        protect: bool | None = None,
        delete_before_replace: bool | None = None,
        ignore_changes: Sequence[str] = (),
    ) -> pulumi.ResourceOptions:
        """Options of a child: it belongs to this component and takes its provider, and nothing else of its options."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=list(depends_on),
            protect=protect,
            delete_before_replace=delete_before_replace,
            ignore_changes=list(ignore_changes) or None,
        )
