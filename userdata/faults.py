"""What must not reach user data. Settings are checked before; this is the last gate, and it names every fault."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache

from userdata.values import LoadBalancer

# These end or open something in one of the files: keepalived.conf, nginx's, a shell's, YAML's, nftables'.
FORBIDDEN = set("{}\"'`#!$\\;<>|")

MOST_DIRECTORS = 63  # each stamps packets for web servers with its number (RFC 2474: six bits)


class UserDataError(ValueError):
    """The values cannot become user data; the text says every reason and the remedy."""


def refuse_faults(balancer: LoadBalancer) -> None:
    """UserDataError naming every fault of `balancer`, if there is any."""
    if faults := _faults(balancer):
        raise UserDataError("no user data can be made of these values:\n  " + "\n  ".join(faults))


@lru_cache(maxsize=1)  # every machine of a balancer asks
def _faults(balancer: LoadBalancer) -> tuple[str, ...]:
    return (*_text_faults("balancer", asdict(balancer)), *_vrrp_faults(balancer))


def _text_faults(name: str, value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _text_faults(f"{name}.{key}", inner)
    elif isinstance(value, tuple | list):
        for number, inner in enumerate(value):
            yield from _text_faults(f"{name}[{number}]", inner)
    elif isinstance(value, str):
        bad = sorted({sign for sign in value if not "!" <= sign <= "~" or sign in FORBIDDEN})
        if bad or not value:
            seen = f"has {', '.join(ascii(sign) for sign in bad)}" if bad else "is empty"
            yield f"{name} {seen}: use printable ASCII without spaces and without {''.join(sorted(FORBIDDEN))}"


def _vrrp_faults(balancer: LoadBalancer) -> Iterator[str]:
    vrrp = balancer.vrrp
    if vrrp.version == 3 and vrrp.password is not None:
        yield "balancer.vrrp.password is set, but VRRP version 3 has no passwords: remove it, or use version 2"
    if vrrp.version == 2 and vrrp.advert_interval_seconds != int(vrrp.advert_interval_seconds):
        yield (
            f"balancer.vrrp.advert_interval_seconds is {vrrp.advert_interval_seconds:g}, but VRRP version 2 counts "
            "whole seconds: use 1 or more, or version 3"
        )
    priorities = [director.priority for director in balancer.directors]
    if len(priorities) < 2:
        yield f"balancer.directors has {len(priorities)} director(s): give 2 or more"
    if len(priorities) > MOST_DIRECTORS:
        yield f"balancer.directors has {len(priorities)} directors: {MOST_DIRECTORS} is the most, for want of stamps"
    if len(set(priorities)) < len(priorities):
        yield f"balancer.directors have priorities {priorities}: give each its own"
    if not balancer.web_servers:
        yield "balancer.web_servers is empty: give 1 or more"
    if not balancer.services:
        yield "balancer.services is empty: give 1 or more"
