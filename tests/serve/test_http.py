"""The page over HTTP: what it answers, and what it refuses with one message and a status code."""

import csv
import io
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from command import Command
from lab import Lab
from served import Served

from roftbench.serve.limits import MOST_BYTES

TABLE = "id,smiles,note\n1,CCO,=1+1\n2,nope,\n3,c1ccccc1O,<script>alert(1)</script>\n"


def rows(served: Served, content: Any, kind: str = "text/csv") -> list[dict[str, Any]]:
    answer = served.post(content, kind)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


def test_the_page_holds_the_card_and_may_ask_nobody_else(served: Served, kept: Lab) -> None:
    page = served.get("/")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert "<h1>solubility</h1>" in page.text
    assert "90 % interval" in page.text
    assert "<h2>Intended range and limits</h2>" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert set(re.findall(r"'[^']+'|https?:", policy)) == {"'none'", "'self'"}
    for name in re.findall(r'(?:href|src)="([^"#]+)"', page.text.partition("</head>")[0]):
        asset = served.get(f"/{name}")
        assert (asset.status_code, asset.headers["x-content-type-options"]) == (200, "nosniff")
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", asset.text)


def test_the_downloaded_table_is_that_of_predict(served: Served, kept: Lab, cli: Command, tmp_path: Path) -> None:
    answer = served.post(TABLE).json()
    table = served.get(f"/predictions/{answer['result']}.csv")
    assert table.headers["content-disposition"] == 'attachment; filename="predictions.csv"'
    (tmp_path / "in.csv").write_text(TABLE)
    given = (f"input={tmp_path / 'in.csv'}", "output=out.csv", "device=cpu", f"paths.results={kept.results}")
    assert cli("predict", "model=solubility", *given).code == 0
    assert table.content == Path("out.csv").read_bytes()
    expected = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["name"] for row in answer["rows"]] == ["1", "2", "3"]
    for row, cells in zip(answer["rows"], expected, strict=True):
        assert [one["text"] for one in row["values"]] == [cells["solubility_predicted"]] * bool(row["values"])
        assert row["reason"] == cells["reason"]
    [value] = answer["rows"][0]["values"]
    assert value["numbers"] == [float(value[end]) for end in ("text", "low", "high")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CCO ethanol\n\n  c1ccccc1\tthe ring \n", [("CCO", "ethanol"), ("c1ccccc1", "the ring")]),
        ("smiles\nCCO\n", [("CCO", "")]),
        ("SMILES Name \nCCO x\n", [("CCO", "x")]),
        ("CCO |$a;b;c$| named", [("CCO |$a;b;c$|", "named")]),
        ("Compound ID\tSMILES\nA-1\tCCO\nA-2\tC,C\n", [("CCO", "A-1"), ("C,C", "A-2")]),
        ("smiles;name\nCCO;x\n", [("CCO", "x")]),
        ('CC"O\n=1+1\n', [('CC"O', ""), ("=1+1", "")]),
        ("CCO <img src=x onerror=alert(1)>\u202e", [("CCO", "<img src=x onerror=alert(1)>\\u202e")]),
    ],
)
def test_pasted_lines_and_cells_are_read(served: Served, text: str, expected: list[tuple[str, str]]) -> None:
    assert [(row["smiles"], row["name"]) for row in rows(served, {"smiles": text})] == expected


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfCCO ethanol\nC\tm\xc3\xa9thane\n", b"CCO ethanol\r\nC m\xe9thane"])
def test_a_list_of_smiles_is_read_as_if_pasted(served: Served, content: bytes) -> None:
    found = [(row["smiles"], row["name"]) for row in rows(served, content, "chemical/x-daylight-smiles")]
    assert found == [("CCO", "ethanol"), ("C", "méthane")]


def test_other_tables_are_read_by_their_type(served: Served) -> None:
    assert len(rows(served, "smiles\tid\nCCO\t7\n", "text/tab-separated-values")) == 1
    again = served.get(f"/predictions/{served.post(TABLE).json()['result']}.csv").text
    assert [len(row["values"]) for row in rows(served, again)] == [1, 0, 1]  # columns of these names are there already


