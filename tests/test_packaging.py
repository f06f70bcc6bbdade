"""The wheel carries everything, the installed command works anywhere, and the repository tells nothing of its place."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from command import Terminal
from fenced import files
from lab import ROOT, Lab, merged

import roftbench

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("hydra_plugins", "roftbench")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the wheel into."""
    folder = tmp_path_factory.mktemp("installed")
    options = [
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(folder),
    ]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return folder


def test_the_wheel_holds_configs_data_checkpoints_and_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.getinfo(name).file_size for name in archive.namelist()}
        places = {"roftbench/conf": ROOT / "conf"} | {name: ROOT / "src" / name for name in PACKAGES}
        for place, folder in places.items():
            for path in folder.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    assert held[f"{place}/{path.relative_to(folder).as_posix()}"] == path.stat().st_size
        assert "roftbench/py.typed" in held
        assert any(re.fullmatch(r"roftbench/assets/checkpoints/\w+\.safetensors", name) for name in held)
        assert len([name for name in held if re.fullmatch(r"roftbench/assets/data/\w+\.csv\.gz", name)]) >= 7
        metadata = next(name for name in held if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        licenses = [name for name in held if name.endswith("licenses/LICENSE")]
    assert f"\nVersion: {roftbench.__version__}\n" in text
    assert len(licenses) == 1
    assert {name.split("/")[0] for name in held} == {*PACKAGES, f"roftbench-{roftbench.__version__}.dist-info"}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the history")
def test_the_source_archive_holds_what_the_repository_does(tmp_path: Path) -> None:
    """Its tests need all of it: docs, results, scripts."""
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = tmp_path.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    assert set(tracked) <= held
    assert not [name for name in held if name.startswith((".venv", ".git/", "results/runs"))]


@pytest.mark.slow
def test_the_installed_command_works_from_an_empty_folder(installed: Path, lab: Lab, tmp_path: Path) -> None:
    """With the bundled checkpoint, which is loaded from the wheel."""
    cwd = tmp_path / "empty"
    cwd.mkdir()
    terminal = Terminal.of(lab, cwd, PYTHONPATH=str(installed))
    place = terminal.python("-c", "import roftbench; print(roftbench.__file__)")
    assert place.out.strip() == str(installed / "roftbench" / "__init__.py")
    script = [str(installed / "bin" / "roftbench"), "--version"]
    version = subprocess.run(script, cwd=cwd, env=terminal.env, check=True, capture_output=True, text=True).stdout
    assert version == f"roftbench {roftbench.__version__}\n"
    assert "roftmol " in terminal("list", "methods").out
    # A tenth method beside the others: the one that CONTRIBUTING.md adds.
    for name, text in files(ROOT / "CONTRIBUTING.md").items():
        (installed / "roftbench" / name.removeprefix("src/roftbench/")).write_text(text, encoding="utf-8")
    words = merged(["-m", "model=gin_masking", "method=lp,l1_sp", "train.epochs=1"])
    ended = terminal("run", *words)
    assert ended.code == 0, ended
    records = lab.store.load()
    assert {record.job["method"]["target"] for record in records} == {
        "roftbench.methods.lp.LinearProbing",
        "roftbench.methods.l1_sp.L1SP",
    }
    for record in records:
        assert record.job["model"]["name"] == "gin_masking"
        assert re.fullmatch(r"[0-9a-f]{64}", record.job["model"]["sha256"])
        assert record.env["commit"] is None
    assert list(cwd.iterdir()) == []


def test_the_command_is_on_the_path_of_an_installation() -> None:
    assert PROJECT["project"]["scripts"] == {"roftbench": "roftbench.__main__:main"}
    if found := entry_points(group="console_scripts", name="roftbench"):
        assert {entry.value for entry in found} == {"roftbench.__main__:main"}


def test_one_version_everywhere() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "src/roftbench/__about__.py"
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?({re.escape(roftbench.__version__)}|unreleased)", changes, re.MULTILINE | re.IGNORECASE)


def test_constraints_pin_every_dependency_within_its_range() -> None:
    requirements = pytest.importorskip("packaging.requirements")
    lines = [line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = dict(line.split("==") for line in lines if line)
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    wanted = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"]
    extras = PROJECT["project"]["optional-dependencies"]
    for text in [*wanted, *PROJECT["build-system"]["requires"]]:
        requirement = requirements.Requirement(text)
        if requirement.name == "roftbench":  # an extra that takes in other ones
            assert requirement.extras <= set(extras)
            wanted += [line for extra in requirement.extras for line in extras[extra]]
            continue
        assert requirement.specifier.contains(pins[requirement.name.lower().replace("_", "-")]), text
    assert pins["torch"] == "2.13.0"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_lists_its_targets_and_knows_the_main_job() -> None:
    def make(*arguments: str) -> str:
        return subprocess.run(["make", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    listed = make()
    for target in ("setup", "run", "smoke", "tables", "test", "lint"):
        assert re.search(rf"^  make {target} +\w", listed, re.MULTILINE), target
    assert "bin/roftbench run method=roftmol dataset=esol seed=1" in make("--dry-run", "run", "ARGS=seed=1")


def tracked() -> dict[str, str]:
    """The text files of the repository."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    texts = {}
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content:
            texts[name] = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace").read()
    return texts


def test_no_file_names_a_place_of_the_machine_it_was_written_on() -> None:
    home = re.compile(r"(?<![\w.])/(root|Users|home)/\w+")
    here = [str(folder) for folder in (ROOT, Path.home(), Path(sys.prefix)) if len(folder.parts) > 2]
    texts = tracked()
    assert len(texts) > 50
    found = [name for name, text in texts.items() if home.search(text) or any(place + os.sep in text for place in here)]
    assert found == []


def test_no_file_names_a_package_registry() -> None:
    """Packages come from wherever the user's pip looks."""
    registries = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("pytorch", "org/whl"))]
    words = [
        *registries,
        *("".join(parts) for parts in (("artif", "actory"), ("--index", "-url"), ("--find", "-links"))),
    ]
    configured = [
        os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL")
    ]
    words += [value for text in configured for value in text.split() if len(value) > 4]
    found = [(name, word) for name, text in tracked().items() for word in words if word in text]
    assert found == []
