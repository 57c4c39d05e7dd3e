"""Every rule of the pack, in the order of docs/policies.md."""

from policy import addresses, firewall, identity, machines, stack, user_data
from policy.rule import Rule

SUBJECTS: dict[str, tuple[Rule, ...]] = {
    "Identity": identity.RULES,
    "Machines": machines.RULES,
    "Addresses": addresses.RULES,
    "Firewall": firewall.RULES,
    "User data": user_data.RULES,
    "The stack": stack.RULES,
}
"""The rules by subject, one module each."""

RULES: tuple[Rule, ...] = tuple(rule for rules in SUBJECTS.values() for rule in rules)
