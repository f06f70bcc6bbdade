"""What an advice says in words: the recommendation, and why."""

from roftbench.advise.advice import Advice
from roftbench.advise.compare import Difference
from roftbench.advise.race import Runner
from roftbench.metrics import METRICS


def reasons(advice: Advice) -> list[str]:
    """Return the recommendation and its reasons, a sentence or two each."""
    lines = [
        _choice(advice),
        _alike(advice),
        _means(advice),
        _spread(advice),
        *_baselines(advice),
        _labels(advice),
        _test(advice),
        _kept(advice),
    ]
    failed = [f"{one.name} ({one.failure})" for one in advice.ranked if one.failure]
    if failed:
        lines.append(f"Left out, as their jobs failed: {'; '.join(failed)}.")
    if advice.stopped:
        lines.append(
            f"The race was not run to its end: {advice.stopped}. The same command with a larger budget goes on."
        )
    return [line for line in lines if line]


def _choice(advice: Advice) -> str:
    best = advice.winner
    folds = f"{len(best.scores)} folds" if len(best.scores) > 1 else "one fold alone, which says little"
    what = best.name if len(best.parts) == 1 else f"the mean of {' and '.join(one.name for one in best.parts)}"
    return f"Use {what}: {advice.metric} {advice.levels[best.name]:.3f} on average over {folds}."


def _alike(advice: Advice) -> str:
    names = [one.name for one in advice.ranked[1:] if alike(advice, one)]
    if not names:
        return "Every other candidate that got as far is clearly behind it." if _rivals(advice) else ""
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"No difference can be shown (95 %) between it and {shown}: taking one of them is no mistake."


def _means(advice: Advice) -> str:
    if len({frozenset(one.scores) for one in advice.ranked if one.name in advice.levels}) < 2:
        return ""
    return (
        "Not all were judged on the same folds, and some folds are harder: a mean is as if all had been, and may lie"
        " outside of what the candidate reached on its own."
    )


def _rivals(advice: Advice) -> bool:
    return any(len(one.scores) > 1 for one in advice.ranked[1:])


def alike(advice: Advice, one: Runner) -> bool:
    """Tell whether a candidate cannot be told from the winner, on two folds at least."""
    found = advice.behind.get(one.name)
    return found is not None and found.folds > 1 and not found.clear


def _spread(advice: Advice) -> str:
    values = [value for value in advice.winner.scores.values() if value is not None]
    if len(values) < 2:
        return ""
    return (
        f"From fold to fold its score goes from {min(values):.3f} to {max(values):.3f}: so much may one split of few"
        " labels mislead."
    )


def _baselines(advice: Advice) -> list[str]:
    lines = []
    for one in advice.ranked:
        if one.baseline and one.scores and not one.failure:
            what = "the forest on fingerprints" if one.model == "ecfp" else "full fine-tuning without pretraining"
            if one is advice.winner:
                lines.append(f"The winner is a baseline: {what}. {_pays(advice)}")
            elif (found := advice.behind.get(one.name)) is not None:
                lines.append(f"Against {what}: {_words(found, advice.metric)}.")
    return lines


def _pays(advice: Advice) -> str:
    """Say whether a pretrained network pays, if one was judged as far as the winner."""
    folds = set(advice.winner.scores)
    pretrained = [one for one in advice.ranked if one.name in advice.pretrained and one.name in advice.levels]
    if any(2 * len(folds & set(one.scores)) >= len(folds) for one in pretrained):
        return "A pretrained network does not pay here."
    return "No pretrained network was judged on half as many folds: whether one pays is open."


def _words(found: Difference, metric: str) -> str:
    better = (found.mean > 0) == METRICS[metric].higher_is_better
    side = "better" if better else "worse"
    if found.folds == 1:
        return f"{abs(found.mean):.3f} {side} on one fold"
    low, high = sorted((abs(found.low), abs(found.high))) if found.clear else (found.low, found.high)
    sure = f"95 % interval {low:.3f} to {high:.3f}" if found.clear else "which may be chance"
    return f"{abs(found.mean):.3f} {side} over {found.folds} folds, {sure}"


def _labels(advice: Advice) -> str:
    half = advice.half
    if half is None:
        return "Whether more labels would help was not asked: the budget was spent."
    worse = (half.mean < 0) == METRICS[advice.metric].higher_is_better
    folds = f"{half.folds} fold{'s' * (half.folds != 1)}"
    start = f"With half of the labels its score is {abs(half.mean):.3f} {'worse' if worse else 'better'}"
    if half.clear:
        return f"{start} ({folds}, clearly): more labels {'will' if worse else 'did not'} help."
    return f"{start} ({folds}, which may be chance): no proof that more labels would help."


def _test(advice: Advice) -> str:
    found = {name: tested.mean for name, tested in advice.test.items()}
    shown = [f"{name} {value:.3f}" for name, value in found.items() if value is not None]
    return f"On the test part, used once: {', '.join(shown)} ({advice.metric})." if shown else ""


def _kept(advice: Advice) -> str:
    count = len(advice.kept)
    if not count:
        return ""
    said = f"; {advice.together}" if advice.together else ""
    return f"Kept for predictions: {'one model' if count == 1 else f'{count} models, which predict together'}{said}."
