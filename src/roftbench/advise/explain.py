"""A recommendation in words: what the budget left open, the recommendation, and the reasons."""

from roftbench.advise.candidates import Candidate
from roftbench.advise.recommendation import Advice
from roftbench.advise.significance import Difference
from roftbench.formatting import score_text
from roftbench.metrics import METRICS

SHOWN = 2  # rivals with an interval in the text; the table has all


def reasons(advice: Advice) -> list[str]:
    """Return what the budget left open, the recommendation and its reasons, a sentence or two each."""
    lines = [
        _open(advice),
        _choice(advice),
        _blended(advice),
        _null(advice),
        *_rivals(advice),
        _means(advice),
        _spread(advice),
        *_baselines(advice),
        "" if advice.curve is None else advice.curve.words(),
        _test(advice),
        _saved(advice),
    ]
    failed: dict[str, list[str]] = {}
    for one in advice.ranked:
        if one.failure:
            failed.setdefault(one.failure, []).append(one.name)
    if failed:
        each = (f"{', '.join(names)} ({reason})" for reason, names in failed.items())
        lines.append(f"Left out because their jobs failed: {'; '.join(each)}.")
    return [line for line in lines if line]


def _open(advice: Advice) -> str:
    """Return what the budget left open, and the budget that would suffice."""
    ending = advice.ending
    if not ending.stopped:
        return ""
    undecided = f"Not decided within this budget ({advice.budget}): {ending.undecided}. " if ending.undecided else ""
    return (
        f"{undecided}The comparison is incomplete: {ending.stopped}. {ending.enough[0].upper()}{ending.enough[1:]};"
        " repeat the command with a larger advise.budget to continue."
    )


def _choice(advice: Advice) -> str:
    best = advice.winner
    what = best.name if len(best.parts) == 1 else f"the mean of {' and '.join(one.name for one in best.parts)}"
    start = f"The best so far is {what}" if advice.ending.undecided else f"Use {what}"
    tested = advice.saved.score
    shown = f"{advice.metric} is undefined" if tested is None else f"{advice.metric} {score_text(tested)}"
    models = len(advice.saved.folders)
    together = f", {models} models together" if models > 1 else ""
    return f"{start}: {shown} on the test part ({advice.tested} molecules not used before{together}). {_mean(advice)}"


def _blended(advice: Advice) -> str:
    if len(advice.winner.parts) == 1:
        return ""
    return (
        "It averages the best candidate and those at most one standard error behind it: when several are about equally"
        " good, their mean depends less on luck than the single best."
    )


def _mean(advice: Advice) -> str:
    """Return the winner's mean over folds with its optimism, as it was chosen by this mean."""
    values = [value for fold in deciding(advice) if (value := advice.winner.scores.get(fold)) is not None]
    if not values:
        return ""
    mean, judged = sum(values) / len(values), len(advice.whole) or len(advice.ranked)
    folds = f"{len(values)} folds" if len(values) > 1 else "only one fold, which is uncertain"
    if judged == 1:
        return f"Its mean is {score_text(mean)} over {folds}."
    luck = f"because it is the best of {judged} candidates, partly by luck"
    return f"Its mean of {score_text(mean)} over {folds} is optimistic, {luck}."


def deciding(advice: Advice) -> set[int]:
    """Return the folds on which the winner was chosen."""
    return set(advice.deciding) if advice.deciding <= set(advice.winner.scores) else set(advice.winner.scores)


def _null(advice: Advice) -> str:
    """Return whether anything was learned, from the difference to a guess without the molecule."""
    found = advice.behind.get(advice.null.name)
    if found is None or (found.clear and better(found, advice.metric)):
        return ""
    start = f"Compared with the {advice.null.name}, which ignores the molecule: {_words(found, advice.metric)}"
    if found.clear:
        return f"{start}. No candidate is better: nothing useful was learned from these labels."
    return f"{start}. The folds do not show whether anything was learned from these labels."


