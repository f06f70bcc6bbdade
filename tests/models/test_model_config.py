"""The shipped models: their cards are complete and true, and their files are told apart by content."""

import inspect
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import PLACES, ROOT
from refusals import raises_usage
from torch import nn

from roftbench.config.model_cards import check_encoder, model_cards
from roftbench.config.plugins import import_name
from roftbench.config.registry import options
from roftbench.errors import UsageError
from roftbench.models.checkpoints import load_published
from roftbench.models.config import OWN, PRETRAINING, PUBLISHED, ModelCard
from roftbench.models.encoder import copy_state
from roftbench.models.gin import GIN
from roftbench.models.graphium import Graphium
from roftbench.models.minimol import MiniMol
from roftbench.store.checksums import git_blob
from roftbench.store.downloads import Places

CARDS = model_cards()
PUBLIC = [name for name, card in CARDS.items() if card.checkpoint == PUBLISHED]
OF_HU = [name for name in PUBLIC if "pretrain-gnns" in str(CARDS[name].sources)]
VERIFIED = [name for name in PUBLIC if CARDS[name].verified]
IN_MIRROR = [name for name in VERIFIED if name in OF_HU]
COMPLETE: dict[str, Any] = {
    "name": "x",
    "_target_": "a.B",
    "checkpoint": "published",
    "file": "x.pth",
    "sources": ["cache"],
    "sha256": "0" * 64,
}


def encoder_of(name: str, device: str = "meta") -> nn.Module:
    known = set(ModelCard.__dataclass_fields__)
    params = {key: value for key, value in options("model")[name].items() if key not in known}
    with torch.device(device):
        built = import_name(CARDS[name]._target_)(**params)
    assert isinstance(built, nn.Module)
    return built


@pytest.fixture(scope="module")
def manifest(shared: Path) -> dict[str, Any]:
    loaded = json.loads((shared / "checkpoints" / "MANIFEST.json").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.parameters])
def test_the_number_of_parameters_is_the_encoders(name: str) -> None:
    assert sum(parameter.numel() for parameter in encoder_of(name).parameters()) == CARDS[name].parameters


@pytest.mark.parametrize("name", CARDS)
def test_a_card_says_what_a_user_must_know(name: str) -> None:
    card = CARDS[name]
    assert card.name == name
    if card.checkpoint not in (None, OWN):
        assert card.pretraining != "none"
        assert all([card.parameters, card.pretraining_data, card.license, card.verified is not None])
    if card.checkpoint == PUBLISHED:
        assert card.reference
        assert card.sources[:2] == ["cache", "mirror"]
        assert all(address.startswith(("https://", "package:")) for address in card.sources[2:])
        assert len(card.sources) > 2


def test_labels_seen_in_pretraining_are_known_or_said_to_be_unknown() -> None:
    for name, card in CARDS.items():
        if card.pretraining in ("none", "self-supervised"):
            assert card.labels_seen() == [], name
        assert set(card.labels_seen() or ()) <= set(options("dataset")), name
    assert CARDS["admet_ai"].labels_seen() == ["bbbp", "clintox", "tox21", "toxcast"]
    assert CARDS["admet_ai_regression"].labels_seen() == ["esol", "freesolv", "lipo"]
    assert CARDS["minimol"].labels_seen() is None


def test_chemeleon_is_the_users_file_and_states_its_network() -> None:
    card, content = CARDS["chemeleon"], options("model")["chemeleon"]
    assert (card.checkpoint, card.sha256, card.verified) == (OWN, None, False)
    assert card.own_file().endswith("records/15460715/files/chemeleon_mp.pt")
    assert (content["dim"], content["depth"]) == (None, None)


def test_names_in_cache_and_mirror_are_of_one_content_each() -> None:
    contents = defaultdict(set)
    for name in PUBLIC:
        contents[CARDS[name].file].add((CARDS[name].sha256, CARDS[name].git_blob))
    assert [file for file, known in contents.items() if len(known) > 1] == []


