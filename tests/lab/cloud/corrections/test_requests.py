"""Requests against the model of the API: what is known, what is missing, what has the wrong form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.exceptions import ServiceException
from moto.core.utils import get_service_model

from lab.cloud.corrections.requests import check_request, is_base64

WORDS = st.sampled_from(
    ["Filter", "Name", "Value", "InstanceId", "MaxResults", "1", "0", "x", "", "IpPermissions", "é"]
)
ACTIONS = st.sampled_from(["DescribeInstances", "RunInstances", "AuthorizeSecurityGroupIngress", "AssociateAddress"])


def shape(action: str) -> Any:
    return get_service_model("ec2").operation_model(action).input_shape


def refusal_of(action: str, **given_: str) -> tuple[str, str]:
    with pytest.raises(ServiceException) as caught:
        check_request(shape(action), {name.replace("_", "."): value for name, value in given_.items()})
    return caught.value.code, caught.value.message


def test_what_a_request_may_have() -> None:
    check_request(
        shape("RunInstances"),
        {
            "Action": "RunInstances",
            "Version": "2016-11-15",
            "X-Amz-Date": "20260101T000000Z",
            "MinCount": "1",
            "MaxCount": "2",
            "ImageId": "anything",
            "InstanceType": "t9.unheard",
            "NetworkInterface.1.DeviceIndex": "0",
            "NetworkInterface.1.PrivateIpAddresses.2.Primary": "TRUE",
            "MetadataOptions.HttpTokens": "required",
            "SecurityGroupId.1": "sg-1",
            "SecurityGroup": "",
        },
    )


def test_the_first_fault_is_named() -> None:
    assert refusal_of("DescribeVpcs", Filter_1_Colour="x") == (
        "UnknownParameter",
        "The parameter Colour is not recognized",
    )
    assert refusal_of("AssociateAddress", Alocation="x")[0] == "UnknownParameter"
    assert refusal_of("AttachNetworkInterface", NetworkInterfaceId="e", InstanceId="i") == (
        "MissingParameter",
        "The request must contain the parameter DeviceIndex",
    )
    code, text = refusal_of("AssociateAddress", AllowReassociation="1")
    assert (code, "allowReassociation" in text) == ("InvalidParameterValue", True)
    assert refusal_of("DescribeVpcs", VpcId="vpc-1")[0] == "UnknownParameter"
    assert refusal_of("DescribeVpcs", VpcId_0="vpc-1")[0] == "UnknownParameter"
    assert refusal_of("ModifyInstanceAttribute", InstanceId="i", UserData_Value="%%")[0] == "InvalidParameterValue"
    assert refusal_of("ModifyInstanceMetadataOptions", InstanceId="i", HttpTokens="x")[0] == "InvalidParameterValue"


@given(ACTIONS, st.dictionaries(st.lists(WORDS, min_size=1, max_size=4).map(".".join), st.text(max_size=8), max_size=6))
def test_whatever_is_asked_it_is_taken_or_refused(action: str, request_: dict[str, str]) -> None:
    try:
        check_request(shape(action), request_)
    except ServiceException as error:
        assert error.code in ("UnknownParameter", "MissingParameter", "InvalidParameterValue")


@pytest.mark.parametrize(
    ("text", "is_one"), [("", True), ("aGk=", True), ("aG\nk=", True), ("%", False), ("aGk", False)]
)
def test_base64(text: str, is_one: bool) -> None:
    assert is_base64(text) is is_one
