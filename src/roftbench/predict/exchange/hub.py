"""A folder that model hubs take as it is: `roftbench export MODEL --hub FOLDER`.

It is the folder of a saved model, with `config.json`, a card that begins with the hub's metadata in YAML
(huggingface.co/docs/hub/model-cards), and `.gitattributes` for large files. Nothing is uploaded.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from roftbench.__about__ import __version__
from roftbench.errors import check_choice
from roftbench.metrics import evaluate
from roftbench.predict.ensemble import Ensemble
from roftbench.predict.model_card import card
from roftbench.predict.saved_ensemble import write_ensemble
from roftbench.predict.saved_model import SavedModel

CONFIG, CARD, ATTRIBUTES = "config.json", "README.md", ".gitattributes"
LICENSES = (
    "apache-2.0", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
    "cc0-1.0", "gpl-3.0", "mit", "other",
)  # fmt: skip
TAGS = ("roftbench", "chemistry", "molecules", "molecular-property-prediction")
LARGE = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"

USE = """\
## Load

    pip install roftbench
    python -c "import roftbench; print(roftbench.load('FOLDER').predict(['CCO']))"

FOLDER is a copy of this repository. Nothing in it is executed by loading it. It holds labels of the training and
held-out molecules and fingerprints{training}.
"""
MOLECULES = ", and in `training.csv` the training molecules themselves with their identifiers"
NO_MOLECULES = ", not the molecules: predictions name the nearest training molecule by its row"


def export_hub(model: Ensemble, folder: Path, license_name: str = "other", *, training_data: bool = False) -> Path:
    """Write saved models into a folder for a model hub, which `roftbench.load` reads; returns the folder.

    Args:
        model: the models.
        folder: the folder, which is replaced in one step if it holds a saved model.
        license_name: license of the model, as the hub names it.
        training_data: whether SMILES and identifiers of the training molecules are written, too; labels and
            fingerprints are in any case, as predictions need them.

    Raises:
        UsageError: the license is unknown to hubs, the folder holds other files, or cannot be written.
    """
    check_choice("--license", license_name, LICENSES)
    path = folder.expanduser().absolute()
    name = path.name or "model"
    saved = model.saved if training_data else [one.without_molecules() for one in model.saved]
    texts = {
        CARD: f"---\n{_metadata(model, name, license_name)}---\n\n{_page(model.targets, saved)}",
        CONFIG: json.dumps(_config(model), indent=1, ensure_ascii=False) + "\n",
        ATTRIBUTES: LARGE,
    }
    write_ensemble(saved, path, texts)
    return path


def _metadata(model: Ensemble, name: str, license_name: str) -> str:
    """Return the metadata as YAML."""
    jobs = [one.facts["job"] for one in model.saved]
    stated = sorted({str(one.facts["license"] or "not stated") for one in model.saved})
    content: dict[str, Any] = {
        "license": license_name,
        **({"license_name": "not-stated"} if license_name == "other" else {}),
        "library_name": "roftbench",
        "pipeline_tag": "graph-ml",
        "tags": [*TAGS, model.task, *dict.fromkeys(job[part]["name"] for job in jobs for part in ("model", "method"))],
        "metrics": [model.saved[0].facts["metric"]],
        "model-index": [{"name": name, "results": list(_results(model))}],
        "data_license": "; ".join(stated),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _results(model: Ensemble) -> Iterator[dict[str, Any]]:
    """Yield the scores as the hub takes them: of all models together where they share a test part, else of each."""
    if len(model.saved) > 1 and not model.refitted and len((test := model.test).rows):
        scores = evaluate(model.task, test.y, test.prediction)
        yield _result(model, model.saved[0], scores, f"test, mean of {len(model.saved)} models")
        return
    for one in model.saved:
        if (evaluation := one.facts.get("evaluation")) is not None:
            means = {name: found["mean"] for name, found in evaluation["scores"].items()}
            yield _result(model, one, means, f"mean over {len(evaluation['jobs'])} test parts of other fits")
        else:
            yield _result(model, one, one.facts["scores"]["test"], "test")


def _result(model: Ensemble, one: SavedModel, scores: dict[str, float | None], what: str) -> dict[str, Any]:
    dataset, split = one.facts["job"]["dataset"]["name"], one.facts["job"]["split"]["name"]
    metrics = [
        {"type": name, "value": float(score), "name": f"{name} ({what}, split {split})"}
        for name, score in scores.items()
        if score is not None
    ]
    return {
        "task": {"type": "graph-ml", "name": f"{model.task} of {', '.join(model.targets[:5])}"},
        "dataset": {"name": dataset, "type": dataset, "split": split},
        "metrics": metrics,
    }


def _page(targets: Sequence[str], saved: Sequence[SavedModel]) -> str:
    """Return the card without metadata: that of a single model, or a list of several."""
    use = USE.format(training=MOLECULES if any(one.holds_molecules for one in saved) else NO_MOLECULES)
    if len(saved) == 1:
        return f"{card(saved[0])}\n{use}"
    lines = [f"# {', '.join(targets[:5])}: {len(saved)} models that predict together", ""]
    for one in saved:
        job = one.facts["job"]
        text = f"{job['model']['name']}, {job['method']['name']}, seed {job.get('seed', 0)}"
        lines.append(f"- [{text}]({one.facts['key']}/{CARD})")
    return "\n".join([*lines, "", use])


def _config(model: Ensemble) -> dict[str, Any]:
    """Return what hubs and people look up without reading the weights."""
    first = model.saved[0]
    return {
        "library_name": "roftbench",
        "model_type": first.facts["job"]["model"]["name"],
        "architectures": list(dict.fromkeys(one.facts["job"]["model"]["target"] for one in model.saved)),
        "method": first.facts["job"]["method"]["name"],
        "task": model.task,
        "targets": model.targets,
        "units": first.facts["units"],
        **({"classes": list(first.classes)} if model.task == "classification" else {}),
        "models": [one.facts["key"] for one in model.saved],
        "roftbench_version": __version__,
    }
