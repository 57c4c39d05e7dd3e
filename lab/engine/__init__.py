"""Deploys the unmodified Pulumi program where the Pulumi CLI is not installed; for the lab only."""
