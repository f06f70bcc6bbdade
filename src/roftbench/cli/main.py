"""The command line `roftbench`. Heavy modules are imported by the commands that need them."""

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from roftbench.cli.parser import KINDS, PLAN_HELP, RESULTS, RUN_HELP, parser
from roftbench.config.registry import GROUPS, VARIABLE, default_folder, existing, options
from roftbench.errors import UsageError
from roftbench.formatting import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 a job failed, 2 usage error, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _prepare()
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        print("\nroftbench: interrupted; finished stages are kept, the same command continues", file=sys.stderr)
        return 130
    except RuntimeError as error:  # for users without an entry in the user database, and without HOME
        if "home directory" not in str(error):
            raise
        print(f"roftbench: {error} Set HOME, or give paths without '~' (ROFTBENCH_CACHE=DIR).", file=sys.stderr)
        return 2
    except UsageError as error:
        if os.environ.get("ROFTBENCH_DEBUG"):
            raise
        print(printable(f"roftbench: {error}"), file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of standard output has left (`roftbench list runs | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _prepare() -> None:
    """Set up messages, streams and the environment."""
    handler = logging.StreamHandler()
    handler.addFilter(_Once())
    logging.basicConfig(format="roftbench: %(message)s", level=logging.WARNING, handlers=[handler])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters that the encoding lacks are escaped
            stream.reconfigure(errors="backslashreplace")
    for name in ("RESULTS", "CACHE", "MIRROR", "OFFLINE", "PLUGINS", "CONFIG_DIR"):  # an empty variable is an unset one
        if os.environ.get(f"ROFTBENCH_{name}") == "":
            del os.environ[f"ROFTBENCH_{name}"]
    # Threads that spin while they wait slow a job down tenfold if another one uses the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class _Once(logging.Filter):
    """Lets each message through once: planning and running a job may both report the same damaged file.

    Control characters in it are escaped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message is new."""
        text = record.getMessage()
        new = text not in self._said
        self._said.add(text)
        record.msg, record.args = printable(text), ()
        return new


def _dispatch(arguments: list[str]) -> int:
    option, _, value = arguments[0].partition("=") if arguments else ("", "", "")
    if option in ("--complete", "--install-completion", "--show-completion"):
        return _completion(option, [*([value] if value else []), *arguments[1:]])
    if arguments[:1] == ["run"]:
        return _run(arguments[1:])
    if arguments[:1] == ["plan"]:
        return _plan(arguments[1:])
    namespace, overrides = parser().parse_known_args(arguments)
    takes_names = namespace.command in ("list", "serve")
    if unknown := [text for text in overrides if text.startswith("-") or ("=" not in text and not takes_names)]:
        raise UsageError(f"unknown argument '{unknown[0]}'; see roftbench {namespace.command} --help", key=unknown[0])
    namespace.overrides = overrides
    if getattr(namespace, "config_dir", ...) is None:
        namespace.config_dir = default_folder()
    elif namespace.command in ("tables", "report"):  # names, order and colors of the user's own methods, and marks
        os.environ[VARIABLE] = str(existing(namespace.config_dir))
    return COMMANDS[namespace.command](namespace)


def _completion(option: str, words: list[str]) -> int:
    from roftbench.cli import completion

    shell = words[0] if words else ""
    script = completion.script_of(shell)
    if option == "--complete":
        print("\n".join(completion.complete(shell, words[1:])))
    else:
        print(script.rstrip() if option == "--show-completion" else completion.install(shell))
    return 0


def _run(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(RUN_HELP + "\n".join(f"  {group:<13}{', '.join(options(group))}" for group in GROUPS))
        return 0
    from roftbench.sweep import hydra_app

    return hydra_app.run(arguments)


def _plan(arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        print(PLAN_HELP)
        return 0
    from roftbench.cli import plan

    as_json = "--json" in arguments
    return plan.run([argument for argument in arguments if argument != "--json"], as_json=as_json)


def _results(overrides: Sequence[str]) -> Path:
    """Return the results folder of the overrides."""
    from roftbench.config.paths import absolute, paths_of

    return absolute(paths_of(overrides).results)


def _list(arguments: argparse.Namespace) -> int:
    from roftbench.cli import list as listing

    words, kind = arguments.overrides, arguments.kind
    if arguments.last is not None and kind != "runs":
        raise UsageError("--last belongs to list runs: roftbench list runs --last 20", key="--last")
    if kind in RESULTS:
        return _list_results(arguments)
    names = [word for word in words if "=" not in word]
    overrides = [word for word in words if "=" in word]
    show = {"datasets": listing.show_datasets, "models": listing.show_models}.get(kind)
    if show is not None:
        return show(names, overrides, arguments.config_dir, as_json=arguments.json)
    if overrides:
        raise UsageError(f"'{overrides[0]}': list {kind} takes names alone, no key=value", key=overrides[0])
    return listing.show_options(KINDS[kind], names, arguments.config_dir, as_json=arguments.json)


def _list_results(arguments: argparse.Namespace) -> int:
    """List runs or kept models, of a results folder and with filters."""
    from roftbench.cli import kept
    from roftbench.cli import list as listing

    words, kind = arguments.overrides, arguments.kind
    paths = [word for word in words if word.startswith("paths.")]
    names = [word for word in words if "=" not in word] if kind == "kept" else []
    filters = [word for word in words if word not in (*paths, *names)]
    if wrong := [word for word in filters if word.partition("=")[0] not in RESULTS[kind]]:
        hint = f"Filters: {', '.join(RESULTS[kind])} (key=value)."
        raise UsageError(f"list {kind} cannot filter by '{wrong[0]}'", key=wrong[0].partition("=")[0], hint=hint)
    if kind == "kept":
        return kept.show_kept(_results(paths), names, filters, as_json=arguments.json)
    return listing.show_runs(_results(paths), filters, arguments.last, as_json=arguments.json)


def _fetch(arguments: argparse.Namespace) -> int:
    from roftbench.cli import fetch

    return fetch.run(arguments.overrides, arguments.config_dir)


def _data(arguments: argparse.Namespace) -> int:
    from roftbench.cli import data

    given = arguments.dataset, arguments.overrides, arguments.config_dir, arguments.out, arguments.pyg
    return data.run(*given, as_json=arguments.json, full=arguments.full)


def _tables(arguments: argparse.Namespace) -> int:
    from roftbench.cli.tables import Output, show_tables
    from roftbench.report.tables.paper_latex import PaperStyle

    paper = PaperStyle(arguments.decimals, arguments.percent) if arguments.layout == "paper" else None
    if paper is None and (arguments.decimals is not None or arguments.percent):
        raise UsageError("--decimals and --percent belong to --layout paper", key="--layout", got=arguments.layout)
    output = Output(arguments.out, arguments.by, arguments.json, arguments.figures, arguments.predictions, paper)
    return show_tables(arguments.overrides, arguments.scores, output)


def _report(arguments: argparse.Namespace) -> int:
    from roftbench.config.paths import absolute, paths_of
    from roftbench.report.page import html
    from roftbench.report.query import COMPARISON, Request

    words = [word for word in arguments.overrides if word.partition("=")[0] in COMPARISON]
    paths, scores = paths_of([word for word in arguments.overrides if word not in words]), arguments.scores
    results = absolute(paths.results)
    if len(scores) > 1 and arguments.out is None:
        raise UsageError("--from is given several times: give a file for the page, --out FILE", key="--out")
    out = arguments.out or (scores[0].absolute().parent if scores else results) / "report.html"
    data = html.write_report(results, out, scores, paths, Request.parse(words)[0])
    print(html.words(data, out))
    return 0


def _advise(arguments: argparse.Namespace) -> int:
    from roftbench.cli import advise

    return advise.run(arguments.overrides, arguments.config_dir, as_json=arguments.json)


def _predict(arguments: argparse.Namespace) -> int:
    from roftbench.cli import predict

    return predict.predict([*arguments.overrides, *["full=true"] * arguments.full])


def _embed(arguments: argparse.Namespace) -> int:
    from roftbench.cli import predict

    return predict.embed(arguments.overrides, arguments.config_dir)


def _export(arguments: argparse.Namespace) -> int:
    from roftbench.cli import export

    given = arguments.model, arguments.onnx, arguments.hub, arguments.license
    return export.export(*given, arguments.overrides, training_data=arguments.training_data)


def _serve(arguments: argparse.Namespace) -> int:
    from roftbench.cli import serve

    return serve.run(arguments.overrides)


def _doctor(arguments: argparse.Namespace) -> int:
    from roftbench.cli import doctor
    from roftbench.config.paths import paths_of

    return doctor.run(paths_of(arguments.overrides), as_json=arguments.json)


def _cache(arguments: argparse.Namespace) -> int:
    from roftbench.cli import cache
    from roftbench.config.paths import paths_of

    given = paths_of(arguments.overrides), arguments.action, arguments.config_dir
    return cache.run(*given, dry_run=arguments.dry_run, as_json=arguments.json)


def _splits(arguments: argparse.Namespace) -> int:
    from roftbench.cli import splits
    from roftbench.store.files import write_output

    text = json.dumps(splits.rows(arguments.overrides, arguments.config_dir))
    if arguments.out is None:
        print(text)
    else:
        write_output(arguments.out, text + "\n")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "fetch": _fetch,
    "data": _data,
    "tables": _tables,
    "report": _report,
    "advise": _advise,
    "predict": _predict,
    "embed": _embed,
    "export": _export,
    "serve": _serve,
    "doctor": _doctor,
    "cache": _cache,
    "splits": _splits,
}
