"""`roftbench serve`: a page for saved models in the browser of this machine."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec

from roftbench.cli.settings import given_settings
from roftbench.config.environment import check_device
from roftbench.config.plugins import plugins_of
from roftbench.console import say
from roftbench.data.parallel import SERIAL
from roftbench.errors import UsageError, check_range
from roftbench.predict.kept import saved_folders

NUMBERS = ("port", "molecules", "seconds", "threads")  # settings that are no texts
NEEDED = ("starlette", "uvicorn", "markdown_it")


@dataclass(frozen=True)
class Settings:
    """Settings of `serve`."""

    model_dir: str = ""
    port: int = 8000
    molecules: int = 1000
    seconds: float = 60.0
    device: str = "auto"
    threads: int | None = None
    plugins: str | None = None

    def __post_init__(self) -> None:
        check_device(self.device)
        check_range("port", self.port, 0, 65535)
        check_range("molecules", self.molecules, 1, SERIAL)
        check_range("seconds", self.seconds, 0, open_low=True)
        if self.threads is not None:
            check_range("threads", self.threads, 1)


def run(words: Sequence[str]) -> int:
    """Serve the page of a saved model until the process is interrupted; returns 0.

    Raises:
        UsageError: a key is unknown, the model cannot be loaded, the port is in use, or a package is missing.
    """
    names = [word for word in words if "=" not in word]
    paths = [word for word in words if word.startswith("paths.")]
    settings: Settings = given_settings(Settings, [word for word in words if word not in (*names, *paths)], NUMBERS)
    folders = saved_folders(",".join(names), settings.model_dir, paths)
    if lacking := [name for name in NEEDED if find_spec(name) is None]:
        problem = f"serve needs {lacking[0]}, which is not installed"
        raise UsageError(problem, key="serve", got=lacking[0], hint="pip install 'roftbench[serve]'")
    from roftbench.serve.app import Texts
    from roftbench.serve.run import serve
    from roftbench.serve.worker import Models

    given = f"model={','.join(names)}" if names else f"model_dir={settings.model_dir}"
    command = shlex.join(["roftbench", "predict", given, "input=new.csv", "output=predictions.csv", *paths])
    texts = Texts(", ".join(names) or settings.model_dir, command, settings.molecules)
    models = Models(folders, settings.device, settings.threads, plugins_of(settings.plugins))
    say(f"   model  {texts.name}: loading")
    with suppress(KeyboardInterrupt):  # the way to end it
        serve(models, texts, settings.port, settings.seconds, _ready)
    say("stopped")
    return 0


def _ready(address: str) -> None:
    say(f"    page  {address}\n          for this machine alone; Ctrl-C stops it")
