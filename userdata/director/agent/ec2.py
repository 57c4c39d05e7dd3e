"""The two EC2 calls of a claim, and a rehearsal that keeps the connection warm and the next claim signed.

boto3 finds the endpoint and the credentials, botocore signs and sends. What a client of boto3 does beside that, for
each call, takes longer than everything else between Keepalived's word and the request.
"""

import re
import threading
from contextlib import suppress
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

from .decision import Call
from .metadata import Identity

# Codes after which the credentials at hand are not worth another try.
STALE_CREDENTIALS = ("AuthFailure", "ExpiredToken", "InvalidClientTokenId", "RequestExpired", "NoCredentialsError")
TIMEOUT_SECONDS: Any = (1, 2)  # to connect, to answer


class Ec2:
    """EC2 of one region at its public endpoint. Each call is made once: the state machine decides about another."""

    def __init__(self, region: str, virtual_ip: str) -> None:
        self._region = region
        self._virtual_ip = virtual_ip
        self._http = URLLib3Session(timeout=TIMEOUT_SECONDS)
        self._access: tuple[str, Any] | None = None
        self._building = threading.Lock()
        self._signed: Any = None
        self.answered = False  # whether EC2 ever did, be it with a refusal

    def connect(self) -> tuple[str, Any]:
        """The endpoint and the credentials; found ahead of time, because that takes seconds on a slow machine."""
        with self._building:
            access = self._access
            if access is None:
                session = boto3.session.Session(region_name=self._region)
                access = self._access = session.client("ec2").meta.endpoint_url, session.get_credentials()
        return access

    def call(self, call: Call, identity: Identity) -> str | None:
        """Make one call; EC2's error code, or an exception's name where EC2 did not answer, or None for success."""
        # Used once: if the clock was wrong when it was signed, or the credentials were old, the next attempt is better.
        signed, self._signed = self._signed, None
        return self._attempt(call, identity, signed if call is Call.ASSIGN else None)

    def rehearse(self, identity: Identity) -> str | None:
        """AssociateAddress with DryRun, which changes nothing: None if it would be allowed. Assign has no DryRun."""
        error = self._attempt(Call.ASSOCIATE, identity, DryRun="true")
        if error != "DryRunOperation":
            return error
        with suppress(Exception):  # then the claim is signed when it is due
            self._signed = self._sign(Call.ASSIGN, identity)
        return None

    def _sign(self, call: Call, identity: Identity, **more: str) -> Any:
        """The request, ready to be sent. AssignPrivateIpAddresses has a list of addresses, AssociateAddress one."""
        url, credentials = self.connect()
        data = {"Action": call.value, "Version": "2016-11-15", "NetworkInterfaceId": identity.interface_id, **more}
        if call is Call.ASSIGN:
            data |= {"PrivateIpAddress.1": self._virtual_ip, "AllowReassignment": "true"}
        else:
            data |= {"PrivateIpAddress": self._virtual_ip, "AllowReassociation": "true"}
            data["AllocationId"] = str(identity.allocation_id)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", url, headers, data)
        SigV4Auth(credentials and credentials.get_frozen_credentials(), "ec2", self._region).add_auth(request)
        return request.prepare()

    def _attempt(self, call: Call, identity: Identity, signed: Any = None, **more: str) -> str | None:
        if call is Call.ASSOCIATE and identity.allocation_id is None:
            return "NoAllocationIdTag"
        try:
            answer = self._http.send(signed or self._sign(call, identity, **more))
        except Exception as error:  # whatever it is, the agent must live and try again
            code = type(error).__name__
        else:
            self.answered = True
            if answer.status_code == 200:
                return None
            told = re.search(b"<Code>(.*?)</Code>", answer.content)
            code = told[1].decode() if told else f"HTTP {answer.status_code}"
        if code in STALE_CREDENTIALS:
            self._access = None
        return code
