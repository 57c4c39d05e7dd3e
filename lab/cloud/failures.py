"""Error answers in the format of each service: EC2's XML, the query protocol's of IAM and STS, SSM's JSON."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

NO_REQUEST_ID = "00000000-0000-0000-0000-000000000000"


def failure(service: str | None, status: int, code: str, message: str) -> Response:
    """The answer that SDKs of `service` read as the error `code`."""
    if service == "ssm":
        return Response(json.dumps({"__type": code, "message": message}), status=status, mimetype="application/json")
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service in ("iam", "sts"):
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>{NO_REQUEST_ID}</RequestId>"
            "</ErrorResponse>"
        )
    else:
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{NO_REQUEST_ID}</RequestID></Response>"
    return Response('<?xml version="1.0" encoding="UTF-8"?>\n' + body, status=status, mimetype="text/xml")
