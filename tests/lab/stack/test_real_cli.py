from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path

import pytest
import yaml

from lab.stack.real_cli import CliError, RealCli, command, environment, preparation, run, stack_outputs, stack_text


@pytest.fixture
def cli(tmp_path: Path) -> RealCli:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.local.yaml").write_text("config:\n  a: 1\n")
    return RealCli(
        executable=tmp_path / "pulumi",
        project=project,
        stack="local",
        home=tmp_path / "home",
        plugin=tmp_path / "pulumi-resource-aws",
        plugin_version="7.51.1",
        endpoint_url="http://127.0.0.1:4566",
    )


def test_nothing_of_the_users_account_or_backend_is_passed_on(cli: RealCli) -> None:
    base = {"PATH": "/bin", "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "t", "PULUMI_ACCESS_TOKEN": "p"}
    variables = environment(cli, base)
    assert variables["PATH"] == "/bin"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PULUMI_ACCESS_TOKEN"} & variables.keys()
    assert variables["AWS_ENDPOINT_URL"] == cli.endpoint_url
    assert variables["PULUMI_BACKEND_URL"].startswith("file:///")
    assert variables["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "1"
    assert variables["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "1"


def test_commands(cli: RealCli) -> None:
    install, select = preparation(cli)
    assert install[1:] == ("plugin", "install", "resource", "aws", "7.51.1", "-f", str(cli.plugin), "--reinstall")
    assert select[1:3] == ("stack", "select")
    up = command(cli, "up")
    assert up[1:4] == ("up", "--yes", "--skip-preview") and "--non-interactive" in up
    assert up[up.index("--config-file") + 1] == str(cli.stack_copy)
    assert "--yes" not in command(cli, "preview")


def test_the_salt_of_an_earlier_run_is_kept() -> None:
    assert yaml.safe_load(stack_text("config: {a: 1}", "encryptionsalt: v1:x\nconfig: {a: 0}", {})) == {
        "config": {"a": 1},
        "encryptionsalt": "v1:x",
    }
    assert "encryptionsalt" not in stack_text("config: {a: 1}", "", {})


def test_overrides_stand_in_the_copy_the_cli_reads(cli: RealCli) -> None:
    changed = dataclasses.replace(cli, overrides={"lvs-aws:webServers": [{"address": "10.0.0.80"}], "a": 2})
    script(cli, "exit 0")
    run(changed, "up", base=os.environ, on_line=lambda _: None)
    assert yaml.safe_load(cli.stack_copy.read_text())["config"] == {
        "a": 2,
        "lvs-aws:webServers": [{"address": "10.0.0.80"}],
    }
    assert yaml.safe_load(cli.stack_file.read_text())["config"] == {"a": 1}


def script(cli: RealCli, text: str) -> None:
    cli.executable.write_text(f"#!/bin/sh\n{text}\n")
    cli.executable.chmod(cli.executable.stat().st_mode | stat.S_IXUSR)


def test_run_hands_lines_on_and_leaves_the_stack_file_as_it_was(cli: RealCli) -> None:
    script(
        cli, 'echo "$1 $AWS_ENDPOINT_URL"; [ "$1" = stack ] && echo "encryptionsalt: x" >> Pulumi.local.yaml; exit 0'
    )
    before = cli.stack_file.read_bytes()
    lines: list[str] = []
    run(cli, "up", base=os.environ, on_line=lines.append)
    assert lines == [f"{verb} {cli.endpoint_url}" for verb in ("plugin", "stack", "up")]
    assert cli.stack_file.read_bytes() == before


def test_a_failing_command_is_named(cli: RealCli) -> None:
    script(cli, '[ "$1" != up ]')
    with pytest.raises(CliError, match=r"up --yes .* exit code 1"):
        run(cli, "up", base=os.environ, on_line=lambda _: None)


def test_changes_against_expectation_are_told_from_other_failures(cli: RealCli) -> None:
    for options, code, means_changes in ((("--expect-no-changes",), 7, True), ((), 7, False)):
        script(cli, f'[ "$1" != preview ] || exit {code}')
        with pytest.raises(CliError) as caught:
            run(cli, "preview", options=options, base=os.environ, on_line=lambda _: None)
        assert caught.value.means_changes is means_changes


def test_outputs_show_secrets_only_where_asked(cli: RealCli) -> None:
    cli.home.mkdir()
    script(cli, 'case "$*" in *--show-secrets*) echo \'{"p": "s3cret"}\' ;; *) echo \'{"p": "[secret]"}\' ;; esac')
    assert stack_outputs(cli, base=os.environ) == {"p": "s3cret"}
    assert stack_outputs(cli, base=os.environ, show_secrets=False) == {"p": "[secret]"}