def test_every_public_file_of_the_manifest_has_a_model(manifest: dict[str, Any]) -> None:
    """Addresses, blob ids and checksums are those that were looked up; which file is which kind is known there.

    A file without a checksum in its card was not verified on the real file, whether or not that is at hand.
    """
    wanted = {}
    for entry in (one for one in manifest["files"] if one["origin"]["repo"].endswith("pretrain-gnns")):
        wanted[entry["origin"]["path"]] = (entry["git_blob_sha1"], entry["sha256"], entry["conv"], entry["origin"])
    for entry in manifest["absent"] + manifest["not_copied"]:
        if entry["repo"].endswith("pretrain-gnns"):
            wanted.setdefault(entry["path"], (entry["git_blob_sha1"], None, entry["conv"], entry))
    assert len(wanted) == len([name for name in OF_HU if name != "mole_bert"]) == 18
    for path, (blob, digest, kind, origin) in wanted.items():
        repo = origin["repo"].removeprefix("github.com/")
        address = f"https://raw.githubusercontent.com/{repo}/{origin['commit']}/{path}"
        (name,) = [name for name in OF_HU if address in CARDS[name].sources[2:3]]
        card = CARDS[name]
        assert (card.git_blob, card.file) == (blob, path.split("/")[-1])
        assert card.sha256 in (digest, None)
        assert card._target_.split(".")[2] == kind
        assert card.verified is (card.sha256 is not None)


def test_the_pretraining_is_the_one_that_the_files_name_tells(manifest: dict[str, Any]) -> None:
    for name in OF_HU:
        supervised = "supervised" in name or name == "mole_bert"
        alone = name.endswith("supervised")
        assert CARDS[name].pretraining == ("self-supervised" if not supervised else "supervised" if alone else "both")


def test_mole_bert_is_the_file_of_hu_et_al_and_says_so(manifest: dict[str, Any]) -> None:
    entries = [entry for entry in manifest["absent"] if entry["git_blob_sha1"] == CARDS["mole_bert"].git_blob]
    assert len(entries) == 3
    other = CARDS["gin_supervised_masking"]
    assert CARDS["mole_bert"].git_blob == other.git_blob
    for card in (CARDS["mole_bert"], other):  # each may be served from any of the three repositories
        assert sorted(card.sources[2:]) == sorted(entry["url_derived_untested"] for entry in entries)
    assert "supervised_masking.pth" in str(CARDS["mole_bert"].note)
    assert CARDS["mole_bert"].note in CARDS["mole_bert"].cautions()


def test_graphmae_is_the_file_of_its_repository(manifest: dict[str, Any]) -> None:
    (entry,) = [entry for entry in manifest["absent"] if entry["repo"].endswith("/GraphMAE")]
    card = CARDS["graphmae"]
    assert (card.git_blob, card.sources[2:]) == (entry["git_blob_sha1"], [entry["url_derived_untested"]])
    assert card._target_ == CARDS[f"{entry['conv']}_infomax"]._target_


@pytest.mark.parametrize("name", ["moleculestm", "graphgps", "graphium"])
def test_a_public_file_without_a_known_checksum_is_the_users(name: str) -> None:
    card = CARDS[name]
    assert (card.checkpoint, card.sha256, card.git_blob, card.verified) == (OWN, None, None, False)
    assert all([card.parameters, card.pretraining_data, card.reference])
    assert "not verified on the real file" in card.cautions()[0]
    if name != "graphium":
        assert card.license
        assert card.own_file() == f"a file of yours, published at {card.sources[0]}"
        assert card.sources[0].startswith("https://")


def test_what_was_not_seen_is_said() -> None:
    assert all("not verified on the real file" in CARDS[name].cautions()[0] for name in PUBLIC if name not in VERIFIED)
    assert all(CARDS[name].cautions() == [CARDS[name].note] * bool(CARDS[name].note) for name in VERIFIED)


@pytest.mark.parametrize("name", IN_MIRROR)
def test_the_public_files_load_strictly_from_a_mirror(shared: Path, tmp_path: Path, name: str) -> None:
    places = Places(tmp_path / "cache", shared / "checkpoints", offline=True)
    encoder = encoder_of(name, "cpu")
    load_published(encoder, CARDS[name].source(), places)
    state = torch.load(shared / "checkpoints" / f"{name}.pth", map_location="cpu", weights_only=True)
    assert all(torch.equal(tensor, state[key]) for key, tensor in copy_state(encoder).items())
    assert CARDS[name].present(places) == "mirror"


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in VERIFIED])
def test_a_file_of_the_described_keys_and_shapes_loads(tmp_path: Path, name: str) -> None:
    """What cannot be had here is stood in for by random weights under the names of the public code."""
    card, mirror = CARDS[name], tmp_path / "mirror"
    mirror.mkdir()
    state = {key: torch.randn(shape) for key, shape in described(card._target_).items()}
    torch.save(state, mirror / str(card.file), _use_new_zipfile_serialization=False)
    blob = git_blob((mirror / str(card.file)).read_bytes())
    places = Places(tmp_path / "cache", mirror, offline=True)
    encoder = encoder_of(name, "cpu")
    source = ModelCard(**{**vars(card), "git_blob": blob}).source()
    load_published(encoder, source, places)
    assert all(torch.equal(tensor, state[key]) for key, tensor in copy_state(encoder).items() if "tracked" not in key)
    with pytest.raises(UsageError, match=f"its git blob id is {blob}, not {card.git_blob}"):
        load_published(encoder, card.source(), places)


