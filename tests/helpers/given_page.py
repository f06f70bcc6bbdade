"""What the tests of the report's page ask of its file and of the records behind it."""

import json
import re
from pathlib import Path
from typing import Any

from browser import Browser
from lab import Lab

from roftbench.report.page.html import render
from roftbench.store.record_schema import Record


def data_in(page: Path) -> dict[str, Any]:
    """The data of a page, as its scripts read them."""
    pattern = r'<script type="application/json" id="data">(.*?)</script>'
    [text] = re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


def changed(page: Path, folder: Path, **changes: Any) -> Path:
    """The same page with some of its data changed."""
    out = folder / "changed.html"
    out.write_text(render({**data_in(page), **changes}), encoding="utf-8")
    return out


def behind(lab: Lab, **wanted: str) -> list[Record]:
    """The records whose jobs have such names, in order of their seeds."""
    found = [record for record in lab.store.load() if _matches(record.job, wanted)]
    return sorted(found, key=lambda record: int(record.job["seed"]))


def _matches(job: dict[str, Any], wanted: dict[str, str]) -> bool:
    return all(job[part]["name"] == name for part, name in wanted.items())


def rows(browser: Browser, table: str) -> list[list[str]]:
    """The rows of a table, its head first, each cell as text in one line."""
    script = """return [...document.querySelectorAll(`${arguments[0]} tr`)].map((row) =>
        [...row.children].map((cell) => cell.innerText.replace(/\\s+/g, " ").trim()))"""
    return [list(row) for row in browser.script(script, table)]
