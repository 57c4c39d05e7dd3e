"""What the metadata service tells an instance, read from moto: who is calling, and what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.cloud.account import ACCOUNT_ID, Account
from lab.cloud.metadata import InstanceFacts, NetworkCard
from lab.cloud.remap import Addresses
from lab.cloud.vpc_state import POWERED

CREDENTIAL_LIFETIME = timedelta(hours=6)
# "We make new credentials available at least five minutes before the expiration of the old ones" (EC2 user guide).
RENEW_BEFORE = timedelta(minutes=30)


class InstanceRegister:
    """Finds the instance behind an address and the role credentials it may have. Safe from any thread."""

    def __init__(self, account: Account, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._account = account
        self._clock = clock
        self._credentials: dict[tuple[str, str], tuple[datetime, str]] = {}

    def facts_of(self, address: str) -> InstanceFacts | None:
        """The powered instance that the network knows to have `address`; None for nobody."""
        with self._account.lock:
            known = self._account.addresses()
            return self._find(lambda instance: _has_address(instance, known, address))

    def facts_of_instance(self, instance_id: str) -> InstanceFacts | None:
        """The powered instance of that id; None for nobody."""
        return self._find(lambda instance: instance.id == instance_id)

    def _find(self, wanted: Callable[[Any], bool]) -> InstanceFacts | None:
        with self._account.lock:
            for reservation in self._account.ec2.reservations.values():
                for instance in reservation.instances:
                    if instance.state in POWERED and wanted(instance):
                        return self._facts(reservation, instance)
        return None

    def _facts(self, reservation: Any, instance: Any) -> InstanceFacts:
        known = self._account.addresses()
        options = instance.metadata_options
        profile = self._profile(instance)
        role = profile.roles[0] if profile is not None and profile.roles else None
        tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
        return InstanceFacts(
            instance_id=instance.id,
            account_id=ACCOUNT_ID,
            region=self._account.region,
            availability_zone=instance.availability_zone,
            availability_zone_id=instance.nics[0].subnet.availability_zone_id,
            image_id=instance.image_id,
            instance_type=instance.instance_type,
            reservation_id=reservation.id,
            launch_index=instance.ami_launch_index,
            launched=instance.launch_time,
            architecture=instance.architecture,
            disks=self._disks(instance),
            monitored=instance.monitored,
            key=self._key(instance),
            cards=tuple(self._card(index, nic, known[nic.id]) for index, nic in sorted(instance.nics.items())),
            user_data=instance.raw_user_data,
            tags=tags if options.instance_metadata_tags == "enabled" else None,
            profile_arn=profile.arn if profile else None,
            profile_id=profile.id if profile else None,
            role=role.name if role else None,
            credentials=lambda: self._credentials_of(instance.id, role),
            tokens_required=options.http_tokens == "required",
            enabled=options.http_endpoint == "enabled",
        )

    def _card(self, index: int, nic: Any, addresses: Any) -> NetworkCard:
        vpc = self._account.ec2.vpcs[nic.vpc_id]
        return NetworkCard(
            interface_id=nic.id,
            mac=nic.mac_address,
            device_number=index,
            addresses=addresses,
            security_groups=tuple((group.id, group.name) for group in nic.group_set),
            subnet_id=nic.subnet.id,
            subnet_cidr=str(nic.subnet.cidr),
            vpc_id=nic.vpc_id,
            vpc_cidrs=tuple(str(each["cidr_block"]) for each in vpc.get_cidr_block_association_set()),
            public_names=str(vpc.enable_dns_hostnames).lower() == "true",
        )

    def _disks(self, instance: Any) -> tuple[str, ...]:
        root = str(instance.root_device_name)
        others = sorted(str(name) for name, _ in instance.get_block_device_mapping if name != root)
        return (root, *others)

    def _key(self, instance: Any) -> tuple[str, str] | None:
        """The key pair of the launch; a key pair that was deleted since stays in the machine, not here."""
        pair = self._account.ec2.key_pairs.get(instance.key_name)
        return (pair.key_name, pair.public_key) if pair else None

    def _profile(self, instance: Any) -> Any:
        association = self._account.ec2.iam_instance_profile_associations.get(instance.id)
        return association.iam_instance_profile if association else None

    def _credentials_of(self, instance_id: str, role: Any) -> str:
        """The document of the role's credentials: the same until it is nearly over, then new ones.

        They come from moto's STS, so that a call signed with them is known to be the role's.
        """
        now = self._clock()
        key = (instance_id, role.arn)
        with self._account.lock:
            expiry, document = self._credentials.get(key, (now, ""))
            if expiry - now <= RENEW_BEFORE:
                expiry = now + CREDENTIAL_LIFETIME
                document = self._assume(instance_id, role, now, expiry)
                self._credentials[key] = (expiry, document)
        return document

    def _assume(self, instance_id: str, role: Any, now: datetime, expiry: datetime) -> str:
        session = self._account.sts.assume_role(
            region_name=self._account.region,
            role_session_name=instance_id,
            role_arn=role.arn,
            policy=None,
            duration=int(CREDENTIAL_LIFETIME.total_seconds()),
            external_id=None,
        )
        # For ec2:SourceInstanceARN, which only the credentials of an instance have.
        region = self._account.region
        session.source_instance = f"arn:aws:ec2:{region}:{ACCOUNT_ID}:instance/{instance_id}"
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": session.session_token,
                "Expiration": f"{expiry:%Y-%m-%dT%H:%M:%SZ}",
            },
            indent=2,
        )


def _has_address(instance: Any, known: Addresses, address: str) -> bool:
    return any(each.private == address for nic in instance.nics.values() for each in known[nic.id])
