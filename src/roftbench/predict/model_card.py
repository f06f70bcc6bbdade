"""Model card of a saved model: predicted quantities, training data, reliability."""

from typing import Any

from roftbench.formatting import markdown_text
from roftbench.predict.card_tables import SHOWN, cell, number, reliability_lines, share
from roftbench.predict.evaluation import evaluation_lines, learned_in_words
from roftbench.predict.saved_model import SavedModel

FOOT = """\
## Intended range and limits

- The model is intended for molecules like the training molecules, which have {atoms[0]} to {atoms[3]} atoms (90 % of
  them {atoms[1]} to {atoms[2]}). The column `similarity` is the Tanimoto similarity (ECFP4) to the nearest of them; the
  lower it is, the less certain is the error.{domain}
- {held_out}{deviation}
- Test errors are those of {split}; they may be larger for other chemistry.
- A prediction does not replace a measurement, which decisions on safety need.

## Use

    roftbench predict model_dir=DIR input=new.csv output=predictions.csv
    python -c "import roftbench; print(roftbench.load('DIR').predict(['CCO']))"

`model.json` holds the job, scores and calibration, `weights.safetensors` the weights, `molecules.safetensors` the
training molecules' fingerprints and the held-out labels with their predictions.{training}
License of the data: {license}.
"""

TRAINING = """ It also holds the labels of the
training molecules, and `training.csv` their SMILES and identifiers. Whoever has the folder has these; `training.csv`
may be removed from it, and predictions then name the nearest training molecule by its row alone.\
"""

NO_MOLECULES = """ It also holds the labels of the
training molecules, not the molecules themselves: predictions name the nearest one by its row.\
"""

DOMAIN = """
- The column `in_domain` is `no` below a similarity of {no:.3f} and `edge` below {edge:.3f}: at most 5 % and 20 % of
  molecules like the {count} {based_on} are less similar to a training molecule.\
"""

DEVIATION = """
- The column `TASK_std` is the standard deviation of a new measurement by the model's own distribution (`{method}`),
  noise included, in the label's unit. The intervals are not made from it; beside other kinds of models it is not used.\
"""


def card(saved: SavedModel) -> str:
    """Return the card as Markdown."""
    facts, job = saved.facts, saved.facts["job"]
    version = facts["env"]["roftbench"]
    metric, units = facts["metric"], f" ({facts['units']})" if facts["units"] else ""
    labels, scores = facts["count"]["labels"], facts["scores"]
    tasks = ", ".join(map(markdown_text, saved.targets[:5])) + ", …" * (len(saved.targets) > 5)
    data = (
        f"data: `{job['dataset']['name']}`, sha256 `{job['dataset']['sha256']}`, split `{job['split']['name']}`,"
        f" labels `{job['label_ratio']['name']}`"
    )
    used = (
        f"labels used: {labels['weights']} for weights, {labels['selection']} for selection,"
        f" {labels['interpolation']} for interpolation coefficients"
    )
    evaluation = facts.get("evaluation")
    if evaluation is None:
        used += f"; {labels['test']} for the test scores"
        judged = f"{metric}: validation {number(scores['val'][metric])}, test {number(scores['test'][metric])}"
    else:
        there = f" ({metric} there: {number(scores['val'][metric])})" if labels["selection"] else ""
        judged = f"fitted to {learned_in_words(evaluation, labels['selection'])}{there}"
    lines = [
        f"# {tasks}: {job['model']['name']}, {job['method']['name']}",
        "",
        f"{saved.task.capitalize()}{units}{_classes(saved)}, job `{facts['key']}` of roftbench {version}.",
        "",
        f"- {data}",
        f"- {used}",
        *["- molecules: the largest organic fragment of a SMILES, without counter-ions; `predict` does the same"]
        * saved.strip_salts,
        f"- {judged}",
        *(f"- caution: {markdown_text(warning)}" for warning in facts["warnings"]),
        "",
        *_table(saved),
        "",
        *reliability_lines(saved),
        *([] if evaluation is None else [*evaluation_lines(evaluation, labels["selection"]), ""]),
    ]
    domain = facts.get("domain")
    held_out = _words(facts["calibration"], saved.task, selects=labels["selection"] > 0)
    foot = FOOT.format(
        atoms=facts["atoms"],
        held_out=held_out,
        domain="" if domain is None else DOMAIN.format(**domain),
        training="" if "training" not in facts else TRAINING if saved.holds_molecules else NO_MOLECULES,
        deviation=DEVIATION.format(method=job["method"]["name"]) if facts.get("deviation") else "",
        split="the other fits" if evaluation else f"this data set's split, `{job['split']['name']}`",
        license=facts["license"] or "not stated",
    )
    return "\n".join(lines) + "\n" + foot


