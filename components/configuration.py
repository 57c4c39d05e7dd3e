"""The one place that reads Pulumi's config. Whatever is wrong with it ends the program here, before any resource."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components.fields import Fault
from components.settings import Settings, SettingsError, settings_from
from userdata.render import director_user_data, web_server_user_data

USER_DATA_BYTES = 16384
"""The most user data an instance may have (EC2 user guide, before base64)."""


def read_settings() -> Settings:
    """The settings of this stack.

    Raises pulumi.RunError, which the CLI shows without a stack trace, with every fault of the config.
    """
    project = pulumi.get_project()
    # Not pulumi.Config: it answers questions about known keys only, and a misspelt key must not go unheard.
    given = {**get_config_env(), **CONFIG.get()}
    raw = {_short(key, project): value for key, value in given.items() if key.startswith((f"{project}:", "aws:"))}
    try:
        settings = settings_from(raw)
        faults: tuple[Fault, ...] = ()
    except SettingsError as error:
        faults = error.faults
    faults += tuple(
        Fault(
            key=_short(key, project), value="[secret]", allowed="must not be secret: it travels in readable user data"
        )
        for key in given
        if is_config_secret(key) and key.startswith(f"{project}:")
    )
    faults = faults or _oversized(settings)
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "".join(f"\n  {fault if fault.key.startswith('aws:') else f'{project}:{fault}'}" for fault in faults)
        raise pulumi.RunError(f"the config of stack {pulumi.get_stack()} has {count}, so nothing was begun:{lines}")
    return settings


def _short(key: str, project: str) -> str:
    return key.removeprefix(f"{project}:")


def _oversized(settings: Settings) -> tuple[Fault, ...]:
    """A fault for the config if a machine's user data comes out longer than EC2 takes."""
    balancer = settings.load_balancer
    sizes: Mapping[str, int] = {
        **{machine.name: len(director_user_data(balancer, machine).encode()) for machine in balancer.directors},
        **{machine.name: len(web_server_user_data(balancer, machine).encode()) for machine in balancer.web_servers},
    }
    name = max(sizes, key=sizes.__getitem__)
    if sizes[name] <= USER_DATA_BYTES:
        return ()
    allowed = (
        f"makes {sizes[name]} bytes of user data for {name} and EC2 takes {USER_DATA_BYTES}; "
        "have fewer webServers or services"
    )
    return (Fault(key="webServers", value=f"{len(balancer.web_servers)} web servers", allowed=allowed),)
