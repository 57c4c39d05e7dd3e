"""The image without the load balancer, and the archive its machines install it from, read by its own apt."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab.machines.image import Image
from lab.machines.rootfs import ARCHIVE_KEYRING, STOCK
from userdata.templates import HERE

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]

# The tree stays as it is: what apt writes goes into a tmpfs, in a mount namespace that ends with the script.
INSTALL = """
set -eu
mount -t tmpfs tmpfs "$TREE/tmp"
mount --bind "$PACKAGES" "$TREE/mnt"
mkdir -p "$TREE/tmp/lists/partial" "$TREE/tmp/cache/archives/partial"
sed 's|http://[^/]*|copy:/mnt|' "$TREE/etc/apt/sources.list" >"$TREE/tmp/sources.list"
apt() {
    chroot "$TREE" apt-get -q -o Dir::Etc::sourcelist=/tmp/sources.list -o Dir::State::lists=/tmp/lists \
        -o Dir::Cache=/tmp/cache -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any "$@"
}
apt update
apt install --simulate --no-install-recommends $WANTED
"""


def asked_for(role: str) -> list[str]:
    """What the user data of a role installs."""
    script = (HERE / role / "root/usr/local/lib/lvs-aws/first-boot.sh").read_text()
    [words] = re.findall(r'install-packages\.sh" (.+)', script)
    return str(words).split()


@pytest.fixture
def tree(stock_image: Image) -> Path:
    return stock_image.rootfs


def test_nothing_of_the_load_balancer_is_in_it(tree: Path) -> None:
    listed = subprocess.run(
        ("chroot", str(tree), "dpkg-query", "-W", "-f", "${Package}\n"), check=True, capture_output=True, text=True
    )
    installed = set(listed.stdout.split())
    assert set(STOCK.packages) <= installed
    assert not {*STOCK.offered, "nginx-common", "python3-botocore"} & installed
    assert not list(tree.glob("var/log/dpkg.log*")), "the log of dpkg would not tell what a first boot installs"
    assert not list(tree.glob("var/lib/apt/lists/*_*"))


def test_it_takes_packages_from_the_lab_and_trusts_the_labs_key_for_them(tree: Path) -> None:
    source = f"deb [signed-by=/{ARCHIVE_KEYRING}] http://packages.lab.test/debian trixie main"
    assert (tree / "etc/apt/sources.list").read_text().splitlines() == [source]
    assert not list((tree / "etc/apt/sources.list.d").iterdir())
    assert b"PRIVATE" not in (tree / ARCHIVE_KEYRING).read_bytes()


@pytest.mark.parametrize("role", ["director", "web_server"])
def test_its_apt_finds_all_that_user_data_asks_for(stock_image: Image, role: str) -> None:
    wanted = asked_for(role)
    assert wanted
    script = ("env", f"TREE={stock_image.rootfs}", f"PACKAGES={stock_image.packages}", f"WANTED={' '.join(wanted)}")
    done = subprocess.run((*script, "unshare", "--mount", "sh", "-c", INSTALL), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    would = set(re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE))
    assert set(wanted) - set(STOCK.packages) <= would
