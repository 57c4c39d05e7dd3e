"""`lab preview`, `lab up` and `lab policy analyze` held against a pack, on the lab's cloud, without machines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lab import deployment
from lab.gate.choice import chosen
from lab.judging import PoliciesError
from lab.progress import Progress
from lab.running import RunningLab
from lab.stack import real_cli
from tests.lab.gate.packs import pack
from tests.lab.small_lab import Verb, label, run_verb, small_lab

pytestmark = pytest.mark.cloud
PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = """
import pulumi
from pulumi_aws import ec2
label = pulumi.Config().require("label")
vpc = ec2.Vpc("net", cidr_block="10.9.0.0/16", tags={"Name": label})
ec2.Subnet("part", vpc_id=vpc.id, cidr_block="10.9.1.0/24", tags={"Of": vpc.id})
"""
PACK = """
def label(args, report):
    if args.resource_type.endswith(":Vpc") and args.props["tags"]["Name"] == "forbidden":
        report("the name is forbidden")
def odd(args, report):
    if args.resource_type.endswith(":Vpc") and args.props["tags"]["Name"] == "odd":
        report("the name is odd")
def reference(args, report):
    if args.resource_type.endswith(":Subnet") and args.props["tags"]["Of"].startswith("vpc-"):
        report("it says what it is part of")
def whole(args, report):
    if any(one.resource_type.endswith(":Vpc") and one.props["tags"]["Name"] == "apart" for one in args.resources):
        report("the stack is apart")
PolicyPack("small", [
    R("label", "Names are decent.", label, L.MANDATORY), R("odd", "Names are even.", odd, L.ADVISORY),
    R("reference", "Nothing names what it is part of.", reference, L.DISABLED),
    S("whole", "All is one.", whole, L.MANDATORY),
])
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningLab]:
    """A lab whose account is in this process, with a small project that has a pack; no machine boots."""
    with small_lab(tmp_path, monkeypatch, PROGRAM, "decent") as made:
        pack(made.project / "policy", PACK)
        yield made


@pytest.fixture
def verb(lab: RunningLab) -> Verb:
    return run_verb


def up(lab: RunningLab, config: str = "") -> str:
    """Bring the stack up, held against its pack with this configuration; what was said."""
    said = io.StringIO()
    progress = Progress(console=Console(file=said, width=400))
    file = lab.project / "pack.json"
    file.write_text(config)
    policies = chosen(lab.project, "dev", None, file)
    try:
        deployment.up(lab, deployment.load(lab.project, "dev"), progress=progress, policies=policies)
    finally:
        (lab.project / "said").write_text(said.getvalue())
    return said.getvalue()


def made(lab: RunningLab) -> dict[str, int]:
    filters = [{"Name": "tag-key", "Values": ["Name", "Of"]}]
    ec2 = lab.ec2()
    return {
        "vpcs": len(ec2.describe_vpcs(Filters=filters)["Vpcs"]),
        "subnets": len(ec2.describe_subnets(Filters=filters)["Subnets"]),
    }


NOTHING, ALL = {"vpcs": 0, "subnets": 0}, {"vpcs": 1, "subnets": 1}


def test_a_preview_that_passes_says_which_pack_ran(verb: Verb) -> None:
    done = verb("preview")
    assert done.exit_code == 0
    assert "Policies:\n    ✅ small@v1.2.3 (local: policy)\n" in done.stdout
    assert "Policies:" not in verb("preview", "--no-policy").stdout


def test_a_mandatory_violation_ends_a_preview_with_1_in_the_clis_words(lab: RunningLab, verb: Verb) -> None:
    label(lab.project, "forbidden")
    done = verb("preview")
    assert done.exit_code == 1
    assert done.stderr == "lab: preview failed: 1 mandatory violation of policies\n"
    assert (
        "Policies:\n"
        "    ❌ small@v1.2.3 (local: policy)\n"
        "        - [mandatory]  label  (aws:ec2/vpc:Vpc: net)\n"
        "          Names are decent.\n"
        "          the name is forbidden\n"
    ) in done.stdout
    assert made(lab) == NOTHING
    assert verb("preview", "--no-policy").exit_code == 0


