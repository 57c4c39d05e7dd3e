"""What is deployed: rows of a stack in one file, saved whole and atomically after every step."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from lab.engine.contract import Properties
from lab.engine.wire import is_secret, secret

FORMAT = 1
SEALED = "sealed"


class StateError(Exception):
    """The state cannot be used; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One deployed resource.

    `provider` is URN::ID. `external` rows were read, not made. `delete` marks one that has been replaced and waits for
    its deletion; `pending_replacement` one that was deleted and waits for its replacement; `init_errors` one that was
    made but did not get ready.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    delete_timeout_seconds: float | None = None
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    init_errors: tuple[str, ...] = ()

    @property
    def provider_urn(self) -> str:
        """The provider's URN, empty for components and providers."""
        return self.provider.rpartition("::")[0]

    @property
    def needs(self) -> frozenset[str]:
        """The URNs that must outlive this row."""
        named = {urn for urns in self.property_dependencies.values() for urn in urns}
        return frozenset({*self.dependencies, *named, self.parent, self.provider_urn} - {"", self.urn})


class State:
    """The rows of one stack, oldest first; without a path nothing is saved. Not thread-safe: the deployer locks."""

    def __init__(self, rows: list[Row], *, path: Path | None) -> None:
        self.rows = rows
        self._path = path

    def live(self, urn: str) -> Row | None:
        """The row that stands for the resource now, leaving out those that wait for deletion."""
        return next((row for row in self.rows if row.urn == urn and not row.delete), None)

    def put(self, row: Row) -> None:
        """Set the live row of `row.urn`, in its place or at the end."""
        for index, existing in enumerate(self.rows):
            if existing.urn == row.urn and not existing.delete:
                self.rows[index] = row
                break
        else:
            self.rows.append(row)
        self.save()

    def replace(self, old: Row, new: Row) -> None:
        """Turn exactly the row `old` into `new`."""
        self.rows[self._index(old)] = new
        self.save()

    def remove(self, row: Row) -> None:
        """Forget exactly this row."""
        del self.rows[self._index(row)]
        self.save()

    def save(self) -> None:
        """Write the file through a temporary one, so that a crash leaves the old or the new state, never half."""
        if self._path is None:
            return
        seal = _Seal(self._path)
        document = {"format": FORMAT, "rows": [seal.close(_document(row)) for row in self.rows]}
        temporary = self._path.with_name(f".{self._path.name}.new")
        with open(temporary, "w", opener=_private) as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def _index(self, row: Row) -> int:
        return next(index for index, existing in enumerate(self.rows) if existing is row)


def load(path: Path, *, writable: bool) -> State:
    """The state in the file, empty where there is none; a preview's (`writable` false) is never saved.

    Raises StateError for a file that is no state of this format or whose key is lost.
    """
    rows: list[Row] = []
    if path.exists():
        seal = _Seal(path)
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise StateError(
                    f"{path} has format {document['format']}, this engine reads {FORMAT}: `lab down` first"
                )
            rows = [_row(seal.open(item)) for item in document["rows"]]
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


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    return [change(item) for item in value] if isinstance(value, list) else value


def _document(row: Row) -> Properties:
    """The row without what is at its default."""
    blank = Row(urn="", type="", custom=False)
    kept = {key: value for key, value in asdict(row).items() if value != getattr(blank, key) or key == "custom"}
    return json.loads(json.dumps(kept))  # type: ignore[no-any-return]


def _row(document: Properties) -> Row:
    known = {item.name for item in fields(Row)}
    values: dict[str, Any] = {
        key: tuple(value) if key in ("dependencies", "init_errors") else value for key, value in document.items()
    }
    if unknown := values.keys() - known:
        raise KeyError(f"unknown fields {sorted(unknown)}")
    return Row(**values)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
