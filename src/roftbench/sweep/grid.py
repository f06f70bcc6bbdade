"""Configs of a sweep: Hydra composes each swept value once, and combinations are merged from these.

Hydra composes a config in about 0.1 s, so that ten thousand would take a quarter of an hour.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from omegaconf import DictConfig, OmegaConf

from roftbench.config.parse import check_groups, follow
from roftbench.config.registry import BESIDE
from roftbench.errors import UsageError

Compose = Callable[[Sequence[str]], DictConfig]
Sections = dict[str, Any]
# Dots, a name, and a colon where it is that of a resolver other than oc.select, which reads the key that it is given.
_REFERENCE = re.compile(r"\$\{\s*(?:oc\.select\s*:\s*)?(\.*)([\w.]*)\s*(:?)")
_OF_FOLDS = ("split", "split.folds", "split.repeats")  # keys that decide how many folds there are
_READS_NOTHING = ("oc.env", "oc.decode")  # resolvers that read no key of the config


@dataclass(frozen=True)
class SweepPoint:
    """One combination of a sweep: its overrides, in the form for Hydra's launchers, and its resolved config."""

    overrides: tuple[str, ...]
    config: Sections


def expand(texts: Sequence[str], compose: Compose) -> Iterator[SweepPoint]:
    """Yield every combination of swept values, in the order of Hydra's own sweeper (the last key changes fastest).

    Options that change the same part of the config, such as a preset and a method, are composed together in every
    combination; all others, and all values such as train.lr, once each (for each option that they meet).

    Args:
        texts: the overrides of the sweep.
        compose: returns Hydra's config for the overrides of one job.

    Raises:
        UsageError: a reference leads nowhere, or a value that must be given is missing; also whatever `compose` raises.
    """
    known: dict[tuple[str, ...], DictConfig] = {}  # composed to look for folds, and needed again

    def once(wanted: Sequence[str]) -> DictConfig:
        found = known.pop(tuple(wanted), None)
        return compose(wanted) if found is None else found

    axes = _with_folds(_axes(texts), compose, known)
    joints = _joints(axes, once)
    resolver = _Resolver(joints)
    for numbers in product(*(range(len(values)) for values in axes.values())):
        chosen = dict(zip(axes, numbers, strict=True))
        overrides = tuple(values[number] for values, number in zip(axes.values(), numbers, strict=True))
        yield SweepPoint(overrides, resolver.config(chosen))