def test_an_advisory_violation_is_shown_and_ends_nothing(lab: RunningLab, verb: Verb) -> None:
    label(lab.project, "odd")
    done = verb("preview")
    assert done.exit_code == 0
    assert "    ⚠️ small@v1.2.3 (local: policy)\n        - [advisory]  odd  (aws:ec2/vpc:Vpc: net)\n" in done.stdout
    said = up(lab)
    assert "[advisory]  odd" in said
    assert made(lab) == ALL


def test_a_rule_about_the_stack_ends_a_preview_too(lab: RunningLab, verb: Verb) -> None:
    label(lab.project, "apart")
    done = verb("preview")
    assert done.exit_code == 1
    assert "- [mandatory]  whole  (pulumi:pulumi:Stack: small-dev)" in done.stdout


@pytest.mark.parametrize("text", ["forbidden", "apart"])
def test_up_makes_nothing_where_its_preview_violates(lab: RunningLab, text: str) -> None:
    label(lab.project, text)
    with pytest.raises(
        PoliciesError, match=r"^the stack is not up: 1 mandatory violation of policies; nothing was made"
    ):
        up(lab)
    assert made(lab) == NOTHING and not lab.stack_state.exists()
    assert "- [mandatory]" in (lab.project / "said").read_text()


def test_up_stops_before_the_resource_whose_violation_shows_only_then(lab: RunningLab, verb: Verb) -> None:
    """The rule cannot run at preview: the id is AWS's. What stands already stays, as with the CLI."""
    strict = '{"reference": "mandatory"}'
    file = lab.project / "strict.json"
    file.write_text(strict)
    preview = verb("preview", "--policy-pack-config", str(file))
    assert preview.exit_code == 0
    assert "- [advisory]  reference" in preview.stdout and "can't run policy 'reference'" in preview.stdout
    with pytest.raises(deployment.LabError, match="mandatory policy violation: reference"):
        up(lab, strict)
    assert made(lab) == {"vpcs": 1, "subnets": 0}
    assert "- [mandatory]  reference  (aws:ec2/subnet:Subnet: part)" in (lab.project / "said").read_text()


def test_what_is_deployed_is_held_against_rules_that_a_preview_could_not_run(lab: RunningLab, verb: Verb) -> None:
    nothing = verb("policy", "analyze")
    assert nothing.exit_code == 1 and "nothing is deployed" in nothing.stderr
    up(lab)
    assert verb("policy", "analyze").exit_code == 0
    file = lab.project / "strict.json"
    file.write_text('{"reference": "mandatory"}')
    done = verb("policy", "analyze", "--policy-pack-config", str(file))
    assert done.exit_code == 1 and done.stderr == "lab: 1 mandatory violation of policies\n"
    assert "- [mandatory]  reference  (aws:ec2/subnet:Subnet: part)" in done.stdout


def test_wrong_paths_end_with_2_and_a_wrong_configuration_with_1_naming_the_fault(
    lab: RunningLab, verb: Verb, tmp_path: Path
) -> None:
    for words in (
        ("--policy-pack", str(tmp_path / "nowhere")),
        ("--policy-pack", str(lab.project)),
        ("--policy-pack-config", str(tmp_path / "no.json")),
        ("--no-policy", "--policy-pack", str(lab.project / "policy")),
    ):
        for name in ("preview", "up"):
            wrong = verb(name, *words)
            assert wrong.exit_code == 2, (name, words, wrong.output)
    file = tmp_path / "wrong.json"
    file.write_text('{"lable": "mandatory"}')
    done = verb("preview", "--policy-pack-config", str(file))
    assert done.exit_code == 1 and "wrong.json is wrong: lable: the pack has no such rule" in done.stderr


