"""`raises_usage`: a block that must raise a UsageError with given fields."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from roftbench.errors import UsageError


@contextmanager
def raises_usage(match: str | None = None, **fields: object) -> Iterator[pytest.ExceptionInfo[UsageError]]:
    """Require a UsageError whose named fields equal the given values and whose text, if asked, matches a pattern."""
    with pytest.raises(UsageError, match=match) as caught:
        yield caught
    assert {name: getattr(caught.value, name) for name in fields} == fields
