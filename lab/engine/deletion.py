"""Deleting many resources: dependents before what they depend on, independent ones side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab.engine.row import Row

PARALLEL = 16


def delete_all(rows: list[Row], delete: Callable[[Row], None], *, stopping: Callable[[], bool]) -> None:
    """Call `delete` for every row, in batches of those that nothing left needs.

    A row whose deletion raises stays, and with it all it needs; independent ones still go. `stopping` is asked before
    each batch. Errors are the business of `delete`: they are not raised here.
    """

    def stays(row: Row) -> bool:
        try:
            delete(row)
        except Exception:
            return True
        return False

    left = list(reversed(rows))
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        while left and not stopping():
            needed = {urn for row in left for urn in row.needs}
            # None is free where old rows need each other's successors and the other way round: any order will do.
            batch = [row for row in left if row.urn not in needed] or left[:1]
            left = [row for row in left if row not in batch]
            staying = [row for row, stays_ in zip(batch, pool.map(stays, batch), strict=True) if stays_]
            while staying:
                needed = {urn for row in staying for urn in row.needs}
                staying = [row for row in left if row.urn in needed]
                left = [row for row in left if row not in staying]
