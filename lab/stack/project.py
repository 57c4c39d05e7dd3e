"""A Pulumi project and a stack's configuration, read and validated as the Pulumi CLI does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab.protocol.contract import Program, StackConfig

TYPES = ("string", "integer", "boolean", "array", "object")


class ConfigError(Exception):
    """The project's or the stack's files are wrong; the text names every fault."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of Pulumi.yaml's `config:`. `type` is None for a shorthand, whose default is never checked.

    `default` and `fixed` (`value:`) are None where they are not given; `items` is an array's element as `Key.type`.
    """

    name: str
    type: str | None = None
    items: Any = None
    default: Any = None
    fixed: Any = None
    secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Project(Program):
    """Pulumi.yaml: the program and the schema of its configuration."""

    keys: tuple[Key, ...]

    def stack(self, name: str, overrides: Mapping[str, Any] = MappingProxyType({})) -> StackConfig:
        """The configuration of Pulumi.NAME.yaml with `overrides` (see `overrides`) in the place of its values.

        Raises ConfigError naming every fault. Keys the schema does not know are the program's own matter.
        """
        file = self.directory / f"Pulumi.{name}.yaml"
        given = _mapping(file, "config") if file.exists() else {}
        values = {self._qualified(str(key)): value for key, value in given.items()}
        return self._checked(name, values | dict(overrides))

    def overrides(self, texts: Sequence[str]) -> dict[str, Any]:
        """Values from texts such as "imageId=ami-1" or "webServers=[{address: 10.0.0.80}]", by qualified key.

        What follows the `=` is YAML, as in the stack's file; a key without namespace is the project's. Raises
        ConfigError naming every fault.
        """
        values: dict[str, Any] = {}
        faults = []
        for text in texts:
            key, equals, written = text.partition("=")
            if not key.strip() or not equals:
                faults.append(f"{text!r} is no setting; write KEY=VALUE")
                continue
            try:
                value = yaml.safe_load(written)
            except yaml.YAMLError:
                faults.append(f"the value of {text!r} is no YAML")
                continue
            name = self._qualified(key.strip())
            if name in values:
                faults.append(f"{key.strip()} is given twice")
            # Pulumi's files have no null; an empty value is the empty text.
            values[name] = "" if value is None else value
        if faults:
            raise ConfigError("; ".join(faults))
        return values

    def _qualified(self, key: str) -> str:
        return key if ":" in key else f"{self.name}:{key}"

    def _checked(self, stack: str, values: dict[str, Any]) -> StackConfig:
        faults, missing, secrets = [], [], []
        for key, value in values.items():
            if isinstance(value, dict) and value.keys() == {"secure"}:
                faults.append(
                    f"{key} is encrypted, and the lab has no passphrase; give it a value for the lab: {key}=VALUE"
                )
        for entry in self.keys:
            name = self._qualified(entry.name)
            short = name.removeprefix(f"{self.name}:")
            if name not in values:
                inherited = entry.fixed if entry.fixed is not None else entry.default
                if inherited is not None:
                    values[name] = inherited
                elif entry.type is not None:
                    missing.append(short)
            if entry.secret:
                secrets.append(name)
            if name in values and entry.type is not None and not _fits(values[name], entry.type, entry.items):
                wanted = entry.type if entry.type != "array" else f"array<{(entry.items or {}).get('type')}>"
                faults.append(f"Stack {stack!r} with configuration key {short!r} must be of type {wanted!r}")
        if missing:
            names = ", ".join(repr(name) for name in missing)
            plural = "value" if len(missing) == 1 else "values"
            faults.insert(0, f"Stack {stack!r} is missing configuration {plural} {names}")
        if faults:
            raise ConfigError("validating stack config: " + "; ".join(faults))
        texts = {key: _text(value) for key, value in values.items()}
        return StackConfig(name=stack, values=MappingProxyType(texts), secret_keys=tuple(secrets))


def load_project(directory: Path) -> Project:
    """Read Pulumi.yaml in `directory`; raises ConfigError naming every fault of its configuration schema."""
    directory = directory.absolute()
    file = directory / "Pulumi.yaml"
    if not file.exists():
        raise ConfigError(f"no Pulumi.yaml in {directory}; run this in a Pulumi project's directory")
    document = _document(file)
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{file} has no `name`")
    runtime = document.get("runtime")
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise ConfigError(f"{file} has the runtime {language!r}; the lab's engine runs Python programs only")
    main = directory / str(document.get("main") or ".")
    faults: list[str] = []
    keys = tuple(_key(key, value, name, faults) for key, value in _mapping(file, "config").items())
    if faults:
        raise ConfigError(f"{file}: " + "; ".join(faults))
    return Project(name=name, directory=directory, main=main if main.is_file() else main / "__main__.py", keys=keys)


def _key(name: str, value: Any, project: str, faults: list[str]) -> Key:
    if not isinstance(value, dict) or not value.keys() & {"type", "default", "value", "items", "description", "secret"}:
        return Key(name=name, default=value)
    foreign = ":" in name and not name.startswith(f"{project}:")
    type_, items = value.get("type"), value.get("items")
    if foreign and value.keys() - {"value"}:
        faults.append(f"{name} belongs to another namespace: only `value` may be given")
    if not foreign and "type" in value and type_ not in TYPES:
        faults.append(f"{name} has the type {type_!r}; one of {', '.join(TYPES)} is allowed")
    if type_ == "array" and not (isinstance(items, dict) and items.get("type") in TYPES):
        faults.append(f"{name} is an array and needs `items: {{type: ...}}`")
    if "value" in value and "default" in value:
        faults.append(f"{name} has both `value` and `default`")
    default = value.get("default")
    if default is not None and type_ in TYPES and not _fits(default, type_, items):
        faults.append(f"the default of {name} is not of type {type_}")
    if default is not None and value.get("secret"):
        faults.append(f"{name} is secret and must not have a default in plain")
    if not foreign and "type" not in value and "value" not in value:
        type_ = "string"  # the CLI's default
    return Key(
        name=name,
        type=None if foreign else type_,
        items=items,
        default=default,
        fixed=value.get("value"),
        secret=bool(value.get("secret")),
    )


def _fits(value: Any, type_: str, items: Any = None) -> bool:
    """Whether a value is of a schema's type, by the CLI's rules: text that reads as the type will do."""
    match type_:
        case "string":
            return not isinstance(value, list | dict)
        case "integer":
            if isinstance(value, str):
                return value.removeprefix("-").isdecimal()
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
    if isinstance(value, str):  # an override, or a structured value set as text
        try:
            value = json.loads(value)
        except ValueError:
            return False
    if type_ == "object":
        return isinstance(value, dict)
    element = items if isinstance(items, dict) else {}
    return isinstance(value, list) and all(_fits(item, element["type"], element.get("items")) for item in value)


def _text(value: Any) -> str:
    """A value as the program's configuration holds it."""
    return value if isinstance(value, str) else json.dumps(value)


def _document(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is no YAML: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{file} must be a map of keys")
    return document


def _mapping(file: Path, key: str) -> dict[str, Any]:
    value = _document(file).get(key) or {}
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: `{key}` must be a map of keys")
    return value
