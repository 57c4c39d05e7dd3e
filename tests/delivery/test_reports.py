"""What GitHub is told fits into a body and cannot be ended by what is in it."""

import pytest

from delivery import reports
from delivery.reports import Outcome

GITHUB_LIMIT = 65_536


def test_a_comment_begins_with_its_marker_and_has_the_output() -> None:
    comment = reports.preview_comment("prod", Outcome(exit_code=0, commit="abc", output="+ aws:ec2/vpc:Vpc\n"))
    assert comment.startswith(reports.marker("preview", "prod") + "\n")
    assert "+ aws:ec2/vpc:Vpc" in comment
    assert "failed" not in comment


def test_two_stacks_have_two_markers() -> None:
    assert reports.marker("preview", "dev") != reports.marker("preview", "prod")
    assert reports.marker("drift", "dev") != reports.marker("preview", "dev")


def test_a_failed_preview_says_so() -> None:
    comment = reports.preview_comment("dev", Outcome(exit_code=1, commit="abc", output="- [mandatory]  no-star"))
    assert "**failed** (exit code 1)" in comment
    assert "no-star" in comment
    assert "**failed** (exit code 1)" in reports.summary("dev", Outcome(exit_code=1, commit="abc", output=""))


@pytest.mark.parametrize("length", [reports.BODY_LIMIT, reports.BODY_LIMIT + 1, 10 * reports.BODY_LIMIT])
def test_long_output_keeps_its_head_and_its_end_within_githubs_limit(length: int) -> None:
    output = "HEAD" + "x" * (length - 8) + "TAIL"
    outcome = Outcome(exit_code=7, commit="a" * 40, output=output)
    for body in (reports.preview_comment("staging", outcome), reports.drift_body("staging", outcome)):
        assert len(body) < GITHUB_LIMIT
        assert "HEAD" in body
        assert "TAIL" in body
        assert ("characters left out" in body) == (length > reports.BODY_LIMIT)


@pytest.mark.parametrize("output", ["plain", "a ``` b", "`````diff\nevil"])
def test_no_output_ends_its_block(output: str) -> None:
    first, *_, last = reports.fenced(output).splitlines()
    assert first == last + "diff"
    assert last not in output


@pytest.mark.parametrize(("exit_code", "drift"), [(0, False), (1, False), (2, False), (7, True), (255, False)])
def test_only_changes_are_drift(exit_code: int, drift: bool) -> None:
    assert reports.is_drift(Outcome(exit_code=exit_code, commit="", output="")) == drift
