"""What the process with the models does for the page: describe, predict, draw."""

import csv
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from roftbench.predict.ensemble import load
from roftbench.predict.model_card import card
from roftbench.predict.saved_model import CARD, SavedModel
from roftbench.serve.limits import MOST_BYTES
from roftbench.serve.shown import About, Answer
from roftbench.serve.table import drawing, predicted


class Desk:
    """Loaded models, and a folder for the files of one request at a time."""

    def __init__(
        self,
        folders: Sequence[Path],
        device: str,
        threads: int | None,
        plugins: Sequence[str],
        most: int,
        folder: Path,
    ) -> None:
        """Load the models; raises UsageError as `load` does."""
        tqdm.set_lock(threading.RLock())  # its own is shared between processes, and left behind where one is killed
        csv.field_size_limit(MOST_BYTES)  # a cell that is no SMILES may be as long as the table
        if threads is not None:
            torch.set_num_threads(threads)
        self.ensemble = load(*folders, device=device, plugins=plugins)
        self.most, self.folder = most, folder

    def about(self) -> About:
        """Return what the page says of the models."""
        saved = self.ensemble.saved
        facts = saved[0].facts
        return About(
            names=self.ensemble.names,
            task=self.ensemble.task,
            targets=self.ensemble.targets,
            units=facts["units"] or "",
            positive=saved[0].classes[1] if self.ensemble.task == "classification" else "",
            ranges={one["task"]: (one["min"], one["max"]) for one in facts["labels"] if "min" in one},
            labels=sum(one["labels"] for one in facts["labels"]),
            cards=list(map(_card, saved)),
        )

    def predict(self, content: bytes, kind: str) -> Answer:
        """Return the predictions for a table; raises RefusedError as `predicted` does."""
        folder = self.folder / "request"
        shutil.rmtree(folder, ignore_errors=True)  # of a request that was stopped
        folder.mkdir(parents=True)
        try:
            return predicted(self.ensemble, content, kind, self.most, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def draw(self, smiles: str) -> str:
        """Return the structure of a molecule as SVG; raises RefusedError as `drawing` does."""
        return drawing(smiles, self.ensemble.strip_salts)


def _card(saved: SavedModel) -> str:
    """Return the card in a model's folder, or the original where it was removed or is no longer text."""
    try:
        return (saved.folder / CARD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return card(saved)
