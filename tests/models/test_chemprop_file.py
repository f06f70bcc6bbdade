"""Model files of chemprop: hyperparameters come from them, none of their code runs, what does not fit is one line."""

import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from refusals import raises_usage

from roftbench.config.parse import parse
from roftbench.errors import UsageError
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.chemprop_file import read_model
from roftbench.models.dmpnn import DMPNN
from roftbench.models.encoder import Weights

GOLDEN = Path(__file__).parents[1] / "golden"
PLAIN, TRAINED, BLOCK = (GOLDEN / f"chemprop_{name}" for name in ("plain.pt", "trained.ckpt", "block.pt"))
DEFAULTS = {"dim": 16, "depth": 3, "features": "v2", "bias": False, "undirected": False, "dropout": 0.0,
            "activation": "relu", "aggregation": "mean", "norm": 100.0, "batch_norm": False}  # fmt: skip


def read(content: bytes) -> Weights:
    found = read_model(content, "FILE")
    assert found is not None
    return found


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def block(**changes: Any) -> bytes:
    """Return a file with the layout of CheMeleon, with some hyperparameters changed."""
    given = {"d_v": 72, "d_e": 14, "d_h": 16, "depth": 3, "activation": "relu", **changes}
    return saved({"hyper_parameters": given, "state_dict": DMPNN(dim=16).state_dict()})


def test_hyperparameters_come_from_the_file() -> None:
    assert read(PLAIN.read_bytes()).arguments == DEFAULTS
    assert read(BLOCK.read_bytes()).arguments == {**DEFAULTS, "depth": 6}
    expected = {"depth": 4, "features": "v1", "bias": True, "activation": "leakyrelu", "aggregation": "norm"}
    assert read(TRAINED.read_bytes()).arguments == {**DEFAULTS, **expected, "norm": 50.0, "batch_norm": True}


@pytest.mark.parametrize("path", [PLAIN, TRAINED, BLOCK], ids=lambda path: path.stem)
def test_the_predictor_is_left_out(path: Path) -> None:
    found = read(path.read_bytes())
    assert list(found.state) == list(DMPNN(**found.arguments).state_dict())


def test_a_plain_state_dict_states_nothing(tmp_path: Path) -> None:
    assert read_model(saved(DMPNN(dim=16).state_dict()), "FILE") is None
    torch.manual_seed(0)
    encoder, other = DMPNN(dim=16), DMPNN(dim=16)
    (tmp_path / "plain.pth").write_bytes(saved(encoder.state_dict()))
    load_checkpoint(other, str(tmp_path / "plain.pth"), None)
    assert torch.equal(other.W_h.weight, encoder.W_h.weight)


# --- Networks that are not directed message passing on molecules

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "descriptors of atoms": ({"d_vd": 3}, "3 more descriptors per atom"),
    "features of one's own": ({"d_v": 80}, "80 and 14 columns"),
    "another activation": ({"activation": "sine"}, "activation sine"),
    "no width": ({"d_h": None}, "states no d_h"),
    "a fraction": ({"depth": 2.5}, "states no depth"),
    "infinite": ({"d_h": float("inf")}, "states no d_h"),
    "no number": ({"depth": float("nan")}, "states no depth"),
    "too large for a float": ({"dropout": 10**400}, "states no dropout"),
    "wider than its weights": ({"d_h": 10**7}, r"d_h = 10000000, which its W_i.weight does not have: \(16, 86\)"),
}


@pytest.mark.parametrize(("changes", "reason"), REFUSED.values(), ids=REFUSED)
def test_another_network_is_refused(changes: dict[str, Any], reason: str) -> None:
    with raises_usage(reason, key="model.checkpoint"):
        read_model(block(**changes), "FILE")


def edited(change: Callable[[bytes], bytes]) -> bytes:
    """Return chemprop's own file with its pickle edited: names of equal length keep it valid."""
    made = io.BytesIO()
    with zipfile.ZipFile(PLAIN) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info.filename, change(content) if info.filename.endswith("data.pkl") else content)
    return made.getvalue()


def renamed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return change


CLASSES = {
    "atom messages": (b"BondMessagePassing\n", b"AtomMessagePassing\n", "AtomMessagePassing"),
    "attention": (b"MeanAggregation\n", b"AttentiveAggregation\n", "aggregates by AttentiveAggregation"),
    "system call": (b"chemprop.nn.agg\nMeanAggregation\n", b"os\nsystem\n", "names os.system"),
    "evaluation": (b"chemprop.nn.agg\nMeanAggregation\n", b"builtins\neval\n", "names builtins.eval"),
    "own class": (b"chemprop.nn.agg\nMeanAggregation\n", b"mine.agg\nMean\n", "names mine.agg.Mean"),
}