def described(target: str) -> dict[str, tuple[int, ...]]:
    """Return keys and shapes of the 5-layer, 300-d GIN or GAT as the page of the public files and their code say."""
    found: dict[str, tuple[int, ...]] = {"x_embedding1.weight": (120, 300), "x_embedding2.weight": (3, 300)}
    width = 600 if target.endswith("GAT") else 300
    if target.endswith("GAT"):
        inside = {"att": (1, 2, 600), "bias": (300,), "weight_linear.weight": (600, 300), "weight_linear.bias": (600,)}
    else:
        inside = {"mlp.0.weight": (600, 300), "mlp.0.bias": (600,), "mlp.2.weight": (300, 600), "mlp.2.bias": (300,)}
    tables = {"edge_embedding1.weight": (6, width), "edge_embedding2.weight": (3, width)}
    for layer in range(5):
        found |= {f"gnns.{layer}.{key}": shape for key, shape in {**inside, **tables}.items()}
        found |= {
            f"batch_norms.{layer}.{key}": (300,) if key != "num_batches_tracked" else ()
            for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        }
    return found


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"sources": []}, "sources must be set for checkpoint=published"),
        ({"file": None}, "file must be set"),
        ({"sha256": None}, "sha256 or git_blob must be set"),
        ({"sources": ["cahce"]}, "Did you mean 'cache'"),
        ({"sources": ["bundled"]}, "checkpoint=bundled:FILE"),
        ({"pretraining": "selfsupervised"}, "Did you mean 'self-supervised'"),
    ],
)
def test_an_incomplete_card_is_refused(tmp_path: Path, change: dict[str, Any], part: str) -> None:
    ModelCard(**COMPLETE)
    with pytest.raises(ValueError, match=part):
        ModelCard(**{**COMPLETE, **change})
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(json.dumps({**COMPLETE, **change}))
    with raises_usage(part, key="model/mine.yaml"):
        model_cards(tmp_path)


def test_the_words_of_pretraining_are_those_of_the_list() -> None:
    assert {card.pretraining for card in CARDS.values()} == PRETRAINING.keys()


def test_where_weights_lie_on_this_machine(shared: Path, tmp_path: Path) -> None:
    places = Places(tmp_path / "cache", shared / "checkpoints")
    found = {name: card.present(places) for name, card in CARDS.items()}
    assert {found[name] for name in IN_MIRROR} == {"mirror"}
    assert (found["gin_masking"], found["scratch"], found["gin"], found["gin_infomax"]) == ("bundled", None, None, None)
    (tmp_path / "cache").mkdir()
    shutil.copy(shared / "checkpoints" / "gcn_contextpred.pth", tmp_path / "cache")
    assert CARDS["gcn_contextpred"].present(places) == "cache"


# A file of the user's that is another kind's


@pytest.mark.parametrize(("model", "file"), [("gcn", "graphsage_supervised"), ("graphsage", "gcn_contextpred")])
def test_a_known_file_of_the_other_kind_is_refused(shared: Path, model: str, file: str) -> None:
    content = (shared / "checkpoints" / f"{file}.pth").read_bytes()
    with raises_usage(f"model={file}", key="model.checkpoint"):
        check_encoder(CARDS[model], content)


def test_a_file_of_the_right_kind_an_unknown_one_and_an_encoder_of_ones_own_pass(shared: Path) -> None:
    content = (shared / "checkpoints" / "gcn_contextpred.pth").read_bytes()
    check_encoder(CARDS["gcn"], content)
    check_encoder(CARDS["graphsage"], content + b"x")
    check_encoder(ModelCard("mine", "mine.BetterGCN"), content)


def test_the_bundled_file_is_no_published_one() -> None:
    assert CARDS["gin_masking"].present(PLACES) == "bundled"
    assert (ROOT / "src" / "roftbench" / "assets" / "checkpoints" / "gin_masking.safetensors").is_file()
    assert isinstance(encoder_of("gin_masking"), GIN)


@pytest.mark.parametrize(("name", "kind"), [("graphium", Graphium), ("minimol", MiniMol)])
def test_config_states_the_defaults_of_the_class(name: str, kind: type[Graphium]) -> None:
    config = options("model")[name]
    defaults = {p.name: p.default for p in inspect.signature(kind).parameters.values()}
    assert {one: config[one] for one in defaults} == defaults
