"""Routes: one for each destination of a table, and one table for each subnet."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.route_tables import RouteBackend

from lab.cloud.corrections.refusals import refusal
from lab.cloud.corrections.subnets import canonical_block


class RouteCorrections(RouteBackend):  # type: ignore[misc]
    """EC2's rules where moto takes the later word silently."""

    def create_route(self, route_table_id: str, destination_cidr_block: str | None, *args: Any, **options: Any) -> Any:
        """A route; moto looks for one to the same destination only where the new one leads to no interface."""
        cidr = canonical_block(destination_cidr_block) if destination_cidr_block else None
        table = self.get_route_table(route_table_id)
        if cidr and any(route.destination_cidr_block == cidr for route in table.routes):
            raise refusal("RouteAlreadyExists", f"The route identified by {cidr} already exists.")
        return super().create_route(route_table_id, cidr, *args, **options)

    def associate_route_table(
        self, route_table_id: str, gateway_id: str | None = None, subnet_id: str | None = None
    ) -> str:
        """Refused for a subnet that another table has; the same again is no change."""
        for table in self.route_tables.values():
            if subnet_id and subnet_id in table._associations.values() and table.id != route_table_id:
                raise refusal(
                    "Resource.AlreadyAssociated",
                    f"the specified association for route table {route_table_id} conflicts with an existing "
                    "association",
                )
        return str(super().associate_route_table(route_table_id, gateway_id, subnet_id))