def _classes(saved: SavedModel) -> str:
    if saved.task == "regression":
        return ""
    negative, positive = saved.classes
    return f" (probabilities are those of `{positive}`, against `{negative}`)"


def _table(saved: SavedModel) -> list[str]:
    facts, calibration = saved.facts, saved.facts["calibration"]
    test = "left-out folds" if "evaluation" in facts else "test"
    if saved.task == "regression":
        head = f"| task | training labels | mean ± std | range | 90 % interval | its coverage on {test} |"
        rows = [
            [cell(one["task"]), one["labels"], _spread(one), _range(one), f"± {number(width)}", share(held)]
            for one, width, held in zip(
                facts["labels"], _widths(calibration), calibration["test_coverage"], strict=True
            )
        ]
    else:
        head = f"| task | training labels | positives | calibration error on {test}: before | after |"
        errors = zip(calibration["test_error_before"], calibration["test_error"], strict=True)
        rows = [
            [cell(one["task"]), one["labels"], one["positives"], number(before), number(after)]
            for one, (before, after) in zip(facts["labels"], errors, strict=True)
        ]
    shown = [f"| {' | '.join(map(str, row))} |" for row in rows[:SHOWN]]
    more = [f"\n{len(rows) - SHOWN} more tasks are in `model.json`."] if len(rows) > SHOWN else []
    return [head, "|---" * (head.count("|") - 1) + "|", *shown, *more]


def _widths(calibration: dict[str, Any]) -> list[float | None]:
    """Return mean half widths on the test labels, or the only ones."""
    means = [one["mean_width"] for one in calibration.get("test", [])] or [None] * len(calibration["half_width"])
    return [
        half if half is None or mean is None else mean / 2
        for half, mean in zip(calibration["half_width"], means, strict=True)
    ]


def _words(calibration: dict[str, Any], task: str, *, selects: bool) -> str:
    """Describe the labels behind intervals or probabilities and the limits that follow."""
    fewest = min(calibration["count"])
    normalized = any(calibration.get("intervals") or [])
    kind = "normalized conformal; ± in the table is the mean" if normalized else "split conformal"
    what = f"The 90 % intervals ({kind})" if task == "regression" else "The probabilities (Platt's method)"
    text = f"{what} are based on at least {fewest} labels per task, those of the {calibration['labels']}."
    if calibration["labels"] == "validation part":
        text += " No weight was fitted to them"
        text += ", but they selected the epoch or candidate and are slightly optimistic." if selects else "."
    if calibration["fits_coefficients"]:
        text += " ROFT-MOL's interpolation coefficients were fitted to the same labels and add optimism."
    if task == "regression" and None in calibration["half_width"]:
        text += " Tasks with fewer than nine of these labels have no interval, as no finite one would cover 90 %."
    if normalized:
        text += (
            " They are wider for molecules whose nearest training molecules are less similar, differ in their labels,"
        )
        text += " or disagree with the prediction, as far as that went with larger errors on the same labels."
    if task == "classification" and [1.0, 0.0] in calibration["slope_and_offset"]:
        text += (
            " Probabilities are not calibrated where labels that took no part in the fit were no more probable by it,"
        )
        text += " or with fewer than five labels of a class."
    return text


def _spread(one: dict[str, Any]) -> str:
    return f"{one['mean']:.3g} ± {one['std']:.3g}" if "mean" in one else "–"


def _range(one: dict[str, Any]) -> str:
    return f"{one['min']:.3g} to {one['max']:.3g}" if "mean" in one else "–"
