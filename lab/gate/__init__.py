"""The policy gate: runs a pack's own server and asks it about every resource, as the Pulumi CLI does."""
