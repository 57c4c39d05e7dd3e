"""The image's file system with rendered user data applied, to run Debian's own tools in; the image stays as it is."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

# A tmpfs holds what is written; a network and a mount namespace of its own hold the rest, and end with the command.
ENTER = """
set -eu
mount -t tmpfs tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
mount -t proc proc "$WORK/root/proc"
mount -t sysfs -o ro sysfs "$WORK/root/sys"
mount --rbind /dev "$WORK/root/dev"
mount --bind "$SHARED" "$WORK/root/mnt"
mount -t tmpfs tmpfs "$WORK/root/run"
cp -a "$FILES/." "$WORK/root/"
exec chroot "$WORK/root" /bin/sh -c "$SCRIPT"
"""


@dataclass(frozen=True, kw_only=True)
class MachineTree:
    """`image` is never written; `files` are what cloud-init's write_files made; `work` is an empty directory.

    `shared` appears as /mnt in the tree.
    """

    image: Path
    files: Path
    work: Path
    shared: Path
    unpack: str

    def command(self, script: str, *, own_network: bool = True) -> Sequence[str]:
        """The command that runs `script` (for sh) in the tree, the archive unpacked as cloud-init would, users made."""
        flags = ["--mount", "--propagation", "private", *(["--net"] if own_network else [])]
        environment = {
            "WORK": self.work, "LOWER": self.image, "FILES": self.files, "SHARED": self.shared,
            "SCRIPT": f"set -eu; {self.unpack}; systemd-sysusers; {script}",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }  # fmt: skip
        return ["env", *(f"{key}={value}" for key, value in environment.items()), "unshare", *flags, "sh", "-c", ENTER]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run `script`; what it said and its exit code, which is not checked."""
        return subprocess.run(self.command(script), capture_output=True, text=True, timeout=120)


def machine_tree(image: Path, user_data: str, directory: Path) -> MachineTree:
    """Do what cloud-init does with write_files (cloud-init's documentation, "Write Files"), into `directory`."""
    config = yaml.safe_load(user_data)
    for name in ("files", "work", "shared"):
        (directory / name).mkdir(parents=True)
    (directory / "shared/user-data").write_text(user_data)
    for entry in config["write_files"]:
        path = directory / "files" / entry["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["content"])
        path.chmod(0o644)
    unpack, _, rest = config["runcmd"][0].partition(" && ")
    assert rest.startswith("/usr/local/lib/lvs-aws/first-boot.sh && ")
    return MachineTree(
        image=image,
        files=directory / "files",
        work=directory / "work",
        shared=directory / "shared",
        unpack=unpack,
    )
