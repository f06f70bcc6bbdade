"""Schema of `conf/method/` beside the parameters of a method's class: name, order and search."""

import re
from dataclasses import dataclass, field
from typing import Any

from roftbench.errors import UsageError, check_choice

METHOD, PROPOSED, BASELINE = "method", "proposed", "baseline"
ROLES = (METHOD, PROPOSED, BASELINE)
FAMILIES = ("full", "weight", "representation", "partial", "parameter-efficient", "ensemble", "estimator", "other")
DISPLAY = ("title", "order", "color", "marker", "role", "family")  # keys that tables and figures read, no jobs
MARKERS = tuple("ov^s8DdPXp*hH<>")  # those of Matplotlib that enclose an area


@dataclass(frozen=True)
class MethodCard:
    """Keys of a method's config beside the parameters of its class.

    Attributes:
        title: name in tables and figures; the config's name if empty.
        order: position in tables and figures, ascending.
        color: in figures, as #rrggbb; one of four by the position if empty.
        marker: in figures, one of MARKERS, with a solid line; if empty by the position, with a dashed line.
        role: `proposed` for the method that the paper proposes and that tables compare with every other, `baseline` for
            a method outside the ranks.
        family: mechanism, as in the paper (RoFt-Mol, section 3).
        quick: whether no encoder is trained, so that a job takes seconds.
        search: whether the grid is searched within the job.
        grid: values to try, by parameter.
    """

    name: str
    _target_: str
    summary: str = ""
    title: str = ""
    order: int = 1000
    color: str = ""
    marker: str = ""
    role: str = METHOD
    family: str = "other"
    quick: bool = False
    search: bool = False
    grid: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("role", self.role, ROLES)
        check_choice("family", self.family, FAMILIES)
        if self.marker:
            check_choice("marker", self.marker, MARKERS)
        if self.color and not re.fullmatch("#[0-9a-fA-F]{6}", self.color):
            raise UsageError("a color is written as #rrggbb, in quotes: '#d55e00'", key="color", got=self.color)
