"""Molecules to measure next: the most uncertain and the most diverse ones of a table without labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.SimDivFilters import rdSimDivPickers

from roftbench.advise.race_jobs import RaceJobs
from roftbench.console import bar, say
from roftbench.data.dataset import MoleculeDataset
from roftbench.data.featurizers.hu import parse_smiles, text_hash
from roftbench.data.similarity import nearest
from roftbench.data.table.stream import Rows, open_rows
from roftbench.errors import UsageError
from roftbench.formatting import counted, csv_lines, ordinal
from roftbench.methods.gaussian_process import GaussianProcess
from roftbench.predict.column_names import PROBABILITY, SIMILARITY, STD
from roftbench.predict.ensemble import Ensemble, load
from roftbench.predict.featurize import CHUNK, featurized
from roftbench.store.files import write_text

ADDED = ["rank", "why", "uncertainty", "similarity"]  # columns before the predictions and those of the table
SEED = 0  # of the choice between equally distant molecules, and of a sample of labeled ones

Floats = NDArray[np.float64]
Deviation = Callable[[NDArray[np.uint8], Floats], Floats]


@dataclass(frozen=True)
class Ranked:
    """The chosen molecules, best first: names of the columns, rows of text, and how they were chosen, in words."""

    header: list[str]
    rows: list[list[str]]
    words: str

    def write(self, path: Path) -> Path:
        """Write a CSV file and return its path."""
        write_text(path, csv_lines([self.header, *self.rows]))
        return path


@dataclass(frozen=True)
class _Screened:
    """M unlabeled molecules of a table, each once.

    Attributes:
        rows: Their rows in the table, [M].
        values: Predictions, [M, C].
        uncertainty: Standard deviations, [M].
        similarity: To the nearest labeled molecule, [M].
        fingerprint: Packed ECFP4 bits, [M, 256].
    """

    rows: list[int]
    values: Floats
    uncertainty: Floats
    similarity: Floats
    fingerprint: NDArray[np.uint8]


@dataclass(frozen=True)
class Pool:
    """An open table of molecules without labels."""

    table: Rows

    @classmethod
    def opened(cls, path: Path, dataset: MoleculeDataset) -> "Pool":
        """Open a table, whose SMILES column is named as that of the data set or guessed.

        Raises:
            UsageError: It cannot be read.
        """
        try:
            table = open_rows(path.expanduser(), None)
            name = dataset.spec.smiles_column
            if name in table.names and table.names[table.smiles] != name:
                table = open_rows(path.expanduser(), name)
        except UsageError as error:
            problem = f"advise.pool={path}: {str(error).removeprefix(f'input={path} ')}"
            raise UsageError(problem, key="advise.pool", got=str(path)) from None
        for note in table.notes:
            say(f"  advise.pool: {note}")
        return cls(table)

    def ranked(self, folders: Sequence[Path], jobs: RaceJobs, picks: int) -> Ranked:
        """Return up to `picks` molecules, the most uncertain and the most diverse ones in turn.

        Uncertain are those with the largest standard deviation: of the saved models if they have one, otherwise of a
        Gaussian process on the fingerprints of the labeled molecules; for classes the one of a draw with the predicted
        probability. Diverse ones are picked by MaxMin, each the farthest from all labeled and picked ones (Ashton et
        al. 2002, Quant. Struct.-Act. Relat. 21, 598).

        Raises:
            UsageError: No row is a molecule without a label.
        """
        models = load(*folders, device=jobs.env.run.device, plugins=jobs.env.plugins)
        labeled = jobs.dataset.fingerprints()[jobs.dataset.labeled]
        found, skipped = self._screened(models, labeled, jobs)
        count = len(found.rows)
        if not count:
            problem = f"advise.pool={self.table.path}: no row is a molecule without a label ({skipped})"
            raise UsageError(problem, key="advise.pool", got=str(self.table.path))
        certain = np.argsort(-found.uncertainty, kind="stable")[: min(picks, count)].tolist()
        diverse = _diverse(labeled, found.fingerprint, min(picks, count))
        places = [dict(zip(order, range(1, count + 1), strict=False)) for order in (certain, diverse)]
        chosen = list(dict.fromkeys(one for pair in zip(certain, diverse, strict=True) for one in pair))[:picks]
        own = self._cells([found.rows[one] for one in chosen])
        predicted = zip(*models.output_columns().number_cells(found.values[chosen]), strict=True)
        rows = []
        for rank, (one, cells) in enumerate(zip(chosen, predicted, strict=True), 1):
            numbers = [f"{found.uncertainty[one]:.4g}", f"{found.similarity[one]:.3f}"]
            rows.append([str(rank), _why(one, places, count), *numbers, *cells, *own[found.rows[one]]])
        columns = _of_tasks(models)
        taken = {*ADDED, *columns}
        header = [*ADDED, *columns, *(f"given_{name}" if name in taken else name for name in self.table.names)]
        source = "the saved models" if models.has_deviation else "a Gaussian process on fingerprints"
        source = "the predicted probability" if models.task == "classification" else source
        words = (
            f"{len(rows)} of {count:,} molecules, the most uncertain (by {source}) and the most diverse (MaxMin on"
            f" ECFP4, beside the labeled ones) in turn{f'; {skipped}' if skipped else ''}"
        )
        return Ranked(header, rows, words)

    def _screened(self, models: Ensemble, labeled: NDArray[np.uint8], jobs: RaceJobs) -> tuple[_Screened, str]:
        """Return the molecules that are not labeled, each once, and which rows were skipped, in words."""
        known = set(jobs.dataset.canonical[jobs.dataset.labeled].tolist())
        process = _process(models, jobs)
        rows, values, deviations, bits = [], [], [], []
        unreadable = repeated = start = 0
        progress = bar((), "what to measure next", "mol", total=self.table.count)
        for chunk in self.table.chunks(CHUNK):
            texts = chunk[self.table.smiles]
            molecules = featurized(texts, models.featurizers, models.strip_salts)
            predicted = models.rows(molecules)
            kept = []
            for at, (place, smiles) in enumerate(zip(molecules.places, molecules.smiles, strict=True)):
                if predicted.reasons[place]:
                    continue
                number = text_hash(Chem.MolToSmiles(parse_smiles(smiles)))
                repeated += number in known
                if number not in known:
                    known.add(number)
                    kept.append(at)
            unreadable += sum(map(bool, predicted.reasons))
            places = np.array(molecules.places, np.int64)[kept]
            rows += (start + places).tolist()
            values.append(predicted.values[places, : len(_of_tasks(models))])
            bits.append(molecules.fingerprint[kept])
            deviations.append(process(bits[-1], values[-1]))
            start += len(texts)
            progress.update(len(texts))
        progress.close()
        fingerprint = np.concatenate([labeled[:0], *bits])
        whole = np.concatenate([np.empty((0, len(_of_tasks(models)))), *values])
        near = nearest(fingerprint, labeled, None)
        skips = [f"{counted(unreadable, 'row')} without a prediction"] * bool(unreadable)
        skips += [f"{repeated:,} that are labeled or occur twice"] * bool(repeated)
        skipped = f"left out: {', '.join(skips)}" if skips else ""
        return _Screened(rows, whole, np.concatenate([np.empty(0), *deviations]), near, fingerprint), skipped

    def _cells(self, rows: Sequence[int]) -> dict[int, list[str]]:
        """Return the cells of some rows of the table."""
        wanted, found, start = set(rows), {}, 0
        for chunk in self.table.chunks(CHUNK):
            for at in range(len(chunk[0])):
                if start + at in wanted:
                    found[start + at] = [column[at] for column in chunk]
            start += len(chunk[0])
        return found


def _of_tasks(models: Ensemble) -> list[str]:
    """Return the numeric columns of the tasks, which come before those of the molecule."""
    return models.columns[: models.columns.index(SIMILARITY)]


def _places(models: Ensemble, end: str) -> list[int]:
    """Return the position of a column of each task."""
    return [models.columns.index(name + end) for name in models.targets]


def _process(models: Ensemble, jobs: RaceJobs) -> Deviation:
    """Return the standard deviation of molecules [M] from their packed bits [M, 256] and predictions [M, C]."""
    if models.task == "classification":
        probabilities = _places(models, PROBABILITY)
        return lambda _, values: mean_of_tasks(np.sqrt(values[:, probabilities] * (1 - values[:, probabilities])))
    scale = np.nanstd(jobs.dataset.y, axis=0)
    scale = np.where(scale > 0, scale, 1) if len(models.targets) > 1 else np.ones(1)
    if models.has_deviation:
        deviations = _places(models, STD)
        return lambda _, values: mean_of_tasks(values[:, deviations] / scale)
    return _fitted_process(jobs, scale)


def _fitted_process(jobs: RaceJobs, scale: Floats) -> Deviation:
    """Return the deviation by Gaussian processes on the fingerprints of labeled molecules, the mean over tasks."""
    method = GaussianProcess()
    x, y = _unpacked(jobs.dataset.fingerprints()), jobs.dataset.y
    fits = []
    for task in range(y.shape[1]):
        known = np.flatnonzero(~np.isnan(y[:, task]))
        if len(known) > method.max_molecules:
            known = np.sort(np.random.default_rng(SEED).choice(known, method.max_molecules, replace=False))
        if len(known):
            fits.append((method.fit(x[known], y[known, task], "regression", seed=SEED, threads=1), scale[task]))

    def deviation(packed: NDArray[np.uint8], _: Floats) -> Floats:
        found = [method.moments(fit, _unpacked(packed))[1] / unit for fit, unit in fits]
        return mean_of_tasks(np.stack(found, axis=1))

    return deviation


def mean_of_tasks(deviations: Floats) -> Floats:
    """Return the mean over the tasks that have a deviation, of deviations [M, T]; 0 for a molecule with none."""
    known = ~np.isnan(deviations)
    return np.asarray(np.where(known, deviations, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.unpackbits(packed, axis=1, bitorder="little")


def _diverse(labeled: NDArray[np.uint8], pool: NDArray[np.uint8], picks: int) -> list[int]:
    """Return positions in the pool, each the farthest from the labeled and all earlier ones."""
    bits = [DataStructs.CreateFromBinaryText(one.tobytes()) for one in (*labeled, *pool)]
    first = list(range(len(labeled)))
    picker = rdSimDivPickers.MaxMinPicker()
    found = picker.LazyBitVectorPick(bits, len(bits), len(first) + picks, firstPicks=first, seed=SEED)
    return [one - len(first) for one in list(found)[len(first) :]]


def _why(one: int, places: Sequence[dict[int, int]], count: int) -> str:
    """Return why a molecule was chosen."""
    uncertain, diverse = (place.get(one) for place in places)
    reasons = [f"{ordinal(uncertain)} most uncertain of {count:,}"] if uncertain else []
    reasons += [f"{ordinal(diverse)} pick for diversity"] if diverse else []
    return "; ".join(reasons)
