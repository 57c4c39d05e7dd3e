"""The VPC as packets: one process between the machines' network cards, the lab's internet and its link services."""