def test_structures_are_drawn_and_nothing_else(served: Served) -> None:
    answer = served.post({"smiles": "c1ccccc1O\nnope\n" + "C" * 300}).json()
    for place, status in ((0, 200), (1, 422), (2, 422), (3, 404)):
        drawn = served.get(f"/predictions/{answer['result']}/{place}.svg")
        assert drawn.status_code == status, drawn.text
    picture = served.get(f"/predictions/{answer['result']}/0.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture.text).iter()}
    assert "path" in tags
    assert not tags & {"script", "foreignObject", "image", "a"}


def test_the_nearest_training_molecule_is_named_and_drawn(served: Served) -> None:
    answer = served.post({"smiles": "Clc1ccccc1"}).json()
    [row] = answer["rows"]
    assert row["neighbor"]["name"].startswith("CMP-")
    assert float(row["neighbor"]["labels"]["solubility"]) < 0
    assert row["domain"] in ("yes", "edge", "no")
    drawn = served.get(f"/predictions/{answer['result']}/0/neighbor.svg")
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")


def test_huge_smiles_are_rows_with_a_reason(served: Served) -> None:
    found = rows(served, {"smiles": f"{'C' * 3000}\n{'C' * 200_000}\n{'(' * 50_000}\nCCO"})
    assert [bool(row["values"]) for row in found] == [False, False, False, True]
    assert "at most 2,000 atoms" in found[0]["reason"]
    assert all(row["reason"] for row in found[:3])


def _megabytes() -> Iterator[bytes]:
    for _ in range(100):
        yield b"x" * 1_000_000


REFUSED: dict[str, tuple[Any, str, dict[str, str], int, str]] = {
    "another host": (TABLE, "text/csv", {"Host": "evil.example:80"}, 421, "this page answers at"),
    "the right host at another port": (TABLE, "text/csv", {"Host": "127.0.0.1:1"}, 421, "this page answers at"),
    "another origin": (TABLE, "text/csv", {"Origin": "http://evil.example"}, 403, "other pages"),
    "no origin at all": (TABLE, "text/csv", {"Origin": "null"}, 403, "other pages"),
    "another site": (TABLE, "text/csv", {"Sec-Fetch-Site": "cross-site"}, 403, "other pages"),
    "a form": (TABLE, "application/x-www-form-urlencoded", {}, 415, "application/json"),
    "a form with files": (TABLE, "multipart/form-data; boundary=x", {}, 415, "application/json"),
    "plain text": (TABLE, "text/plain", {}, 415, "text/csv"),
    "no type": (TABLE, "", {}, 415, "text/csv"),
    "compressed content": (TABLE, "text/csv", {"Content-Encoding": "gzip"}, 415, "compressed"),
    "an archive": (b"PK\x03\x04xl/workbook.xml", "text/csv", {}, 415, "save the table as CSV"),
    "a parquet file": (b"PAR1xxxxPAR1", "text/csv", {}, 415, "save the table as CSV"),
    "UTF-16": (TABLE.encode("utf-16"), "text/csv", {}, 415, "UTF-8"),
    "no JSON": ("{", "application/json", {}, 422, "no JSON"),
    "JSON of another form": ("[" * 100_000, "application/json", {}, 422, "no JSON"),
    "JSON of a number": ('{"smiles": 7}', "application/json", {}, 422, "no JSON"),
    "nothing": ('{"smiles": " \\n "}', "application/json", {}, 422, "paste one per line"),
    "an empty table": ("", "text/csv", {}, 422, "the table"),
    "a table without SMILES": ("a,b\n1,2\n", "text/csv", {}, 422, "the table has no column called smiles"),
    "too many molecules": ("smiles\n" + "CCO\n" * 41, "text/csv", {}, 413, "at most 40"),
    "100 MB": (_megabytes, "text/csv", {}, 413, f"more than {MOST_BYTES // 1_000_000} MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_has_one_message_and_a_status(served: Served, case: str) -> None:
    content, kind, headers, status, part = REFUSED[case]
    answer = served.post(content, kind, **headers)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert part in answer.json()["error"]
    assert "/tmp" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"]


def test_paths_and_methods_that_are_not_there(served: Served) -> None:
    for path in ("/nope", "/../../etc/passwd", "/predictions/x.csv", "/predictions/x/0.svg", "/predictions/x/-1.svg"):
        assert (served.get(path).status_code, list(served.get(path).json())) == (404, ["error"])
    assert served.get("/predictions").status_code == 405


def test_the_page_is_for_this_machine_alone(served: Served) -> None:
    assert served.get("/", Host="localhost:" + served.address.rpartition(":")[2]).status_code == 200
    assert served.get("/", Host="rebound.example").status_code == 421
    port = int(served.address.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pass


def test_a_head_without_end_is_cut_off(served: Served) -> None:
    port = int(served.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        assert connection.recv(64).startswith(b"HTTP/1.1 4")


def test_too_many_requests_are_told_when_to_come_again(served: Served) -> None:
    while (found := requests.post(f"{served.address}/predictions", timeout=60)).status_code == 415:
        pass
    assert found.status_code == 429
    assert int(found.headers["retry-after"]) >= 1
    assert "too many requests" in found.json()["error"]
    assert served.get("/").status_code == 200
    assert len(rows(served, {"smiles": "CCO"})) == 1  # a moment later, after all that was refused before
