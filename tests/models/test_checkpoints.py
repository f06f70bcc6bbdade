"""Weights come back as they were saved, and whatever is wrong with a file is one UsageError."""

import io
import os
import pickle
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import ROOT
from refusals import raises_usage
from safetensors.torch import save
from torch import Tensor

from roftbench.errors import UsageError
from roftbench.models.checkpoints import WRAPPERS, checked_checkpoint, load_checkpoint, read_checkpoint
from roftbench.models.encoder import State, copy_state
from roftbench.models.gin import GIN
from roftbench.store.checksums import Checksum

BUNDLED = ROOT / "src" / "roftbench" / "assets" / "checkpoints"


def torch_file(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def old_torch_file(value: Any) -> bytes:
    return torch_file(value, _use_new_zipfile_serialization=False)


FORMATS: dict[str, Callable[[State], bytes]] = {"safetensors": save, "torch": torch_file, "old torch": old_torch_file}


@pytest.fixture
def state() -> State:
    """The weights of a small GIN, every tensor unlike a new one's."""
    torch.manual_seed(1)
    encoder = GIN(2, 4)
    for tensor in encoder.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape) * 10)
    return copy_state(encoder)


def load(path: Path, content: bytes, expected_sha256: str | None = None) -> State:
    """Load a file with this content into a new encoder and return its weights."""
    path.write_bytes(content)
    encoder = GIN(2, 4)
    load_checkpoint(encoder, str(path), expected_sha256)
    return copy_state(encoder)


def refusal(path: Path, content: bytes, expected_sha256: str | None = None) -> str:
    """Return the words with which a file with this content is refused; the encoder must stay as it was."""
    path.write_bytes(content)
    encoder = GIN(2, 4)
    before = copy_state(encoder)
    with pytest.raises(UsageError) as caught:
        load_checkpoint(encoder, str(path), expected_sha256)
    assert_same(copy_state(encoder), before)
    message = str(caught.value)
    assert message.startswith(f"model.checkpoint={path} ")
    assert "\n" not in message
    return message.removeprefix(f"model.checkpoint={path} ")


def assert_same(left: State, right: State) -> None:
    assert list(left) == list(right)
    for key, tensor in left.items():
        assert torch.equal(tensor, right[key]), key


@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip(tmp_path: Path, state: State, kind: str) -> None:
    content = FORMATS[kind](state)
    assert_same(load(tmp_path / "weights", content), state)
    assert_same(load(tmp_path / "weights", content, sha256(content).hexdigest()), state)


def test_loaded_weights_are_the_encoders_own_and_stay_trainable(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(save(state))
    encoder = GIN(2, 4)
    load_checkpoint(encoder, str(path), None)
    assert all(parameter.requires_grad for parameter in encoder.parameters())
    with torch.no_grad():
        encoder.x_embedding1.weight.zero_()
    assert checked_checkpoint(str(path), Checksum()) == save(state)
    assert_same(load(path, path.read_bytes()), state)


def test_the_order_of_the_keys_does_not_matter(tmp_path: Path, state: State) -> None:
    assert_same(load(tmp_path / "weights", torch_file(dict(reversed(state.items())))), state)


@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_files(tmp_path: Path, state: State, kind: str) -> None:
    content = FORMATS[kind](state)
    rng = random.Random(0)
    for end in {0, 1, 2, 8, 100, len(content) // 2, len(content) - 1, *rng.sample(range(len(content)), 30)}:
        assert refusal(tmp_path / "weights", content[:end]).startswith("is damaged")


@pytest.mark.parametrize("kind", FORMATS)
def test_flipped_bytes_never_end_in_another_error(tmp_path: Path, state: State, kind: str) -> None:
    content, refused = FORMATS[kind](state), 0
    for position in random.Random(0).sample(range(len(content)), 80):
        damaged = content[:position] + bytes([content[position] ^ 32]) + content[position + 1 :]
        try:  # a flipped weight is still a weight: only the checksum sees it
            load(tmp_path / "weights", damaged)
        except UsageError:
            refused += 1
    assert refused > 0
    assert refusal(tmp_path / "weights", damaged, sha256(content).hexdigest()).startswith("has sha256")


@pytest.mark.parametrize("start", [b"\x80", b"PK"], ids=["pickle", "zip"])
def test_a_safetensors_file_may_begin_like_a_pytorch_file(tmp_path: Path, state: State, start: bytes) -> None:
    lengths = range(0, 20000, 8)  # the file begins with the length of its header, which the metadata makes longer
    contents = (save(state, metadata={"note": "x" * length}) for length in lengths)
    content = next(content for content in contents if content.startswith(start))
    assert_same(load(tmp_path / "weights", content), state)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
        b"<html>404</html>",
        b"PK",
        b"\x80",
        b"\0" * 99,
    ],
    ids=["empty", "git lfs pointer", "html", "PK", "pickle mark", "zeros"],
)
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path / "weights", content).startswith("is damaged")


