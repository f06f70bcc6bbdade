"""The nine methods' jobs on a GPU: the reference alone, ours alone, and ours in several processes at a time."""

import argparse
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import torch

from roftbench.config.components import build
from scripts.speed.jobs import EPOCHS, METHODS, ours, titled, wanted
from scripts.speed.reference_jobs import ReferenceJob
from scripts.speed.setting import Setting, reference, say, settings
from scripts.speed.timing import Row

WARM_UP = ("full_ft", "bss", "roftmol")  # all libraries and kinds of kernels
TIMED = 20  # epochs of ours, scaled to a job's
LONGEST = 600  # seconds that one process waits for the others
TARGET = "≥ 20 × with all"


def gpu_note(epochs: int) -> str:
    """Say how the times came about."""
    return (
        f"Seconds a seed: those of a process, divided by how many worked at the same time. Ours: {TIMED} epochs of each"
        " phase in processes of one thread, loading included, scaled to whole jobs; lp is run whole, lp_ft after lp."
        f" The reference: one process, {epochs} epochs after one that warms up, scaled; lp_ft with both its phases; its"
        " molecules wait on the host, as a DataLoader has them."
    )


def throughput(arguments: argparse.Namespace) -> list[Row]:
    """The nine jobs of a seed on a GPU, one process and several: seconds per seed, all processes counted."""
    quick = arguments.quick
    dataset, labels = ("freesolv", "50") if quick else (arguments.dataset or "esol", arguments.labels or "500")
    counts = [2] if quick else [int(count) for count in arguments.processes.split(",")]
    rows = []
    with settings(dataset, labels) as host:
        setting = replace(host, device=arguments.device)
        textbook = _textbook(host, arguments.device, 1 if quick else arguments.epochs)
        for count in counts:
            say(f"{setting}, {count} processes")
            spans = _together(setting, count, 1 if quick else TIMED, () if quick else WARM_UP)
            for method in (*METHODS, None):
                what = "the nine jobs together" if method is None else titled(method)
                name = f"{setting}: {what}, {count} at a time"
                each = [sum(one.values()) if method is None else one[method] for one in spans]
                whole = sum(textbook.values()) if method is None else textbook[method]
                rows.append(Row(name, mean(each) / count, whole, target="" if method else TARGET))
            say(f"{rows[-1].name}: {rows[-1].ours:.2f} s, reference {rows[-1].reference:.2f} s")
    return rows


def _textbook(host: Setting, device: str, epochs: int) -> dict[str, float]:
    """Return the seconds of the reference's jobs on the device, its molecules on the host as a DataLoader has them."""
    model, parts = reference(host.experiment())
    model.to(device)
    spans = {}
    for method in METHODS:
        say(f"{host}, reference, {method}")
        job, _ = host.job(method, host.cache / "unused")
        textbook = ReferenceJob(model, parts, str(job.dataset.task), build(job.method))
        textbook.run(method, 1)
        spans[method] = textbook.run(method, epochs).scaled(wanted(method))
    return spans


def _together(setting: Setting, count: int, epochs: int, warm_up: Sequence[str]) -> list[dict[str, float]]:
    """Return for each of `count` processes the seconds of its nine jobs, all working at the same time.

    Raises:
        RuntimeError: one of them failed.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(count, timeout=LONGEST), context.SimpleQueue()
    workers = [context.Process(target=_worker, args=(setting, epochs, warm_up, barrier, answers)) for _ in range(count)]
    for worker in workers:
        worker.start()
    spans = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    if lost := [one for one in spans if isinstance(one, str)]:
        raise RuntimeError(f"{len(lost)} of {count} processes failed, the first: {lost[0]}")
    return spans


def _worker(
    setting: Setting,
    epochs: int,
    warm_up: Sequence[str],
    barrier: Barrier,
    answers: "multiprocessing.SimpleQueue[dict[str, float] | str]",
) -> None:
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory() as folder:
            for method in warm_up:
                ours(setting, method, Path(folder, "warm-up"), 1)
            barrier.wait()
            spans = {
                method: ours(setting, method, Path(folder, "timed"), EPOCHS if method == "lp" else epochs)
                for method in METHODS
            }
            barrier.wait()  # whoever is done stays, so that its place is taken, if idle
            answers.put(spans)
    except Exception as error:
        barrier.abort()
        answers.put(f"{type(error).__name__}: {error}")
