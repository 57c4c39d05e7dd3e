"""The API alone inside this process, for tests: no machines, no delays, an account one can look into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.cloud.account import Account
from lab.cloud.api import Api
from lab.cloud.host_service import HostService
from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.metadata_service import MetadataService
from lab.cloud.servers import Server, listen
from lab.cloud.substrate import NoMachines, Substrate


@dataclass(frozen=True, kw_only=True)
class LocalCloud:
    """A running API: `endpoint` is its URL. `account.reset()` empties it between tests."""

    endpoint: str
    account: Account
    substrate: Substrate


@contextmanager
def local_cloud(
    *, region: str = "us-east-1", substrate: Substrate | None = None, remap_delay_seconds: float = 0.0
) -> Iterator[LocalCloud]:
    """Serve the API on a free loopback port. One at a time in a process: moto's state is the process's."""
    carrier = NoMachines() if substrate is None else substrate
    account = Account(region=region, substrate=carrier, remap_delay_seconds=remap_delay_seconds)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    metadata = MetadataService(InstanceRegister(account).facts_of_instance, faults=account.faults)
    server = Server(listener, HostService(account, api=Api(account, delay_seconds=0.0), metadata=metadata))
    server.start()
    try:
        yield LocalCloud(endpoint=f"http://127.0.0.1:{port}", account=account, substrate=carrier)
    finally:
        server.shutdown()
        server.server_close()
        account.close()
