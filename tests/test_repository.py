"""Files about the repository itself: they parse, and the facts that they repeat from elsewhere are current."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import ROOT

import roftbench

GUIDES = [ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT", "CHANGELOG")]
FORGE = ROOT / ".github"
YAML_FILES = [*sorted(FORGE.rglob("*.yml")), ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml"]
FORMS = sorted(path for path in (FORGE / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
CALLING_MAKE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "Dockerfile", *sorted(FORGE.rglob("*.*"))]
SECTIONS = ["Added", "Changed", "Fixed", "Numbers"]


def content(path: Path) -> Any:
    """Return what a YAML file holds; `on` is a truth value in it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def pythons() -> list[str]:
    """Return the minor versions of Python that the package supports."""
    prefix = "Programming Language :: Python :: 3."
    return [f"3.{line.removeprefix(prefix)}" for line in project()["classifiers"] if line.startswith(prefix)]


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml_file_parses(path: Path) -> None:
    assert isinstance(content(path), dict)


def test_workflow_tests_every_supported_python() -> None:
    jobs = content(FORGE / "workflows" / "ci.yml")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == pythons()
    assert project()["requires-python"] == f">={pythons()[0]}"


def test_guide_and_image_use_supported_pythons() -> None:
    assert f"Python {pythons()[0]} to {pythons()[-1]}" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [image] = re.findall(
        r"^FROM python:([\d.]+)-slim$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert image in pythons()


def test_release_waits_for_the_tests_and_publishes_without_a_token() -> None:
    jobs = content(FORGE / "workflows" / "release.yml")["jobs"]
    assert (ROOT / jobs["ci"]["uses"]).is_file()
    assert set(jobs["publish"]["needs"]) == {"ci", "build"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert not any("with" in step and "password" in step["with"] for step in jobs["publish"]["steps"])


def test_citation_names_this_version_and_the_paper() -> None:
    citation = content(ROOT / "CITATION.cff")
    assert citation["version"] == roftbench.__version__
    assert citation["license"] == project()["license"]
    assert citation["repository-code"] == project()["urls"]["Repository"]
    paper = citation["preferred-citation"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert paper["title"] in readme
    assert ", ".join(f"{who['given-names']} {who['family-names']}" for who in paper["authors"]) in readme


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_form_has_what_a_forge_requires(path: Path) -> None:
    form = content(path)
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(set(ids)) == len(ids) > 0
    assert all(field["attributes"].get("label") for field in form["body"] if field["type"] != "markdown")


@pytest.mark.parametrize("path", CALLING_MAKE, ids=lambda path: path.name)
def test_make_targets_that_a_file_names_exist(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(
        r"(?:^|`|run: |# |RUN |roftbench )make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert set(named) <= set(targets)


def test_image_runs_the_two_commands_of_the_readme() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert text.endswith('CMD ["make", "run"]\n')
    for command in ("make run", "make test"):
        assert command in text
        assert command in (ROOT / "README.md").read_text(encoding="utf-8")


def test_image_leaves_out_what_git_ignores() -> None:
    ignored, left_out = (
        {line.strip("/").removeprefix("**/") for line in (ROOT / name).read_text().splitlines() if line[:1] not in "#"}
        for name in (".gitignore", ".dockerignore")
    )
    assert left_out == ignored | {".git"}


def test_hooks_use_the_pinned_linter() -> None:
    hooks = [hook for repo in content(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wanted = [name for hook in hooks for name in hook.get("additional_dependencies", [])]
    assert len(wanted) == 2
    assert set(wanted) <= set(pins)


@pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
def test_guide_names_files_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s:]+)\)", text)}
    assert [link for link in links if link and not (ROOT / link).exists()] == []
    if page.stem == "CONTRIBUTING":
        paths = re.findall(r"`([\w./]+/[\w./]+\.(?:py|yml))`", text)
        assert len(paths) > 5
        assert [
            path for path in paths if not any((root / path).is_file() for root in (ROOT, ROOT / "src/roftbench"))
        ] == []


def test_changelog_has_its_sections() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.index("## Unreleased") == text.index("## ")
    versions = re.split(r"^## .*\n", text, flags=re.MULTILINE)[1:]
    assert all(re.findall(r"^### (.+)$", version, re.MULTILINE) == SECTIONS for version in versions)
