"""Published files: the order of places, checksums, and downloads over a real connection that may break anywhere."""

import contextlib
import gzip
import io
import json
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from refusals import raises_usage

from roftbench.errors import UsageError
from roftbench.store import downloads as sources
from roftbench.store import gzipped
from roftbench.store import http as download
from roftbench.store.checksums import git_blob
from roftbench.store.downloads import Found, Places, Source, check_places, fetch, present, read

CONTENT = b"smiles,y\r\n" + b"".join(b"C%dO,%d\r\n" % (n, n % 7) for n in range(40_000))
PACKED = gzip.compress(CONTENT, mtime=0)
FLIPPED = PACKED[:1000] + bytes(byte ^ 255 for byte in PACKED[1000:1010]) + PACKED[1010:]
DAMAGED = {
    "empty": b"",
    "other": b"other",
    "short": CONTENT[:-1],
    "short gzip": PACKED[:-20],
    "gzip header": PACKED[:5],
    "long gzip": PACKED + b"x",
    "flipped": FLIPPED,
}
NOWHERE = "http://127.0.0.1:9/a.csv"  # nobody listens at the discard port
LOCAL = ("bundled", "cache", "mirror")
WAIT = 60  # seconds after which a test gives up


class Handler(BaseHTTPRequestHandler):
    """Answers with the function that the server has for the path; the number says which request for it this is."""

    server: "Server"

    def do_GET(self) -> None:
        with self.server.counting:
            self.server.gets[self.path] += 1
            number = self.server.gets[self.path]
        self.server.routes[self.path](self, number)

    def log_message(self, *_: object) -> None:
        pass

    def start(self, length: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def reply(self, body: bytes, status: int = 200, length: int | None = None) -> None:
        self.start(len(body) if length is None else length, status)
        self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for its threads

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Callable[[Handler, int], None]] = {}
        self.gets: Counter[str] = Counter()
        self.counting = threading.Lock()
        self.half_sent = threading.Event()
        self.released = threading.Event()

    def handle_error(self, *_: object) -> None:
        pass  # the other side has hung up, as some tests want

    def serve(self, answer: Callable[[Handler, int], None], path: str = "/a.csv") -> str:
        self.routes[path] = answer
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WAITS", (0.0, 0.0))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "mirror").mkdir()
    return Places(tmp_path / "cache" / "downloads", tmp_path / "mirror")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation's folder of assets, with a copy of the test's file in other bytes."""
    folder = tmp_path / "assets"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv.gz").write_bytes(gzip.compress(b"bundled"))
    monkeypatch.setattr(sources, "ASSETS", folder)
    return folder


def source(*where: str, file: str = "a.csv") -> Source:
    digests = sha256(CONTENT).hexdigest(), sha256(b"bundled").hexdigest()
    return Source("data set a", file, digests[0], where, "data/a.csv.gz", digests[1])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()} if folder.exists() else set()


def put(folder: Path | None, name: str = "a.csv", content: bytes = CONTENT) -> Path:
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def plain(handler: Handler, _: int) -> None:
    handler.reply(CONTENT)


def packed(handler: Handler, _: int) -> None:
    handler.reply(PACKED)


def dribble(handler: Handler, _: int) -> None:
    handler.start(len(PACKED))
    for start in range(0, len(PACKED), len(PACKED) // 10):
        handler.wfile.write(PACKED[start : start + len(PACKED) // 10])
        time.sleep(0.02)


def chunked(handler: Handler, _: int) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT))


def redirect(handler: Handler, number: int) -> None:
    if number == 1:
        handler.send_response(302)
        handler.send_header("Location", handler.path)
        handler.end_headers()
    else:
        handler.reply(CONTENT)


def encoded(handler: Handler, _: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(PACKED)))
    handler.end_headers()
    handler.wfile.write(PACKED)


def wrong(handler: Handler, _: int) -> None:
    handler.reply(b"<html>Log in to the hotel's network</html>")


def damaged_gzip(handler: Handler, _: int) -> None:
    handler.reply(PACKED[: len(PACKED) // 2])


def truncated(handler: Handler, _: int) -> None:
    handler.reply(CONTENT[: len(CONTENT) // 2], length=len(CONTENT))


def cut(handler: Handler, _: int) -> None:
    handler.reply(CONTENT[: len(CONTENT) // 2], length=len(CONTENT))
    linger = struct.pack("ii", 1, 0)  # close() sends a reset in place of an orderly end
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


def silent(handler: Handler, _: int) -> None:
    handler.server.released.wait(WAIT)


def stalled(handler: Handler, _: int) -> None:
    handler.reply(CONTENT[: len(CONTENT) // 2], length=len(CONTENT))
    handler.server.half_sent.set()
    handler.server.released.wait(WAIT)


def hang_up(handler: Handler, _: int) -> None:
    handler.connection.close()


def broken(status: int) -> Callable[[Handler, int], None]:
    return lambda handler, _: handler.reply(b"no", status)


def until(good_from: int, bad: Callable[[Handler, int], None]) -> Callable[[Handler, int], None]:
    return lambda handler, number: (plain if number >= good_from else bad)(handler, number)


# Places of this machine


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the warnings, without the lines that are printed on the way."""
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("place", LOCAL)
@pytest.mark.parametrize("first", LOCAL)
def test_places_are_asked_in_their_order(bundle: Path, places: Places, place: str, first: str) -> None:
    put(places.downloads)
    put(places.mirror)
    order = tuple(dict.fromkeys([first, place, *LOCAL]))
    assert read(source(*order), places) == Found(b"bundled" if first == "bundled" else CONTENT, first)
    assert present(source(*order), places) == first


