"""What a data set's config must say."""

from pathlib import Path
from typing import Any

import pytest
from refusals import raises_usage

from roftbench.config.dataset_specs import dataset_specs
from roftbench.data.config import DatasetSpec

PUBLISHED: dict[str, Any] = {
    "name": "d", "task": "regression", "targets": ["y"], "metric": "rmse", "smiles_column": "smiles", "file": "d.csv",
    "sha256": "0" * 64, "sources": ["cache", "mirror", "https://example.org/d.csv"],
}  # fmt: skip


def test_a_published_data_set_and_where_it_may_lie() -> None:
    source = DatasetSpec(**PUBLISHED).source()
    assert (source.file, source.sha256, source.asset) == ("d.csv", "0" * 64, None)
    assert source.places == ("cache", "mirror", "https://example.org/d.csv")
    bundled = DatasetSpec(**{**PUBLISHED, "sources": ["bundled"], "asset_sha256": "1" * 64}).source()
    assert (bundled.asset, bundled.asset_sha256) == ("data/d.csv.gz", "1" * 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "d.csv"}, "exactly one of them"),
        ({"sources": []}, "exactly one of them"),
        ({"sources": ["mirorr"]}, r"sources is 'mirorr'\. Did you mean 'mirror'\?"),
        ({"sources": ["ftp://example.org/d.csv"]}, "sources is 'ftp://example.org/d.csv'"),
        ({"sources": ["bundled"]}, "asset_sha256 must be set"),
        *(({name: None}, f"{name} must be set") for name in ("name", "targets", "task", "metric", "file", "sha256")),
        ({"name": "a/b"}, "must not look like a path"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"metric": "roc_auc"}, "metric is 'roc_auc'"),
        ({"duplicates": "drop_conflict"}, r"duplicates is 'drop_conflict'\. Did you mean 'drop_conflicts'\?"),
        ({"targets": []}, "targets must be set"),
        ({"targets": ["y", "y"]}, "targets must name at least one column, each once"),
        ({"classes": ["yes"]}, "classes must be the texts of the negative and the positive class"),
        ({"classes": ["yes", "yes"]}, "classes must be"),
    ],
)
def test_what_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DatasetSpec(**{**PUBLISHED, **changes})


def test_a_users_own_configs_are_among_the_data_sets(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("name: mine\nsummary: my own\npath: mine.csv\n")
    found = dataset_specs(tmp_path)
    assert found["mine"] is None
    assert found["csv"] is None
    assert found["esol"] is not None
    (tmp_path / "dataset" / "wrong.yaml").write_text("name: wrong\nsources: [cache]\ncolor: red\n")
    with raises_usage("color", key="dataset/wrong.yaml"):
        dataset_specs(tmp_path)
