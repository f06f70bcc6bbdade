"""`roftbench advise`: models and methods compared on a data set of few labels."""

import json
from collections.abc import Sequence
from pathlib import Path

from roftbench.advise.advisor import Advisor
from roftbench.advise.page import write
from roftbench.advise.settings import separated
from roftbench.advise.show import WIDTH, show, to_dict
from roftbench.config.compose import clear_errors
from roftbench.console import logged, say, shown, wide_console
from roftbench.errors import UsageError


def run(overrides: Sequence[str], folder: Path | None, *, as_json: bool) -> int:
    """Print and write advice on the data set that the overrides name; returns 0.

    Raises:
        UsageError: an override is invalid, there are too few labels for folds, or no candidate can be evaluated.
    """
    settings, others = separated(overrides)
    if not any(text.startswith(("dataset=", "experiment=")) for text in others):
        raise UsageError(
            "no data set is given: roftbench advise dataset=csv dataset.path=my.csv, or dataset=NAME", key="dataset"
        )
    with logged(None, quiet=as_json), clear_errors(others, folder):
        advisor = Advisor(settings, others, folder)
        for guess in advisor.jobs.guesses:
            say(f"  guessed: {guess}")
        pairs = len(advisor.candidates)
        say(f"{pairs} candidates, budget {settings.budget}; all jobs are kept, and the same command continues")
        for warning in advisor.jobs.outer.warnings:
            say(f"  warning: {warning}")
        say(advisor.prior.words())
        advice = advisor.run()
        written = write(advice, advisor.place)
    if as_json:
        print(json.dumps(to_dict(advice), indent=1))
    else:
        show(advice, wide_console(WIDTH))
        print(f"written: {', '.join(shown(path) for path in written)}")
    return 0
