"""Folders that roftbench reads and writes, from `conf/paths`, overrides and environment variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from roftbench.config.registry import conf_dir
from roftbench.errors import UsageError
from roftbench.store.downloads import Places


@dataclass(frozen=True)
class Paths:
    """Folders of results, of the cache (downloads and computed inputs), and of a mirror of published files.

    `offline` forbids downloads.
    """

    results: str = "results"
    cache: str = "~/.cache/roftbench"
    mirror: str | None = None
    offline: bool = False

    def __post_init__(self) -> None:
        for name in ("results", "cache"):
            if not getattr(self, name):
                raise UsageError(f"{name} is empty: give a folder", key=name, got=getattr(self, name))

    def places(self) -> Places:
        """Return the places where published files are searched for."""
        return Places(absolute(self.cache) / "downloads", absolute(self.mirror) if self.mirror else None, self.offline)


def absolute(folder: str) -> Path:
    """Return a folder as an absolute path with "~" expanded."""
    return Path(folder).expanduser().absolute()


def paths_of(overrides: Sequence[str]) -> Paths:
    """Return the paths of `key=value` overrides, without composing a whole config.

    Raises:
        UsageError: an override has no key of `paths`, or a value of the wrong type.
    """
    schema = OmegaConf.structured(Paths)
    known = [f"paths.{key}" for key in schema]
    given = {}
    for text in overrides:
        key, _, value = text.partition("=")
        if key not in known:
            raise UsageError(f"unknown key '{key}'", key=key, got=key, allowed=known)
        given[key.removeprefix("paths.")] = value
    try:
        merged = OmegaConf.merge(schema, OmegaConf.load(conf_dir() / "paths" / "default.yaml"), given)
        values = OmegaConf.to_container(merged, resolve=True)
        assert isinstance(values, dict)
        return Paths(**{str(key): value for key, value in values.items()})
    except UsageError as error:
        raise error.under("paths.") from None
    except OmegaConfBaseException as error:
        raise UsageError(f"paths: {str(error).splitlines()[0]}", key="paths") from None
