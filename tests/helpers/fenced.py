"""Fenced blocks of Markdown pages."""

import re
from pathlib import Path


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the fenced blocks of a page, what stands behind the opening fence and the lines of the block."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def files(page: Path) -> dict[str, str]:
    """Return the blocks of a page that have a file's name as title, by that name."""
    titled = ((re.search(r'title="(.+)"', info), text) for info, text in blocks(page))
    return {found[1]: text for found, text in titled if found}