def _rivals(advice: Advice) -> list[str]:
    """Return the intervals of the next candidates, which never show that they are equally good."""
    rivals = [(one, advice.behind[one.name]) for one in advice.ranked[1:] if one.name in advice.behind]
    rivals = [(one, found) for one, found in rivals if found.folds > 1 and one.covers(advice.count)]
    if not rivals:
        return []
    level = f"simultaneous 95 % intervals of all {len(advice.ranked)} comparisons"
    lines = [
        f"Compared with {one.name}: {_words(found, advice.metric)}."
        for one, found in rivals[:SHOWN]
        if not one.baseline
    ]
    open_ = sum(not found.clear for _, found in rivals)
    if open_ == 0:
        return [*lines, f"Every other candidate judged on all folds is behind it ({level})."]
    whose = (
        f"{open_} of the {len(rivals)} other candidates judged on all folds"
        if len(rivals) > 1
        else "The only other candidate judged on all folds"
    )
    verb = "have intervals" if open_ > 1 else "has an interval"
    return [*lines, f"{whose} {verb} that contain{'s' * (open_ == 1)} 0 ({level}): their order is not settled."]


def _means(advice: Advice) -> str:
    if len({frozenset(one.scores) for one in advice.ranked if one.scores and not one.failure}) < 2:
        return ""
    return (
        "Not all candidates were judged on the same folds, and some folds are harder: compare the differences, which"
        " are over shared folds, rather than the means."
    )


def alike(advice: Advice, one: Candidate) -> bool:
    """Return whether two or more folds do not distinguish a candidate from the winner."""
    found = advice.behind.get(one.name)
    return found is not None and found.folds > 1 and not found.clear


def _spread(advice: Advice) -> str:
    values = [value for value in advice.winner.scores.values() if value is not None]
    if len(values) < 2:
        return ""
    return (
        f"Over the folds its score ranges from {score_text(min(values))} to {score_text(max(values))}: a single split"
        " with so few labels can mislead by as much."
    )


def _baselines(advice: Advice) -> list[str]:
    lines = []
    for one in advice.ranked:
        if one.baseline and one.scores and not one.failure:
            what = "the forest on fingerprints" if one.model == "ecfp" else "full fine-tuning without pretraining"
            if one is advice.winner:
                lines.append(f"The winner is a baseline: {what}. {_pays(advice)}")
            elif (found := advice.behind.get(one.name)) is not None:
                lines.append(f"Compared with {what}: {_words(found, advice.metric)}.")
    return lines


def _pays(advice: Advice) -> str:
    """Return whether a pretrained network helps, from those fine-tuned on the folds that chose the winner."""
    first = {fold for fold in deciding(advice) if fold < advice.count}
    tuned = [one for one in advice.ranked if one.name in advice.pretrained and not one.quick and not one.failure]
    judged = [one for one in tuned if advice.winner.covers(advice.count) and first <= set(one.scores)]
    if not judged:
        return "No pretrained network was fine-tuned on the same folds, so it is open whether one would help."
    found = advice.behind.get(judged[0].name)
    if found is None or not found.clear:
        return (
            f"None of {len(judged)} pretrained networks fine-tuned on the same folds is better on average; the"
            " intervals leave open whether one would help."
        )
    return f"Pretrained networks do not help here: {len(judged)} were fine-tuned on the same folds and are behind."


def better(found: Difference, metric: str) -> bool:
    """Return whether the winner's mean is the better one."""
    return (found.mean > 0) == METRICS[metric].higher_is_better


def _words(found: Difference, metric: str) -> str:
    """Return a difference in words, with its interval and the bounds that follow from it."""
    side = "better" if better(found, metric) else "worse"
    if found.folds == 1:
        return f"{score_text(abs(found.mean))} {side} on one fold"
    start = f"{score_text(abs(found.mean))} {side} over {found.folds} folds (95 % interval of the difference"
    start += f" {score_text(found.low)} to {score_text(found.high)}"
    if found.clear:
        return f"{start}, which excludes 0)"
    gains = (found.high, -found.low) if METRICS[metric].higher_is_better else (-found.low, found.high)
    gain, loss = map(score_text, gains)
    return f"{start}: at most {gain} better or {loss} worse)"


def _test(advice: Advice) -> str:
    found = {name: tested.mean for name, tested in advice.test.items()}
    shown = [f"{name} {score_text(value)}" for name, value in found.items() if value is not None]
    return f"On the test part, used once: {', '.join(shown)} ({advice.metric}, means over seeds)." if shown else ""


def _saved(advice: Advice) -> str:
    count = len(advice.saved.folders)
    if not count:
        return ""
    score, intervals = advice.saved.score, advice.saved.intervals
    judged = f"its test {advice.metric} is" if count == 1 else f"their mean has a test {advice.metric} of"
    text = "" if score is None else f"; {judged} {score_text(score)}"
    text += f"; {intervals}" if intervals else ""
    models = "one model" if count == 1 else f"{count} models, which predict together"
    return f"Saved for predictions as '{advice.saved.name}': {models}{text}."
