"""Configs with some values replaced, and the errors of wrong ones."""

from collections.abc import Callable
from typing import Any

import pytest
from lab import DEFAULTS, ROOT
from omegaconf import DictConfig, OmegaConf

from roftbench.config.compose import composed
from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.config.parse import parse
from roftbench.errors import UsageError

Parse = Callable[..., tuple[Job, RunContext, list[str]]]


def plain_config() -> DictConfig:
    """The tests' default config."""
    return composed(DEFAULTS, None)


def parser_of(plain: DictConfig) -> Parse:
    """Parse the tests' default config with some values replaced; `method=NAME` chooses the method's file."""

    def run(method: str = "roftmol", **values: Any) -> tuple[Job, RunContext, list[str]]:
        config = plain.copy()
        OmegaConf.set_struct(config, False)
        config.method = OmegaConf.load(ROOT / "conf" / "method" / f"{method}.yaml")
        for key, value in values.items():
            OmegaConf.update(config, key, value, force_add=True)
        return parse(config)

    return run


def refused(parsed: Parse, method: str = "roftmol", **values: Any) -> UsageError:
    """Return the error that some values raise; its text is one line."""
    with pytest.raises(UsageError) as caught:
        parsed(method, **values)
    assert "\n" not in str(caught.value)
    return caught.value


def with_model(plain: DictConfig, name: str, **values: Any) -> DictConfig:
    config = plain.copy()
    OmegaConf.set_struct(config, False)
    config.model = OmegaConf.load(ROOT / "conf" / "model" / f"{name}.yaml")
    for key, value in values.items():
        config.model[key] = value
    return config
