"""The lab: an AWS on one machine, strict enough to fail a wrong director."""