@pytest.mark.parametrize("place", LOCAL)
def test_the_only_place_that_has_it_is_found(bundle: Path, places: Places, place: str) -> None:
    if place == "bundled":
        content = b"bundled"
    else:
        (bundle / "data" / "a.csv.gz").unlink()
        put(places.downloads if place == "cache" else places.mirror)
        content = CONTENT
    assert present(source(*LOCAL), places) == place
    assert read(source(*LOCAL), places) == Found(content, place)


@pytest.mark.parametrize("folder", ["downloads", "mirror"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("file", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("content", [CONTENT, PACKED], ids=["plain", "gzipped"])
def test_plain_or_gzipped_under_either_name(places: Places, folder: str, name: str, file: str, content: bytes) -> None:
    path = put(getattr(places, folder), name, content)
    wanted = source(*LOCAL, file=file)
    assert present(wanted, places) == {"downloads": "cache", "mirror": "mirror"}[folder]
    assert read(wanted, places).content == CONTENT
    assert path.read_bytes() == content
    assert names(path.parent) == {name}


def test_what_is_present_is_not_read_and_no_address_is_asked(places: Places, server: Server) -> None:
    address = server.serve(plain)
    assert present(source("cache", "mirror", address), places) is None
    put(places.downloads, content=b"damaged")
    assert present(source("cache", "mirror", address), places) == "cache"
    assert not server.gets


def test_a_wrong_bundled_file_is_reported_and_the_next_place_asked(
    bundle: Path, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    put(bundle / "data", "a.csv.gz", b"other")
    put(places.mirror)
    assert read(source(*LOCAL), places).place == "mirror"
    assert [record.name for record in warnings_of(caplog)] == ["roftbench.store.downloads"]
    assert str(bundle / "data" / "a.csv.gz") in caplog.text
    assert (bundle / "data" / "a.csv.gz").exists()


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_in_the_cache_is_reported_and_downloaded_again(
    places: Places, server: Server, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = put(places.downloads, content=content)
    address = server.serve(plain)
    assert read(source("cache", "mirror", address), places) == Found(CONTENT, address)
    assert [record.name for record in warnings_of(caplog)] == ["roftbench.store.downloads"]
    assert str(path) in caplog.text
    assert read(source("cache", "mirror", address), places) == Found(CONTENT, "cache")
    assert server.gets["/a.csv"] == 1


def test_a_damaged_file_does_not_hide_an_intact_one(places: Places) -> None:
    put(places.downloads, "a.csv", b"damaged")
    put(places.downloads, "a.csv.gz", PACKED)
    assert read(source("cache"), places) == Found(CONTENT, "cache")
    assert names(places.downloads) == {"a.csv", "a.csv.gz"}


@pytest.mark.parametrize("task", [read, fetch])
def test_a_file_of_another_content_keeps_its_name(places: Places, server: Server, task: Callable[..., object]) -> None:
    users = put(places.downloads, content=b"the user's")
    wanted = source("cache", server.serve(plain))
    for _ in range(2):
        task(wanted, places)
    with pytest.raises(UsageError, match="another file"):
        read(replace(wanted, sha256="0" * 64, places=("cache",)), places)
    assert users.read_bytes() == b"the user's"
    assert server.gets["/a.csv"] == 1
    assert names(places.downloads) == {"a.csv", f"{sha256(CONTENT).hexdigest()[:16]}-a.csv"}


def test_a_copy_from_the_mirror_overwrites_no_file_of_another_content(places: Places) -> None:
    users = put(places.downloads, content=b"the user's")
    put(places.mirror)
    assert fetch(source("mirror", "cache"), places) == "mirror"
    assert users.read_bytes() == b"the user's"
    assert read(source("cache"), places) == Found(CONTENT, "cache")


@pytest.mark.parametrize(
    "file", ["/etc/a.csv", "../a.csv", "b/a.csv", "b\\a.csv", "..", ".a", "", "a\n", "a\0", "a" * 200]
)
def test_the_name_of_a_file_is_no_path(file: str) -> None:
    with pytest.raises(ValueError, match="name of a file"):
        source("cache", file=file)


@pytest.mark.parametrize("digest", ["../../a", "", "g" * 64, "a" * 63])
def test_a_checksum_is_hexadecimal(digest: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        replace(source("cache"), sha256=digest)


def test_an_endless_download_ends(places: Places, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(handler: Handler, _: int) -> None:
        handler.send_response(200)  # no length: until the connection is closed
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"x" * 65536)

    monkeypatch.setattr(download, "LARGEST", 1 << 20)
    for answer in (endless, lambda handler, _: handler.reply(b"x", length=1 << 40)):
        with pytest.raises(UsageError, match="more than 1,048,576 bytes"):
            read(source("cache", server.serve(answer)), places)
    assert server.gets["/a.csv"] == 2  # each asked once
    assert names(places.downloads) == set()


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipped, "ALWAYS", 1 << 20)
    put(places.mirror, "a.csv.gz", gzip.compress(b"x" * (8 << 20)))
    with pytest.raises(UsageError, match="not plausible"):
        read(source("mirror"), places)


@pytest.mark.parametrize("place", ["https://h/${oc.env:HOME}", "package:a==1:${x}"])
def test_a_reference_in_an_address_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="reference"):
        check_places([place])


def test_a_wrong_file_in_the_mirror_is_reported_and_left_alone(
    places: Places, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(places.mirror, content=b"other")
    address = server.serve(plain)
    assert read(source("mirror", address), places).place == address
    assert path.read_bytes() == b"other"
    assert len(warnings_of(caplog)) == 1
    assert str(path) in caplog.text


@pytest.mark.parametrize("folder", ["downloads", "mirror"])
def test_a_file_that_cannot_be_read_is_passed_over(
    places: Places, server: Server, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    path = put(getattr(places, folder))
    address = server.serve(plain)
    read_bytes = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self == path and not server.gets:
            raise PermissionError(13, os.strerror(13), str(self))
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"Permission denied.*a\.csv"):
        read(source("cache", "mirror"), places)
    assert path.exists()
    assert read(source("cache", "mirror", address), places) == Found(CONTENT, address)


def test_a_folder_that_may_not_be_looked_into_has_nothing(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, os.strerror(13), str(self))

    put(places.downloads)
    monkeypatch.setattr(Path, "is_file", refuse)
    assert present(source("cache", "mirror"), places) is None
    with pytest.raises(UsageError, match=r"cache: .*Permission denied"):
        read(source("cache", "mirror"), places)


def test_the_published_files(shared: Path, tmp_path: Path) -> None:
    entries = json.loads((shared / "data" / "MANIFEST.json").read_text(encoding="utf-8"))["files"]
    assert len(entries) == 13
    for entry in entries:
        file = Source(f"data set {entry['file']}", entry["file"], entry["content"]["sha256"], LOCAL)
        places = Places(tmp_path / "cache", shared / "data")
        assert present(file, places) == "mirror"
        found = read(file, places)
        assert found.place == "mirror"
        assert sha256(found.content).hexdigest() == entry["content"]["sha256"]
        assert not places.downloads.exists()


def by_blob(content: bytes, *where: str) -> Source:
    return Source("model a", "a.csv", None, where, git_blob=git_blob(content), group="model")


def test_where_only_the_git_blob_id_is_known_it_decides(
    places: Places, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    address = server.serve(plain)
    put(places.mirror, content=b"another")
    wanted = by_blob(CONTENT, "cache", "mirror", address)
    assert read(wanted, places) == Found(CONTENT, address)
    assert "bytes, git blob id verified" in capsys.readouterr().out
    assert read(wanted, places) == Found(CONTENT, "cache")
    with pytest.raises(UsageError) as error:
        read(by_blob(b"x", "mirror", address), places)
    assert f"its git blob id is {git_blob(b'another')}, not {git_blob(b'x')}" in str(error.value)
    assert f"its git blob id is {git_blob(CONTENT)}, not {git_blob(b'x')}" in str(error.value)
    assert "roftbench fetch model=a`" in str(error.value)
    assert f"(git blob id of its unpacked content: {git_blob(b'x')})" in str(error.value)


def test_where_both_are_known_both_must_agree(places: Places) -> None:
    put(places.mirror)
    right = replace(by_blob(CONTENT, "mirror"), sha256=sha256(CONTENT).hexdigest())
    assert read(right, places).content == CONTENT
    for wrong_one in ({"sha256": "0" * 64}, {"git_blob": "0" * 40}):
        with pytest.raises(UsageError, match=f"not {next(iter(wrong_one.values()))}"):
            read(replace(right, **wrong_one), places)


def test_a_file_without_any_checksum_is_never_taken(places: Places) -> None:
    put(places.mirror)
    with pytest.raises(UsageError, match="no checksum of it is known"):
        read(replace(by_blob(CONTENT, "mirror"), git_blob=None), places)


def test_only_places_and_addresses_are_places() -> None:
    check_places([*LOCAL, NOWHERE, "https://example.org/a.csv"])
    with pytest.raises(ValueError, match=r"'cahce'.*Did you mean 'cache'"):
        check_places(["bundled", "cahce"])
    with pytest.raises(ValueError, match="ftp://"):
        check_places(["ftp://example.org/a.csv"])


# What is said when nothing has it


def test_each_place_says_why_not_and_the_message_how_to_mend_it(places: Places, server: Server) -> None:
    address = server.serve(broken(404))
    with pytest.raises(UsageError) as error:
        read(source(*LOCAL, address, NOWHERE, file="a.csv.gz"), places)
    text = str(error.value)
    assert "data set a was not found" in text
    assert "\n  bundled: not there" in text
    assert f"\n  cache: not there ({places.downloads})" in text
    assert f"\n  mirror: {places.mirror} has no a.csv.gz" in text
    assert f"\n  {address}: 404 Not Found" in text
    assert re.search(rf"\n  {NOWHERE}: .*Connection refused", text)
    assert "roftbench fetch dataset=a`" in text
    assert f"a.csv.gz (sha256 of its unpacked content: {sha256(CONTENT).hexdigest()})" in text
    assert "ROFTBENCH_MIRROR or paths.mirror" in text


def test_a_source_without_an_asset_is_not_bundled(places: Places) -> None:
    file = replace(source("bundled"), asset=None, asset_sha256=None)
    assert present(file, places) is None
    with pytest.raises(UsageError, match="bundled: not there"):
        read(file, places)


def test_a_wrong_file_is_named_in_the_message(places: Places) -> None:
    path = put(places.downloads, content=b"other")
    put(places.mirror, "a.csv.gz", PACKED[:-9])
    with pytest.raises(UsageError) as error:
        read(source("cache", "mirror"), places)
    assert f"cache: {path}" in str(error.value)
    assert sha256(b"other").hexdigest() in str(error.value)
    assert f"mirror: {places.mirror}/a.csv.gz is damaged or another file: damaged gzip file" in str(error.value)


def test_mirror_not_set(places: Places) -> None:
    places = replace(places, mirror=None)
    assert present(source("mirror"), places) is None
    with pytest.raises(UsageError, match=r"mirror: not set \(ROFTBENCH_MIRROR or paths.mirror\)"):
        read(source("mirror"), places)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_mirror_that_is_no_folder(places: Places, tmp_path: Path, kind: str) -> None:
    places = replace(places, mirror=tmp_path / "missing" if kind == "missing" else put(tmp_path))
    assert present(source("mirror"), places) is None
    with pytest.raises(UsageError, match=rf"mirror: {places.mirror} is not a folder"):
        read(source("mirror"), places)


@pytest.mark.parametrize("task", [read, fetch])
def test_offline_asks_no_address(places: Places, server: Server, task: Callable[..., object]) -> None:
    address = server.serve(plain)
    places = replace(places, offline=True)
    with pytest.raises(UsageError, match=rf"{address}: not tried: ROFTBENCH_OFFLINE=1"):
        task(source("cache", "mirror", address), places)
    assert not server.gets
    assert not places.downloads.exists()
    put(places.mirror)
    task(source("cache", "mirror", address), places)


# Downloads


@pytest.mark.parametrize("answer", [plain, packed, dribble, chunked, redirect, encoded])
def test_a_download_is_kept_and_read_from_the_cache_then(
    places: Places, server: Server, capsys: pytest.CaptureFixture[str], answer: Callable[[Handler, int], None]
) -> None:
    address = server.serve(answer)
    wanted = source("bundled", "cache", "mirror", address)
    assert read(wanted, places) == Found(CONTENT, address)
    gets = server.gets.copy()
    assert names(places.downloads) == {"a.csv"}
    out, err = capsys.readouterr()
    size = (places.downloads / "a.csv").stat().st_size
    assert out == f"downloading data set a from {address}\n  {size:,} bytes, sha256 verified\n"
    assert err == ""
    assert read(wanted, places) == Found(CONTENT, "cache")
    assert present(wanted, places) == "cache"
    assert capsys.readouterr().out == ""
    assert server.gets == gets


def test_a_gzipped_download_stays_as_it_came(places: Places, server: Server) -> None:
    address = server.serve(packed)
    assert read(source("cache", address, file="a.csv.gz"), places).content == CONTENT
    assert (places.downloads / "a.csv.gz").read_bytes() == PACKED


def test_a_terminal_sees_a_bar(places: Places, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    read(source(server.serve(plain)), places)
    assert "%|" in terminal.getvalue()


@pytest.mark.parametrize("bad", [wrong, damaged_gzip, truncated, cut, hang_up, broken(500), broken(503)])
def test_third_time_lucky(
    places: Places, server: Server, caplog: pytest.LogCaptureFixture, bad: Callable[[Handler, int], None]
) -> None:
    address = server.serve(until(3, bad))
    assert read(source("cache", address), places) == Found(CONTENT, address)
    assert server.gets["/a.csv"] == 3
    assert len(warnings_of(caplog)) == 2
    assert address in caplog.text
    assert names(places.downloads) == {"a.csv"}


def test_waits_grow(places: Places, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(sources, "WAITS", (0.25, 0.75))
    monkeypatch.setattr(time, "sleep", waits.append)
    read(source(server.serve(until(3, broken(500)))), places)
    assert waits == [0.25, 0.75]


def test_the_file_is_asked_for_as_it_lies_there(places: Places, server: Server) -> None:
    asked: list[str] = []

    def note(handler: Handler, number: int) -> None:
        asked.append(handler.headers["Accept-Encoding"])
        plain(handler, number)

    read(source(server.serve(note)), places)
    assert asked == ["identity"]  # packed on the way, its size would be unknown to the bar


@pytest.mark.parametrize("bad", [silent, stalled])
def test_a_server_that_stops_talking_is_asked_again(
    places: Places,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bad: Callable[[Handler, int], None],
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    address = server.serve(bad)
    with pytest.raises(UsageError, match=f"{address}: .*timed out"):
        read(source("cache", address), places)
    assert len(warnings_of(caplog)) == 2
    assert names(places.downloads) == set()
    monkeypatch.setattr(download, "TIMEOUT", WAIT)
    server.serve(plain)
    assert read(source("cache", address), places).place == address


@pytest.mark.parametrize(
    ("bad", "gets", "reason"),
    [
        (wrong, 3, "its sha256 is"),
        (damaged_gzip, 3, "damaged gzip file"),
        (truncated, 3, "bytes read"),
        (cut, 3, "Connection reset"),
        (hang_up, 3, ""),
        (broken(500), 3, "500 Internal Server Error"),
        (broken(404), 1, "404 Not Found"),
        (broken(403), 1, "403 Forbidden"),
    ],
)
def test_what_keeps_failing_leaves_nothing_and_the_next_address_is_asked(
    places: Places, server: Server, bad: Callable[[Handler, int], None], gets: int, reason: str
) -> None:
    address = server.serve(bad)
    with pytest.raises(UsageError, match=rf"{address}: .*{reason}"):
        read(source("cache", address), places)
    assert server.gets["/a.csv"] == gets
    assert names(places.downloads) == set()
    second = server.serve(plain, "/b.csv")
    assert read(source("cache", address, second), places) == Found(CONTENT, second)
    assert server.gets["/b.csv"] == 1
    assert names(places.downloads) == {"a.csv"}


@pytest.mark.parametrize("address", ["http://", "http://[::1", "https://a b/c", "http://127.0.0.1:99999999/"])
def test_an_impossible_address_is_tried_once(places: Places, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(sources, "WAITS", (-1.0,))  # time.sleep refuses it
    with pytest.raises(UsageError) as error:
        read(source("cache", address), places)
    assert f"\n  {address}: " in str(error.value)
    assert names(places.downloads) == set()


def test_a_failed_download_leaves_the_old_file(places: Places, server: Server) -> None:
    path = put(places.downloads, content=b"old")
    with pytest.raises(UsageError):
        read(source(server.serve(wrong)), places)  # "cache" is no place here, so that nobody looks at the old one
    assert path.read_bytes() == b"old"
    assert names(places.downloads) == {"a.csv"}


def test_an_address_before_the_cache_is_asked_first(places: Places, server: Server) -> None:
    put(places.downloads)
    address = server.serve(until(2, broken(404)))
    assert read(source(address, "cache"), places).place == "cache"
    assert read(source(address, "cache"), places).place == address


@pytest.mark.parametrize("stage", ["connection", "end"])
def test_interrupted(places: Places, server: Server, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*{"connection": (requests, "get"), "end": (os, "fsync")}[stage], interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(source("cache", server.serve(plain)), places)
    assert names(places.downloads) == set()


# A cache that cannot be written


@pytest.mark.parametrize("task", ["download", "copy"])
def test_full_disk(places: Places, server: Server, monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    if task == "copy":
        put(places.mirror)
    with raises_usage(r"No space left.*ROFTBENCH_CACHE or paths\.cache", key=str(places.downloads / "a.csv")):
        fetch(source("cache", "mirror", server.serve(plain)), places)
    assert names(places.downloads) == set()


def test_cache_below_a_file(places: Places, server: Server, tmp_path: Path) -> None:
    places = replace(places, downloads=put(tmp_path, "file") / "downloads")
    with raises_usage("ROFTBENCH_CACHE or paths.cache", key=str(places.downloads / "a.csv")):
        read(source("cache", server.serve(plain)), places)
    assert not server.gets
    put(places.mirror)
    assert read(source("cache", "mirror"), places).place == "mirror"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_cache_without_permission_can_be_read_but_not_written(places: Places, server: Server) -> None:
    path = put(places.downloads)
    address = server.serve(plain)
    places.downloads.chmod(0o500)
    try:
        assert read(source("cache", address), places).place == "cache"
        with raises_usage("Permission denied", key=str(places.downloads / "b.csv")):
            read(source("cache", address, file="b.csv"), places)
        path.write_bytes(b"damaged")
        put(places.mirror)
        assert read(source("cache", "mirror"), places).place == "mirror"
    finally:
        places.downloads.chmod(0o700)


def test_a_reader_of_the_output_that_has_left_is_no_error_of_the_cache(
    places: Places, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sources, "say", leave)
    with pytest.raises(BrokenPipeError):
        read(source("cache", server.serve(plain)), places)


# fetch


@pytest.mark.parametrize("file", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("content", [CONTENT, PACKED], ids=["plain", "gzipped"])
def test_fetch_copies_from_the_mirror(places: Places, file: str, content: bytes) -> None:
    put(places.mirror, "a.csv", content)
    wanted = source(*LOCAL, file=file)
    assert fetch(wanted, places) == "mirror"
    assert names(places.downloads) == {file}
    assert (places.downloads / file).read_bytes().startswith(b"\x1f\x8b") == file.endswith(".gz")
    assert fetch(wanted, places) == "cache"
    assert read(wanted, replace(places, mirror=None)) == Found(CONTENT, "cache")


def test_fetch_downloads_what_is_nowhere_on_this_machine(bundle: Path, places: Places, server: Server) -> None:
    address = server.serve(plain)
    assert fetch(source(*LOCAL, address), places) == "bundled"
    assert not places.downloads.exists()
    wanted = source("cache", "mirror", address)
    assert fetch(wanted, places) == address
    assert fetch(wanted, places) == "cache"
    put(places.downloads, content=b"damaged")
    assert fetch(wanted, places) == address
    assert server.gets["/a.csv"] == 2


# Other processes

SCRIPT = """
import json, signal, sys
from pathlib import Path
from roftbench.store.downloads import Places, Source, read
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
arguments, downloads = json.loads(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
found = read(Source(*arguments), Places(Path(downloads)))
print(len(found.content), found.place, flush=True)
"""


def start(wanted: Source, places: Places) -> "subprocess.Popen[str]":
    arguments = [wanted.what, wanted.file, wanted.sha256, wanted.places], str(places.downloads)
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes_download_once(places: Places, server: Server) -> None:
    def slow(handler: Handler, number: int) -> None:
        time.sleep(0.5)  # long enough for the other one to come in, were there no lock
        plain(handler, number)

    address = server.serve(slow)
    processes = [start(source("cache", address), places) for _ in range(2)]
    for process in processes:
        go(process)
    outputs = [process.communicate(timeout=WAIT) for process in processes]
    assert sorted(out.splitlines()[-1] for out, _ in outputs) == [f"{len(CONTENT)} cache", f"{len(CONTENT)} {address}"]
    assert [err for _, err in outputs] == ["", ""]
    assert server.gets["/a.csv"] == 1
    assert names(places.downloads) == {"a.csv"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_process_stopped_in_the_middle_leaves_no_file(places: Places, server: Server, sent: signal.Signals) -> None:
    address = server.serve(until(2, stalled))
    process = start(source("cache", address), places)
    go(process)
    assert server.half_sent.wait(WAIT)
    process.send_signal(sent)
    process.communicate(timeout=WAIT)
    assert process.returncode == -sent
    left = names(places.downloads)
    assert "a.csv" not in left
    assert all(name.endswith(".tmp") for name in left)
    if sent == signal.SIGINT:
        assert left == set()
    assert present(source("cache", address), places) is None
    assert read(source("cache", address), places) == Found(CONTENT, address)
    assert names(places.downloads) == {"a.csv", *left}
