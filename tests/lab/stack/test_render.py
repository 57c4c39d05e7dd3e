from __future__ import annotations

from lab.engine.deploy import Deployment
from lab.engine.events import Diagnostic, Step
from lab.protocol.contract import UNKNOWN
from lab.protocol.wire import secret
from lab.stack.render import line, report, text

URN = "urn:pulumi:dev::gold::my:mod:C$aws:ec2/vpc:Vpc::net"


def test_a_step_is_a_line_in_the_words_of_the_cli() -> None:
    assert line(Step(op="create", urn=URN), dry_run=True) == " +  aws:ec2/vpc:Vpc net create"
    assert line(Step(op="create", urn=URN, seconds=1.25)) == " +  aws:ec2/vpc:Vpc net created (1.2s)"
    assert line(Step(op="delete-replaced", urn=URN), dry_run=True) == " -- aws:ec2/vpc:Vpc net delete original"
    failed = line(Step(op="delete", urn=URN, error="why"))
    assert failed == " -  aws:ec2/vpc:Vpc net **delete failed** error: why"
    assert line(Diagnostic(severity="warning", message="careful\n", urn=URN)) == "    warning: net: careful"


def test_what_differs_is_shown_and_secrets_never() -> None:
    old = {"tags": {"a": 1, "p": secret("s3cret")}, "gone": "x"}
    new = {"tags": {"a": UNKNOWN, "p": secret("n3w")}, "size": 3}
    step = Step(op="update", urn=URN, keys=("tags", "gone", "size"), old=old, new=new)
    assert line(step, dry_run=True).splitlines() == [
        " ~  aws:ec2/vpc:Vpc net update [diff: ~tags,-gone,+size]",
        '      ~ tags: {"a": 1, "p": [secret]} => {"a": [unknown], "p": [secret]}',
        '      - gone: "x"',
        "      + size: 3",
    ]
    assert len(text("x" * 1000)) == 200


def test_the_report_counts_as_the_cli_does() -> None:
    done = Deployment(
        outputs={"o": UNKNOWN, "s": "s3cret"},
        secret_outputs=frozenset({"s"}),
        steps=(Step(op="delete", urn=URN, error="why"),),
        summary={"same": 2, "update": 1, "create": 3},
    )
    assert report(done).splitlines() == [
        "Outputs:",
        "    o: [unknown]",
        "    s: [secret]",
        "Resources:",
        "    + 3 created",
        "    ~ 1 updated",
        "    4 changes. 2 unchanged",
        "    1 errored",
    ]
    assert "    + 3 to create" in report(done, dry_run=True)
