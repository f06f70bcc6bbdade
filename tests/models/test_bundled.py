"""The bundled checkpoints: small, the ones their configs name, each with a card that says how it was made."""

import json
import re
from typing import Any

import pytest
from command import Command
from lab import ROOT
from safetensors import safe_open

from roftbench.config.model_cards import model_cards
from roftbench.models.checkpoints import load_checkpoint
from roftbench.models.config import BUNDLED
from roftbench.models.gin import GIN
from roftbench.store.checksums import sha256

FOLDER = ROOT / "src" / "roftbench" / "assets" / "checkpoints"
CARDS = {name: card for name, card in model_cards().items() if str(card.checkpoint).startswith(BUNDLED)}
FIRST = ("gin_masking", "gin_descriptors")  # from MOSES and MoleculeACE, with rescaled weights


def made(name: str) -> dict[str, Any]:
    """Return the card beside a file."""
    card: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return card


def test_there_are_two_of_each_kind_and_no_other_file() -> None:
    assert {name: card.pretraining for name, card in CARDS.items()} == {
        "gin_masking": "self-supervised",
        "gin_ssl": "self-supervised",
        "gin_descriptors": "supervised",
        "gin_sup": "supervised",
    }
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{name}.{end}" for name in CARDS for end in ("safetensors", "json")
    }


@pytest.mark.parametrize("name", CARDS)
def test_file_is_small_and_loads(name: str) -> None:
    path, card = FOLDER / f"{name}.safetensors", CARDS[name]
    assert path.stat().st_size < 8_000_000
    assert card.sha256 == sha256(path.read_bytes())
    encoder = GIN()
    load_checkpoint(encoder, str(card.checkpoint), card.sha256)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == card.parameters


@pytest.mark.parametrize("name", CARDS)
def test_card_says_how_it_was_made(name: str) -> None:
    card = made(name)
    with safe_open(FOLDER / f"{name}.safetensors", "pt") as file:
        inside = json.loads(file.metadata()["provenance"])
    assert inside == {key: card[key] for key in inside}
    assert f"({CARDS[name].pretraining})" in card["task"]
    other = "MoleculeACE 3.0.0" if name in FIRST else "chemicals 1.5.2"
    assert {"molsets 0.3.1", other} == card["corpus"]["sources"].keys()
    assert card["corpus"]["counts"]["in a benchmark, left out"] > 0
    assert card["final"]["step"] == card["steps"]
    assert "missing" in card


@pytest.mark.parametrize("name", FIRST)
def test_card_of_rescaled_weights_mentions_factor_and_choice(name: str) -> None:
    assert all(words in made(name)["rescaled"] for words in ("multiplied by 20", "benchmark columns"))


@pytest.mark.parametrize("name", sorted(CARDS.keys() - set(FIRST)))
def test_later_files_left_moleculeace_out(name: str) -> None:
    card = made(name)
    assert card["corpus"]["left out with the benchmarks"] == "MoleculeACE 3.0.0"
    assert "edits" in card["command of the corpus"]


def test_the_first_stage_of_masking_is_disclosed() -> None:
    assert "292,505" in made("gin_masking")["molecules of the first stage"]
    assert "583" in made("gin_masking")["molecules of the first stage"]


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.note])
def test_a_run_and_a_list_mention_the_rescaling(cli: Command, name: str) -> None:
    assert "rescaled" in cli("list", "models").out
    ended = cli.run(f"model={name}", "method=lp")
    assert re.search(r"warning +weights rescaled \(linear x20, atom tables x10\)", ended.out), ended.out
    [path] = (cli.lab.results / "runs").glob("*.json")
    assert CARDS[name].note in json.loads(path.read_text(encoding="utf-8"))["warnings"]


@pytest.mark.parametrize("name", ["gin_descriptors", "gin_sup"])
def test_no_label_of_a_benchmark_was_learned(name: str) -> None:
    targets = made(name)["targets"]
    assert len(targets) > 150
    assert "TPSA" in targets
    assert not [target for target in targets if "logp" in target.lower() or target == "qed"]
