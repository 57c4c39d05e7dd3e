"""The lab's package archive: what apt reads of it, with apt itself."""

import subprocess
from pathlib import Path

import pytest

from lab.machines.archive_key import ArchiveKey, ensure_archive_key
from lab.machines.errors import MachineError
from lab.machines.packages import pool_of, sources_line, write_index


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ArchiveKey:
    return ensure_archive_key(tmp_path_factory.mktemp("authority"))


def package(directory: Path, version: str, file_name: str) -> Path:
    tree = directory / "tree"
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: hello\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <n@lab.test>\n"
        "Description: says hello\n and no more\n"
    )
    built = directory / file_name
    subprocess.run(("dpkg-deb", "--build", str(tree), str(built)), check=True, capture_output=True)
    return built


@pytest.fixture
def root(tmp_path: Path, key: ArchiveKey) -> Path:
    """An archive with one package, whose version has an epoch."""
    root = tmp_path / "packages"
    package(tmp_path, "1:2.0-1", "built.deb").rename(pool_of(root) / "hello_1%3a2.0-1_all.deb")
    assert write_index(root, key.sign) == 1
    return root


def apt(directory: Path, root: Path, certificate: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """This machine's apt-get with nothing but the archive in its sources."""
    for name in ("lists/partial", "archives/partial", "parts"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "status").touch()
    line = sources_line(str(certificate)).replace("http://packages.lab.test", f"copy:{root}")
    (directory / "sources.list").write_text(line + "\n")
    settings = {
        "Dir::Etc::sourcelist": directory / "sources.list", "Dir::Etc::sourceparts": directory / "parts",
        "Dir::State::lists": directory / "lists", "Dir::State::status": directory / "status",
        "Dir::Cache": directory, "APT::Architecture": "amd64", "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",
    }  # fmt: skip
    options = [f"--option={name}={value}" for name, value in settings.items()]
    return subprocess.run(["apt-get", *options, *words], capture_output=True, text=True, cwd=directory, timeout=60)


def test_apt_trusts_the_archive_and_finds_its_package(tmp_path: Path, root: Path, key: ArchiveKey) -> None:
    update = apt(tmp_path, root, key.certificate, "update")
    assert update.returncode == 0, update.stderr
    fetched = apt(tmp_path, root, key.certificate, "download", "hello")
    assert fetched.returncode == 0, fetched.stderr
    assert sorted(path.name for path in (root / "debian/pool").iterdir()) == ["hello_2.0-1_all.deb"]


def test_apt_refuses_an_index_that_somebody_changed(tmp_path: Path, root: Path, key: ArchiveKey) -> None:
    index = root / "debian/dists/trixie/InRelease"
    index.write_text(index.read_text().replace("Label: lvs-aws lab", "Label: someone"))
    assert apt(tmp_path, root, key.certificate, "update").returncode != 0


def test_apt_refuses_another_key(tmp_path: Path, root: Path) -> None:
    other = ensure_archive_key(tmp_path / "other")
    assert apt(tmp_path, root, other.certificate, "update").returncode != 0


def test_apt_refuses_a_package_that_somebody_changed(tmp_path: Path, root: Path, key: ArchiveKey) -> None:
    [served] = (root / "debian/pool").iterdir()
    served.write_bytes(served.read_bytes()[:-1] + b"x")
    assert apt(tmp_path, root, key.certificate, "update").returncode == 0
    assert apt(tmp_path, root, key.certificate, "download", "hello").returncode != 0


def test_an_empty_pool_and_what_is_no_package_are_told(tmp_path: Path, key: ArchiveKey) -> None:
    with pytest.raises(MachineError, match="no packages were downloaded"):
        write_index(tmp_path, key.sign)
    (pool_of(tmp_path) / "x_1_all.deb").write_text("no package")
    with pytest.raises(MachineError, match=r"x_1_all\.deb is no package"):
        write_index(tmp_path, key.sign)


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    made = ensure_archive_key(tmp_path)
    before = made.key.read_bytes(), made.certificate.read_bytes()
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in made.certificate.read_bytes()
    assert ensure_archive_key(tmp_path) == made
    assert (made.key.read_bytes(), made.certificate.read_bytes()) == before
    made.certificate.unlink()  # as where the making was interrupted
    assert ensure_archive_key(tmp_path).certificate.exists()


def test_a_missing_tool_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"sqop.*make setup"):
        ensure_archive_key(tmp_path)
