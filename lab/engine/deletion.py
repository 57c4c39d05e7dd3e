"""Deleting many resources: dependents before what they depend on, independent ones side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from lab.engine.state import Row

PARALLEL = 16


def delete_all(rows: list[Row], delete: Callable[[Row], None], *, stopping: Callable[[], bool]) -> None:
    """Call `delete` for every row, each once nothing left among `rows` needs it.

    A row whose deletion raises stays, and with it all it needs; independent ones still go. `stopping` is asked before
    each begins. Errors are the business of `delete`: they are not raised here.
    """
    left = list(reversed(rows))
    running: dict[Future[None], Row] = {}
    failed: list[Row] = []
    with ThreadPoolExecutor(max_workers=PARALLEL, thread_name_prefix="delete") as pool:
        while True:
            busy = [*running.values(), *failed]
            for row in [] if stopping() else ready(left, busy):
                left.remove(row)
                running[pool.submit(delete, row)] = row
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                row = running.pop(future)
                if future.exception() is not None:
                    failed.append(row)


def in_order(rows: list[Row]) -> list[Row]:
    """The rows with dependents before what they depend on."""
    ordered: list[Row] = []
    left = list(rows)
    while batch := ready(left, []):
        ordered += batch
        left = [row for row in left if row not in batch]
    return ordered


def ready(left: list[Row], busy: list[Row]) -> list[Row]:
    """Those of `left` that no row of `left` or `busy` needs, in their order."""
    needed = {urn for row in (*left, *busy) for urn in row.needs}
    return [row for row in left if row.urn not in needed]
