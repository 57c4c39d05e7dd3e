"""What is deployed: rows of a stack in one file, saved whole and atomically after every step."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from pydantic import ConfigDict, TypeAdapter

from lab.engine.contract import Properties
from lab.engine.wire import is_secret, secret

FORMAT = 2
SEALED = "sealed"


class StateError(Exception):
    """The state cannot be used; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One deployed resource, with the options that outlive a run.

    `provider` is a URN. `external` rows were read, not made. `delete` marks one that has been replaced and waits for
    its deletion; `pending_replacement` one that was deleted and waits for its replacement; `init_errors` one that was
    made but did not get ready.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Any = None
    secret_outputs: tuple[str, ...] = ()
    delete_timeout_seconds: float | None = None
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    init_errors: tuple[str, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        """The URNs that must outlive this row."""
        named = {urn for urns in self.property_dependencies.values() for urn in urns}
        others = {*self.dependencies, *named, *self.replace_with, self.deleted_with, self.parent, self.provider}
        return frozenset(others - {"", self.urn})


ROWS = TypeAdapter(list[Row])


class State:
    """The rows of one stack, oldest first; without a path nothing is saved. Not thread-safe: the deployer locks."""

    def __init__(self, rows: list[Row], *, path: Path | None) -> None:
        self.rows = rows
        self._path = path

    def live(self, urn: str) -> Row | None:
        """The row that stands for the resource now, leaving out those that wait for deletion."""
        return next((row for row in self.rows if row.urn == urn and not row.delete), None)

    def put(self, row: Row, *, beside: bool = False) -> None:
        """Set the live row of `row.urn`, in its place or at the end; `beside` leaves the old one to its deletion."""
        old = self.live(row.urn)
        index = next((index for index, each in enumerate(self.rows) if each is old), len(self.rows))
        kept = [replace(old, delete=True)] if beside and old is not None else []
        self.rows[index : index + 1] = [*kept, row]
        self.save()

    def swap(self, old: Row, new: Row | None) -> None:
        """Turn exactly the row `old` into `new`, or forget it."""
        index = next(index for index, row in enumerate(self.rows) if row is old)
        self.rows[index : index + 1] = [] if new is None else [new]
        self.save()

    def rename(self, old: str, new: str) -> None:
        """Put one URN in the place of another, wherever it stands. Saved with the next step."""

        def renamed(value: Any) -> Any:
            return new if value == old else _each(value, renamed)

        self.rows = ROWS.validate_python(renamed(ROWS.dump_python(self.rows, mode="json")))

    def forget(self, row: Row) -> None:
        """Remove the row and what others say of depending on it."""
        self.swap(row, None)
        for other in [other for other in self.rows if row.urn in other.needs]:
            named = {key: urns for key, urns in other.property_dependencies.items() if row.urn not in urns}
            left = tuple(urn for urn in other.dependencies if urn != row.urn)
            self.swap(other, replace(other, dependencies=left, property_dependencies=named))

    def save(self) -> None:
        """Write the file through a temporary one, so that a crash leaves the old or the new state, never half."""
        if self._path is None:
            return
        rows = ROWS.dump_python(self.rows, mode="json", exclude_defaults=True)
        document = {"format": FORMAT, "rows": _Seal(self._path).close(rows)}
        temporary = self._path.with_name(f".{self._path.name}.new")
        with open(temporary, "w", opener=_private) as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def load(path: Path, *, writable: bool) -> State:
    """The state in the file, empty where there is none; a preview's (`writable` false) is never saved.

    Raises StateError for a file that is no state of this format or whose key is lost.
    """
    rows: list[Row] = []
    if path.exists():
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']} instead of {FORMAT}")
            rows = ROWS.validate_python(_Seal(path).open(document["rows"]))
        except (ValueError, KeyError, TypeError, InvalidToken) as error:
            raise StateError(
                f"{path} is no state of the lab's engine ({error!r}); remove it with `lab down`"
            ) from error
    return State(rows, path=path if writable else None)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the stack's lock; raises StateError where another deployment holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"another deployment is at work on {path}; wait until it has ended") from None
        yield


class _Seal:
    """Keeps secret values out of the file in plain; the key lies beside it, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._key = path.with_name(f"{path.name}.key")

    def close(self, value: Any) -> Any:
        if is_secret(value):
            return {SEALED: self._fernet().encrypt(json.dumps(value["value"]).encode()).decode()}
        return _each(value, self.close)

    def open(self, value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {SEALED} and isinstance(value[SEALED], str):
            return secret(json.loads(self._fernet().decrypt(value[SEALED].encode())))
        return _each(value, self.open)

    def _fernet(self) -> Fernet:
        if not self._key.exists():
            with open(self._key, "wb", opener=_private) as file:
                file.write(Fernet.generate_key())
        return Fernet(self._key.read_bytes())


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    return [change(item) for item in value] if isinstance(value, list) else value


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
