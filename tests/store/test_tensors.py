"""Tensor files: what comes back, and how damage is found and mended."""

import logging
import random
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from roftbench.store.tensors import DamagedFileError, Entry, load_or_build, read_tensors, write_tensors

TENSORS = {
    "float": torch.tensor([[1.5, float("nan")], [-0.0, float("inf")]]),
    "double": torch.tensor(1 / 3, dtype=torch.float64),
    "int32": torch.arange(-3, 4, dtype=torch.int32),
    "uint8": torch.tensor([[0, 255]], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "bfloat16": torch.tensor([1.0, -2.5], dtype=torch.bfloat16),
    "empty": torch.empty(0, 2, dtype=torch.int64),
}
DESCRIPTION = {"dropped": [{"row": 3, "reason": "dummy atom — ‘*’"}], "score": None, "epochs": 100}


def assert_equal(left: Entry, right: Entry) -> None:
    assert left[1] == right[1]
    assert sorted(left[0]) == sorted(right[0])
    for name, tensor in left[0].items():
        torch.testing.assert_close(tensor, right[0][name], rtol=0, atol=0, equal_nan=True)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_tensors_and_description_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS, DESCRIPTION)
    assert_equal(read_tensors(path), (TENSORS, DESCRIPTION))
    assert names(tmp_path) == {"a.safetensors"}


def test_views_and_parameters_can_be_written(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    parameter = torch.nn.Parameter(base.clone())
    write_tensors(tmp_path / "a", {"transposed": base.T, "column": base[:, 1], "parameter": parameter}, {})
    tensors, _ = read_tensors(tmp_path / "a")
    assert torch.equal(tensors["transposed"], base.T)
    assert torch.equal(tensors["column"], base[:, 1])
    assert torch.equal(tensors["parameter"], base)
    assert not tensors["parameter"].requires_grad


def test_tensor_files_have_the_permissions_that_other_files_get(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_tensors(tmp_path / "a", TENSORS, {})
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1  # a cache that only its first user may read is no cache for a group


def test_nan_is_no_plain_value(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_tensors(tmp_path / "a", {}, {"score": float("nan")})
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: b"smiles,y\nCCO,1.5\n" * 20,
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data.replace(b"dummy atom", b"dunny atom"),
        lambda data: data.replace(b'"int32"', b'"int33"'),
        lambda data: data.replace(b"digest", b"digets"),
    ],
    ids=["half", "short", "long", "empty", "text", "flipped bit", "description", "name", "no digest"],
)
def test_damage_is_found(tmp_path: Path, edit: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a"
    write_tensors(path, TENSORS, DESCRIPTION)
    data = path.read_bytes()
    assert edit(data) != data
    path.write_bytes(edit(data))
    with pytest.raises(DamagedFileError, match=r".+"):
        read_tensors(path)


def test_no_flipped_byte_is_taken_for_the_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_tensors(path, TENSORS, DESCRIPTION)
    data = path.read_bytes()
    rng = random.Random(0)
    for position in range(0, len(data), 2):
        damaged = bytearray(data)
        damaged[position] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError):
            read_tensors(path)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_what_cannot_be_opened_is_damaged(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DamagedFileError):
        read_tensors(tmp_path / "missing" if kind == "missing" else tmp_path)


def test_built_once_then_read(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "a"
    built: list[Entry] = []

    def build() -> Entry:
        built.append((TENSORS, {"build": len(built)}))
        return built[-1]

    assert_equal(load_or_build(path, build), (TENSORS, {"build": 0}))
    assert_equal(load_or_build(path, build), (TENSORS, {"build": 0}))
    assert len(built) == 1
    assert names(path.parent) == {"a"}


def test_what_is_there_is_read_without_a_lock(tmp_path: Path) -> None:
    """A cache that was prepared for others may be one that they can only read."""
    path = tmp_path / "ready.safetensors"
    write_tensors(path, TENSORS, DESCRIPTION)
    assert_equal(load_or_build(path, lambda: pytest.fail("built again")), (TENSORS, DESCRIPTION))
    assert names(tmp_path) == {"ready.safetensors"}
    assert not (tmp_path / ".locks").exists()


def test_a_damaged_file_is_reported_by_name_and_built_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"not a tensor file")
    with caplog.at_level(logging.WARNING):
        assert_equal(load_or_build(path, lambda: (TENSORS, {})), (TENSORS, {}))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(path) in caplog.text
    assert_equal(read_tensors(path), (TENSORS, {}))


def test_a_build_that_fails_leaves_no_file_and_no_lock(tmp_path: Path) -> None:
    def fail() -> Entry:
        raise RuntimeError("no disk")

    with pytest.raises(RuntimeError, match="no disk"):
        load_or_build(tmp_path / "a", fail)
    assert names(tmp_path) == set()
    assert_equal(load_or_build(tmp_path / "a", lambda: (TENSORS, {})), (TENSORS, {}))


def test_who_comes_second_waits_and_reads(tmp_path: Path) -> None:
    path = tmp_path / "a"
    building, builds = threading.Event(), []

    def build() -> Entry:
        builds.append(threading.get_ident())
        building.set()
        time.sleep(0.2)  # long enough for the other one to come in, were there no lock
        return TENSORS, {}

    first = threading.Thread(target=load_or_build, args=(path, build))
    first.start()
    assert building.wait(60)
    assert_equal(load_or_build(path, build), (TENSORS, {}))
    first.join()
    assert len(builds) == 1
