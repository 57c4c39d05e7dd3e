"""Jinja2 templates that hold data only: every choice and every list is made in Python before they are filled."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


def fill(template: str, **values: object) -> str:
    """The text of a template of this directory (such as "director/keepalived.conf.j2"), without a final newline.

    jinja2.UndefinedError if the template names a value that is not given.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import (
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )  # here: importing it takes longer than all of ours

    return Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - configuration files, no HTML of strangers; userdata.faults guards what goes in
        keep_trailing_newline=False,
    )
