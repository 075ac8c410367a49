"""The Dockerfile built by a real engine, without a registry: buildah, on bases made anew from Debian's packages.

What stands in for the two bases, which a registry would serve:

- of `gcr.io/distroless/python3-debian12` exactly the packages that its makers list, unpacked over each other as they do
  it (https://github.com/GoogleContainerTools/distroless: static, base, cc, python3);
- of `python:3.11-slim-bookworm` the least of a Debian that installs packages, with pip, and Debian's Python where that
  image has its own.

Everything else is the Dockerfile's: each step runs as it is written. It needs root, as the engine does here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.programs import debian

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "Dockerfile"
_PATIENCE: Final = 600
_ENGINE = (
    "buildah", "golang-github-containers-common", "golang-github-containers-image",
    "libgpgme11", "libassuan0", "libgpg-error0", "libdevmapper1.02.1", "libseccomp2",
)  # fmt: skip
_DISTROLESS = (
    # static
    "base-files", "netbase", "tzdata", "media-types", "ca-certificates",
    # base, cc
    "libc6", "libssl3", "libgcc-s1", "libgomp1", "libstdc++6", "gcc-12-base",
    # python3
    "libbz2-1.0", "libcom-err2", "libcrypt1", "libdb5.3", "libexpat1", "libffi8", "libgssapi-krb5-2", "libk5crypto3",
    "libkeyutils1", "libkrb5-3", "libkrb5support0", "liblzma5", "libncursesw6", "libnsl2", "libpython3.11-minimal",
    "libpython3.11-stdlib", "libreadline8", "libsqlite3-0", "libtinfo6", "libtirpc3", "libuuid1", "python3-distutils",
    "python3.11-minimal", "zlib1g",
)  # fmt: skip
_SLIM = ("?essential", "apt", "usr-is-merged", *_DISTROLESS, "python3-pip")
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAY = (
    'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && mount -t overlay overlay -o "lowerdir=$1/etc:/etc" /etc'
    " && echo laid && exec cat"
)
"""The engine with its libraries and settings over the machine's, for a place of its own, until its input ends."""
_ENTER = (
    'root=$1 mounted=$2 work=$3 store=$4 && shift 4 && mount --bind "$root" "$root" && mount -o remount,bind,ro "$root"'
    ' && mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" && mount -t tmpfs tmpfs "$root/tmp"'
    ' && mount -t tmpfs -o uid=65532,gid=65532,mode=0700 tmpfs "$root$work"'
    ' && mount --bind -o ro "$mounted" "$root/home" && { [ -z "$store" ] || mount --bind "$store" "$root/run"; }'
    ' && exec setpriv --no-new-privs /usr/sbin/chroot --userspec=65532:65532 --groups= "$root" "$@"'
)
"""As a cluster starts it: nobody, a root that cannot be written, and folders that can.

It can make no namespace of users, as in most clusters: the kernel lets nobody do so whose root was changed
(user_namespaces(7)).
"""


def bases() -> list[str]:
    """What the Dockerfile takes from a registry."""
    text = DOCKERFILE.read_text("utf-8")
    stages = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", text))
    return sorted({name for name in re.findall(r"(?m)^FROM (\S+)", text) if name not in stages})


