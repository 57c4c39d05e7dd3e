"""Which pack and configuration the options mean, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.gate.choice import ChoiceError, Policies, chosen
from tests.lab.gate.packs import pack


def test_by_default_it_is_the_projects_pack_with_its_config_for_the_stack(tmp_path: Path) -> None:
    assert chosen(tmp_path, "dev", None, None) is None
    own = pack(tmp_path / "policy", "")
    assert chosen(tmp_path, "dev", None, None) == Policies(pack=own, config=None)
    (own / "config").mkdir()
    (own / "config/dev.json").write_text("{}")
    assert chosen(tmp_path, "dev", None, None) == Policies(pack=own, config=own / "config/dev.json")
    assert chosen(tmp_path, "prod", None, None) == Policies(pack=own, config=None)


def test_what_is_named_goes_before(tmp_path: Path) -> None:
    pack(tmp_path / "policy", "")
    other = pack(tmp_path / "other", "")
    config = tmp_path / "c.json"
    config.write_text("{}")
    assert chosen(tmp_path, "dev", other, config) == Policies(pack=other, config=config)


def test_the_options_of_the_cli_name_the_same_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Policies(pack=Path("a"), config=Path("c.json")).options == (
        "--policy-pack",
        str(tmp_path / "a"),
        "--policy-pack-config",
        str(tmp_path / "c.json"),
    )
    assert Policies(pack=Path("a"), config=None).options == ("--policy-pack", str(tmp_path / "a"))


def test_what_is_no_pack_and_no_file_is_refused(tmp_path: Path) -> None:
    half = pack(tmp_path / "half", "")
    (half / "__main__.py").unlink()
    whole = pack(tmp_path / "whole", "")
    for directory, config, words in (
        (tmp_path / "nowhere", None, "nowhere is no policy pack: it has no PulumiPolicy.yaml"),
        (half, None, "half is no policy pack: it has no __main__.py"),
        (whole, tmp_path / "no.json", "there is no file .*no.json"),
        (None, tmp_path / "no.json", "configures a policy pack, and there is none"),
    ):
        with pytest.raises(ChoiceError, match=words):
            chosen(tmp_path, "dev", directory, config)
