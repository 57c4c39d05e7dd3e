"""Where the lab keeps its things."""

from pathlib import Path

import pytest

from lab.paths import lab_paths

LONGEST_SOCKET_PATH = 107  # unix(7): sun_path is 108 bytes, one is the terminator


def test_sockets_fit_however_deep_the_project_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_HOME", raising=False)
    paths = lab_paths(Path("/" + "deep/" * 60))
    assert len(str(paths.channel_socket("i-0123456789abcdef0"))) <= LONGEST_SOCKET_PATH
    assert len(str(paths.port_socket("eni-0123456789abcdef0"))) <= LONGEST_SOCKET_PATH


def test_two_labs_do_not_share_sockets_but_share_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_HOME", raising=False)
    one, other = lab_paths(Path("/one")), lab_paths(Path("/other"))
    assert one.run != other.run
    assert one.cache == other.cache


def test_the_environment_moves_home_and_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    paths = lab_paths(Path("/project"))
    assert (paths.home, paths.cache) == (tmp_path / "home", tmp_path / "cache")
