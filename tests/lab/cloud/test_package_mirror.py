"""The package mirror's answers, as apt asks."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from werkzeug.test import Client

from lab.cloud.package_mirror import PackageMirror


@pytest.fixture
def root(tmp_path: Path) -> Path:
    served = tmp_path / "packages"
    (served / "debian/pool").mkdir(parents=True)
    (served / "debian/pool/hello_1+x_all.deb").write_bytes(b"0123456789")
    (tmp_path / "secret").write_text("no")
    return served


@pytest.fixture
def mirror(root: Path) -> Client:
    return Client(PackageMirror(lambda: root))


def test_a_file_and_a_broken_off_download_of_it(mirror: Client) -> None:
    whole = mirror.get("/debian/pool/hello_1+x_all.deb")
    assert (whole.status_code, whole.data) == (200, b"0123456789")
    rest = mirror.get("/debian/pool/hello_1+x_all.deb", headers={"Range": "bytes=4-"})
    assert (rest.status_code, rest.data) == (206, b"456789")
    assert mirror.head("/debian/pool/hello_1+x_all.deb").data == b""


def test_a_file_that_did_not_change_is_not_sent_again(mirror: Client) -> None:
    modified = mirror.get("/debian/pool/hello_1+x_all.deb").headers["Last-Modified"]
    again = mirror.get("/debian/pool/hello_1+x_all.deb", headers={"If-Modified-Since": modified})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/debian/pool", "/debian/none", "/../secret", "/debian/../../secret", "/"])
def test_what_is_not_there_and_what_is_elsewhere(mirror: Client, path: str) -> None:
    assert mirror.get(path).status_code == 404


def test_nothing_is_written(mirror: Client) -> None:
    assert mirror.put("/debian/pool/new.deb", data=b"x").status_code == 405


def test_before_an_image_with_packages_is_built_there_is_nothing() -> None:
    assert Client(PackageMirror(lambda: None)).get("/debian/pool/hello_1+x_all.deb").status_code == 404


def test_the_log_says_who_got_what(mirror: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        mirror.get("/debian/pool/hello_1+x_all.deb", environ_overrides={"REMOTE_ADDR": "203.0.113.7"})
        mirror.get("/debian/none", environ_overrides={"REMOTE_ADDR": "203.0.113.8"})
    assert [record.getMessage() for record in caplog.records] == [
        "203.0.113.7 /debian/pool/hello_1+x_all.deb 200 10",
        "203.0.113.8 /debian/none 404 0",
    ]
