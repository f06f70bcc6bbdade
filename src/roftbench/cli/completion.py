"""Shell completion: candidates for the word at the cursor, and the scripts that hand them to bash, zsh and fish.

Imports nothing heavy: the candidates are computed anew at each press of the tab key.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from roftbench.cli.keys import ADVISE, EMBED, PREDICT, SERVE
from roftbench.cli.parser import FILTERS, KINDS, RESULTS, option_strings
from roftbench.config.registry import GROUPS, OF_A_JOB, chosen, default_folder, names
from roftbench.errors import UsageError
from roftbench.methods.config import DISPLAY

SCRIPTS = {
    "bash": r"""
_roftbench() {
    local IFS=$'\n'
    COMPREPLY=($(roftbench --complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    [[ ${COMPREPLY[0]-} == *[=.] ]] && compopt -o nospace
}
complete -o default -F _roftbench roftbench
""",
    "zsh": r"""
#compdef roftbench
_roftbench() {
    local -a found keys values
    found=("${(@f)$(roftbench --complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    keys=(${(M)found:#*[=.]})
    values=(${${found:#*[=.]}:#})
    (( $#keys )) && compadd -Q -S '' -a keys
    (( $#values )) && compadd -Q -a values
    (( $#keys + $#values )) || _files
}
(( $+functions[compdef] )) && compdef _roftbench roftbench
""",
    "fish": r"""
function __roftbench_complete
    set -l words (commandline -opc)
    roftbench --complete fish $words[2..-1] "$(commandline -ct)" 2>/dev/null
end
complete -c roftbench -f -a '(__roftbench_complete)'
""",
}
WORDBREAKS = "=:"  # bash replaces only what follows the last of these
NO_KEYS = ("name", *DISPLAY, "summary", "defaults", "_target_")
BOOLEAN = ("true", "false")
SWITCHES = (  # keys that are true or false
    *("method.search", "advise.search", "run.rerun", "run.overwrite", "paths.offline"),
    *("sets", "full", "quote_formulas"),
)
PATHS = ("paths.results", "paths.cache", "paths.mirror", "paths.offline")
KEYS = {  # of commands that take key=value; run, plan and splits take every key of the config
    "list": (*FILTERS, *PATHS),
    "fetch": ("dataset", "model", *PATHS),
    "tables": (*FILTERS, "metric", "select", "group", "pool", "reference", "delta", *PATHS),
    "report": ("reference", "delta", *PATHS),
    "predict": (*PREDICT, "paths.results"),
    "embed": (*EMBED, *PATHS),
    "serve": (*SERVE, "paths.results"),
    "export": ("plugins", "paths.results"),
    "doctor": PATHS,
    "cache": PATHS,
}
CANDIDATES = {  # keys of advise, by the group whose options they take
    "advise.features": "model", "advise.estimators": "method", "advise.models": "model", "advise.methods": "method",
}  # fmt: skip
BY_NAME = ("predict", "embed")  # commands whose model= takes names of saved models


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of the words of a command line, without `roftbench`, may be completed to."""
    *before, current = words
    folder = _config_folder(before)
    if not before:
        found: Iterable[str] = (*option_strings(""), *option_strings("COMMANDS"))
    elif current.startswith("-"):
        found = option_strings(before[0])
    elif "=" in current:
        return _values(current, folder, before)
    else:
        found = (*_words(before, folder), *_keys(before, current, folder))
    return sorted({text for text in found if text.startswith(current)})


def complete(shell: str, words: Sequence[str]) -> list[str]:
    """Return candidates as a shell takes them: bash gives its whole line and wants what follows a word break."""
    if shell != "bash":
        return candidates(words or [""])
    line = words[0] if words else ""
    found = candidates(line.split(" ")[1:] or [""])
    current = line.rpartition(" ")[2]
    cut = max(current.rfind(mark) for mark in WORDBREAKS) + 1
    return [text[cut:] for text in found]


def install(shell: str) -> str:
    """Write the script of a shell into the folder from which that shell loads completions; returns what to do next.

    Raises:
        UsageError: the shell is unknown, or the script cannot be written.
    """
    home, script = Path.home(), script_of(shell)
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    path = {
        "bash": data / "bash-completion" / "completions" / "roftbench",
        "zsh": home / ".zfunc" / "_roftbench",
        "fish": config / "fish" / "completions" / "roftbench.fish",
    }[shell]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}", got=str(path)) from None
    steps = {
        "bash": f"open a new shell; without the package bash-completion, add to ~/.bashrc: source {path}",
        "zsh": f"add to ~/.zshrc, and open a new shell: fpath+={path.parent}; autoload -Uz compinit; compinit",
        "fish": "open a new shell",
    }
    return f"wrote {path}\n{steps[shell]}"


def script_of(shell: str) -> str:
    """Return the script that completes in a shell; raises UsageError for an unknown shell."""
    if shell not in SCRIPTS:
        raise UsageError(f"unknown shell '{shell}'", got=shell, allowed=SCRIPTS)
    return SCRIPTS[shell].lstrip()


def _words(before: Sequence[str], folder: Path | None) -> tuple[str, ...]:
    """Return the words without a key that a command takes next."""
    command, *rest = before
    if command == "list":
        if not rest:
            return (*KINDS, *RESULTS)
        return tuple(names(KINDS[rest[0]], folder)) if rest[0] in KINDS else _kept(rest) if rest[0] == "kept" else ()
    if command == "serve":
        return _kept(rest)
    if command == "cache" and not rest:
        return "info", "clean"
    return tuple(names("dataset", folder)) if command == "data" and not rest else ()


def _keys(before: Sequence[str], current: str, folder: Path | None) -> list[str]:
    """Return the keys that a command takes, with "="; keys inside a group once its name and a dot are typed."""
    command = before[0]
    if command in KEYS:
        return [f"{key}=" for key in KEYS[command]]
    group, dot, _ = current.partition(".")
    if command == "advise" and group == "advise":
        return [f"advise.{name}=" for name in ADVISE]
    if dot and group in GROUPS:
        return [f"{key}=" for key in _inside(group, chosen(group, before, folder))]
    advise = ["advise."] if command == "advise" else []
    return [*(f"{key}=" for key in (*GROUPS, "seed", "plugins", "hydra/launcher", "hydra/sweeper")), *advise]


def _inside(prefix: str, content: dict[str, object]) -> list[str]:
    found = []
    for key, value in content.items():
        if key not in NO_KEYS:
            found += _inside(f"{prefix}.{key}", value) if isinstance(value, dict) and value else [f"{prefix}.{key}"]
    return found


def _kept(words: Sequence[str]) -> tuple[str, ...]:
    """Return the names of saved models in the results folder of a command."""
    from roftbench.config.paths import absolute, paths_of
    from roftbench.store.names import Names
    from roftbench.store.results import Store

    results = paths_of([word for word in words if word.startswith("paths.")]).results
    return tuple(Names(Store(absolute(results))).all())


def _values(current: str, folder: Path | None, before: Sequence[str]) -> list[str]:
    """Return what a key=value may be completed to; after a comma, the options that do not stand before it."""
    key, _, text = current.partition("=")
    given, comma, last = text.rpartition(",")
    if key == "model" and before[0] in BY_NAME:
        known = [*_kept(before), *(names("model", folder) if before[0] == "embed" else ())]
    elif key in (*OF_A_JOB, "experiment", "hydra/launcher", "hydra/sweeper", *CANDIDATES, "reference"):
        known = names({**CANDIDATES, "reference": "method"}.get(key, key), folder)
    else:
        devices = ("auto", "cpu", "cuda")
        keeps = (*BOOLEAN, "all")
        known = list({"run.device": devices, "device": devices, "run.keep": keeps, "explain": BOOLEAN}.get(key, ()))
        known = known or list(BOOLEAN if key in SWITCHES else ())
    return [f"{key}={given}{comma}{name}" for name in known if name.startswith(last) and name not in given.split(",")]


def _config_folder(words: Sequence[str]) -> Path | None:
    for word, following in zip(words, [*words[1:], ""], strict=False):
        option, _, value = word.partition("=")
        if option in ("--config-dir", "-cd") and Path(value or following).is_dir():
            return Path(value or following)
    with suppress(UsageError):
        return default_folder()
    return None
