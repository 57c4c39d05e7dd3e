"""The one place that puts the corrections into moto (pinned to 5.2.5: it reaches into its modules by name)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import moto.core.responses as moto_responses
import moto.ec2.models.elastic_ip_addresses as moto_elastic_ips
import moto.ec2.models.elastic_network_interfaces as moto_interfaces
import moto.ec2.models.instances as moto_instances
import moto.ec2.models.security_groups as moto_groups
import moto.ec2.models.subnets as moto_subnets
import moto.iam.models as moto_iam
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.responses import EC2Response
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.responses import TokenResponse

from lab.cloud.authorization.gate import Ec2Gate, SsmGate, StsGate
from lab.cloud.authorization.iam_answers import LabIamAnswers, LabUser
from lab.cloud.corrections.attachments import InterfaceAnswers, InterfaceCorrections
from lab.cloud.corrections.calls import CallRules, by_the_rules
from lab.cloud.corrections.elastic_ips import ElasticIpAnswers, ElasticIpCorrections, LabElasticAddress
from lab.cloud.corrections.gateways import GatewayCorrections
from lab.cloud.corrections.images import ImageCorrections
from lab.cloud.corrections.instance_states import InstanceAnswers, InstanceCorrections
from lab.cloud.corrections.instances import LabInstance
from lab.cloud.corrections.interfaces import LabInterface
from lab.cloud.corrections.routes import RouteCorrections
from lab.cloud.corrections.security_group_rules import LabRule
from lab.cloud.corrections.security_groups import SecurityGroupAnswers, SecurityGroupCorrections
from lab.cloud.corrections.subnets import LabSubnet, SubnetAnswers, SubnetCorrections
from lab.cloud.corrections.tags import TagAnswers


class LabBackend(
    InstanceCorrections,
    ImageCorrections,
    SecurityGroupCorrections,
    GatewayCorrections,
    SubnetCorrections,
    InterfaceCorrections,
    RouteCorrections,
    ElasticIpCorrections,
    EC2Backend,  # type: ignore[misc]
):
    """moto's EC2 with every correction, in the order of moto's own bases (or Python finds no order)."""

    def __init__(self, region_name: str, account_id: str) -> None:
        self.effects = []
        self.launches_by_token = {}
        EC2Backend.__init__(self, region_name, account_id)

    @property
    def _url_module(self) -> Any:
        """Moto looks for it beside the backend's class, which is elsewhere here."""
        return import_module("moto.ec2.urls")


@by_the_rules
class LabAnswers(
    Ec2Gate,
    CallRules,
    ElasticIpAnswers,
    InterfaceAnswers,
    InstanceAnswers,
    SecurityGroupAnswers,
    SubnetAnswers,
    TagAnswers,
    EC2Response,  # type: ignore[misc]
):
    """moto's EC2 query API with every correction, behind the gate."""


class LabTokenAnswers(StsGate, TokenResponse):  # type: ignore[misc]
    """moto's STS behind the gate."""


class LabSystemsManagerAnswers(SsmGate, SimpleSystemManagerResponse):  # type: ignore[misc]
    """moto's Systems Manager behind the gate."""


def install() -> None:
    """Put the corrections into moto, for this process. Backends that exist already are not touched. Idempotent."""
    for module, name, resource in (
        (moto_interfaces, "NetworkInterface", LabInterface),
        (moto_elastic_ips, "ElasticAddress", LabElasticAddress),
        (moto_instances, "Instance", LabInstance),
        (moto_groups, "SecurityGroupRule", LabRule),
        (moto_subnets, "Subnet", LabSubnet),
        (moto_iam, "User", LabUser),
    ):
        # moto's serializer finds `InstanceId` as `id` by the name of the resource's class.
        resource.__name__ = name
        setattr(module, name, resource)
    # It lists a class's methods anew at every call, which is a fifth of what a call takes.
    if not hasattr(moto_responses.method_names_from_class, "cache_info"):
        moto_responses.method_names_from_class = cache(moto_responses.method_names_from_class)
    ec2_backends.backend = LabBackend
    for service, path, answers in (
        ("ec2", "{0}/", LabAnswers),
        ("iam", "{0}/$", LabIamAnswers),
        ("sts", "{0}/$", LabTokenAnswers),
        ("ssm", "{0}/$", LabSystemsManagerAnswers),
    ):
        import_module(f"moto.{service}.urls").url_paths[path] = answers.dispatch
