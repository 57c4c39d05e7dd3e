"""The pack's server: tells its port on standard output, so nothing here may print. The rules are in policy/rules.py."""

from pulumi_policy import PolicyPack

from policy.rules import RULES

PolicyPack("lvs-aws", [rule.policy() for rule in RULES])
