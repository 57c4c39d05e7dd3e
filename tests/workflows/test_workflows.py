"""The workflows keep the house's rules, and each rule is shown to see what breaks it."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.workflows import documents
from tests.workflows.documents import ACTIONS, GITHUB, PROJECT, WORKFLOWS

MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
# Those without an account, which CI runs anyway, and those that tests/delivery/test_targets.py runs.
WITHOUT_ACCOUNT = {"check", "test", "test-fast"}
ON_A_STACK = {"preview", "report-preview", "deploy-plan", "deploy", "deployed-commit", "drift", "report-drift"}

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)


def text_of(name: str) -> str:
    return (GITHUB / "workflows" / name).read_text()


def changed(name: str, before: str, after: str) -> str:
    text = text_of(name)
    assert before in text, "the test's own change has nothing to change"
    return text.replace(before, after)


def test_there_are_these_workflows() -> None:
    assert [file.name for file in WORKFLOWS] == ["deploy.yml", "drift.yml", "e2e.yml", "preview.yml", "up.yml"]
    assert [file.parent.name for file in ACTIONS] == ["aws-stack"]


@pytest.mark.parametrize("file", [*WORKFLOWS, *ACTIONS], ids=lambda file: f"{file.parent.name}/{file.name}")
def test_everything_of_others_is_pinned_by_digest(file: Path) -> None:
    assert documents.unpinned(file.read_text()) == []


def test_one_action_has_one_digest() -> None:
    texts = "".join(file.read_text() for file in [*WORKFLOWS, *ACTIONS])
    pins = set(re.findall(r"(?:uses|image): (\S+)@(\S+) # (\S+)", texts))
    assert len(pins) == len({name for name, _, _ in pins})


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("preview.yml", "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "v7"),
        ("preview.yml", " # v7.0.1", ""),
        ("preview.yml", "3d3c42e5aac5ba805825da76410c181273ba90b1", "3d3c42e"),
        ("e2e.yml", "@sha256:9344f8b8992482f80cba753f323adeaf17690076c095ccff6cc9536be98185dc", ""),
    ],
)
def test_and_what_is_not_is_seen(name: str, before: str, after: str) -> None:
    assert documents.unpinned(changed(name, before, after))


@each_workflow
def test_permissions_are_listed_and_the_least(file: Path) -> None:
    assert documents.excess_permissions(file.name, file.read_text()) == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("preview.yml", "permissions: {}\n", ""),
        ("preview.yml", "permissions: {}\n", "permissions: write-all\n"),
        ("preview.yml", "      contents: read\n", "      contents: write\n"),
        ("drift.yml", "      issues: write", "      actions: write"),
        ("deploy.yml", "    permissions:\n      contents: read\n      id-token: write # to assume the role\n", ""),
        ("e2e.yml", "      contents: read\n", "      contents: read\n      packages: read\n"),
    ],
)
def test_and_more_is_seen(name: str, before: str, after: str) -> None:
    assert documents.excess_permissions(name, changed(name, before, after))


@each_workflow
def test_foreign_code_has_no_way_to_credentials(file: Path) -> None:
    assert documents.exposed_credentials(file.read_text()) == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("preview.yml", "on: pull_request\n", "on: pull_request_target\n"),
        ("preview.yml", f"{documents.OWN_BRANCHES_ONLY} && ", ""),
        ("preview.yml", "GH_TOKEN: ${{ github.token }}", "GH_TOKEN: ${{ secrets.ROBOT }}"),
        (
            "preview.yml",
            "    permissions:\n      contents: read\n    con",
            "    permissions:\n      checks: write\n    con",
        ),
        ("up.yml", "    with:\n      stack: prod\n", "    secrets: inherit\n    with:\n      stack: prod\n"),
        ("drift.yml", "persist-credentials: false", "persist-credentials: true"),
    ],
)
def test_and_a_way_is_seen(name: str, before: str, after: str) -> None:
    assert documents.exposed_credentials(changed(name, before, after))


@each_workflow
def test_no_job_runs_beside_itself(file: Path) -> None:
    assert documents.unguarded(file.read_text()) == []


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "up.yml",
            "group: deploy-prod\n      cancel-in-progress: false",
            "group: deploy-prod\n      cancel-in-progress: true",
        ),
        ("up.yml", "group: deploy-prod", "group: deploy-prod-${{ github.ref }}"),
        ("up.yml", "group: deploy-dev", "group: deploy-prod"),
        ("drift.yml", "group: drift-${{ matrix.stack }}", "group: drift"),
        ("preview.yml", "      cancel-in-progress: true\n", ""),
    ],
)
def test_and_one_that_could_is_seen(name: str, before: str, after: str) -> None:
    assert documents.unguarded(changed(name, before, after))


@each_workflow
def test_every_command_is_a_make_target(file: Path) -> None:
    assert documents.not_make(file.read_text(), TARGETS) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('make drift STACK="$STACK"', "pulumi refresh --yes"),
        ('make drift STACK="$STACK"', 'make drift STACK="$STACK" || true'),
        ('make drift STACK="$STACK"', 'make no-such-target STACK="$STACK"'),
        ('make drift STACK="$STACK"', 'make drift STACK="$WHICH"'),
        ('make drift STACK="$STACK"', "make drift STACK=${{ matrix.stack }}"),
    ],
)
def test_and_another_command_is_seen(before: str, after: str) -> None:
    assert documents.not_make(changed("drift.yml", before, after), TARGETS)


def test_the_targets_are_documented_and_are_those_that_tests_run() -> None:
    made = {target for file in WORKFLOWS for target in documents.made(file.read_text())}
    assert made == WITHOUT_ACCOUNT | ON_A_STACK
    tests_of_targets = (PROJECT / "tests" / "delivery" / "test_targets.py").read_text()
    for target in made:
        assert re.search(rf"^{target}: [^#\n]*## \S", MAKEFILE, re.MULTILINE), f"`make help` does not know {target}"
    for target in ON_A_STACK:
        assert f'project.make("{target}", "STACK=dev"' in tests_of_targets


def test_the_targets_without_an_account_can_be_made() -> None:
    done = subprocess.run(
        ("make", "-n", *sorted(WITHOUT_ACCOUNT)), cwd=PROJECT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for word in ("ruff check", "actionlint", "mypy", "pytest"):
        assert word in done.stdout


def test_previews_and_drift_have_roles_that_only_read() -> None:
    for name, job in (("preview.yml", "preview"), ("drift.yml", "drift")):
        assert documents.jobs(text_of(name))[job]["environment"] == "${{ matrix.stack }}-preview"
    deploy = documents.jobs(text_of("deploy.yml"))
    assert deploy["plan"]["environment"] == "${{ inputs.stack }}-preview"
    assert deploy["apply"]["environment"] == "${{ inputs.stack }}"


def test_nothing_is_applied_but_the_plan_of_the_job_before() -> None:
    deploy = documents.jobs(text_of("deploy.yml"))
    saved = next(step for step in deploy["plan"]["steps"] if "upload-artifact" in step.get("uses", ""))
    taken = next(step for step in deploy["apply"]["steps"] if "download-artifact" in step.get("uses", ""))
    assert deploy["apply"]["needs"] == "plan"
    assert (saved["with"]["name"], saved["with"]["path"]) == (taken["with"]["name"], taken["with"]["path"])
    assert saved["with"]["if-no-files-found"] == "error"
    # Both jobs take the commit of the run: neither checkout names another.
    checkouts = [step for _, _, step in documents.steps(text_of("deploy.yml")) if "checkout" in step.get("uses", "")]
    assert len(checkouts) == 2
    assert all("ref" not in step["with"] for step in checkouts)


def test_main_goes_to_dev_and_only_tags_and_people_to_prod() -> None:
    document = documents.parsed(text_of("up.yml"))
    assert document["on"]["push"] == {"branches": ["main"], "tags": ["v*"]}
    jobs = document["jobs"]
    assert "github.ref_type == 'branch' || inputs.stack == 'dev'" in jobs["dev"]["if"]
    assert "github.ref_type == 'tag' || inputs.stack == 'prod'" in jobs["prod"]["if"]
    assert {name: job["with"]["stack"] for name, job in jobs.items()} == {"dev": "dev", "prod": "prod"}


def test_drift_is_reported_after_success_and_failure_of_the_comparison() -> None:
    (job,) = documents.jobs(text_of("drift.yml")).values()
    compare, report = job["steps"][-2:]
    assert compare["id"] == "drift"
    assert "continue-on-error" not in compare, "a night with drift must be red"
    for words in ("!cancelled()", "steps.drift.outcome == 'success'", "steps.drift.outcome == 'failure'"):
        assert words in report["if"]


def test_a_failed_preview_is_commented_too() -> None:
    *_, report = documents.jobs(text_of("preview.yml"))["preview"]["steps"]
    assert report["if"] == "${{ !cancelled() && steps.preview.outcome != 'skipped' }}"


def test_the_cli_is_of_the_sdks_release() -> None:
    dependencies = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    (sdk,) = [each.removeprefix("pulumi==") for each in dependencies if each.startswith("pulumi==")]
    (action,) = ACTIONS
    assert f"pulumi-version: {sdk}\n" in action.read_text()


def test_logs_of_failing_machine_tests_are_kept_though_they_are_hidden_files() -> None:
    *_, upload = documents.jobs(text_of("e2e.yml"))["lab"]["steps"]
    assert upload["if"] == "failure()"
    assert upload["with"]["path"].startswith(".lab/")
    assert upload["with"]["include-hidden-files"] == "true"


def lint(*variables: str) -> subprocess.CompletedProcess[str]:
    """`make lint-workflows`, which builds actionlint where it is not there yet."""
    return subprocess.run(
        ("make", "lint-workflows", *variables), cwd=PROJECT, text=True, capture_output=True, check=False
    )


def test_actionlint_passes_every_workflow() -> None:
    done = lint()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-1.0", "label"),
        ("steps.deployed.outputs", "steps.deploid.outputs", "deploid"),
        ('run: make drift STACK="$STACK"', "run: make drift STACK=$STACK", "SC2086"),
    ],
)
def test_actionlint_and_its_shellcheck_see_faults(tmp_path: Path, before: str, after: str, words: str) -> None:
    file = tmp_path / "drift.yml"
    file.write_text(changed("drift.yml", before, after).replace("uses: ./.github/actions/aws-stack", "uses: a/b@c"))
    done = lint(f"WORKFLOWS={file}")
    assert done.returncode != 0
    assert words in done.stdout


def test_a_part_that_cannot_be_checked_is_no_pass() -> None:
    done = lint("SHELLCHECK=no-such-program")
    assert done.returncode != 0
    assert "NOT CHECKED: .github/workflows, for there is no no-such-program" in done.stderr


def test_nor_is_an_actionlint_that_cannot_be_built(tmp_path: Path) -> None:
    done = lint(f"ACTIONLINT={tmp_path}/actionlint", "GO_VERSION=0.0.0")
    assert done.returncode != 0
    assert "NOT CHECKED: .github/workflows, for actionlint" in done.stderr
