"""Schema of the description of a saved model, checked once so that a damaged or forged one gives one message."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from roftbench.config.job import FINGERPRINT
from roftbench.predict.held_out import HeldOut

LARGEST = 10_000_000  # whole number among the parameters of a network
FINGERPRINT_BYTES = 256

_Four = tuple[float, float, float, float]


class _Part(msgspec.Struct):
    name: str
    target: str
    params: dict[str, Any]


class _Named(msgspec.Struct):
    name: str


class _Dataset(msgspec.Struct):
    name: str
    sha256: str
    classes: tuple[str, str] | None = None


class _Job(msgspec.Struct):
    model: _Part
    method: _Part
    dataset: _Dataset
    split: _Named
    label_ratio: _Named


class _Labels(msgspec.Struct):
    task: str
    labels: int
    positives: int | None = None
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None


class _Difficulty(msgspec.Struct):
    unit: float
    center: _Four
    scale: _Four
    low: _Four
    high: _Four
    intercept: float
    slopes: _Four


class _Interval(msgspec.Struct):
    factor: float
    difficulty: _Difficulty


class _Calibration(msgspec.Struct):
    count: list[int]
    half_width: list[float | None] | None = None
    slope_and_offset: list[tuple[float, float]] | None = None
    intervals: list[_Interval | None] | None = None


class _Domain(msgspec.Struct):
    no: float
    edge: float
    based_on: str
    count: int


class _Training(msgspec.Struct):
    sha256: str | None
    id_column: str | None
    label_decimals: list[int]


class _Facts(msgspec.Struct):
    key: str
    job: _Job
    kind: Literal["network", "fingerprint", "embedding"]
    targets: list[str]
    task: Literal["regression", "classification"]
    metric: str
    units: str | None
    offset: list[float]
    scale: list[float]
    labels: list[_Labels]
    calibration: _Calibration
    method: dict[str, Any] = {}
    extended: bool = False
    members: int = 1
    domain: _Domain | None = None
    training: _Training | None = None


def check_facts(facts: Any, tensors: Mapping[str, Any]) -> None:
    """Raise ValueError unless a description follows the schema and its sizes fit the number of tensors."""
    found = msgspec.convert(facts, _Facts)
    tasks, numbers = len(found.targets), found.calibration
    widths = numbers.half_width if found.task == "regression" else numbers.slope_and_offset
    if not tasks or len(set(found.targets)) < tasks:
        raise ValueError("it has no target, or one twice")
    decimals = [0] * tasks if found.training is None else found.training.label_decimals
    intervals = [None] * tasks if numbers.intervals is None else numbers.intervals
    per_task = (found.offset, found.scale, found.labels, numbers.count, widths or [], decimals, intervals)
    if any(len(one) != tasks for one in per_task):
        raise ValueError(f"it has {tasks} targets and other numbers of labels, scales or calibrations")
    if not np.isfinite([*found.offset, *found.scale]).all():
        raise ValueError(f"its offsets {found.offset} and scales {found.scale} are not finite")
    if not 1 <= found.members <= len(tensors) + 1:
        raise ValueError(f"its {found.members} members do not fit its {len(tensors)} tensors")
    if found.kind != FINGERPRINT:
        sizes = {f"model.{name}": value for name, value in found.job.model.params.items()}
        sizes |= {f"method.{name}": value for name, value in found.method.items() if found.extended}
        for name, value in sizes.items():
            most = len(tensors) if "layers" in name else LARGEST
            if isinstance(value, int) and abs(value) > most:
                raise ValueError(f"{name}={value} does not fit its {len(tensors)} tensors")


def check_arrays(tasks: int, train: NDArray[Any], *parts: HeldOut) -> None:
    """Raise ValueError unless fingerprints and held-out molecules have the shapes and types of a saved model."""
    if train.ndim != 2 or train.shape[1] != FINGERPRINT_BYTES or train.dtype != np.uint8:
        raise ValueError(f"the fingerprints are {train.shape} {train.dtype}")
    for one in parts:
        if (
            one.rows.ndim != 1
            or one.rows.dtype != np.int64
            or not one.y.shape == one.prediction.shape == (len(one), tasks)
        ):
            raise ValueError(f"the held-out labels are {one.y.shape}, their predictions {one.prediction.shape}")
        if not one.y.dtype == one.prediction.dtype == np.float64:
            raise ValueError(f"the held-out labels are {one.y.dtype}, their predictions {one.prediction.dtype}")
        for array, shape in ((one.similarity, (len(one),)), (one.local, (len(one), tasks, 3))):
            if array is not None and (array.shape != shape or array.dtype != np.float64):
                raise ValueError(f"the neighbors of held-out molecules are {array.shape} {array.dtype}")
