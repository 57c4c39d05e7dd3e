"""The two EC2 calls of a claim, and a rehearsal that keeps the connection and the credentials warm."""

import threading
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config as ClientConfig

from .decision import Call
from .metadata import Identity

# Codes after which the credentials at hand are not worth another try.
STALE_CREDENTIALS = ("AuthFailure", "ExpiredToken", "InvalidClientTokenId", "RequestExpired", "NoCredentialsError")


class Ec2:
    """EC2 of one region at its public endpoint. Each call is made once: the state machine decides about another."""

    def __init__(self, region: str, virtual_ip: str) -> None:
        self._region = region
        self._virtual_ip = virtual_ip
        self._client: Any = None
        self._building = threading.Lock()
        self.answered = False  # whether EC2 ever did, be it with a refusal

    def connect(self) -> Any:
        """The client; built ahead of time, because that takes seconds on a slow machine."""
        with self._building:
            client = self._client
            if client is None:
                config = ClientConfig(
                    connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}, tcp_keepalive=True
                )
                client = self._client = boto3.session.Session(region_name=self._region).client("ec2", config=config)
        return client

    def call(self, call: Call, identity: Identity) -> str | None:
        """Make one call; EC2's error code, or an exception's name where EC2 did not answer, or None for success."""
        if call is Call.ASSIGN:
            return self._attempt(
                "assign_private_ip_addresses",
                NetworkInterfaceId=identity.interface_id,
                PrivateIpAddresses=[self._virtual_ip],
                AllowReassignment=True,
            )
        return self._associate(identity)

    def rehearse(self, identity: Identity) -> str | None:
        """AssociateAddress with DryRun, which changes nothing: None if it would be allowed. Assign has no DryRun."""
        error = self._associate(identity, DryRun=True)
        return None if error == "DryRunOperation" else error

    def _associate(self, identity: Identity, **more: bool) -> str | None:
        if identity.allocation_id is None:
            return "NoAllocationIdTag"
        return self._attempt(
            "associate_address",
            AllocationId=identity.allocation_id,
            NetworkInterfaceId=identity.interface_id,
            PrivateIpAddress=self._virtual_ip,
            AllowReassociation=True,
            **more,
        )

    def _attempt(self, operation: str, **arguments: Any) -> str | None:
        try:
            getattr(self.connect(), operation)(**arguments)
        except botocore.exceptions.ClientError as error:
            self.answered = True
            code = str(error.response["Error"]["Code"])
        except Exception as error:  # whatever it is, the agent must live and try again
            code = type(error).__name__
        else:
            self.answered = True
            return None
        if code in STALE_CREDENTIALS:
            self._client = None
        return code
