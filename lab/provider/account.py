"""The account a provider works in: clients, errors, tags, waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lab.protocol.contract import ProviderError
from lab.provider.tagging import Tagging

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

POLL_SECONDS = 0.25
REPORT_EVERY_SECONDS = 15.0
HELD = frozenset({"DependencyViolation", "DeleteConflict", "InvalidGroup.InUse"})
PARTITION = "aws"
AFTERWARDS = "look at `lab status` and the lab's logs, then run the deployment again: it takes up where this one ended"
Answer = TypeVar("Answer")


class Account:
    """One region of the account behind an endpoint, and whose tags are whose. `cancelled` ends all waiting."""

    def __init__(
        self,
        *,
        session: boto3.Session,
        endpoint_url: str,
        region: str,
        tagging: Tagging,
        report: Callable[[str], None],
        cancelled: threading.Event,
    ) -> None:
        self.region = region
        self.tagging = tagging
        self.report = report
        self._cancelled = cancelled
        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
            max_pool_connections=64,
            connect_timeout=5,
            read_timeout=60,
        )
        options: dict[str, Any] = {"endpoint_url": endpoint_url, "region_name": region, "config": config}
        # Clients are made here, once: making one is not thread-safe, using one is (boto3's guide).
        self.ec2: EC2Client = session.client("ec2", **options)
        self.iam: IAMClient = session.client("iam", **options)
        self.sts: STSClient = session.client("sts", **options)

    @cached_property
    def id(self) -> str:
        """The account's number."""
        return self.sts.get_caller_identity()["Account"]

    def arn(self, resource: str) -> str:
        """The ARN of an EC2 resource such as "vpc/vpc-1"."""
        return f"arn:{PARTITION}:ec2:{self.region}:{self.id}:{resource}"

    def retag_ec2(self, id_: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Make the tags of an EC2 resource `new` where they were `old`."""
        if gone := [{"Key": key} for key in old if key not in new]:
            self.ec2.delete_tags(Resources=[id_], Tags=gone)  # type: ignore[arg-type]
        if changed := {key: value for key, value in new.items() if old.get(key) != value}:
            self.ec2.create_tags(Resources=[id_], Tags=tag_list(changed))

    def wait(self, what: str, wanted: str, look: Callable[[], str], *, seconds: float) -> None:
        """Look until the state is the wanted one, reporting every 15 seconds; ProviderError after `seconds`."""
        began = reported = time.monotonic()
        while (state := look()) != wanted:
            waited = time.monotonic() - began
            if waited >= seconds:
                raise ProviderError(f"{what} is {state} after {seconds:g} s, not {wanted}: {AFTERWARDS}")
            if time.monotonic() - reported > REPORT_EVERY_SECONDS:
                reported = time.monotonic()
                self.report(f"waiting for {what} to be {wanted}, {waited:.0f} s so far")
            self._pause(f"{what} to be {wanted}", seconds - waited)

    def retry(
        self, call: Callable[[], Answer], *, what: str, wanted: str, when: Callable[[ClientError], bool], seconds: float
    ) -> Answer:
        """Make a call, again while `when` says that its refusal passes; ProviderError with it after `seconds`."""
        began = reported = time.monotonic()
        while True:
            try:
                return call()
            except ClientError as error:
                if not when(error):
                    raise
                waited = time.monotonic() - began
                if waited >= seconds:
                    text = f"{what} is not {wanted} after {seconds:g} s ({refusal(error)}): {AFTERWARDS}"
                    raise ProviderError(text) from error
                if time.monotonic() - reported > REPORT_EVERY_SECONDS:
                    reported = time.monotonic()
                    self.report(f"waiting for {what} to be {wanted}, {waited:.0f} s so far ({code(error)})")
            self._pause(f"{what} to be {wanted}", seconds - waited)

    def release(self, call: Callable[[], object], *, what: str, gone: Iterable[str], seconds: float) -> None:
        """Make a deleting call, again while something still holds the resource, content where it is `gone`."""
        with absent(*gone):
            self.retry(call, what=what, wanted="let go of", when=lambda error: code(error) in HELD, seconds=seconds)

    def _pause(self, what: str, left: float) -> None:
        if self._cancelled.wait(max(0.0, min(POLL_SECONDS, left))):
            raise ProviderError(f"cancelled while waiting for {what}: {AFTERWARDS}")


def code(error: ClientError) -> str:
    """AWS's error code, such as InvalidVpcID.NotFound."""
    return str(error.response.get("Error", {}).get("Code", ""))


def refusal(error: ClientError) -> str:
    """The call, AWS's error code and its words."""
    details = error.response.get("Error", {})
    return f"{error.operation_name}: {details.get('Code')}: {details.get('Message')}"


@contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Pass over these error codes: what was asked for is not there (any more)."""
    try:
        yield
    except ClientError as error:
        if code(error) not in codes:
            raise


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn boto3's errors into ProviderError."""
    try:
        yield
    except ClientError as error:
        raise ProviderError(f"{what}: {refusal(error)}") from error
    except BotoCoreError as error:
        raise ProviderError(f"{what}: {error}") from error


def tag_list(tags: Mapping[str, str]) -> list[Any]:
    """Tags as the API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(described: Mapping[str, Any]) -> dict[str, str]:
    """A described resource's tags, without those AWS reserves for itself (aws:...)."""
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    return {key: value for key, value in sorted(tags.items()) if not key.startswith("aws:")}


def tag_specifications(tags: Mapping[str, str], *kinds: str) -> dict[str, Any]:
    """The argument that tags new resources of these kinds; nothing without tags (an empty list is refused)."""
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in kinds]} if tags else {}


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that are not None."""
    return {key: value for key, value in arguments.items() if value is not None}


def only(described: Iterable[Any]) -> dict[str, Any] | None:
    """The one described resource, or None."""
    return next((dict(item) for item in described), None)