def _axes(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the overrides by their keys, one text per value; the last override of a key counts."""
    parsed = OverridesParser.create().parse_overrides(list(texts))
    for one in parsed:
        if one.is_sweep_override() and not (one.is_discrete_sweep()):
            problem = f"{one.input_line}: an interval has no single values"
            hint = "List them with commas, write range(…), or search it: hydra/sweeper=optuna"
            raise UsageError(problem, key=one.get_key_element(), got=one.input_line, hint=hint)
    last = {override.get_key_element(): override for override in parsed}
    for key, value in last.items():
        check_can_be_swept(value, key)
    return {key: [one for [one] in BasicSweeper.split_arguments([value], None)[0]] for key, value in last.items()}


def check_can_be_swept(override: Override, key: str) -> None:
    """Raise UsageError if an override has several values that cannot be listed, or that do not change the job."""
    got = override.input_line
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        raise UsageError(f"{got}: glob() is not supported; list the names with commas", key=key, got=got)
    if override.is_sweep_override() and re.split(r"[./@]", key.lstrip("+"))[0] in BESIDE:
        problem = f"{got}: a job is the same with each of these values; give one of them"
        raise UsageError(problem, key=key, got=got)


def _with_folds(
    axes: dict[str, list[str]], compose: Compose, known: dict[tuple[str, ...], DictConfig]
) -> dict[str, list[str]]:
    """Return the axes with all folds of a cross-validation whose `split.fold` is not given.

    Composed configs are added to `known`, by their overrides.

    Raises:
        UsageError: cross-validation beside another split, which has no folds, or another number of them.
    """
    found = {}
    for values in product(*(texts if axis.lstrip("+") in _OF_FOLDS else texts[:1] for axis, texts in axes.items())):
        known[values] = compose(values)
        split = known[values].get("split", {})
        shown = " ".join(text for axis, text in zip(axes, values, strict=True) if axis.lstrip("+") in _OF_FOLDS)
        found[shown] = split.folds * (split.repeats or 1) if split.get("folds") and split.get("fold") is None else 0
    counts = set(found.values())
    if len(counts) > 1:
        apart = ", ".join(text for text, count in found.items() if count)
        raise UsageError(f"{apart} has folds and the other splits have others or none: run it apart", key="split")
    if not (count := counts.pop()):
        return axes
    return {**axes, "split.fold": [f"split.fold={fold}" for fold in range(count)]}


@dataclass(frozen=True)
class _Joint:
    """Axes that change the same sections, with these sections, unresolved, by combination of the axes' values."""

    axes: tuple[str, ...]
    sections: Mapping[tuple[int, ...], Sections]

    def at(self, chosen: Mapping[str, int]) -> tuple[int, ...]:
        """Return the numbers of the values of these axes."""
        return tuple(chosen[axis] for axis in self.axes)


def _joints(axes: dict[str, list[str]], compose: Compose) -> list[_Joint]:
    """Compose the sections of all axes; the first joint has no axis and holds the sections that never change."""

    def sections(chosen: Mapping[str, int]) -> Sections:
        config = compose([values[chosen.get(axis, 0)] for axis, values in axes.items()])
        check_groups(config)
        plain = OmegaConf.to_container(config, resolve=False)
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items() if key != "hydra"}

    def at(chosen: Mapping[str, int]) -> Sections:
        moved = [axis for axis, number in chosen.items() if number]
        return alone[moved[0]][chosen[moved[0]]] if len(moved) == 1 else sections(chosen) if moved else base

    base = sections({})
    alone = {axis: _alone(axis, values, base, sections) for axis, values in axes.items() if len(values) > 1}
    touched = {
        axis: {name for each in all_of for name in {**base, **each} if each.get(name) != base.get(name)}
        for axis, all_of in alone.items()
    }
    joints = []
    for group in _overlapping(touched):
        names = set().union(*(touched[axis] for axis in group))
        paths = _value_paths(group)
        found = {}
        for options in _choices([axis for axis in group if axis not in paths], axes):
            known: dict[tuple[Any, ...], Sections] = {(): at(options)}
            for axis in paths:
                known |= {(axis, number): at({**options, axis: number}) for number in range(1, len(axes[axis]))}
            for values in _choices(paths, axes):
                all_of = _merge(known, values, paths)
                chosen = {**options, **values}
                found[tuple(chosen[axis] for axis in group)] = {name: all_of[name] for name in names if name in all_of}
        joints.append(_Joint(tuple(group), found))
    fixed = {name: base[name] for name in base if not any(name in names for names in touched.values())}
    return [_Joint((), {(): fixed}), *joints]


def _alone(
    axis: str, values: Sequence[str], base: Sections, sections: Callable[[Mapping[str, int]], Sections]
) -> list[Sections]:
    """Return the sections of each value of one axis beside the first values of all others.

    Numbers of a value such as train.lr or split.fold are written into the config of the second, without Hydra.
    """
    found = [base, sections({axis: 1})]
    numbers = [override.value() for override in OverridesParser.create().parse_overrides(list(values))]
    path = _value_paths([axis]).get(axis, ())
    plain = bool(path) and {type(number) for number in numbers} <= {int, float} and _at(found[1], path) == numbers[1]
    for place, number in enumerate(numbers[2:], 2):
        found.append(_with(found[1], path, number) if plain else sections({axis: place}))
    return found


def _at(content: Any, path: Sequence[str]) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _with(content: Sections, path: Sequence[str], value: Any) -> Sections:
    """Return a copy of a config with another value at a path; what does not change is shared."""
    name, *below = path
    return {**content, name: _with(content[name], below, value) if below else value}


