"""The bundled checkpoints: small, the ones their configs name, each with a card that says how it was made."""

import json
import re

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


def test_there_is_one_of_each_kind_and_no_other_file() -> None:
    assert {name: card.pretraining for name, card in CARDS.items()} == {
        "gin_masking": "self-supervised",
        "gin_descriptors": "supervised",
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
    made = json.loads((FOLDER / f"{name}.json").read_text())
    with safe_open(FOLDER / f"{name}.safetensors", "pt") as file:
        inside = json.loads(file.metadata()["provenance"])
    assert inside == {key: made[key] for key in inside}
    kind = CARDS[name].pretraining
    assert f"({kind})" in made["task"]
    assert {"molsets 0.3.1", "MoleculeACE 3.0.0"} == made["corpus"]["sources"].keys()
    assert made["corpus"]["counts"]["in a benchmark, left out"] > 0
    assert made["final"]["step"] == made["steps"]
    assert "missing" in made
    assert all(words in made["rescaled"] for words in ("multiplied by 20", "benchmark columns"))


def test_the_first_stage_of_masking_is_disclosed() -> None:
    made = json.loads((FOLDER / "gin_masking.json").read_text())
    assert "292,505" in made["molecules of the first stage"]
    assert "583" in made["molecules of the first stage"]


@pytest.mark.parametrize("name", CARDS)
def test_a_run_and_a_list_mention_the_rescaling(cli: Command, name: str) -> None:
    assert "rescaled" in cli("list", "models").out
    ended = cli.run(f"model={name}", "method=lp")
    assert re.search(r"warning +weights rescaled \(linear x20, atom tables x10\)", ended.out), ended.out
    [path] = (cli.lab.results / "runs").glob("*.json")
    assert CARDS[name].note in json.loads(path.read_text(encoding="utf-8"))["warnings"]


def test_no_label_of_a_benchmark_was_learned() -> None:
    targets = json.loads((FOLDER / "gin_descriptors.json").read_text())["targets"]
    assert len(targets) > 150
    assert "TPSA" in targets
    assert not [name for name in targets if "logp" in name.lower() or name == "qed"]
