"""Hashes of a content, as published tools compute them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from roftbench.store.checksums import Checksum, git_blob, sha256


@pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")
@pytest.mark.parametrize("content", [b"", b"abc\n", b"\0\xff" * 5000], ids=["empty", "text", "binary"])
def test_the_id_is_that_of_git(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    command = ["git", "hash-object", "--no-filters", str(tmp_path / "file")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert git_blob(content) == said


def test_the_hashes_of_the_public_files(shared: Path) -> None:
    folder = shared / "checkpoints"
    for entry in json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["files"]:
        content = (folder / entry["file"]).read_bytes()
        assert (sha256(content), git_blob(content)) == (entry["sha256"], entry["git_blob_sha1"])


def test_every_known_hash_must_agree() -> None:
    right, blob = sha256(b"abc"), git_blob(b"abc")
    for known in (Checksum(right), Checksum(None, blob), Checksum(right, blob)):
        assert known
        assert known.difference(b"abc") is None
    assert Checksum(right, blob).difference(b"abd") == ("sha256", sha256(b"abd"), right)
    assert Checksum(right, "0" * 40).difference(b"abc") == ("git blob id", blob, "0" * 40)
    assert Checksum(None, "0" * 40).kind == "git blob id"


def test_without_a_hash_every_content_will_do() -> None:
    assert not Checksum()
    assert Checksum().difference(b"anything") is None
