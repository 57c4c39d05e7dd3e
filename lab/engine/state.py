"""What is deployed: rows of a stack in one file, saved whole and atomically after every step."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from pydantic import TypeAdapter

from lab.engine.row import Row
from lab.protocol.wire import is_secret, secret

FORMAT = 2
SEALED = "sealed"


class StateError(Exception):
    """The state cannot be used; the text says why and what to do."""


ROWS = TypeAdapter(list[Row])


class State:
    """The rows of one stack, oldest first; without a path nothing is saved. Its methods may be called by any thread."""

    def __init__(self, rows: list[Row], *, path: Path | None) -> None:
        self.rows = rows  # a new list with every change, so that who reads needs no lock
        self._path = path
        self._lock = threading.RLock()

    def live(self, urn: str) -> Row | None:
        """The row that stands for the resource now, leaving out those that wait for deletion."""
        return next((row for row in self.rows if row.urn == urn and not row.delete), None)

    def put(self, row: Row, *, beside: bool = False) -> None:
        """Set the live row of `row.urn`, in its place or at the end; `beside` leaves the old one to its deletion."""
        with self._lock:
            old = self.live(row.urn)
            if old is None:
                self.rows = [*self.rows, row]
                self._save()
            else:
                self.swap(old, *([replace(old, delete=True)] if beside else []), row)

    def swap(self, old: Row, *new: Row) -> None:
        """Put other rows, or none, in the place of exactly the row `old`."""
        with self._lock:
            index = next(index for index, row in enumerate(self.rows) if row is old)
            self.rows = [*self.rows[:index], *new, *self.rows[index + 1 :]]
            self._save()

    def rename(self, old: str, new: str) -> None:
        """Put one URN in the place of another, wherever it stands. Saved with the next step."""

        def renamed(value: Any) -> Any:
            return new if value == old else _each(value, renamed)

        with self._lock:
            self.rows = ROWS.validate_python(renamed(ROWS.dump_python(self.rows, mode="json")))

    def forget(self, gone: Collection[Row]) -> None:
        """Remove rows, and what others say of depending on them."""
        urns = {row.urn for row in gone}

        def without(row: Row) -> Row:
            named = {key: needed for key, needed in row.property_dependencies.items() if not urns & set(needed)}
            left = tuple(urn for urn in row.dependencies if urn not in urns)
            return replace(row, dependencies=left, property_dependencies=named)

        with self._lock:
            self.rows = [without(row) for row in self.rows if row not in gone]
            self._save()

    def _save(self) -> None:
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
