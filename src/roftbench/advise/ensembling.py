"""Blends: candidates whose predictions are averaged, often better with few labels than each of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from roftbench.advise.candidates import Candidate
from roftbench.data.dataset import MoleculeDataset
from roftbench.metrics import evaluate
from roftbench.predict.held_out import HeldOut, from_record, pooled
from roftbench.store.record_schema import Record

MOST = 3  # parts of a blend
HEDGE = 0.02  # share by which the forest may worsen a blend: it seldom fails where networks do
GAIN = 0.01  # share of the loss that another part must gain, to be worth one more model


@dataclass(eq=False)
class Blend(Candidate):
    """Candidates that predict with their mean."""

    of: tuple[Candidate, ...] = ()

    @property
    def name(self) -> str:
        """The names of the parts."""
        return " + ".join(one.name for one in self.of)

    @property
    def parts(self) -> tuple[Candidate, ...]:
        """The candidates that are averaged."""
        return self.of


class Blender:
    """Blends candidates that were judged on the same folds of a data set."""

    def __init__(self, dataset: MoleculeDataset, folds: int, metric: str, sign: int) -> None:
        self.dataset, self.folds, self.metric, self.sign = dataset, folds, metric, sign

    def blend(
        self,
        candidates: Sequence[Candidate],
        affordable: Callable[[Sequence[Candidate]], bool],
        folds: Collection[int] | None = None,
    ) -> Blend | None:
        """Return the best candidate with others that improve it, added one by one, or None if none does.

        Forward selection (Caruana et al. 2004, ICML) without repetition on `folds`, by default those of the first
        partition, among the candidates that were judged on all of them. The forest is added at the end if that costs
        little: the best of many candidates is partly chosen by luck, and a mean with the forest depends less on it.
        """
        folds = set(folds or range(self.folds))
        judged = [one for one in candidates if not one.failure and folds <= set(one.records)]
        ranked = sorted(judged, key=lambda one: one.loss(self.sign, folds))
        chosen = ranked[:1]
        loss = self._loss(chosen, folds) if chosen else 0.0
        while 0 < len(chosen) < MOST:
            options = [[*chosen, one] for one in ranked if one not in chosen and affordable([*chosen, one])]
            losses = [self._loss(option, folds) for option in options]
            if not losses or not min(losses) < loss - GAIN * abs(loss):
                break
            loss = min(losses)
            chosen = options[losses.index(loss)]
        forest = [one for one in judged if one.baseline and one.quick and one not in chosen]
        hedged = [*chosen, *forest]
        if chosen and forest and affordable(hedged) and self._loss(hedged, folds) <= loss + HEDGE * abs(loss):
            chosen = hedged
        return self._made(chosen) if len(chosen) > 1 else None

    def together(self, records: Sequence[Record]) -> HeldOut:
        """Return the test molecules of records with the mean of their predictions."""
        return pooled([("", from_record(self.dataset, record)) for record in records])

    def score(self, records: Sequence[Record]) -> float | None:
        """Return the metric of the mean of the records' test predictions, None if it is undefined."""
        found = self.together(records)
        return evaluate(str(self.dataset.spec.task), found.y, found.prediction, [self.metric])[self.metric]

    def _loss(self, parts: Sequence[Candidate], folds: Collection[int]) -> float:
        scores = [self.score([one.records[fold] for one in parts]) for fold in sorted(folds)]
        values = [score for score in scores if score is not None]
        return self.sign * sum(values) / len(values) if values else float("inf")

    def _made(self, parts: Sequence[Candidate]) -> Blend:
        folds = sorted(set.intersection(*(set(one.records) for one in parts)))
        return Blend(
            " + ".join(one.model for one in parts),
            " + ".join(one.method for one in parts),
            scores={fold: self.score([one.records[fold] for one in parts]) for fold in folds},
            seconds=sum(one.seconds or 0.0 for one in parts),
            of=tuple(parts),
        )
