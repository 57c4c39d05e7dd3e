"""A load balancer in a VPC that is there already: two ids, and lvs-aws's settings in one object of the config."""

import pulumi

from components.component import Naming
from components.configuration import read_settings
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.network import ExistingNetwork
from components.provider import aws_provider

config = pulumi.Config()
# Ends the program with every fault of the settings before anything is registered.
settings = read_settings(within="loadBalancer")
naming = Naming(project=pulumi.get_project(), stack=pulumi.get_stack())

balancer = LoadBalancer(
    "load-balancer",
    args=LoadBalancerArgs(
        naming=naming,
        settings=settings,
        network=ExistingNetwork(vpc_id=config.require("vpcId"), subnet_id=config.require("subnetId")),
    ),
    opts=pulumi.ResourceOptions(providers=[aws_provider(settings.account, naming, settings.tags)]),
)

for name, value in balancer.outputs.items():
    pulumi.export(name, value)
