"""Blends: candidates whose predictions are averaged, often better with few labels than each of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from roftbench.advise.candidates import Candidate
from roftbench.advise.significance import standard_error
from roftbench.data.dataset import MoleculeDataset
from roftbench.metrics import evaluate
from roftbench.predict.held_out import HeldOut, from_record, pooled
from roftbench.store.record_schema import Record

MOST = 4  # parts of a blend


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
        """Return the mean of the best candidate and those close to it, None if there are none.

        Close are those whose mean loss on `folds`, by default those of the first partition, is less than one standard
        error of the difference behind the best one's (Breiman et al. 1984, CART, section 3.4.3), corrected for the
        training molecules that folds share. The best of many candidates is partly chosen by luck, and a mean depends
        less on it. Candidates that were judged on all of the folds come in order, up to MOST.
        """
        folds = set(folds or range(self.folds))
        judged = [one for one in candidates if not one.failure and folds <= set(one.records)]
        ranked = sorted(judged, key=lambda one: one.loss(self.sign, folds))
        chosen = ranked[:1]
        for one in ranked[1:]:
            if len(chosen) < MOST and self._close(one, ranked[0], folds) and affordable([*chosen, one]):
                chosen.append(one)
        return self._made(chosen) if len(chosen) > 1 else None

    def _close(self, one: Candidate, best: Candidate, folds: Collection[int]) -> bool:
        """Return whether a candidate is at most one standard error of the difference behind the best one."""
        pairs = [(one.scores[fold], best.scores[fold]) for fold in sorted(folds)]
        behind = [self.sign * (own - other) for own, other in pairs if own is not None and other is not None]
        if len(behind) < max(2, sum(other is not None for _, other in pairs)):
            return False
        return sum(behind) / len(behind) <= standard_error(behind, 1 / (self.folds - 2))

    def together(self, records: Sequence[Record]) -> HeldOut:
        """Return the test molecules of records with the mean of their predictions."""
        return pooled([("", from_record(self.dataset, record)) for record in records])

    def score(self, records: Sequence[Record]) -> float | None:
        """Return the metric of the mean of the records' test predictions, None if it is undefined."""
        found = self.together(records)
        return evaluate(str(self.dataset.spec.task), found.y, found.prediction, [self.metric])[self.metric]

    def _made(self, parts: Sequence[Candidate]) -> Blend:
        folds = sorted(set.intersection(*(set(one.records) for one in parts)))
        return Blend(
            " + ".join(one.model for one in parts),
            " + ".join(one.method for one in parts),
            scores={fold: self.score([one.records[fold] for one in parts]) for fold in folds},
            seconds=sum(one.seconds or 0.0 for one in parts),
            of=tuple(parts),
        )
