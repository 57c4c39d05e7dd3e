"""What a refused call is answered, service by service.

Sources: EC2 API reference, "Error codes"; IAM and STS API reference, "Common errors"; Systems Manager answers in JSON
with the codes and the status of its protocol, as public threads quote them. Sentences: IAM user guide, "Troubleshoot
access denied error messages".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """Why a call is refused."""

    UNKNOWN_CALLER = "the key or the token is nobody's"
    BAD_SIGNATURE = "the request is not what was signed"
    OLD = "it was signed too long ago, or in the future"
    SESSION_OVER = "the session has ended"
    DENIED = "no policy allows it, or one denies it"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An error of a service: its code, HTTP status and text; {} in the text stands for the particulars."""

    code: str
    status: int
    text: str

    def message(self, particulars: str) -> str:
        """The text with the particulars in it."""
        return self.text.replace("{}", particulars)


UNKNOWN = "The security token included in the request is invalid."
OVER = "The security token included in the request is expired"
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
NOT_VALIDATED = "AWS was not able to validate the provided access credentials"

EC2 = {
    Fault.UNKNOWN_CALLER: Answer(code="AuthFailure", status=401, text=NOT_VALIDATED),
    Fault.BAD_SIGNATURE: Answer(code="AuthFailure", status=401, text=NOT_VALIDATED),
    Fault.OLD: Answer(code="RequestExpired", status=400, text="Request has expired."),
    Fault.SESSION_OVER: Answer(code="RequestExpired", status=400, text="Request has expired."),
    Fault.DENIED: Answer(
        code="UnauthorizedOperation", status=403, text="You are not authorized to perform this operation. {}"
    ),
}
QUERY = {
    Fault.UNKNOWN_CALLER: Answer(code="InvalidClientTokenId", status=403, text=UNKNOWN),
    Fault.BAD_SIGNATURE: Answer(code="SignatureDoesNotMatch", status=403, text=MISMATCH),
    Fault.OLD: Answer(code="SignatureDoesNotMatch", status=403, text="{}"),
    Fault.SESSION_OVER: Answer(code="ExpiredToken", status=403, text=OVER),
    Fault.DENIED: Answer(code="AccessDenied", status=403, text="{}"),
}
JSON = {
    Fault.UNKNOWN_CALLER: Answer(code="UnrecognizedClientException", status=400, text=UNKNOWN),
    Fault.BAD_SIGNATURE: Answer(code="InvalidSignatureException", status=400, text=MISMATCH),
    Fault.OLD: Answer(code="InvalidSignatureException", status=400, text="{}"),
    Fault.SESSION_OVER: Answer(code="ExpiredTokenException", status=400, text=OVER),
    Fault.DENIED: Answer(code="AccessDeniedException", status=400, text="{}"),
}
ANSWERS = {"ec2": EC2, "iam": QUERY, "sts": QUERY, "ssm": JSON}


class RefusedError(Exception):
    """A call that is not carried out."""

    def __init__(self, fault: Fault, particulars: str = "") -> None:
        super().__init__(particulars or fault.value)
        self.fault = fault
        self.particulars = particulars
