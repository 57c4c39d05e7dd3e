"""The stand-in `aws` provider: resource types to boto3, for the lab's engine and, as a plugin, for the real CLI."""

from lab.provider.aws import AwsProvider

__all__ = ["AwsProvider"]
