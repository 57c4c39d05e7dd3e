"""Parameters that have a few values to choose from, by the model of the EC2 API (botocore's). Pure."""

from __future__ import annotations

from typing import Any

from lab.cloud.corrections.refusals import invalid_value

# Instance types are more than an SDK's model knows of, and RunInstances has its own words for one that is not there.
OPEN = frozenset({"InstanceType"})


def check_choices(shape: Any, value: Any, name: str = "") -> None:
    """Raise EC2's refusal of the first text in `value`, a request by the model's names, that `shape` does not have."""
    if shape is None:
        return
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            if member in value:
                check_choices(inner, value[member], member)
    elif shape.type_name == "list":
        for item in value:
            check_choices(shape.member, item, name)
    else:
        allowed = getattr(shape, "enum", None)
        if allowed and shape.name not in OPEN and value not in allowed:
            raise invalid_value(
                f"Value ({value}) for parameter {name[0].lower()}{name[1:]} is invalid. Expecting one of: "
                f"{', '.join(allowed)}."
            )
