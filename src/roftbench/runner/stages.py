"""The fitted stages that a candidate needs, and the keys under which the store shares them."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from roftbench.config.job import Job
from roftbench.config.schema import naming_params
from roftbench.config.stable_names import name_of
from roftbench.errors import UsageError
from roftbench.methods.base import Fold, Member, Method, Stage
from roftbench.store.checksums import digest

FINISH = "finish"
CONVERGED_VERSION = 2  # of the definition of a converged head
CONVERGED_LOSSES = ("rmse", "mse", "bce")  # minimized by ridge and logistic regression


@dataclass(frozen=True)
class Needed:
    """A fitted stage that a candidate needs: a training stage, or a finish that is fitted on validation labels.

    `key` names its file in the store. It is computed from the job's part in a fit and from all stages up to this one,
    so that equal keys mean equal weights.
    """

    name: str
    key: str
    stage: Stage | None  # None: a finish
    frozen: bool = False  # `is_frozen`


def stages_of(method: Method) -> list[Stage]:
    """Return a method's stages.

    Raises:
        UsageError: a stage is invalid, or there is none, or two have the same name.
    """
    try:
        stages = method.stages()
    except ValueError as error:
        raise UsageError(
            f"stages() of {type(method).__name__}: {error}", key="method", got=type(method).__name__
        ) from error
    names = [stage.name for stage in stages]
    if not names or len({*names, FINISH}) <= len(names):
        problem = (
            f"stages() of {type(method).__name__} gives {', '.join(names) or 'none'}: there must be one at least, each"
            f" with a name of its own, and not '{FINISH}'"
        )
        raise UsageError(problem, key="method", got=type(method).__name__)
    return stages


def is_frozen(stage: Stage, method: Method, frozen_mode: str) -> bool:
    """Return whether the encoder is constant in a stage and no hook reads it: then it runs once per molecule."""
    alone = stage.head_only and frozen_mode == "eval"
    return alone and not (method.overrides("penalty") or method.overrides("step_rule"))


def job_of(job: Job, member: Member) -> Job:
    """Return the job of a member, which differs in its seed."""
    return replace(job, seed=job.seed + member.seed)


def needed(job: Job, method: Method, device: str, fold: Fold | None = None) -> list[Needed]:
    """Return the stages that a candidate needs on a type of device ("cpu", "cuda"), in order, then its finish.

    Those of several members follow one another. `fold` is of labels that are kept from the fit.

    Raises:
        UsageError: as `stages_of` does, or a member has members or modules of its own.
    """
    if members := method.members():
        parts = [needed(job_of(job, one), _checked(one.method), device, one.fold) for one in members]
        found = [need for part in parts for need in part]
        if method.fits_on_validation:
            whole = [*(need.key for need in found), {FINISH: _identity(job, method)}]
            found.append(Needed(FINISH, _key(job, device, whole), None))
        return found
    chain: list[Any] = []
    found = []
    for stage in stages_of(method):
        spec = naming_params(Stage, asdict(stage))
        del spec["name"]  # methods share stages under different names
        if stage.converged:
            _check_converged(job)
            spec["converged"] = CONVERGED_VERSION
        own = {hook: _identity(job, method) for hook in ("step_rule", "extend") if method.overrides(hook)}
        if not stage.head_only:
            own |= job.encoder_identity()
        # None without a penalty, so that methods share the stage.
        penalty = _identity(job, method) if method.overrides("penalty") else None
        chain.append({**spec, "penalty": penalty, **own})
        frozen = is_frozen(stage, method, job.train.frozen_mode)
        found.append(Needed(stage.name, _key(job, device, chain, fold), stage, frozen))
    if method.fits_on_validation:
        found.append(Needed(FINISH, _key(job, device, [*chain, {FINISH: _identity(job, method)}], fold), None))
    return found


def _check_converged(job: Job) -> None:
    """Raise UsageError where training settings contradict a converged head on a frozen encoder."""
    if job.train.frozen_mode != "eval":
        problem = (
            f"train.frozen_mode={job.train.frozen_mode} does not fit a converged head, which is fitted once to the"
            " representations of an encoder in evaluation mode. Allowed: train.frozen_mode=eval, or method.head=adam."
        )
        raise UsageError(problem, key="train.frozen_mode", got=job.train.frozen_mode)
    if job.train.loss not in CONVERGED_LOSSES:
        problem = (
            f"train.loss={job.train.loss} does not fit a converged head, which minimizes squared errors. Allowed:"
            f" train.loss={' or '.join(CONVERGED_LOSSES[:2])}, or method.head=adam."
        )
        raise UsageError(problem, key="train.loss", got=job.train.loss)


def _checked(method: Method) -> Method:
    """Return the method of a member; raises UsageError for one that cannot be a member."""
    if method.members() or method.overrides("extend"):
        problem = f"{type(method).__name__} cannot be a member of a method: it has members or modules of its own"
        raise UsageError(problem, key="method", got=type(method).__name__)
    return method


def _key(job: Job, device: str, chain: list[Any], fold: Fold | None = None) -> str:
    kept = {} if fold is None else {"fold": asdict(fold)}
    return digest({**job.fit_identity(), "device": device, "stages": chain, **kept})


def _identity(job: Job, method: Method) -> dict[str, Any]:
    return {"class": name_of(type(method)), **job.method.code_identity(), **naming_params(type(method), asdict(method))}
