"""MkDocs hook: files of the repository that pages link to become pages of the site, so that its links work."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
FOLDER = "repository/"  # of the site, for files outside docs/
LINK = re.compile(r"(?<=\]\()[^)#\s:]+(?=[)#])")  # a relative address, without its anchor
UNCHANGED = {".md", ".svg", ".png", ".pdf", ".csv"}  # files with another suffix are shown as code


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files that pages link to, and those that linked Markdown files link to, to the site."""
    for path in sorted(_linked(files)):
        if Path(path).suffix in UNCHANGED:
            file = File.generated(config, _uri(path), abs_src_path=str(ROOT / path))
        else:
            file = File.generated(config, _uri(path), content=_code_page(path))
        file.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page with links to files of the repository leading to the pages of these files."""
    here = page.file.src_uri
    origin = here.removeprefix(FOLDER) if here.startswith(FOLDER) else DOCS + here
    if not (ROOT / origin).is_file():  # a page that shows code
        return markdown

    def translated(link: re.Match[str]) -> str:
        target = _target(origin, link[0])
        return link[0] if target is None else posixpath.relpath(_uri(target), posixpath.dirname(here))

    return LINK.sub(translated, markdown)


def _linked(files: Files) -> set[str]:
    """Return the paths, relative to the repository, of the files outside docs/ that pages lead to."""
    found: set[str] = set()
    waiting = [DOCS + file.src_uri for file in files.documentation_pages()]
    while waiting:
        origin = waiting.pop()
        for link in LINK.findall((ROOT / origin).read_text(encoding="utf-8")):
            target = _target(origin, link)
            if target is not None and target not in found and not target.startswith(DOCS):
                found.add(target)
                waiting += [target] if target.endswith(".md") else []
    return found


def _target(origin: str, link: str) -> str | None:
    """Return the path of the file that a link in the file `origin` names, or None if there is no such file."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    return path if not path.startswith("..") and (ROOT / path).is_file() else None


def _uri(path: str) -> str:
    """Return the site's source path of a file of the repository."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return FOLDER + path if Path(path).suffix in UNCHANGED else f"{FOLDER}{path}.md"


def _code_page(path: str) -> str:
    """Return a page that shows a text file; the site's search leaves it out."""
    text = (ROOT / path).read_text(encoding="utf-8").rstrip()
    language = Path(path).suffix.removeprefix(".")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n``````{language}\n{text}\n``````\n"
