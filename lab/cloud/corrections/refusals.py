"""EC2's refusals: its codes and, where known, its words.

Sources: codes from the EC2 API reference; words where public threads quote them, else our own.
"""

from __future__ import annotations

from moto.ec2.exceptions import EC2ClientError


def refusal(code: str, message: str) -> Exception:
    """An error answer of the EC2 API with that code."""
    error: Exception = EC2ClientError(code, message)
    return error


def invalid_value(message: str) -> Exception:
    """A parameter's value that EC2 does not take."""
    return refusal("InvalidParameterValue", message)


def wrong_state(message: str) -> Exception:
    """A call the instance's state does not allow."""
    return refusal("IncorrectInstanceState", message)


def dependency_violation(message: str) -> Exception:
    """Something still in use that was to be deleted."""
    return refusal("DependencyViolation", message)
