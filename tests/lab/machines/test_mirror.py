import pytest

from lab.machines.errors import MachineError
from lab.machines.mirror import mirror_from

TARGETS = [
    "https://tools.example/apt/|stable|main|Example",
    "http://mirror.example/debian/|bookworm|main|Debian",
    "http://mirror.example/debian/|bookworm-updates|main|Debian",
    "http://other.example/debian-security/|bookworm-security|main|Debian",
]


def test_the_archive_and_its_security_site_of_this_machine() -> None:
    mirror = mirror_from(TARGETS, [])
    assert (mirror.archive, mirror.security) == ("http://mirror.example/debian", "http://other.example/debian-security")
    lines = mirror.sources("trixie", "/k.gpg")
    assert [line.split()[2:4] for line in lines] == [
        ["http://mirror.example/debian", "trixie"],
        ["http://mirror.example/debian", "trixie-updates"],
        ["http://other.example/debian-security", "trixie-security"],
    ]
    assert all("[signed-by=/k.gpg]" in line for line in lines)


def test_before_the_first_update_no_origin_is_known() -> None:
    unknown = ["https://tools.example/apt/|stable|main|", "http://mirror.example/debian/|bookworm|main|"]
    mirror = mirror_from(unknown, [])
    assert (mirror.archive, mirror.security) == (
        "http://mirror.example/debian",
        "http://mirror.example/debian-security",
    )


def test_the_environment_comes_first() -> None:
    mirror = mirror_from(TARGETS, [], override="http://mine.example/debian/")
    assert (mirror.archive, mirror.security) == ("http://mine.example/debian", "http://mine.example/debian-security")


def test_only_the_settings_a_way_to_the_mirror_needs_are_carried() -> None:
    settings = [
        'Acquire::http::Proxy "http://proxy.example:3142";',
        'Acquire::http::ProxyAutoDetect "/bin/x";',
        'Acquire::Check-Date "false";',
        'Dir::Cache "var/cache/apt";',
    ]
    assert mirror_from(TARGETS, settings).apt_settings == (settings[0], settings[2])


def test_no_debian_archive_says_what_to_do() -> None:
    with pytest.raises(MachineError, match="LAB_DEBIAN_MIRROR"):
        mirror_from(["http://archive.example/ubuntu/|noble|main|Ubuntu"], [])
