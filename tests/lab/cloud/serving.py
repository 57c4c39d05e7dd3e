"""`lab cloud` as a process of its own, for tests that talk to it as a user does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.under_test import LAB

# For clients that are no SDK: a key nobody knows is the administrator's, so nobody looks at the signature.
SIGNED = "AWS4-HMAC-SHA256 Credential=lab/20261125/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
KEYS = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [str(LAB), "cloud", "--listen", "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:4] == ["the", "API", "answers", "at"], process.communicate(timeout=10)
        yield process, words[4]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
