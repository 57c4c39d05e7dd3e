"""The Makefile's targets for a stack on AWS, run as the workflows run them, with a `pulumi` that records."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.delivery.conftest import DeliveryProject

POLICY = ["--policy-pack", "policy", "--policy-pack-config", "policy/config/dev.json"]
STACK = ["--stack", "dev", "--non-interactive", "--color", "never"]
BOT = {"login": "github-actions[bot]"}
DRIFT = "<!-- lvs-aws drift: dev -->"


def update(start: str, commit: str = "c" * 40) -> dict[str, object]:
    return {"version": 0, "kind": "update", "startTime": start, "environment": {"git.head": commit}}


def test_preview_holds_the_stack_against_its_policies_and_asks_nothing(project: DeliveryProject) -> None:
    done = project.make("preview", "STACK=dev")
    assert done.returncode == 0, done.stderr
    assert project.pulumi_calls() == [["preview", "--diff", *STACK, *POLICY]]
    assert "said on stdout" in done.stdout
    assert "said on stderr" in done.stdout


def test_the_cli_finds_the_projects_uv_and_refuses_unready_text(project: DeliveryProject) -> None:
    project.make("preview", "STACK=dev")
    environment = project.pulumi_environment()
    assert shutil.which("uv", path=environment["PATH"].split(os.pathsep)[0])
    assert environment["PULUMI_ERROR_OUTPUT_STRING"] == "true"


@pytest.mark.parametrize(("target", "exit_code"), [("preview", 1), ("deploy-plan", 255), ("drift", 7)])
def test_a_failure_is_passed_through(project: DeliveryProject, target: str, exit_code: int) -> None:
    project.ends_with(exit_code)
    done = project.make(target, "STACK=dev")
    # make itself always ends with 2; its last line has the code of the command.
    assert done.returncode == 2
    assert f"] Error {exit_code}" in done.stderr


def test_a_plan_is_saved_and_applied_once(project: DeliveryProject) -> None:
    assert project.make("deploy-plan", "STACK=dev").returncode == 0
    assert project.make("deploy", "STACK=dev").returncode == 0
    file = str(project.directory / "build" / "dev" / "plan.json")
    assert project.pulumi_calls() == [
        ["preview", "--diff", *STACK, *POLICY, "--save-plan", file],
        ["up", "--yes", "--skip-preview", "--plan", file, *STACK, *POLICY],
    ]
    again = project.make("deploy", "STACK=dev")
    assert again.returncode != 0
    assert "there is no plan for stack dev" in again.stderr
    assert len(project.pulumi_calls()) == 2


def test_a_failed_deployment_is_passed_through(project: DeliveryProject) -> None:
    project.make("deploy-plan", "STACK=dev")
    project.ends_with(255)
    assert "] Error 255" in project.make("deploy", "STACK=dev").stderr


def test_a_plan_travels_to_another_checkout_of_its_commit(project: DeliveryProject, tmp_path: Path) -> None:
    project.make("deploy-plan", "STACK=dev")
    other = DeliveryProject(directory=tmp_path / "other", state=project.state)
    shutil.copytree(project.directory, other.directory)
    shutil.rmtree(project.directory)
    assert other.make("deploy", "STACK=dev").returncode == 0


def refused(project: DeliveryProject, words: str) -> None:
    before = len(project.pulumi_calls())
    done = project.make("deploy", "STACK=dev")
    assert done.returncode != 0
    assert words in done.stderr
    assert len(project.pulumi_calls()) == before, "pulumi ran all the same"


def test_a_plan_is_for_its_commit_only(project: DeliveryProject) -> None:
    project.make("deploy-plan", "STACK=dev")
    commit = project.commit()
    refused(project, f"and this is {commit}")


def test_a_plan_is_for_the_state_it_was_made_on(project: DeliveryProject) -> None:
    project.has_history(update("2026-11-01T10:00:00.000Z"))
    project.make("deploy-plan", "STACK=dev")
    project.has_history(update("2026-11-02T10:00:00.000Z"), update("2026-11-01T10:00:00.000Z"))
    refused(project, "the stack was updated since")


def test_a_plan_is_the_file_that_was_made(project: DeliveryProject) -> None:
    project.make("deploy-plan", "STACK=dev")
    (project.directory / "build" / "dev" / "plan.json").write_text("another")
    refused(project, "the file is not the one that was made")


def test_a_plan_of_another_stack_is_none(project: DeliveryProject) -> None:
    project.make("deploy-plan", "STACK=prod")
    refused(project, "there is no plan for stack dev")
    shutil.copytree(project.directory / "build" / "prod", project.directory / "build" / "dev")
    refused(project, "it is for stack prod, not dev")


def test_a_failed_plan_leaves_none_not_even_the_last(project: DeliveryProject) -> None:
    project.make("deploy-plan", "STACK=dev")
    project.ends_with(1)
    project.make("deploy-plan", "STACK=dev")
    refused(project, "there is no plan for stack dev")


@pytest.mark.parametrize("target", ["deploy-plan", "deploy"])
def test_what_is_in_no_commit_is_neither_planned_nor_deployed(project: DeliveryProject, target: str) -> None:
    if target == "deploy":
        project.make("deploy-plan", "STACK=dev")
    before = project.pulumi_calls()
    (project.directory / "Pulumi.dev.yaml").write_text("config: {}\n")
    done = project.make(target, "STACK=dev")
    assert done.returncode != 0
    assert "Pulumi.dev.yaml" in done.stderr
    assert project.pulumi_calls() == before


def test_the_plan_is_shown_to_whoever_approves_it(project: DeliveryProject, tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    project.make("deploy-plan", "STACK=dev", GITHUB_STEP_SUMMARY=str(page))
    assert "said on stdout" in page.read_text()


def test_drift_refreshes_and_expects_nothing(project: DeliveryProject) -> None:
    assert project.make("drift", "STACK=dev").returncode == 0
    assert project.pulumi_calls() == [["preview", "--diff", "--refresh", "--expect-no-changes", *STACK]]


def test_drift_leads_to_an_issue(project: DeliveryProject) -> None:
    project.ends_with(7)
    assert project.make("drift", "STACK=dev").returncode != 0
    assert project.make("report-drift", "STACK=dev").returncode == 0
    ((method, path, sent),) = project.gh_writes()
    assert (method, path) == ("POST", "repos/{owner}/{repo}/issues")
    assert "dev" in sent["title"]
    assert sent["body"].startswith(DRIFT)
    assert "said on stdout" in sent["body"]


def test_later_drift_updates_the_one_issue(project: DeliveryProject) -> None:
    project.has_pages(
        [{"number": 3, "user": BOT, "body": "of something else"}, {"number": 4, "user": BOT, "body": None}],
        [
            {"number": 5, "user": {"login": "somebody"}, "body": DRIFT},
            {"number": 6, "user": BOT, "body": f"{DRIFT}\nold"},
        ],
    )
    project.ends_with(7)
    project.make("drift", "STACK=dev")
    project.make("report-drift", "STACK=dev")
    ((method, path, sent),) = project.gh_writes()
    assert (method, path) == ("PATCH", "repos/{owner}/{repo}/issues/6")
    assert "said on stdout" in sent["body"]


def test_no_drift_closes_the_issue(project: DeliveryProject) -> None:
    project.has_pages([{"number": 6, "user": BOT, "body": f"{DRIFT}\nold"}])
    project.make("drift", "STACK=dev")
    assert project.make("report-drift", "STACK=dev").returncode == 0
    said, closed = project.gh_writes()
    assert said[:2] == ("POST", "repos/{owner}/{repo}/issues/6/comments")
    assert closed == ("PATCH", "repos/{owner}/{repo}/issues/6", {"state": "closed"})


def test_a_comparison_that_failed_says_nothing_of_drift(project: DeliveryProject) -> None:
    project.has_pages([{"number": 6, "user": BOT, "body": f"{DRIFT}\nold"}])
    project.ends_with(1)
    project.make("drift", "STACK=dev")
    assert project.make("report-drift", "STACK=dev").returncode == 0
    assert project.gh_writes() == []


def test_an_earlier_run_is_never_reported(project: DeliveryProject) -> None:
    project.make("drift", "STACK=dev")
    (project.programs / "pulumi").rename(project.programs / "no-pulumi")
    project.make("drift", "STACK=dev")
    done = project.make("report-drift", "STACK=dev")
    assert done.returncode != 0
    assert "did not run for stack dev" in done.stderr


def test_a_preview_is_said_on_its_pull_request(project: DeliveryProject) -> None:
    project.ends_with(1)
    project.make("preview", "STACK=dev")
    assert project.make("report-preview", "STACK=dev", "PR=12").returncode == 0
    ((method, path, sent),) = project.gh_writes()
    assert (method, path) == ("POST", "repos/{owner}/{repo}/issues/12/comments")
    assert "said on stderr" in sent["body"]
    assert "exit code 1" in sent["body"]


def test_the_next_preview_takes_the_comments_place_but_nobody_elses(project: DeliveryProject) -> None:
    mark = "<!-- lvs-aws preview: dev -->"
    project.has_pages(
        [{"id": 1, "user": {"login": "somebody"}, "body": mark}, {"id": 2, "user": BOT, "body": "prod's"}],
        [{"id": 3, "user": BOT, "body": f"{mark}\nold"}],
    )
    project.make("preview", "STACK=dev")
    project.make("report-preview", "STACK=dev", "PR=12")
    ((method, path, _),) = project.gh_writes()
    assert (method, path) == ("PATCH", "repos/{owner}/{repo}/issues/comments/3")


def test_the_deployed_commit_becomes_a_steps_output(project: DeliveryProject, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    project.has_history(update("2026-11-01T10:00:00.000Z"))
    done = project.make("deployed-commit", "STACK=dev", GITHUB_OUTPUT=str(outputs))
    assert done.stdout.strip() == "c" * 40
    assert outputs.read_text() == f"commit={'c' * 40}\n"


def test_where_nothing_is_deployed_it_is_empty_and_says_so(project: DeliveryProject, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    done = project.make("deployed-commit", "STACK=dev", GITHUB_OUTPUT=str(outputs))
    assert done.returncode == 0
    assert "stack dev is not deployed" in done.stderr
    assert outputs.read_text() == "commit=\n"


@pytest.mark.parametrize("target", ["preview", "deploy-plan", "deploy", "drift", "deployed-commit"])
def test_without_the_cli_it_says_what_is_missing(project: DeliveryProject, target: str) -> None:
    (project.programs / "pulumi").unlink()
    done = project.make(target, "STACK=dev", path=without("pulumi", project.programs))
    assert done.returncode != 0
    assert "`pulumi` is not on PATH, so nothing was run: install the Pulumi CLI" in done.stderr
    assert "Traceback" not in done.stderr


def without(program: str, first: Path) -> str:
    """PATH with `first` before all, and no directory that has `program`."""
    others = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each) / program).exists()]
    return os.pathsep.join([str(first), *others])


@pytest.mark.parametrize("target", ["preview", "report-preview"])
def test_a_target_that_lacks_its_variable_asks_for_it(project: DeliveryProject, target: str) -> None:
    done = project.make(target, *(["STACK=dev"] if target == "report-preview" else []))
    assert done.returncode == 2
    assert f"make {target} STACK=dev" in done.stderr
    assert project.pulumi_calls() == []


@pytest.mark.parametrize(
    ("stack", "words"), [("nowhere", "stacks are dev, local, prod"), ("local", "is the lab's own")]
)
def test_only_stacks_of_an_account_are_taken(project: DeliveryProject, stack: str, words: str) -> None:
    done = project.make("preview", f"STACK={stack}")
    assert done.returncode != 0
    assert words in done.stderr
    assert project.pulumi_calls() == []
