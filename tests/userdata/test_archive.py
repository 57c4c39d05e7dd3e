"""The archive: the same bytes everywhere, and Python that still means the same."""

import ast
import hashlib
import inspect

from userdata.archive import pack, read_tree, slim_configuration, slim_lines, slim_python
from userdata.templates import HERE


def test_the_archive_is_the_same_on_every_computer():
    # Known from the day it was written: another value means that all machines would be replaced for nothing.
    archive = pack({"etc/b.conf": b"b\n" * 1000, "usr/a.sh": b"#!/bin/sh\n"})
    assert hashlib.sha256(archive).hexdigest() == "0d2911fe51e55b4b3e899e218a759f1ec68e7ce7de8bfee0118eee9f594dc316"
    assert archive == pack({"usr/a.sh": b"#!/bin/sh\n", "etc/b.conf": b"b\n" * 1000})


def test_times_of_the_source_files_do_not_matter(tmp_path):
    import os

    (tmp_path / "a.sh").write_text("#!/bin/sh\n")
    before = pack(read_tree(tmp_path))
    os.utime(tmp_path / "a.sh", (1, 1))
    (tmp_path / "a.sh").chmod(0o600)
    assert pack(read_tree(tmp_path)) == before


class Untyped(ast.NodeTransformer):
    """Functions' assignments without types."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node) if node.value else node


def without_docstrings_and_types(source: str) -> ast.Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in [*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]:
                if argument is not None:
                    argument.annotation = None
            Untyped().visit(node)
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    field.annotation = ast.Constant(0)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                node.body[0].value.value = ""
            else:
                del node.body[0]
    return tree


def test_slim_python_means_the_same_on_the_same_lines():
    for path in sorted((HERE / "director/agent").glob("*.py")):
        source = path.read_text()
        slim, expected = ast.parse(slim_python(source)), without_docstrings_and_types(source)
        assert ast.dump(slim) == ast.dump(expected), path
        assert slim_python(source).count("\n") == source.count("\n"), path
        positions = [
            [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)] for tree in (slim, expected)
        ]
        assert positions[0] == positions[1], path


def test_slim_python_drops_types_but_a_field_keeps_a_short_one():
    source = inspect.cleandoc("""
        class A:
            x: int = 1
            def f(self, a: list[int], *b: str, c: str | None = ")", **d: int) -> dict[str, int]:
                e: int = 1
                g: int
                return lambda: {"h": e}
    """)
    assert (
        slim_python(source + "\n")
        == inspect.cleandoc("""
        class A:
            x: 0 = 1
            def f(self, a, *b, c = ")", **d):
                e = 1
                g: int
                return lambda: {"h": e}
    """)
        + "\n"
    )


def test_slim_python_keeps_a_hash_in_a_text_and_drops_the_rest():
    source = inspect.cleandoc('''
        """About."""
        x = "# no comment"  # a comment
        class Empty:
            """Nothing
            else."""
    ''')
    assert slim_python(source + "\n") == '\nx = "# no comment"\nclass Empty:\n    ""\n\n'


def test_slim_lines_keeps_the_interpreter():
    assert slim_lines("#!/bin/sh\n# why\n  # indented\necho '#x'\n") == "#!/bin/sh\necho '#x'\n"


def test_slim_configuration_keeps_what_means_something():
    assert slim_configuration("a {\n    # why\n\n    b {\n        c # d\n") == "a {\n  b {\n    c # d\n"
