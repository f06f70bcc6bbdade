"""Templates and style sheets of all pages: the report, documents such as advice, and the page of saved models."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

PAGE = Path(__file__).parent


def environment(*folders: Path) -> Environment:
    """Return the environment of templates in these folders and here, which escapes all text."""
    loader = FileSystemLoader([*folders, PAGE])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)


def content(name: str) -> str:
    """Return a file of the pages."""
    return (PAGE / name).read_text(encoding="utf-8")


def styles(*names: str) -> str:
    """Return the colors of all pages and further style sheets, in order."""
    return "\n".join(content(f"{name}.css") for name in ("colors", *names))


def source_hash(text: str) -> str:
    """Return the source expression of a content security policy for this script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
