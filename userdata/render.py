"""User data of the machines: pure functions from plain values to cloud-config text (cloud-init's "Cloud config data").

What may change is plain text in write_files, so that a preview shows it line by line; programs and units are one
archive. Only a configuration too large for EC2's 16 KiB (200 web servers) moves into the archive as well.
"""

import base64
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from ipaddress import IPv4Network

from userdata.archive import pack, read_tree, slim_configuration
from userdata.faults import UserDataError, refuse_faults
from userdata.keepalived import keepalived_config
from userdata.templates import HERE, fill
from userdata.values import Director, LoadBalancer, Service, WebServer

LIMIT_BYTES = 16384  # EC2 user guide, "Instance user data": raw form, before base64
DIRECTORS_LINE = "# Directors: "
ARCHIVE_PATH = "/var/lib/lvs-aws/static.b85"
# Each is asked for twice, to check the config and to make it; there are up to 254 directors and 200 web servers.
MACHINES = 512


@lru_cache(maxsize=MACHINES)
def director_user_data(balancer: LoadBalancer, director: Director) -> str:
    """The user data of one director: ASCII, at most 16384 bytes, the same for the same values on every computer.

    UserDataError names every fault of the values, or the sizes of the parts if the whole is too large.
    """
    refuse_faults(balancer)
    if director not in balancer.directors:
        raise UserDataError(f"{director.name} is none of the balancer's directors: add it there, all must agree")
    rank = sum(other.priority > director.priority for other in balancer.directors)
    agent = {"region": balancer.region, "virtual_ip": balancer.virtual_ip, "rank": rank}
    files = {
        "etc/lvs-aws/agent.json": json.dumps(agent, indent=2) + "\n",
        "etc/lvs-aws/network.env": fill(
            "director/network.env.j2", virtual_ip=balancer.virtual_ip, directors=_addresses(balancer)
        )
        + "\n",
        "etc/lvs-aws/director.nft": slim_configuration(_director_nft(balancer, director)),
        "etc/lvs-aws/keepalived.conf": keepalived_config(balancer, director),
    }
    everybody = " ".join(one.address for one in balancer.directors)
    return _cloud_config(director.name, balancer, files, _director_static(), f"{DIRECTORS_LINE}{everybody}\n")


@lru_cache(maxsize=MACHINES)
def web_server_user_data(balancer: LoadBalancer, web_server: WebServer) -> str:
    """The user data of one web server, with the promises of `director_user_data`. Other web servers do not matter."""
    refuse_faults(balancer)
    if web_server not in balancer.web_servers:
        raise UserDataError(f"{web_server.name} is none of the balancer's web servers: add it there, all must agree")
    subnet, vpc = IPv4Network(balancer.subnet_cidr), IPv4Network(balancer.vpc_cidr)
    dns = vpc[2]  # VPC user guide, "Amazon DNS": the VPC's base plus two; the router is the subnet's base plus one
    files = {
        "etc/lvs-aws/network.env": fill(
            "web_server/network.env.j2",
            virtual_ip=balancer.virtual_ip,
            directors=_addresses(balancer),
            router=subnet[1],
            dns="" if dns in subnet else dns,
        )
        + "\n",
        "etc/lvs-aws/return-path.nft": slim_configuration(_return_path_nft(balancer)),
        "etc/lvs-aws/nginx-site.conf": fill(
            "web_server/nginx-site.conf.j2",
            servers=[_nginx_server(balancer, service, web_server) for service in balancer.services if service.has_page],
        )
        + "\n",
    }
    return _cloud_config(web_server.name, balancer, files, _web_server_static())


@cache
def _director_static() -> dict[str, bytes]:
    agent = read_tree(HERE / "director/agent", "usr/local/lib/lvs-aws/agent/")
    return {**read_tree(HERE / "common/root"), **read_tree(HERE / "director/root"), **agent}


@cache
def _web_server_static() -> dict[str, bytes]:
    return {**read_tree(HERE / "common/root"), **read_tree(HERE / "web_server/root")}


def _addresses(balancer: LoadBalancer) -> list[str]:
    return [director.address for director in balancer.directors]


