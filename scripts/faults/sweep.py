"""Kills of a sweep at random times: no record is lost, doubled or unreadable, and the same command goes on."""

import os
import random
import signal
import time
from collections.abc import Sequence

from tqdm import tqdm

from scripts.faults.trials import JOB, Ground, call, left, start, temporaries, whole

SWEEP = ("run", "-m", *JOB, "method=lp,full_ft,wise_ft", "seed=0,1")


def kill_sweeps(ground: Ground, count: int, seed: int) -> int:
    """Kill sweeps `count` times, each until it is done; prints what was wrong and a line, returns how much was."""
    rng = random.Random(seed)
    root = ground.fresh(empty=True)
    began = time.monotonic()
    code, text = call(root, SWEEP)
    seconds, expected = time.monotonic() - began, left(root)
    if code:
        raise RuntimeError(f"the sweep failed undisturbed:\n{text}")
    bad = kills = sweeps = 0
    bar = tqdm(total=count, desc="sweep", leave=False, disable=None)
    while kills < count:
        root, done = ground.fresh(empty=True), dict[str, object]()
        sweeps += 1
        while kills < count and _killed(ground, rng.uniform(0, seconds)):
            kills += 1
            wrong = whole(root, expected)
            now = {name: one for name, one in left(root).items() if "process" not in name}
            wrong += [f"{name} is lost" for name in done if name not in now]
            done = {name: one for name, one in now.items() if name in expected}
            bar.update()
            bad += _told(f"sweep {sweeps}, kill {kills}", wrong)
        code, text = call(root, SWEEP)
        found = left(root)
        wrong = [f"exit code {code}: {text.strip()[-300:]}"] if code else []
        wrong += ["its records differ from those of an undisturbed sweep"] if found != expected else []
        wrong += [f"{path.name} is left" for path in temporaries(root)]
        bad += _told(f"sweep {sweeps}", wrong)
    bar.close()
    print(f"sweep    {kills} kills of {sweeps} sweeps of 6 jobs, {bad} wrong", flush=True)
    return bad


def _told(where: str, wrong: Sequence[str]) -> int:
    for one in wrong:
        tqdm.write(f"{where}: {one}")
    return len(wrong)


def _killed(ground: Ground, seconds: float) -> bool:
    """Run the sweep for so long and kill it; returns False where it has ended before."""
    child = start(ground.folder / "trial", SWEEP)
    time.sleep(seconds)
    if os.waitpid(child, os.WNOHANG)[0]:
        return False
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])