@dataclass(frozen=True, slots=True)
class Image:
    """A built image, unpacked."""

    mounted: str
    """Where it is, for the engine."""
    place: int
    """The process whose mounts these are."""
    config: Mapping[str, Any]
    """Of the OCI image: `Entrypoint`, `Cmd`, `User`, `Env`, …"""

    @property
    def root(self) -> Path:
        """Where it is, for anybody who reads."""
        return Path(f"/proc/{self.place}/root{self.mounted}")

    @property
    def environ(self) -> dict[str, str]:
        """Of its processes."""
        return dict(one.split("=", 1) for one in self.config["Env"])

    def command(self, mounted: Path, *words: str, store: Path | None = None) -> list[str]:
        """What starts `words` in it; the folder `mounted` is its /home, `store` its /run, which it may write to."""
        places = (self.mounted, str(mounted), self.config["WorkingDir"], str(store or ""))
        inside = ["unshare", "--mount", "sh", "-c", _ENTER, "sh", *places, *words]
        return [*_inside(self.place), *inside]

    def run(
        self, mounted: Path, *words: str, store: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """The end of `words` in it, `more` being variables."""
        return subprocess.run(
            self.command(mounted, *words, store=store),
            env={**self.environ, **more}, capture_output=True, text=True, check=False, timeout=_PATIENCE,
        )  # fmt: skip


class Engine:
    """buildah, with a store of its own below a folder."""

    def __init__(self, folder: Path) -> None:
        assert os.geteuid() == 0, "images are built as root"
        self._folder = folder
        kind = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True).stdout
        self._driver = "vfs" if "overlay" in kind else "overlay"  # an overlay does not stand on another one
        self._place = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _LAY, "sh", debian.tree(*_ENGINE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._place.stdout is not None
        assert self._place.stdout.readline() == "laid\n"
        for root in (_distroless(folder / "distroless"), _python(folder / "python")):
            self._build(root, f"FROM scratch\nCOPY . /\nENV PATH={_PATH}\n", root.name)
            shutil.rmtree(root)

    def close(self) -> None:
        """With the place its mounts go, and what was built."""
        self._place.communicate(timeout=_PATIENCE)
        shutil.rmtree(self._folder)

    def build(self, target: str, dockerfile: str | None = None) -> Image:
        """A target of the Dockerfile."""
        text = dockerfile or DOCKERFILE.read_text("utf-8")
        for base in bases():
            stand_in = "distroless" if "distroless" in base else "python"
            # buildah asks for a name before it looks for one; the text is otherwise as it is
            text = re.sub(rf"(?m)^FROM {re.escape(base)}", f"FROM localhost/{stand_in}", text)
        self._build(ROOT, text, target)
        container = self._run("from", "--pull-never", f"localhost/{target}").strip()
        mounted = self._run("mount", container).strip()
        inspected = json.loads(self._run("inspect", "--type", "image", f"localhost/{target}"))
        return Image(mounted, self._place.pid, inspected["OCIv1"]["config"])

    def _build(self, context: Path, dockerfile: str, name: str) -> None:
        place = self._folder / f"{name}.dockerfile"
        place.write_text(dockerfile, "utf-8")
        ignored = ROOT / ".dockerignore" if context == ROOT else Path(os.devnull)
        self._run(
            "bud", "--isolation", "chroot", "--timestamp", "0", "--pull-never", "--ignorefile", str(ignored),
            *(("--target", name) if context == ROOT else ()), "--file", str(place), "--tag", f"localhost/{name}",
            str(context),
        )  # fmt: skip

    def _run(self, *words: str) -> str:
        store = (
            "--root",
            f"{self._folder}/store",
            "--runroot",
            f"{self._folder}/run",
            "--storage-driver",
            self._driver,
        )
        ran = subprocess.run(
            [*_inside(self._place.pid), "buildah", *store, *words],
            capture_output=True, text=True, check=False, timeout=_PATIENCE,
        )  # fmt: skip
        assert ran.returncode == 0, f"buildah {' '.join(words)}: {ran.stdout[-4000:]}{ran.stderr[-4000:]}"
        return ran.stdout


def _inside(place: int) -> list[str]:
    return ["nsenter", f"--mount=/proc/{place}/ns/mnt", "--"]


def _distroless(root: Path) -> Path:
    shutil.copytree(debian.tree(*_DISTROLESS), root, symlinks=True)
    for name in ("python", "python3"):
        (root / "usr" / "bin" / name).symlink_to("/usr/bin/python3.11")
    return root


def _left_out(folder: str, _: list[str]) -> set[str]:
    """Of what is in a folder; as in every `slim`."""
    return {"doc", "info", "locale", "man"} if folder.endswith("/usr/share") else set()


def _python(root: Path) -> Path:
    shutil.copytree(debian.system(*_SLIM), root, symlinks=True, ignore=_left_out)
    packages = root / "usr/local/lib/python3.11"
    (packages / "site-packages").mkdir(parents=True)
    (packages / "dist-packages").symlink_to("site-packages")  # Debian's name for it
    (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3.11")
    (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink()  # Debian's word against pip; that image has none
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    # the machine may reach the index and Debian through somebody whose authority is its own
    (root / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    shutil.copy(_AUTHORITIES, root / "etc/ssl/certs")
    needless = shutil.ignore_patterns("*appstream", "*packagekit")  # catalogues for desktops
    shutil.copytree("/etc/apt", root / "etc/apt", dirs_exist_ok=True, ignore=needless)
    return root
