"""Work that is the same again and again; on a GPU: test_gpu.py."""

import pytest
import torch
from torch import Tensor

from roftbench.runner.cuda_graph import GraphedCallable


@pytest.mark.parametrize("recorded", [True, False])
def test_on_a_cpu_it_is_called_each_time(recorded: bool) -> None:
    total = torch.zeros(())

    def work() -> Tensor:
        return total.add_(1) * 2

    again = GraphedCallable(work, torch.device("cpu"), recorded=recorded)
    assert [again().item() for _ in range(4)] == [2, 4, 6, 8]
