"""The stack: settings, components, stack outputs."""

import pulumi

from components.component import Naming
from components.configuration import read_settings
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.provider import aws_provider

# Ends the program with every fault of the config before anything is registered.
settings = read_settings()
naming = Naming(project=pulumi.get_project(), stack=pulumi.get_stack())
balancer = LoadBalancer(
    "load-balancer",
    args=LoadBalancerArgs(naming=naming, settings=settings),
    opts=pulumi.ResourceOptions(providers=[aws_provider(settings.account, naming, settings.tags)]),
)
for name, value in balancer.outputs.items():
    pulumi.export(name, value)