def _choices(names: Iterable[str], axes: Mapping[str, Sequence[str]]) -> Iterator[dict[str, int]]:
    """Yield every combination of the values of some axes, by their numbers."""
    names = list(names)
    for numbers in product(*(range(len(axes[name])) for name in names)):
        yield dict(zip(names, numbers, strict=True))


def _value_paths(group: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the axes that set one value, as train.lr does, with its path, which no other axis changes.

    Elements of lists are left out: setting the list sets them, too.
    """
    paths = {axis: tuple(axis.lstrip("+").split(".")) for axis in group if "." in axis and not set(axis) & set("/@~")}
    paths = {axis: path for axis, path in paths.items() if not any(name.isdigit() for name in path)}
    return {
        axis: path
        for axis, path in paths.items()
        if not any(other != axis and _overlap(at, path) for other, at in paths.items())
    }


def _overlap(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Return whether one of two paths lies in the other."""
    return all(one == two for one, two in zip(a, b, strict=False))


def _merge(
    known: Mapping[tuple[Any, ...], Sections], values: Mapping[str, int], paths: Mapping[str, tuple[str, ...]]
) -> Sections:
    """Return the config with several values set, from the configs with one of them set, or none: known[()]."""
    moved = [(axis, number) for axis, number in values.items() if number]
    if len(moved) < 2:
        return known[moved[0] if moved else ()]
    whole = deepcopy(known[()])
    for one in moved:
        *above, last = paths[one[0]]
        there, here = known[one], whole
        for name in above:
            there, here = there[name], here.setdefault(name, {})
        here[last] = there[last]
    return whole


def _overlapping(touched: Mapping[str, set[str]]) -> list[list[str]]:
    """Group the axes so that no section is changed by two groups."""
    groups: list[tuple[list[str], set[str]]] = []
    for axis, names in touched.items():
        apart = [group for group in groups if not group[1] & names]
        joined = [group for group in groups if group[1] & names]
        groups = [
            *apart,
            ([*(one for group in joined for one in group[0]), axis], names.union(*(g[1] for g in joined))),
        ]
    return [axes for axes, _ in groups]


class _Resolver:
    """Merged sections with their references resolved, once per combination that a section depends on."""

    def __init__(self, joints: Sequence[_Joint]) -> None:
        self.joints = joints
        self.joint_of = {name: joint for joint in joints for each in joint.sections.values() for name in each}
        self._needs = {name: self._closure(name) for name in self.joint_of}
        self._known: dict[tuple[str, tuple[tuple[int, ...], ...]], Any] = {}

    def config(self, chosen: Mapping[str, int]) -> Sections:
        """Return the resolved config of one combination; equal sections are the same object."""
        at = {id(joint): joint.at(chosen) for joint in self.joints}
        present = {name for joint in self.joints for name in joint.sections[at[id(joint)]]}
        return {name: self._section(name, at) for name in self.joint_of if name in present}

    def _section(self, name: str, at: Mapping[int, tuple[int, ...]]) -> Any:
        needs = self._needs[name]
        key = (name, tuple(at[id(self.joint_of[need])] for need in needs))
        if key not in self._known:
            raw = {need: self.joint_of[need].sections[at[id(self.joint_of[need])]].get(need) for need in needs}
            self._known[key] = follow(OmegaConf.create(raw))[name]
        return self._known[key]

    def _closure(self, name: str) -> tuple[str, ...]:
        """Return a section and all sections that its references may lead to."""
        found, new = {name}, {name}
        while new:
            new = set().union(*map(self._references, new)) - found
            found |= new
        return tuple(sorted(found))

    def _references(self, name: str) -> set[str]:
        texts = repr([each.get(name) for each in self.joint_of[name].sections.values()])
        found = _REFERENCE.findall(texts)
        # A reference relative to a parent may leave the section, and a resolver may read any key.
        if any(len(dots) > 1 or not name or (colon and name not in _READS_NOTHING) for dots, name, colon in found):
            return set(self.joint_of)
        return {name.partition(".")[0] for dots, name, _ in found if not dots} & set(self.joint_of)