def _services(balancer: LoadBalancer) -> list[str]:
    """Protocol and port of each service, as nftables concatenates them."""
    return [f"{service.protocol} . {service.port}" for service in balancer.services]


def _return_path_nft(balancer: LoadBalancer) -> str:
    """A director's mark is its place in the list, from 1; so is the DSCP it stamps packets with (`_director_nft`)."""
    marked = [(mark, director.address) for mark, director in enumerate(balancer.directors, 1)]
    return fill(
        "web_server/return-path.nft.j2",
        directors=[f"{address} : {mark}" for mark, address in marked],
        stamps=[f"{mark} : {mark}" for mark, _ in marked],
        services=_services(balancer),
        vpc_cidr=balancer.vpc_cidr,
        forgotten=[fill("web_server/return-path-forgotten.nft.j2", mark=mark) for mark, _ in marked],
        copies=[fill("web_server/return-path-copy.nft.j2", mark=mark, address=address) for mark, address in marked],
        alternatives=[fill("web_server/return-path-alternative.nft.j2", mark=mark) for mark, _ in marked],
    )


def _director_nft(balancer: LoadBalancer, director: Director) -> str:
    return fill(
        "director/director.nft.j2",
        vpc_cidr=balancer.vpc_cidr,
        subnet_cidr=balancer.subnet_cidr,
        virtual_ip=balancer.virtual_ip,
        services=_services(balancer),
        own_addresses=[balancer.virtual_ip, *_addresses(balancer)],
        stamp=balancer.directors.index(director) + 1,
        copies=[fill("director/director-copy.nft.j2", address=other.address) for other in balancer.others(director)],
    )


def _nginx_server(balancer: LoadBalancer, service: Service, web_server: WebServer) -> str:
    """The site's server on a service's port: its page, and one for every health check that asks there for another."""
    asked = {}
    for other in balancer.services:
        check = other.health_check
        if check.kind == "http" and other.checked == (service.protocol, service.port):
            asked[check.path.partition("?")[0]] = check.status
    asked.pop("/", None)
    pages = asked or {"/healthz": 200}
    return fill(
        "web_server/nginx-server.conf.j2",
        port=service.port,
        name=web_server.name,
        address=web_server.address,
        health_pages=[
            fill("web_server/nginx-health-page.conf.j2", path=path, status=status) for path, status in pages.items()
        ],
    )


def known_directors(user_data: str) -> frozenset[str]:
    """The addresses of the directors that a director with this user data counts with, its own among them."""
    lines = [line for line in user_data.splitlines() if line.startswith(DIRECTORS_LINE)]
    return frozenset(lines[0].removeprefix(DIRECTORS_LINE).split()) if lines else frozenset()


def _cloud_config(
    name: str, balancer: LoadBalancer, files: Mapping[str, str], static: Mapping[str, bytes], counts_with: str = ""
) -> str:
    """Put a machine's parts together; the largest configurations go into the archive as far as the limit demands."""
    plain, packed = dict(files), dict(static)
    while True:
        archive = base64.b85encode(pack(packed)).decode()  # none of its characters means anything in "..."
        parts = [fill("common/archive.yaml.j2", path=ARCHIVE_PATH, content=archive)]
        parts += [fill("common/file.yaml.j2", path=f"/{path}", content=text) for path, text in plain.items()]
        text = fill(
            "common/cloud-config.yaml.j2",
            name=name,
            virtual_ip=balancer.virtual_ip,
            counts_with=counts_with,
            files="\n".join(parts),
            archive_path=ARCHIVE_PATH,
        )
        text += "\n"
        if len(text.encode("ascii")) <= LIMIT_BYTES:
            return text
        if not plain:
            sizes = ", ".join(f"{path} {len(content)}" for path, content in files.items())
            raise UserDataError(
                f"user data of {name} is {len(text)} bytes, EC2 takes {LIMIT_BYTES}: "
                f"use fewer services or web servers. Its archive is {len(archive)} bytes; it holds {sizes}, "
                f"programs and units {sum(map(len, static.values()))} (uncompressed)"
            )
        largest = max(plain, key=lambda path: (len(plain[path]), path))
        packed[largest] = plain.pop(largest).encode("ascii")
