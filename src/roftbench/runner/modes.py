"""What a stage trains: blocks, parameters within them, their learning rates, and from which epoch on."""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from torch import nn

from roftbench.errors import SkipJob, suggest
from roftbench.methods.adam import Adam, AdamGroups
from roftbench.methods.base import Stage
from roftbench.models.encoder import ADDED, HEAD, Predictor


class Modes:
    """Training and frozen parts of a model.

    Args:
        model: the predictor.
        trained: names of the blocks that are trained.
        frozen_mode: "eval" or "train", see `Predictor.set_trained`.
        stage: its `parameters` and `unfreeze_every` choose among these blocks.

    Attributes:
        moving: keys of the tensors that training changes.
        epoch: present epoch, from 1; `train` reads it.

    Raises:
        SkipJob: the model has no such block or no such parameter.
    """

    def __init__(self, model: Predictor, trained: Sequence[str], frozen_mode: str, stage: Stage | None = None) -> None:
        self.model, self.frozen_mode, self.stage = model, frozen_mode, stage or Stage("")
        self.epoch = 1
        blocks = model.keys_of_blocks()
        if missing := [name for name in (*trained, *(self.stage.lrs or ())) if name not in model.blocks()]:
            raise SkipJob(f"this encoder has no block '{missing[0]}'.{suggest(missing[0], model.blocks())}")
        self.trained = [name for name in model.blocks() if name in trained]
        self.chosen = chosen_parameters(model, self.trained, self.stage)
        if not any(blocks[key] != HEAD for key in self.chosen) and self.stage.parameters is not None:
            raise SkipJob(f"this encoder has no parameter whose key matches {' or '.join(self.stage.parameters)}")
        self._left_out = [one for key, one in model.named_parameters() if key not in self.chosen]
        parameters = dict(model.named_parameters()).keys()
        # With frozen_mode="train", running statistics of frozen blocks change, too.
        moving = {key for key, block in blocks.items() if block in trained or frozen_mode == "train"}
        self.moving = moving - (parameters - self.chosen.keys())

    @property
    def unfreezes(self) -> bool:
        """Whether blocks join during the stage."""
        return self.stage.unfreeze_every is not None

    def train(self) -> None:
        """Set every part to training or evaluation, also modules outside blocks, such as dropout without weights."""
        now = joined(self.trained, self.stage, self.epoch)
        self.model.train(self.frozen_mode == "train" or any(name not in (HEAD, ADDED) for name in now))
        self.model.set_trained(now, frozen_mode=self.frozen_mode)
        if self.stage.parameters is not None:
            for parameter in self._left_out:
                parameter.requires_grad_(False)

    def optimizer(self, lr: float, weight_decay: float) -> Adam | AdamGroups:
        """Return Adam for the trained parameters, with a learning rate per block where the stage has several.

        Parameters that join later are among them: without a gradient they stay.
        """
        if self.stage.lrs is None and self.stage.lr_decay == 1:
            return Adam(self.chosen.values(), lr, weight_decay, fused=True)
        block_of = self.model.keys_of_blocks()
        groups = []
        for depth, name in enumerate(reversed(self.trained)):
            own = (self.stage.lrs or {}).get(name, lr * self.stage.lr_decay**depth)
            parameters = [one for key, one in self.chosen.items() if block_of[key] == name]
            groups.append(Adam(parameters, own, weight_decay, fused=True))
        return AdamGroups([group for group in groups if group.parameters])


def joined(blocks: Sequence[str], stage: Stage, epoch: int) -> Sequence[str]:
    """Return which of a stage's blocks, in the order of the network, train in an epoch, counted from 1."""
    return blocks if stage.unfreeze_every is None else blocks[-1 - (epoch - 1) // stage.unfreeze_every :]


def parameters_of(model: Predictor, stage: Stage, epochs: int) -> dict[str, nn.Parameter]:
    """Return the parameters that a stage of so many epochs trains, by key."""
    blocks = [name for name in model.blocks() if not stage.blocks or name in stage.blocks]
    return chosen_parameters(model, joined(blocks, stage, stage.epochs or epochs), stage)


def chosen_parameters(model: Predictor, blocks: Collection[str], stage: Stage) -> dict[str, nn.Parameter]:
    """Return the parameters of some blocks that a stage trains, by key."""
    block_of, patterns = model.keys_of_blocks(), stage.parameters

    def is_chosen(key: str) -> bool:
        fits = patterns is None or any(fnmatchcase(key, pattern) for pattern in patterns)
        return block_of[key] in blocks and (fits or block_of[key] in (HEAD, ADDED))

    return {key: one for key, one in model.named_parameters() if is_chosen(key)}
