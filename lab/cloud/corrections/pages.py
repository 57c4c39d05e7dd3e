"""Pages of the Describe calls (EC2 developer guide, "Pagination in the Amazon EC2 API"). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.cloud.corrections.refusals import invalid_value, refusal

SMALLEST, LARGEST = 5, 1000
# What a page holds where the request does not say; other calls answer with all there is.
DEFAULT_SIZES = {"DescribeInstanceTypes": 100}
# "You cannot specify this parameter and the instance IDs parameter in the same request" (API reference); by the name
# of the ids in the request, and in the message.
NOT_WITH_IDS = {
    "DescribeInstances": ("InstanceIds", "instancesSet"),
    "DescribeInstanceStatus": ("InstanceIds", "instancesSet"),
    "DescribeNetworkInterfaces": ("NetworkInterfaceIds", "networkInterfaceIdSet"),
}
TOKEN = re.compile(r"([A-Za-z]+) ([0-9]{1,9})")


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which part of a list is asked for: `size` items from `start`; all of them for None."""

    operation: str
    start: int
    size: int | None

    def of(self, items: Sequence[Any]) -> tuple[list[Any], str | None]:
        """The items of the page, and the token of the next one; None at the end."""
        if self.size is None or self.start + self.size >= len(items):
            return list(items[self.start :]), None
        end = self.start + self.size
        token = base64.urlsafe_b64encode(f"{self.operation} {end}".encode()).decode()
        return list(items[self.start : end]), token


def requested_page(operation: str, limits: Mapping[str, int], parameters: Mapping[str, Any]) -> Page:
    """The page that `parameters` (by their names in the model) ask for. `limits` are MaxResults' own in the model.

    Raises EC2's refusals.
    """
    size = parameters.get("MaxResults")
    if size is not None:
        # Words as reported for the least (aws/aws-sdk-ruby#2575); for the most assumed.
        least, most = limits.get("min", SMALLEST), limits.get("max")
        if size < least:
            raise invalid_value(
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than {least}."
            )
        if most is not None and size > most:
            raise invalid_value(
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value less than {most}."
            )
        ids, spoken = NOT_WITH_IDS.get(operation, ("", ""))
        if parameters.get(ids):
            raise refusal(
                "InvalidParameterCombination",
                f"The parameter {spoken} cannot be used with the parameter maxResults",
            )
        # "If MaxResults is given a value larger than 1000, only 1000 results are returned" (API reference of 2015,
        # DescribeInstances, which has no limits in the model).
        size = min(size, LARGEST)
    token = parameters.get("NextToken")
    start = 0 if token is None else _start(operation, token)
    return Page(operation=operation, start=start, size=DEFAULT_SIZES.get(operation) if size is None else size)


def _start(operation: str, token: str) -> int:
    try:
        found = TOKEN.fullmatch(base64.urlsafe_b64decode(token.encode()).decode())
    except (binascii.Error, ValueError):
        found = None
    if found is None or found[1] != operation:
        raise _wrong_token(token)
    return int(found[2])


def _wrong_token(token: str) -> Exception:
    """Code and words as reported for DescribeVpcs (boto/boto3#2673); documented is also InvalidNextToken."""
    return invalid_value(f"Value ( {token} ) for parameter NextToken is invalid. The token is invalid.")
