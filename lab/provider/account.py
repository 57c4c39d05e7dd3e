"""The account a provider works in: clients, errors, tags, waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lab.engine.contract import ProviderError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

POLL_SECONDS = 0.25
REPORT_EVERY_SECONDS = 15.0
# The real provider waits up to 15 minutes for what still holds a resource; the lab lets go within a second or never.
RELEASE_SECONDS = 30.0
HELD = ("DependencyViolation", "DeleteConflict", "InvalidIPAddress.InUse")
PARTITION = "aws"


class Account:
    """One region of the account behind an endpoint, and the tags everything in it gets."""

    def __init__(
        self,
        *,
        session: boto3.Session,
        endpoint_url: str,
        region: str,
        default_tags: Mapping[str, str],
        report: Callable[[str], None],
    ) -> None:
        self.region = region
        self.default_tags = dict(default_tags)
        self.report = report
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

    def wait(self, what: str, done: Callable[[], bool], *, seconds: float) -> None:
        """Poll until `done`, reporting every 15 seconds; ProviderError after `seconds`."""
        began = reported = time.monotonic()
        while not done():
            now = time.monotonic()
            if now - began > seconds:
                raise ProviderError(
                    f"{what} did not come about within {seconds:.0f} s; look at `lab status` and the lab's logs, "
                    "then run the deployment again: it takes up where this one ended"
                )
            if now - reported > REPORT_EVERY_SECONDS:
                reported = now
                self.report(f"waiting for {what}, {now - began:.0f} s so far")
            time.sleep(POLL_SECONDS)

    def release(self, call: Callable[[], object], *, gone: Iterable[str]) -> None:
        """Make a deleting call, again while something still holds the resource, content where it is `gone`."""
        deadline = time.monotonic() + RELEASE_SECONDS
        while True:
            try:
                call()
            except ClientError as error:
                if code(error) in gone:
                    return
                if code(error) not in HELD or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return


def code(error: ClientError) -> str:
    """AWS's error code, such as InvalidVpcID.NotFound."""
    return str(error.response.get("Error", {}).get("Code", ""))


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
        details = error.response.get("Error", {})
        text = f"{what}: {error.operation_name}: {details.get('Code')}: {details.get('Message')}"
        raise ProviderError(text) from error
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
