"""The stacks in the tree are what docs/environments.md says they are."""

import json
from typing import Any

import pulumi
import pytest
import yaml

from components.settings import SettingsError, settings_from
from tests.components.recorded_program import IMAGE, ROOT, Recording, run_program

STACKS = ("dev", "local", "prod")


def document(stack: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())


def stack_config(stack: str) -> dict[str, Any]:
    """A stack's config as the program's core sees it."""
    return {key.removeprefix("lvs-aws:"): value for key, value in document(stack)["config"].items()}


def as_pulumi(config: dict[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def test_these_stacks_are_in_the_tree_and_on_the_page() -> None:
    assert sorted(file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml")) == sorted(STACKS)
    page = (ROOT / "docs/environments.md").read_text()
    for stack in STACKS:
        assert f"\n| `{stack}` | " in page


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_a_stack_deploys_as_it_is(stack: str) -> None:
    recording = run_program(as_pulumi(document(stack)["config"]), stack=stack)
    assert len(recording.of_type("Instance")) == 4
    assert not [one.name for one in recording.registrations if one.request.protect]


def test_dev_looks_an_image_up_and_local_pins_one() -> None:
    dev, local = settings_from(stack_config("dev")), settings_from(stack_config("local"))
    assert (dev.image_id, dev.image_name) == ("", "debian-13-amd64-*")
    assert local.image_id
    assert not (dev.production or local.production)


def test_prod_begins_nothing_until_its_image_is_decided_and_says_how() -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as caught:
        run_program(as_pulumi(document("prod")["config"]), stack="prod", recording=recording)
    assert {one.type for one in recording.registrations} <= {"pulumi:pulumi:Stack"}
    first, fault = str(caught.value).splitlines()
    page = (ROOT / "docs/environments.md").read_text()
    assert f"\n    {first}\n" in page
    assert fault.startswith('  lvs-aws:imageId = "": must name the image to boot')
    assert "aws ec2 describe-images --owners 136693071363" in fault
    assert fault[: fault.index(" --owners")] in page


def test_prod_with_its_image_guards_the_elastic_ip_and_looks_nothing_up() -> None:
    recording = run_program({**as_pulumi(document("prod")["config"]), "lvs-aws:imageId": IMAGE}, stack="prod")
    assert {one.name for one in recording.registrations if one.request.protect} == {"elastic-ip", "vpc", "subnet"}
    assert {one.inputs["ami"] for one in recording.of_type("Instance")} == {IMAGE}
    assert recording.invokes == []


@pytest.mark.parametrize(
    ("change", "key"),
    [({"protect": "false"}, "protect"), ({"imageId": "", "imageName": "debian-13-amd64-*"}, "imageName")],
)
def test_prod_cannot_lose_its_guards_by_one_setting(change: dict[str, str], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_from({**stack_config("prod"), "imageId": IMAGE, **change})
    (fault,) = caught.value.faults
    assert fault.key == key
    assert "production" in fault.allowed


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_file_holds_a_secret_in_plain(stack: str) -> None:
    """The schema has no secret key and the program refuses any, so what is in the files is plain and harmless."""
    assert not [
        key for key, entry in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"].items() if "secret" in entry
    ]
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text().lower()
    for word in ("password", "token", "access_key", "akia"):
        assert word not in text
    assert set(document(stack)) <= {"config", "secretsprovider", "encryptionsalt"}


@pytest.mark.cloud
def test_local_pins_the_image_the_lab_boots() -> None:
    from lab.cloud.corrections.images import LAB_IMAGE_ID

    assert settings_from(stack_config("local")).image_id == LAB_IMAGE_ID