@pytest.mark.parametrize(("old", "new", "reason"), CLASSES.values(), ids=CLASSES)
def test_other_classes_are_refused(old: bytes, new: bytes, reason: str) -> None:
    with raises_usage(reason, key="model.checkpoint"):
        read_model(edited(renamed(old, new)), "FILE")


def test_a_file_of_chemprop_1_is_refused() -> None:
    with raises_usage("chemprop 1", key="model.checkpoint") as caught:
        read_model(saved({"args": {"depth": 3}, "state_dict": {}}), "FILE")
    assert "chemprop convert" in caught.value.hint


# --- Hostile and damaged files


class Hostile:
    """Calls a function while it is read by a plain unpickler."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, os.mkdir, open], ids=lambda one: one.__name__)
def test_code_in_a_file_does_not_run(tmp_path: Path, function: Any) -> None:
    target = tmp_path / "made"
    argument = {os.system: f"touch {target}", eval: f"open({str(target)!r}, 'w')"}.get(function, str(target))
    given = {"d_v": 72, "d_e": 14, "d_h": 16, "depth": 3, "extra": Hostile(function, argument)}
    content = saved({"hyper_parameters": given, "state_dict": DMPNN(dim=16).state_dict()})
    with raises_usage("names", key="model.checkpoint") as caught:
        read_model(content, "FILE")
    assert "\n" not in str(caught.value)
    assert not target.exists()


def test_functions_of_known_packages_are_not_called_either(tmp_path: Path) -> None:
    """A placeholder stands for them."""
    target = tmp_path / "made"
    given = {"d_v": 72, "d_e": 14, "d_h": 16, "depth": 3, "extra": Hostile(torch.save, {}, str(target))}
    content = saved({"hyper_parameters": given, "state_dict": DMPNN(dim=16).state_dict()})
    assert read(content).arguments["depth"] == 3
    assert not target.exists()


def refusal(content: bytes) -> UsageError | None:
    try:
        read_model(content, "FILE")
    except UsageError as error:
        return error
    return None


def test_damaged_files_are_refused_in_one_line() -> None:
    rng = random.Random(0)
    whole = PLAIN.read_bytes()
    damaged = [whole[: rng.randrange(2, len(whole))] for _ in range(40)]
    with zipfile.ZipFile(PLAIN) as file:
        pickled = next(file.read(name) for name in file.namelist() if name.endswith("data.pkl"))
    for _ in range(150):
        place = rng.randrange(len(pickled))
        broken = pickled[:place] + bytes([rng.randrange(256)]) + pickled[place + 1 :]
        damaged.append(edited(lambda _, broken=broken: broken))  # type: ignore[misc]
    refusals = [str(error) for content in damaged if (error := refusal(content)) is not None]
    assert len(refusals) > 60
    assert all(text.startswith("FILE ") and "\n" not in text and "weights_only" not in text for text in refusals)


# --- The config


def job_of(plain: DictConfig, **model: Any) -> Any:
    config = plain.copy()
    target = "roftbench.models.dmpnn.DMPNN"
    nothing = dict.fromkeys(DEFAULTS)
    config.model = {"name": "chemprop", "_target_": target, **nothing, "checkpoint": str(PLAIN), **model}
    return parse(config)[0]


def test_nulls_are_filled_in_and_enter_the_key(plain: DictConfig) -> None:
    job = job_of(plain)
    assert job.model.params == DEFAULTS
    assert job.key == job_of(plain, dim=16, depth=3).key
    assert job_of(plain, checkpoint=str(BLOCK)).model.params["depth"] == 6
    assert job_of(plain, checkpoint=None).model.params == {**DEFAULTS, "dim": 300}
    assert job_of(plain, checkpoint=None, dim=8).model.params["dim"] == 8


def test_dropout_alone_may_differ_from_the_file(plain: DictConfig) -> None:
    assert job_of(plain, dropout=0.2).model.params["dropout"] == 0.2
    with raises_usage("has depth=3", key="model.depth"):
        job_of(plain, depth=5)


def test_a_network_that_contradicts_its_file_is_not_loaded() -> None:
    """Shapes do not show the depth, but the file states it."""
    with raises_usage("has depth=3", key="model.depth"):
        load_checkpoint(DMPNN(dim=16, depth=4), str(PLAIN), None)
