"""LoRA: a trained product of two small matrices is added to each frozen matrix."""

from dataclasses import dataclass
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from roftbench.errors import SkipJob, check_range
from roftbench.methods.base import Method, Stage
from roftbench.models.encoder import ADDED, HEAD, Predictor


class Product(nn.Module):
    """A matrix B·A [out, in] of low rank, 0 at the start."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.a = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(rank, weight.shape[1]), a=5**0.5))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))


class Sum(nn.Module):
    """W + scale·B·A. The product is a module of the block "added", not of the one that is parametrized."""

    def __init__(self, product: Product, scale: float) -> None:
        super().__init__()
        self.scale = scale
        vars(self)["product"] = product  # not registered: its keys are those of "added"

    def forward(self, weight: Tensor) -> Tensor:
        """Return the sum, [out, in]."""
        product: Product = vars(self)["product"]
        return torch.addmm(weight, product.b, product.a, alpha=self.scale)


@dataclass(frozen=True)
class LoRA(Method):
    """W + scale·B·A in each matrix W [out, in] of the encoder's layers (Hu et al., ICLR 2022).

    A, B and the head are trained; the rest is frozen, in evaluation mode. Tables of embeddings and the block "embed"
    have no product.
    """

    rank: int = 8
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_range("rank", self.rank, 1)
        check_range("scale", self.scale, 0, open_low=True)

    def stages(self) -> list[Stage]:
        """Return one stage that trains the products and the head."""
        return [Stage("ft", blocks=(ADDED, HEAD))]

    def extend(self, model: Predictor) -> None:
        """Add a product to each matrix; raises SkipJob where there is none."""
        blocks = [block for name, block in model.encoder.blocks().items() if name != "embed"]
        modules = [one for block in blocks for one in block.modules() if not isinstance(one, nn.Embedding)]
        weights = [(one, getattr(one, "weight", None)) for one in modules]
        matrices = [(one, weight) for one, weight in weights if isinstance(weight, Tensor) and weight.dim() == 2]
        if not matrices:
            raise SkipJob(f"{type(model.encoder).__name__} has no matrix in its layers, which LoRA adds to")
        for number, (module, weight) in enumerate(matrices):
            product = model.added[f"product{number}"] = Product(weight, self.rank)
            register_parametrization(module, "weight", Sum(product, self.scale))
            if "weight" in module.state_dict():  # PyTorch Geometric's Linear would store the sum beside its parts
                vars(module)["_save_to_state_dict"] = MethodType(nn.Module._save_to_state_dict, module)
