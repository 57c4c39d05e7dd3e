"""The static files of a machine as one archive: the same bytes on every computer and with every Python.

Changed user data replaces machines, so nothing of the builder may leak in: no times, no owners, no order of a
directory, and bz2, because zlib's output depends on which zlib Python was built with.
"""

import ast
import bz2
import io
import json
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path


def read_tree(root: Path, prefix: str = "") -> dict[str, bytes]:
    """The files under `root`, by the path they get on the machine, slimmed."""
    files = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            slim = slim_python if path.suffix == ".py" else slim_lines
            files[prefix + path.relative_to(root).as_posix()] = slim(path.read_text("ascii")).encode("ascii")
    return files


def pack(files: Mapping[str, bytes]) -> bytes:
    """A bz2-compressed JSON object of `files` (path without leading slash: ASCII content).

    cloud-config.yaml.j2 unpacks it, scripts (.sh) executable. A tar's headers would take 500 bytes of user data.
    """
    texts = {path: content.decode("ascii") for path, content in files.items()}
    return bz2.compress(json.dumps(texts, sort_keys=True, separators=(",", ":")).encode("ascii"), 9)


def slim_lines(source: str) -> str:
    """A shell script, unit or configuration without its comment lines, for the same reason as `slim_python`."""
    lines = source.splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("#") or line.startswith("#!"))


def slim_configuration(source: str) -> str:
    """A configuration whose indentation means nothing: half of it, no comments, and no lines without anything."""
    lines = (line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return "".join(f"{line[(len(line) - len(line.lstrip())) // 2 :]}\n" for line in lines)


def slim_python(source: str) -> str:
    """Python without comments, docstrings and types (a field keeps a short one): they have no room in 16 KiB.

    Lines keep their numbers for tracebacks.
    """
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    tree = ast.parse(source)
    for row, start, end, instead in sorted(set(_annotations(tree, lines)), reverse=True):
        lines[row - 1] = lines[row - 1][:start] + instead + lines[row - 1][end:]
    for docstring, is_body in _docstrings(tree):
        first, last = docstring.lineno - 1, (docstring.end_lineno or docstring.lineno) - 1
        instead = " " * docstring.col_offset + '""\n' if is_body else "\n"
        lines[first : last + 1] = [instead, *["\n"] * (last - first)]
    return "".join(lines)


def _annotations(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, int, int, str]]:
    """Row, first and end column of types, and what takes their place: nothing, but in fields of classes."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.ClassDef):
            for field in scope.body:
                if isinstance(field, ast.AnnAssign):
                    kind = field.annotation
                    yield kind.lineno, kind.col_offset, kind.end_col_offset or 0, "0"
        elif isinstance(scope, ast.FunctionDef):
            for row, start, end in _annotations_of_function(scope, lines):
                yield row, start, end, ""


def _annotations_of_function(function: ast.FunctionDef, lines: list[str]) -> Iterator[tuple[int, int, int]]:
    if function.returns is not None:
        row = function.returns.lineno
        start = lines[row - 1].rindex(")", 0, function.returns.col_offset) + 1
        yield row, start, function.returns.end_col_offset or start
    for node in ast.walk(function):
        if isinstance(node, ast.arg) and node.annotation is not None:
            start = node.col_offset + len(node.arg)
            yield node.annotation.lineno, start, node.annotation.end_col_offset or start
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            start = node.target.end_col_offset or 0
            yield node.target.lineno, start, node.annotation.end_col_offset or start


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.Expr, bool]]:
    """Each, and whether it is all of a body: something must stay there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first, len(node.body) == 1 and not isinstance(node, ast.Module)