class Code:
    """Unpickled, it creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize(
    "pack",
    [
        pickle.dumps,
        lambda value: pickle.dumps(value, protocol=2),
        lambda value: pickle.dumps(value, protocol=0),
        torch_file,
        old_torch_file,
        lambda value: torch_file({"x_embedding1.weight": value}),
    ],
    ids=["pickle", "pickle 2", "pickle 0", "torch", "old torch", "in a state dict"],
)
def test_code_in_a_file_is_not_run(tmp_path: Path, pack: Callable[[Any], bytes]) -> None:
    marker = tmp_path / "marker"
    content = pack(Code(marker))
    message = refusal(tmp_path / "weights", content)
    assert not marker.exists()
    assert message.startswith("is damaged or ")
    assert "weights_only" not in message  # torch's own text advises to switch the protection off


def test_the_code_would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Code(tmp_path / "marker")))  # noqa: S301 (so the test above tests something)
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("pack", [torch_file, old_torch_file], ids=["torch", "old torch"])
def test_weights_beside_what_a_training_program_keeps(
    tmp_path: Path, state: State, name: str, pack: Callable[[Any], bytes]
) -> None:
    others = {"epoch": 3, "optimizer_state": {"state": {0: {"step": torch.ones(1)}}, "param_groups": [{"lr": 0.1}]}}
    assert_same(load(tmp_path / "weights", pack({name: state})), state)
    assert_same(load(tmp_path / "weights", pack({**others, name: state})), state)
    assert "not fit GIN: missing" in refusal(tmp_path / "weights", pack({**others, name: {"a": torch.ones(1)}}))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"weights": s},
        lambda s: {"state_dict": {"model": s}},
        lambda s: {"model": {**s, "epoch": 3}},
        lambda s: {**s, "epoch": 3},
        lambda s: list(s.values()),
    ],
    ids=["unknown name", "nested twice", "not only tensors inside", "not only tensors", "list"],
)
def test_a_file_that_is_no_plain_state_dict(tmp_path: Path, state: State, wrap: Callable[[State], Any]) -> None:
    message = refusal(tmp_path / "weights", torch_file(wrap(state)))
    assert "not a plain state dict" in message
    assert "state_dict or model_state" in message


def test_objects_beside_the_weights_are_refused_with_the_way_out(tmp_path: Path, state: State) -> None:
    """A Lightning checkpoint: hyperparameters are objects of the program that wrote it."""
    content = torch_file({"state_dict": state, "hyper_parameters": {"path": Code(tmp_path / "marker")}})
    message = refusal(tmp_path / "weights", content)
    assert "torch.save(model.state_dict(), FILE)" in message
    assert "weights_only" not in message
    assert not (tmp_path / "marker").exists()


def without(state: State, *keys: str) -> State:
    return {key: tensor for key, tensor in state.items() if key not in keys}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda s: without(s, "gnns.1.mlp.2.bias"), "missing gnns.1.mlp.2.bias"),
        (lambda s: without(s, "batch_norms.0.running_mean"), "missing batch_norms.0.running_mean"),
        (lambda s: {**s, "pool.weight": torch.ones(1)}, "unexpected pool.weight"),
        (
            lambda s: {**s, "gnns.0.mlp.0.bias": torch.ones(7)},
            "gnns.0.mlp.0.bias is (7,), the encoder wants (8,)",
        ),
        (
            lambda s: {**without(s, "x_embedding1.weight"), "gnn.x_embedding1.weight": s["x_embedding1.weight"]},
            "missing x_embedding1.weight; unexpected gnn.x_embedding1.weight",
        ),
    ],
    ids=["missing", "missing buffer", "unexpected", "shape", "renamed"],
)
def test_weights_that_do_not_fit(
    tmp_path: Path, state: State, kind: str, edit: Callable[[State], State], problem: str
) -> None:
    assert refusal(tmp_path / "weights", FORMATS[kind](edit(state))) == f"does not fit GIN: {problem}"


def test_a_long_list_of_problems_is_cut(tmp_path: Path, state: State) -> None:
    message = refusal(tmp_path / "weights", save({f"gnn.{key}": tensor for key, tensor in state.items()}))
    assert len(state) == 24
    kinds = message.split("; and 20 more")  # 4 of what is missing, 4 of what is unexpected
    assert [part.count("missing ") + part.count("unexpected gnn.") for part in kinds] == [4, 4, 0]
    assert message.endswith("; and 20 more. Those that begin with 'gnn.' fit: save them alone, without it")


def test_what_data_parallel_puts_before_the_names_is_taken_off(tmp_path: Path, state: State) -> None:
    loaded = load(tmp_path / "weights", save({f"module.{key}": tensor for key, tensor in state.items()}))
    assert all(torch.equal(loaded[key], tensor) for key, tensor in state.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, state: State, value: float) -> None:
    state["gnns.1.mlp.0.weight"][0, 0] = value
    assert "not finite, in gnns.1.mlp.0.weight: " in refusal(tmp_path / "weights", save(state))


def test_half_precision_that_has_overflowed_is_refused_and_other_is_taken(tmp_path: Path, state: State) -> None:
    half = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    loaded = load(tmp_path / "weights", save(half))
    assert loaded["gnns.0.mlp.0.weight"].dtype == torch.float32
    state["batch_norms.0.running_var"].fill_(1e6)
    half = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    assert "float16, which ends at 65,504" in refusal(tmp_path / "weights", save(half))


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        (lambda one: one.to(torch.int8), "is strided int8, the encoder wants strided float32"),
        (lambda one: one.to(torch.complex64), "is strided complex64"),
        (lambda one: one.to_sparse(), "is sparse_coo float32"),
        (lambda one: one.to(torch.float8_e4m3fn), "is strided float8_e4m3fn"),
        (lambda one: one.to("meta"), "has no content"),
    ],
)
def test_tensors_of_another_kind_are_refused(
    tmp_path: Path, state: State, tensor: Callable[[Tensor], Tensor], what: str
) -> None:
    state["gnns.0.mlp.0.weight"] = tensor(state["gnns.0.mlp.0.weight"])
    assert f"gnns.0.mlp.0.weight {what}" in refusal(tmp_path / "weights", torch_file(state))


def test_an_empty_dictionary_beside_the_weights_is_passed_over(tmp_path: Path, state: State) -> None:
    loaded = load(tmp_path / "weights", torch_file({"state_dict": {}, "model": state}))
    assert torch.equal(loaded["gnns.0.mlp.0.weight"], state["gnns.0.mlp.0.weight"])


def test_another_architecture_of_the_same_family_is_refused(shared: Path) -> None:
    with raises_usage(r"missing gnns\.0\.mlp\.0\.weight", key="model.checkpoint"):
        load_checkpoint(GIN(), str(shared / "checkpoints" / "gcn_contextpred.pth"), None)


def test_a_file_that_is_not_the_expected_one(tmp_path: Path, state: State) -> None:
    content, wanted = save(state), "0" * 64
    message = refusal(tmp_path / "weights", content, wanted)
    assert message.startswith(f"has sha256 {sha256(content).hexdigest()}, expected {wanted}")
    assert "model.sha256" in message  # the setting to change


def test_a_missing_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with raises_usage("No such file", key="model.checkpoint", got="absent.pt") as caught:
        load_checkpoint(GIN(2, 4), "absent.pt", None)
    assert str(tmp_path / "absent.pt") in str(caught.value)


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with raises_usage("Is a directory", key="model.checkpoint", got=str(tmp_path)):
        checked_checkpoint(str(tmp_path), Checksum())


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").write_bytes(b"abc")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_checkpoint("~/weights") == b"abc"


def test_an_unknown_bundled_checkpoint() -> None:
    with raises_usage(key="model.checkpoint", got="bundled:gni.safetensors") as caught:
        read_checkpoint("bundled:gni.safetensors")
    assert {f"bundled:{path.name}" for path in BUNDLED.glob("*.safetensors")} < set(caught.value.allowed)


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLED.glob("*.safetensors")))
def test_bundled_checkpoints_fit_the_encoder_of_the_paper(name: str) -> None:
    encoder = GIN()
    load_checkpoint(encoder, f"bundled:{name}", sha256((BUNDLED / name).read_bytes()).hexdigest())
    tensors: list[Tensor] = list(encoder.state_dict().values())
    assert all(torch.isfinite(tensor).all() for tensor in tensors)
    assert all(norm.num_batches_tracked > 0 for norm in encoder.batch_norms)
