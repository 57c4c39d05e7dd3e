"""The cloud as a process: its listeners on the host and inside the lab's network, until it is told to end."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable, Sequence

from lab.cloud.account import Account
from lab.cloud.api import Api
from lab.cloud.authority import ServerCertificate, ensure_authority
from lab.cloud.dns import DnsServer, Resolver, endpoint_names
from lab.cloud.host_service import HostService
from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.metadata_service import MetadataService
from lab.cloud.options import CloudOptions, parse
from lab.cloud.package_mirror import PackageMirror, packages_in
from lab.cloud.servers import Server, listen
from lab.cloud.substrate import NoMachines, Substrate
from lab.names import API_ADDRESS, MAIL_ADDRESS, MAIL_NAME, PACKAGES_ADDRESS

log = logging.getLogger(__name__)
METADATA_ADDRESS = "169.254.169.254"


class CloudError(RuntimeError):
    """The cloud cannot start; the text says what to do."""


def run(options: CloudOptions, stop: threading.Event, announce: Callable[[int], None] = lambda _: None) -> None:
    """Serve until `stop`. Writes HOME/cloud.json (pid, port) once everything answers, removes it at the end.

    `announce` is then called with the port. Raises CloudError where a port is taken, or the fabric is not there.
    """
    # First: the host's socket belongs to the namespace it is made in (network_namespaces(7)).
    try:
        on_host = listen(options.address, options.port)
    except OSError as error:
        raise CloudError(
            f"{options.address}:{options.port} is taken; end what listens there or choose another port"
            if error.errno == errno.EADDRINUSE
            else f"cannot listen on {options.address}:{options.port}: {error.strerror}"
        ) from error
    port = on_host.getsockname()[1]
    alone = NoMachines(boot_delay_seconds=options.boot_delay_seconds)
    substrate: Substrate = _enter_fabric(options) if options.fabric else alone
    account = Account(region=options.region, substrate=substrate, remap_delay_seconds=options.remap_delay_seconds)
    register = InstanceRegister(account)
    alone_only = not options.fabric  # delays and faults are the machines' where there are machines
    api = Api(account, delay_seconds=options.api_delay_seconds if alone_only else 0.0, faulty=alone_only)
    metadata = MetadataService(register.facts_of_instance, faults=account.faults)
    Server(on_host, HostService(account, api=api, metadata=metadata)).start()
    if options.fabric:
        _serve_machines(options, account, register)
    announcement = options.paths.home / "cloud.json"
    announcement.parent.mkdir(parents=True, exist_ok=True)
    partial = announcement.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": os.getpid(), "port": port}))
    partial.rename(announcement)
    log.info("the API answers at http://%s:%d", options.address, port)
    announce(port)
    try:
        stop.wait()
    finally:
        announcement.unlink(missing_ok=True)


def _enter_fabric(options: CloudOptions) -> Substrate:
    """Move this thread, and so all that start from now on, into the fabric's network namespace."""
    # Only here: the API alone needs neither.
    from lab.cloud.machine_substrate import LabMachines
    from lab.fabric.client import FabricClient
    from lab.fabric.namespace import enter

    fabric = FabricClient(options.paths.fabric_socket)
    try:
        enter(fabric.ping())
    except PermissionError as error:
        raise CloudError(f"entering the fabric's network needs root (CAP_SYS_ADMIN): {error}") from error
    except OSError as error:
        raise CloudError(f"no fabric answers at {options.paths.fabric_socket}; start one first: lab up") from error
    return LabMachines(options.paths, fabric)


def _serve_machines(options: CloudOptions, account: Account, register: InstanceRegister) -> None:
    """What machines reach: the API over TLS, packages, their metadata, mail, names."""
    # Only here: the API alone needs no mail.
    from lab.cloud.mail_sink import RELAY_PORTS, SUBMISSION_PORT, MailSink

    authority = ensure_authority(options.paths.authority)
    certificates = options.paths.home / "certificates"
    tls = _tls(authority.issue(endpoint_names(options.region), certificates))
    Server(listen(API_ADDRESS, 443), Api(account, delay_seconds=options.api_delay_seconds), tls=tls).start()
    mail = {port: listen(MAIL_ADDRESS, port) for port in (*RELAY_PORTS, SUBMISSION_PORT)}
    MailSink(mail, options.paths.mail, _tls(authority.issue((MAIL_NAME,), certificates / "mail"))).start()
    Server(listen(PACKAGES_ADDRESS, 80), PackageMirror(packages_in(options.paths))).start()
    Server(listen(METADATA_ADDRESS, 80), MetadataService(register.facts_of, faults=account.faults)).start()

    def has_address(address: str) -> bool:
        with account.lock:
            return any(each.private == address for card in account.addresses().values() for each in card)

    DnsServer(Resolver(region=options.region, has_address=has_address)).start()


def _tls(issued: ServerCertificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    return context


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `python -m lab.cloud`: ends with SIGTERM or SIGINT; the exit code."""
    options = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = stop_by_signal()
    try:
        run(options, stop)
    except CloudError as error:
        print(f"lab.cloud: {error}", file=sys.stderr)
        return 1
    return 0


def stop_by_signal() -> threading.Event:
    """What SIGTERM and SIGINT set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
