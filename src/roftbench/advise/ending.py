"""End of a race: why it stopped, whether it is decided nevertheless, and the budget that would suffice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from roftbench.advise.candidates import Candidate, ahead, shared
from roftbench.advise.halving import Race


@dataclass(frozen=True)
class Ending:
    """What a budget left open, in words; texts are empty where nothing is open.

    Attributes:
        stopped: Why the race stopped.
        undecided: Why it is not decided.
        enough: Budget that would judge all candidates on all folds, or one more of them.
    """

    stopped: str = ""
    undecided: str = ""
    enough: str = ""


def ending(race: Race) -> Ending:
    """Return what the budget left open; a race is complete once all are judged on the first partition."""
    running = [one for one in race.candidates if not one.failure]
    waiting = [one for one in running if not one.covers(race.folds)]
    if not waiting:
        return Ending()
    stopped = f"{len(running) - len(waiting)} of {len(running)} candidates were judged on all {race.folds} folds"
    if race.stopped:
        stopped += f"; {race.stopped}"
    return Ending(stopped, _undecided(race, running, waiting), _enough(race, waiting))


def _undecided(race: Race, running: Sequence[Candidate], waiting: Sequence[Candidate]) -> str:
    """Return why the candidates that were judged on all folds do not decide the race, "" if they do."""
    whole = race.in_order(one for one in running if one.covers(race.folds))
    if not whole:
        return f"no candidate was judged on all {race.folds} folds"
    rivals = [one for one in waiting if ahead(one, whole[0], race.sign)]
    if rivals:
        folds = len(shared([rivals[0], whole[0]]))
        on = f"the {folds} folds" if folds > 1 else "the one fold"
        return f"{rivals[0].name} is ahead of {whole[0].name} on {on} that it was judged on"
    networks = [one for one in running if not one.quick]
    if networks and not any(one.covers(race.folds) for one in networks):
        return f"no network was trained on all {race.folds} folds"
    return ""


def _enough(race: Race, waiting: Sequence[Candidate]) -> str:
    """Return the budgets that would judge all candidates and one more candidate, in words."""
    last = max((race.jobs.finals([one]) for one in waiting), key=race.price)
    whole = race.budget.used() + race.price(race.union(waiting, race.folds) | last)
    least = min(race.price(race.union([one], race.folds) | race.jobs.finals([one])) for one in waiting)
    least += race.budget.used()
    shown = race.budget.shown(math.ceil(whole))
    if len(waiting) == 1 or least >= whole:
        return f"about {shown} would suffice"
    return f"about {race.budget.shown(math.ceil(least))} would cover one more candidate, about {shown} all of them"
