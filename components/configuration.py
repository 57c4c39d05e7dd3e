"""The one place that reads Pulumi's config. Whatever is wrong with it ends the program here, before any resource."""

from __future__ import annotations

import re
from functools import partial

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components.fields import Fault
from components.settings import Settings, SettingsError, settings_from
from userdata.faults import UserDataError
from userdata.render import director_user_data, web_server_user_data


def read_settings() -> Settings:
    """The settings of this stack.

    Raises pulumi.RunError, which the CLI shows without a stack trace, with every fault of the config.
    """
    project = pulumi.get_project()
    # Not pulumi.Config: it answers questions about known keys only, and a misspelt key must not go unheard.
    given = {**get_config_env(), **CONFIG.get()}
    raw = {_short(key, project): value for key, value in given.items() if key.startswith((f"{project}:", "aws:"))}
    faults = [
        Fault(
            key=_short(key, project), value="[secret]", allowed="must not be secret: user data shows it to any reader"
        )
        for key in sorted(given)
        if is_config_secret(key) and key.startswith(f"{project}:")
    ]
    try:
        settings = settings_from(raw)
    except SettingsError as error:
        secret = {fault.key for fault in faults}  # and whatever lies below such a key, whose faults would show it
        faults += [fault for fault in error.faults if re.split(r"[.\[]", fault.key)[0] not in secret]
    else:
        faults += [] if faults else _unrenderable(settings)
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "".join(f"\n  {fault if fault.key.startswith('aws:') else f'{project}:{fault}'}" for fault in faults)
        raise pulumi.RunError(f"the config of stack {pulumi.get_stack()} has {count}, so nothing was begun:{lines}")
    return settings


def _short(key: str, project: str) -> str:
    return key.removeprefix(f"{project}:")


def _unrenderable(settings: Settings) -> list[Fault]:
    """Some limits show only in the rendered text, such as 16 KiB of it: try every machine before making the first."""
    balancer = settings.load_balancer
    machines = [
        *(partial(director_user_data, balancer, director) for director in balancer.directors),
        *(partial(web_server_user_data, balancer, web_server) for web_server in balancer.web_servers),
    ]
    try:
        for render in machines:
            render()
    except UserDataError as error:
        # Services and web servers are what grows; machines of one kind differ little, so the first stands for all.
        value = f"{len(balancer.services)} with {len(balancer.web_servers)} web servers"
        return [Fault(key="services", value=value, allowed=f"must fit into user data: {error}")]
    return []
