"""The jobs behind a race: taken from the store where they are there, done again where that is asked for."""

from lab import Lab, merged

from roftbench.advise.jobs import Jobs


def jobs(lab: Lab, *more: str) -> Jobs:
    words = [text for text in merged(more) if not text.startswith("model=")]
    return Jobs([*words, f"paths.results={lab.results}", f"paths.cache={lab.cache}"], None, search=False)


def test_a_job_is_taken_from_the_store_and_with_rerun_done_again_once(lab: Lab) -> None:
    job, env, _ = jobs(lab).of("tiny_gin", "lp")
    first, before = jobs(lab).result(job, env)
    assert first is not None
    assert not before
    assert jobs(lab).result(job, env) == (first, True)
    written = lab.store.record_path(job.key).stat().st_mtime_ns
    again = jobs(lab, "run.rerun=true")
    job, env, _ = again.of("tiny_gin", "lp")
    assert not again.result(job, env)[1]
    assert lab.store.record_path(job.key).stat().st_mtime_ns > written
    assert again.result(job, env)[1]  # a race asks for a job more than once


def test_a_job_that_fails_when_it_is_done_again_has_no_result(lab: Lab) -> None:
    job, env, _ = jobs(lab).of("tiny_gin", "full_ft")
    assert jobs(lab).result(job, env)[0] is not None
    again = jobs(lab, "run.rerun=true")
    job, env, _ = again.of("tiny_gin", "full_ft")
    lab.results.joinpath("stages").rename(lab.results / "gone")
    lab.results.joinpath("stages").write_text("no folder", encoding="utf-8")  # its fits cannot be locked
    assert again.result(job, env) == (None, False)
