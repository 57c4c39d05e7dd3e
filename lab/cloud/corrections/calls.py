"""What every call of the EC2 API has in common: values and ids that are checked, dry runs, filters, pages."""

from __future__ import annotations

import functools
import inspect
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.exceptions import DryRunClientError
from moto.ec2.responses._base_response import EC2BaseResponse

from lab.cloud.corrections.choices import check_choices
from lab.cloud.corrections.filters import select
from lab.cloud.corrections.identifiers import check_identifiers
from lab.cloud.corrections.pages import requested_page
from lab.cloud.corrections.tags import check_tags

Answers = TypeVar("Answers", bound=type)

# The lists whose filters and pages are the lab's; by their name in the answer.
LISTS = {
    "DescribeAddresses": "Addresses",
    "DescribeImages": "Images",
    "DescribeInstances": "Reservations",
    "DescribeInstanceTypes": "InstanceTypes",
    "DescribeInternetGateways": "InternetGateways",
    "DescribeNetworkInterfaces": "NetworkInterfaces",
    "DescribeRouteTables": "RouteTables",
    "DescribeSecurityGroupRules": "SecurityGroupRules",
    "DescribeSecurityGroups": "SecurityGroups",
    "DescribeSubnets": "Subnets",
    "DescribeTags": "Tags",
    "DescribeVpcs": "Vpcs",
}
# moto looks at an instance type's filters well enough, and at nothing the lab corrects.
FILTERED_BY_MOTO = ("DescribeInstanceTypes",)
# Calls that look at what they are given before a dry run ends; the others end when their ids are known.
LOOK_BEFORE_DRY_RUN = ("AssociateAddress", "RunInstances")
REQUEST_ID = re.compile("(?<=<[rR]equestI[dD]>)request-id")
NAMESPACE = re.compile("<Response xmlns=[^>]*>")


class CallRules(EC2BaseResponse):  # type: ignore[misc]
    """The part of EC2's answers that is the same for every call."""

    @property
    def operation(self) -> Any:
        """The model of the action that is called; the API has seen to it that there is one."""
        return get_service_model("ec2").operation_model(self._get_action())

    def serialized(self, action_result: ActionResult) -> Any:
        """An answer as it leaves: with an id of its own; errors, like EC2's, in no namespace."""
        status, headers, body = super().serialized(action_result)
        body = REQUEST_ID.sub(str(uuid.uuid4()), body, count=1)
        if isinstance(action_result.result, Exception):
            body = NAMESPACE.sub("<Response>", body, count=1)
        return status, headers, body


def by_the_rules(answers: Answers) -> Answers:
    """A class decorator: every action of an EC2 query API is checked before, and its list cut to the page after."""
    for name, method in inspect.getmembers(answers, inspect.isfunction):
        if not name.startswith("_") and not hasattr(BaseResponse, name) and not hasattr(CallRules, name):
            setattr(answers, name, _checked(method))
    return answers


def _checked(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(method)
    def answer(call: Any) -> Any:
        if camelcase_to_underscores(call._get_action()) != method.__name__:
            return method(call)  # one action that calls another
        operation = call.operation
        check_choices(operation.input_shape, call.params)
        check_tags(operation.name, call.params)
        check_identifiers(call.ec2_backend, call.params)
        if call.params.get("DryRun") and operation.name not in LOOK_BEFORE_DRY_RUN:
            raise DryRunClientError
        if operation.name not in LISTS:
            return method(call)
        return _listed(call, operation, method)

    return answer


def _listed(call: Any, operation: Any, method: Callable[[Any], Any]) -> ActionResult:
    """A list, whole from moto, then filtered and cut here."""
    members: Mapping[str, Any] = operation.input_shape.members
    page = requested_page(
        operation.name, members["MaxResults"].metadata if "MaxResults" in members else {}, call.params
    )
    filters = [] if operation.name in FILTERED_BY_MOTO else call.params.pop("Filters", [])
    for name in ("MaxResults", "NextToken"):
        call.params.pop(name, None)
    answer = method(call).result
    key = LISTS[operation.name]
    items, token = page.of(select(operation, list(answer[key]), filters))
    return ActionResult({**answer, key: items, "NextToken": token})
