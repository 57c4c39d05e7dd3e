"""The one place that reads Pulumi's config. Whatever is wrong with it ends the program here, before any resource."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NoReturn

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from components.advice import advice
from components.fields import REQUIRED, Fault, Faults, Fields
from components.settings import ACCOUNT_KEYS, Settings, SettingsError, settings_from
from userdata.faults import UserDataError
from userdata.render import director_user_data, web_server_user_data

SECRET = "must not be secret: user data shows it to any reader"  # noqa: S105 - no password, a rule


def read_settings(within: str | None = None) -> Settings:
    """The settings of this stack; for a program with a config of its own, those in its object `within`.

    Raises pulumi.RunError, which the CLI shows without a stack trace, with every fault of the config.
    """
    project = pulumi.get_project()
    # Not pulumi.Config: it answers questions about known keys only, and a misspelt key must not go unheard.
    given = {**get_config_env(), **CONFIG.get()}
    if within is not None:
        # The program's other keys, and those of its default provider, are its own business.
        account = {key: value for key, value in given.items() if key in ACCOUNT_KEYS}
        return _checked({**account, **_object(given, project, within)}, set(), f"{project}:{within}.")
    place = f"{project}:"
    raw = {key.removeprefix(place): value for key, value in given.items() if key.startswith((place, "aws:"))}
    secret = {key.removeprefix(place) for key in given if is_config_secret(key) and key.startswith(place)}
    return _checked(raw, secret, place)


def _object(given: Mapping[str, str], project: str, within: str) -> Mapping[str, object]:
    """The object the config has at `within`."""
    key, faults = f"{project}:{within}", Faults()
    if is_config_secret(key):
        faults.add(within, "[secret]", SECRET)
        _refuse(faults.found, f"{project}:")
    whole = {within: given[key]} if key in given else {}
    value = Fields(whole, {within: REQUIRED}, faults).mapping(within)
    if faults.found:
        _refuse(faults.found, f"{project}:")
    return value


def _checked(raw: Mapping[str, object], secret: set[str], place: str) -> Settings:
    """The settings in `raw`, whose keys stand at `place` of the config; the values of `secret` ones are not shown."""
    faults = [Fault(key=key, value="[secret]", allowed=SECRET) for key in sorted(secret)]
    try:
        settings = settings_from(raw)
    except SettingsError as error:
        # Not of a secret key and whatever lies below it: its faults would show it.
        faults += [fault for fault in error.faults if re.split(r"[.\[]", fault.key)[0] not in secret]
    else:
        faults += [] if faults else _unrenderable(settings)
    if faults:
        _refuse(faults, place)
    for warning in advice(settings):
        pulumi.log.warn(f"{place}{warning}")
    return settings


def _refuse(faults: Sequence[Fault], place: str) -> NoReturn:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    lines = "".join(f"\n  {fault if fault.key.startswith('aws:') else f'{place}{fault}'}" for fault in faults)
    raise pulumi.RunError(f"the config of stack {pulumi.get_stack()} has {count}, so nothing was begun:{lines}")


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