def test_a_pack_that_fails_ends_the_run_and_not_the_gate(lab: RunningLab, verb: Verb) -> None:
    (lab.project / "policy/__main__.py").write_text("raise ValueError('broken')")
    done = verb("preview")
    assert done.exit_code == 1 and "broken" in done.stderr
    pack(
        lab.project / "policy",
        'def bad(args, report):\n    raise KeyError("oops")\nPolicyPack("p", [R("a", "b", bad)])',
    )
    done = verb("preview")
    assert done.exit_code == 1 and "oops" in done.stderr
    with pytest.raises(deployment.LabError, match="oops"):
        up(lab)
    assert made(lab) == NOTHING


def test_a_pulumi_on_path_is_handed_the_pack_and_previews_before_an_up(
    lab: RunningLab, verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "pulumi").write_text(
        '#!/bin/sh\necho "$@" >>"$(dirname "$0")/calls"\n'
        'case "$*" in *output*) echo "{}" ;; preview*) exit "$(cat "$(dirname "$0")/code")" ;; esac\n'
    )
    (directory / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    options = f"--policy-pack {lab.project / 'policy'}"

    def calls() -> list[str]:
        found = (directory / "calls").read_text().splitlines()
        (directory / "calls").unlink()
        return [each for each in found if each.split()[0] in ("preview", "up", "policy")]

    (directory / "code").write_text("0")
    assert verb("preview").exit_code == 0
    assert [each.endswith(options) for each in calls()] == [True]
    up(lab)
    assert [(each.split()[0], options in each) for each in calls()] == [("preview", True), ("up", True)]
    assert verb("policy", "analyze").exit_code == 0
    assert calls() == [f"policy analyze {options} --stack dev"]
    (directory / "code").write_text("255")
    assert verb("preview").exit_code == 1
    with pytest.raises(deployment.LabError, match="the stack is not up"):
        up(lab)
    assert "up" not in {each.split()[0] for each in calls()}


def test_the_projects_own_pack_lets_its_program_up_and_stops_an_image_that_is_not_pinned(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real program and the real pack: a first `up`, its state, and one setting that violates a rule."""
    own = RunningLab(project=PROJECT, paths=lab.paths)
    policies = chosen(PROJECT, "local", None, None)
    assert policies is not None and policies.config == PROJECT / "policy/config/local.json"
    said = io.StringIO()
    progress = Progress(console=Console(file=said, width=400))
    loose = deployment.load(PROJECT, "local", ["imageId=", "imageName=debian-13-amd64-*"])
    with pytest.raises(PoliciesError, match="4 mandatory violations of policies; nothing was made"):
        deployment.up(own, loose, progress=progress, policies=policies)
    assert said.getvalue().count("- [mandatory]  image-pinned  (aws:ec2/instance:Instance: ") == 4
    assert own.ec2().describe_instances()["Reservations"] == []
    settings = deployment.load(PROJECT, "local")
    deployment.up(own, settings, progress=progress, policies=policies)
    assert "✅ lvs-aws@v0.1.0 (local: policy)" in said.getvalue()
    found: list[str] = []
    deployment.analyze(own, settings, policies, say=found.append)
    assert found == ["Policies:\n    ✅ lvs-aws@v0.1.0 (local: policy)"]


@pytest.mark.skipif(
    real_cli.find() is None, reason="no `pulumi` on PATH: the engine's verdicts were not compared with the CLI's"
)
def test_the_cli_gives_the_engines_verdicts(lab: RunningLab, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    executable = real_cli.find()
    for text, expected in (("decent", 0), ("odd", 0), ("forbidden", 1), ("apart", 1)):
        label(lab.project, text)
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        ours = verb("preview")
        monkeypatch.setenv("PATH", f"{executable.parent if executable else ''}:/usr/bin:/bin")
        theirs = verb("preview")
        assert (ours.exit_code, theirs.exit_code) == (expected, expected)
        told = [
            {line.strip() for line in done.stdout.splitlines() if line.strip().startswith("- [")}
            for done in (ours, theirs)
        ]
        assert told[0] == told[1]
