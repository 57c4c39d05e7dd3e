"""The agent: moves the virtual IP to this director when Keepalived says MASTER, and makes sure it stays."""
