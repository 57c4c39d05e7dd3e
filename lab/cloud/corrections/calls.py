"""What every call of the EC2 API has in common: requests that are checked, dry runs, filters, pages, HTTP statuses."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.exceptions import DryRunClientError
from moto.ec2.responses._base_response import EC2BaseResponse

from lab.cloud.corrections.filters import select
from lab.cloud.corrections.identifiers import check_identifiers
from lab.cloud.corrections.pages import requested_page
from lab.cloud.corrections.refusals import refusal
from lab.cloud.corrections.requests import check_request

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
# Others are 400: "400-series" for the client's errors (API reference, "Error codes"). 412 as reported
# (getmoto/moto#1980), 403 and 401 likewise; 503 for throttling.
STATUSES = {
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "InternalError": 500,
    "RequestLimitExceeded": 503,
    "UnauthorizedOperation": 403,
    "Unavailable": 503,
}


class CallRules(EC2BaseResponse):  # type: ignore[misc]
    """The part of EC2's answers that is the same for every call."""

    malformed: Exception | None = None

    def parse_parameters(self, request: Any) -> None:
        """Read the parameters; what is wrong with them is said once the caller is known."""
        self.params: dict[str, Any] = {}
        try:
            check_request(self.operation.input_shape, {name: given[0] for name, given in self.querystring.items()})
            super().parse_parameters(request)
        except ServiceException as error:
            self.malformed = error
        except OperationNotFoundError:
            self.malformed = unknown_action(self._get_action())

    @property
    def operation(self) -> Any:
        """The model of the action that is called; OperationNotFoundError for none."""
        return get_service_model("ec2").operation_model(self._get_action())

    def call_action(self) -> Any:
        """The whole call: an action that there is finds out itself what is wrong with its request."""
        # moto takes the headers of a request without parameters for parameters.
        if not self.querystring.get("Action"):
            return self._refused(refusal("MissingAction", "The request must contain the parameter Action"))
        try:
            return super().call_action()
        except NotImplementedError:
            if self.malformed is None:
                raise
            return self._refused(self.malformed)

    def _refused(self, error: Exception) -> Any:
        status, headers, body = self.serialized(ActionResult(error))
        return status, {**headers, "status": str(status)}, body

    def serialized(self, action_result: ActionResult) -> Any:
        """An answer as it leaves: errors with EC2's status."""
        status, headers, body = super().serialized(action_result)
        if isinstance(action_result.result, Exception):
            status = STATUSES.get(getattr(action_result.result, "code", ""), status)
        return status, headers, body


def unknown_action(action: str) -> Exception:
    """EC2's refusal of an action it does not have (words: boto/boto#1282)."""
    return refusal("InvalidAction", f"The action {action} is not valid for this web service.")


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
        if call.malformed is not None:
            raise call.malformed
        operation = call.operation
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
