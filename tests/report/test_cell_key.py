"""Which scores may stand in one table."""

from typing import Any

from boards import changed, part, runs

from roftbench.report.cell_key import CellKeys, names
from roftbench.store.record_schema import RecordSummary


def minimol(method: str, **versions: Any) -> RecordSummary:
    [record] = runs(method, "esol", [1.0])
    return changed(record, method, model=part("model", "minimol"), method={**record.job["method"], **versions})


def test_an_encoder_fine_tuned_before_its_training_was_corrected_makes_a_table_of_its_own() -> None:
    records = [minimol("lp"), minimol("full_ft"), minimol("full_ft", encoder_protocol=2)]
    probed, before, after = cells = [CellKeys().of(record.job) for record in records]
    assert probed.setting == after.setting != before.setting
    assert [one["model"] for one in names(cells)] == [
        "minimol (encoder_protocol=2)", "minimol (encoder_protocol=1)", "minimol (encoder_protocol=2)"
    ]  # fmt: skip
    assert [one["model"] for one in names([probed, after])] == ["minimol", "minimol"]
    assert [one["method"] for one in names([before, after])] == ["full_ft", "full_ft"]
