"""The provider's fixtures, for the project's own stack."""

from tests.lab.provider.conftest import client, clients, ec2, provider

__all__ = ["client", "clients", "ec2", "provider"]
