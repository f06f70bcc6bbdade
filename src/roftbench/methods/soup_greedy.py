"""Greedy soup: the mean of those fits that improve the validation score of the mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from roftbench.methods.base import Finished, Fitted
from roftbench.methods.ingredients import Ingredients
from roftbench.methods.soup_uniform import mean_state


@dataclass(frozen=True)
class GreedySoup(Ingredients):
    """Fits in the order of their validation scores, each kept if the mean with it is better (Wortsman et al., 2022).

    It is never worse on the validation part than its best ingredient, and looks at that part twice per ingredient.
    """

    def combine(self, fits: Sequence[Fitted]) -> Finished:
        """Return the mean of the chosen fits; `info` names them by their place, from 1, in the order of choice."""
        better, score_of = fits[0].better, fits[0].val_score
        scores = [score_of(one.tuned) for one in fits]

        def compare(i: int, j: int) -> int:
            return int(better(scores[j], scores[i])) - int(better(scores[i], scores[j]))

        first, *others = sorted(range(len(fits)), key=cmp_to_key(compare))
        chosen, soup, best = [first], fits[first].tuned, scores[first]
        for number in others:
            mixed = mean_state([fits[i].tuned for i in (*chosen, number)])
            score = score_of(mixed)
            if better(score, best):
                chosen, soup, best = [*chosen, number], mixed, score
        return Finished(soup, {"ingredients": [i + 1 for i in chosen], "val_scores": scores})
