"""Size of a config with its references (`${key}`) resolved, computed without resolving: few may double many times."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from roftbench.errors import UsageError

MOST = 100_000  # values, or references within texts, of a resolved config
_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_BY_KEY = re.compile(r"\s*(?:oc\.(?:select|deprecated|dict\.keys|dict\.values)\s*:\s*)?([^,:]+)")
_BRACKET = re.compile(r"\[([^\]]*)\]")
_NESTED = re.compile(r"\$\{[^{}]*\$\{")

Path = tuple[str, ...]


def check_references(config: DictConfig) -> None:
    """Check the references of a composed config, except for Hydra's own part.

    Raises:
        UsageError: they resolve to more than `MOST` values, or are nested, so that the size is unknown.
    """
    keys = [str(key) for key in config if key != "hydra"]
    own = config if len(keys) == len(config) else OmegaConf.masked_copy(config, keys)
    nodes = dict(_nodes(OmegaConf.to_container(own, resolve=False), ()))
    weights: dict[Path, int] = {}
    for path, node in nodes.items():
        if isinstance(node, str) and "${" in node:
            if _NESTED.search(node):
                key = ".".join(path)
                raise UsageError(f"{key} contains a nested reference (${{…${{…}}…}}): write it out", key=key)
            if _weight(path, nodes, weights) > MOST:
                key = ".".join(path)
                raise UsageError(f"{key}: its references (${{…}}) resolve to more than {MOST:,} values", key=key)


def _nodes(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, node
    for key, value in _below(node):
        yield from _nodes(value, (*path, key))


def _below(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from ((str(key), value) for key, value in node.items())
    elif isinstance(node, list):
        yield from ((str(place), value) for place, value in enumerate(node))


def _weight(path: Path, nodes: dict[Path, Any], weights: dict[Path, int]) -> int:
    """Return how many values a node resolves to; 0 for a circular reference, which is reported elsewhere."""
    if path not in nodes:
        return 0
    if path not in weights:
        weights[path] = 0
        node = nodes[path]
        led_to = _targets(node, path) if isinstance(node, str) else [(*path, key) for key, _ in _below(node)]
        weights[path] = min(1 + sum(_weight(one, nodes, weights) for one in led_to), MOST + 1)
    return weights[path]


def _targets(text: str, path: Path) -> Sequence[Path]:
    """Return the keys that a text refers to, with repetitions."""
    found = []
    for inside in _REFERENCE.findall(text):
        key = _BRACKET.sub(r".\1", match[1].strip()) if (match := _BY_KEY.match(inside)) else ""
        up = len(key) - len(key.lstrip("."))
        base = path[: max(len(path) - up, 0)] if up else ()
        found.append((*base, *(part for part in key.split(".") if part)))
    return found
