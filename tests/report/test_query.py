"""What `roftbench tables` is asked for: words, filters, and what is refused."""

import pytest
from made_records import record
from refusals import raises_usage

from roftbench.errors import UsageError
from roftbench.report.query import GROUP, Request
from roftbench.store.record_schema import Failure


def test_words_are_understood_and_said_again() -> None:
    words = ["dataset=esol,bace", "seed=0,3", "metric=mae", "select=test", "group=label_ratio,split", "pool=split_seed"]
    request, rest = Request.parse([*words, "paths.results=here", "paths.cache=there"])
    assert rest == ["paths.results=here", "paths.cache=there"]
    assert request.filters == {"dataset": ("esol", "bace"), "seed": ("0", "3")}
    assert (request.metric, request.select, request.pool) == ("mae", "test", True)
    assert request.group == ("split", "label_ratio")  # whatever the order of the words
    assert Request.parse(request.words())[0] == request
    assert request.words() == [*words[:4], "group=split,label_ratio", "pool=split_seed"]


def test_nothing_asked_for_is_everything() -> None:
    request, rest = Request.parse([])
    assert (request, rest, request.words()) == (Request(), [], [])
    assert request.group == GROUP
    assert Request.parse(["select=val", "group=split,model,label_ratio"])[0] == Request()


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("datset=esol", ["unknown key 'datset'", "Did you mean 'dataset'?", "paths.results"]),
        ("metric=rsme", ["metric is 'rsme'", "Did you mean 'rmse'?", "roc_auc"]),
        ("metric=rmse,mae", ["metric=rmse,mae", "give one"]),
        ("select=tset", ["select is 'tset'", "Allowed: test, val"]),
        ("group=method", ["group is 'method'", "Allowed: label_ratio, model, split"]),
        ("pool=seed", ["pool is 'seed'", "split_seed"]),
        ("pool=split_seed group=model,label_ratio", ["without split in group=", "splits into one table"]),
        ("pool=split_seed group=model", ["without split and label_ratio", "keep split and label_ratio in group="]),
        ("dataset=", ["dataset=", "dataset=NAME"]),
        ("dataset=esol,", ["dataset=esol,", "commas"]),
    ],
)
def test_what_cannot_be_asked_for_is_refused(word: str, parts: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        Request.parse(word.split())
    assert all(part in str(error.value) for part in parts), error.value


def test_filters_keep_what_passes_all_of_them() -> None:
    records = [
        record(method, dataset, seed) for method in ("lp", "bss") for dataset in ("esol", "bace") for seed in (0, 1)
    ]
    failures = [Failure(key="l", status="failed", job=record("l2_sp", "esol", 1).job, error="killed")]

    def chosen(*words: str) -> list[tuple[str, str, int]]:
        found = Request.parse(words)[0].chosen(records, failures)
        jobs = [one.job for part in found for one in part]
        return [(job["method"]["name"], job["dataset"]["name"], job["seed"]) for job in jobs]

    assert chosen("dataset=esol", "seed=1") == [("lp", "esol", 1), ("bss", "esol", 1), ("l2_sp", "esol", 1)]
    assert chosen("method=bss,lp", "model=gin", "label_ratio=full", "train=paper") == chosen("method=lp,bss")
    assert len(chosen("split=scaffold")) == 9
    assert chosen("method=l2_sp", "dataset=bace") == []
    everything = chosen()
    for name in ("fold1of5", "fold12", "fold2of3-half"):
        fold = record("lp", "esol", 0)
        fold.job["split"] = {"name": name, "target": "roftbench.data.predefined.FileSplit", "params": {}}
        records.append(fold)
    assert chosen() == everything  # the folds of `advise` are no results of their own
    assert chosen("split=fold1of5,fold12") == [("lp", "esol", 0)] * 2


@pytest.mark.parametrize(
    ("word", "got", "allowed"),
    [
        ("dataset=eso", "eso", {"bace", "esol"}),
        ("seed=7", "7", {"0"}),
        ("method=lp,roftmol", "roftmol", {"bss", "lp"}),
    ],
)
def test_name_without_a_record_is_refused_with_the_names_of_records(word: str, got: str, allowed: set[str]) -> None:
    records = [record("lp", "esol", 0), record("bss", "bace", 0)]
    with raises_usage(key=word.partition("=")[0], got=got) as caught:
        Request.parse([word])[0].chosen(records, [])
    assert set(caught.value.allowed) == allowed


def test_reference_and_smallest_differences_are_read_and_written_again() -> None:
    request, rest = Request.parse(["reference=lp", "delta=rmse:0.1,roc_auc:0.02"])
    assert (request.reference, request.delta, rest) == ("lp", {"rmse": 0.1, "roc_auc": 0.02}, [])
    assert Request.parse(request.words())[0] == request
    assert request.comparison(["lp", "bss"], ["rmse", "mae"]) == ("lp", {"mae": 0.0, "rmse": 0.1})
    one = Request.parse(["delta=0.1"])[0]
    assert one.words() == ["delta=0.1"]
    assert one.comparison(["bss"], ["rmse"]) == ("roftmol", {"rmse": 0.1})  # the default need not be there
    newest = ["roftmol (protocol=3)", "roftmol (protocol=4)"]
    assert Request().comparison(newest, ["rmse"]) == ("roftmol (protocol=4)", {"rmse": 0.0})


@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "inf", "much", "rmse:", "rmse:0.1,rmse:0.2", "rmse:0.1,0.2", "0.1,0.2"]
)
def test_differences_that_are_no_positive_numbers_are_refused(text: str) -> None:
    with raises_usage(key="delta"):
        Request.parse([f"delta={text}"])


def test_reference_delta_and_metric_that_do_not_fit_are_refused() -> None:
    with raises_usage(key="delta", got="rsme") as caught:
        Request.parse(["delta=rsme:0.1"])
    assert "rmse" in caught.value.allowed
    with raises_usage("delta=mae:0.1,rmse:0.1", key="delta", got="0.1"):
        Request.parse(["delta=0.1"])[0].comparison(["lp"], ["rmse", "mae"])
    with raises_usage(key="reference", got="lpp") as caught:
        Request.parse(["reference=lpp"])[0].comparison(["lp", "bss"], ["rmse"])
    assert set(caught.value.allowed) == {"lp", "bss"}
    with raises_usage(key="reference"):
        Request.parse(["reference=lp,bss"])
