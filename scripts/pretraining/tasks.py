"""What is learned in pretraining: an encoder with linear maps from its states to the targets, and the loss.

A task's forward takes a corpus, indices [B] of molecules and a generator, and returns its figures, the loss first.
"""

from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from roftbench.data.color_refinement import share
from roftbench.data.packed import Batch
from roftbench.models.gin import GIN
from roftbench.models.hu import MASK_ATOM, MASK_BOND
from scripts.pretraining.corpus import TEACHER, Corpus
from scripts.pretraining.targets import NUM_ENVIRONMENTS

MASK_RATE = 0.15
CALIBRATION = 10_000  # molecules that give the variances of composition and counts
SMALLEST_SCALE = 0.1  # of log counts: rarer substructures weigh less
SUBSTRUCTURES = 4.0  # weight of their error, a mean over more independent targets than the other errors


class Task(nn.Module):
    """An encoder and what it is trained for."""

    name: ClassVar[str]
    targets: ClassVar[tuple[str, ...]]
    figures: ClassVar[tuple[str, ...]]
    about: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.encoder = GIN(dropout=0.0)


def alike(batch: Batch, encoder: GIN) -> Batch:
    """Return the batch with groups of atoms that are equal in the first layers, each of which is computed once."""
    if batch.x.device.type != "cpu":
        return batch
    x, attr = batch.x, batch.edge_attr
    [shared] = share(x, batch.edge_index, attr, batch.edge_ptr, [0, len(x)], encoder.shared_layers(), 0)
    return replace(batch, shared=shared)


class SubstructureCounts(nn.Module):
    """Linear map from representations to log counts of hashed substructures, standardized but for rare ones.

    A fingerprint has hundreds of independent parts, and a representation that predicts them serves a linear head as the
    fingerprint does; descriptors and composition alone leave it with a few dozen.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, corpus: Corpus, dim: int) -> None:
        super().__init__()
        seen = corpus.targets["substructures"][:CALIBRATION].float().log1p()
        self.map = nn.Linear(dim, seen.shape[1])
        self.register_buffer("center", seen.mean(dim=0))
        self.register_buffer("scale", seen.std(dim=0).clamp_min(SMALLEST_SCALE))

    def forward(self, z: Tensor, corpus: Corpus, index: Tensor) -> Tensor:
        """Return the mean squared error for representations z [B, d] of the molecules `index` [B]."""
        wanted = (corpus.targets["substructures"][index.to(z.device)].float().log1p() - self.center) / self.scale
        guess: Tensor = self.map(z)
        return (guess.float() - wanted).square().mean()


class Masking(Task):
    """Self-supervised: all targets are parts of the very graph.

    Of a share of the atoms, and of the bonds at them, features are replaced by the mask tokens; the network predicts
    each masked atom's token and each masked bond's type, after the attribute masking of Hu et al. (ICLR 2020) with the
    richer atom vocabulary that Mole-BERT (ICLR 2023) argues for: with elements alone three quarters of the targets are
    carbon. For every atom, masked or not, it predicts the environment: as in BERT, the atoms that are seen must be
    represented well too, and most of a token (hydrogens, charge, ring) is not in the input. From the mean over the
    atoms it predicts log size and log counts of frequent tokens and environments (motifs, as in GROVER, NeurIPS 2020),
    which a mean loses otherwise.
    """

    name = "masking"
    targets: ClassVar[tuple[str, ...]] = ("masking",)
    figures: ClassVar[tuple[str, ...]] = ("loss", "atoms", "bonds", "environments", "size", "counts")
    about = "masked atoms and bonds, environments, composition (self-supervised)"
    asked: ClassVar[float] = 1.0  # share of the atoms whose environment is predicted
    center: Tensor
    scale: Tensor

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        seen = corpus.targets["composition"][:CALIBRATION]
        dim = self.encoder.dim
        self.atom = nn.Linear(dim, len(corpus.names["masking"]))
        self.bond = nn.Linear(dim, 4)
        self.environment = nn.Linear(dim, NUM_ENVIRONMENTS)
        self.composition = nn.Linear(dim, seen.shape[1])
        self.substructures: SubstructureCounts | None = None
        self.register_buffer("center", seen.mean(dim=0))
        self.register_buffer("scale", seen.std(dim=0).clamp_min(0.05))

    def forward(self, corpus: Corpus, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return [6]: the loss; the shares of masked atoms, masked bonds and environments predicted right; the mean
        squared errors of log size and of log counts, in units of their variance.
        """
        batch = corpus.graphs.batch(index)
        device = batch.x.device
        masked = (torch.rand(len(batch.x), generator=generator) < MASK_RATE).to(device)  # the same on every device
        source, target = batch.edge_index
        edge_masked = masked[source] | masked[target]
        x, attr = batch.x.clone(), batch.edge_attr.clone()
        x[masked] = torch.tensor([MASK_ATOM, 0], device=device)
        attr[edge_masked] = torch.tensor([MASK_BOND, 0], device=device)
        h = self.encoder(alike(Batch(x, batch.edge_index, attr, batch.node_ptr, batch.edge_ptr), self.encoder)).out
        first = corpus.graphs.node_ptr[index].to(device) - batch.node_ptr[:-1]
        nodes = torch.arange(len(x), device=device) + torch.repeat_interleave(first, batch.node_ptr.diff())
        once = edge_masked & (source < target)
        asked = slice(None) if self.asked == 1 else torch.rand(len(x), generator=generator).to(device) < self.asked
        pairs = [
            (self.atom(h[masked]), corpus.targets["tokens"][nodes[masked]].long()),
            (self.bond(h[source[once]] + h[target[once]]), batch.edge_attr[once, 0]),
            (self.environment(h[asked]), corpus.targets["environments"][nodes[asked]].long()),
        ]
        losses = [F.cross_entropy(outputs.float(), wanted, ignore_index=-1) for outputs, wanted in pairs]
        right = [(outputs.argmax(1) == wanted).float().mean() for outputs, wanted in pairs]
        whole = (corpus.targets["composition"][index.to(device)] - self.center) / self.scale
        z = self.encoder.readout(h.float(), batch)
        errors = (self.composition(z).float() - whole).square().mean(dim=0)
        size, counts = errors[0], errors[1:].mean()
        loss = torch.stack(losses).sum() + size + counts
        if self.substructures is None:
            return torch.stack([loss, *right, size, counts])
        substructures = self.substructures(z, corpus, index)
        return torch.stack([loss + SUBSTRUCTURES * substructures, *right, size, counts, substructures])


class PhysicalChemistry(Task):
    """Supervised: RDKit's 2-D descriptors as normal scores, from the mean over the atoms, all at once.

    After the supervised graph-level stage of Hu et al. (ICLR 2020), with labels that cost nothing and that every
    molecule has; Crippen's logP and QED are left out, being (made of) what Lipo measures.
    """

    name = "descriptors"
    targets: ClassVar[tuple[str, ...]] = ("descriptors",)
    figures: ClassVar[tuple[str, ...]] = ("loss", "worst")
    about = "RDKit 2-D descriptors as normal scores, multi-task regression (supervised)"

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        self.head = nn.Linear(self.encoder.dim, corpus.targets["descriptors"].shape[1])
        self.substructures: SubstructureCounts | None = None

    def forward(self, corpus: Corpus, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return [2]: the mean squared error, in units of the variance, over all descriptors and for the worst one."""
        batch = alike(corpus.graphs.batch(index), self.encoder)
        z = self.encoder.readout(self.encoder(batch).out.float(), batch)
        wanted = corpus.targets["descriptors"][index.to(z.device)]
        errors = (self.head(z).float() - wanted).square().mean(dim=0)
        if self.substructures is None:
            return torch.stack([errors.mean(), errors.max()])
        substructures = self.substructures(z, corpus, index)
        return torch.stack([errors.mean() + SUBSTRUCTURES * substructures, errors.max(), errors.mean(), substructures])


class MaskingSubstructures(Masking):
    """Masking, and counts of hashed substructures of the whole graph out of the masked one."""

    name = "ssl"
    targets = ("masking", "substructures")
    figures = (*Masking.figures, "substructures")
    asked = 0.25
    about = "masked atoms and bonds, environments, composition, counts of hashed substructures (self-supervised)"

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus)
        self.substructures = SubstructureCounts(corpus, self.encoder.dim)


class Computed(PhysicalChemistry):
    """Descriptors, and counts of hashed substructures."""

    name = "supervised"
    targets = ("descriptors", "substructures")
    figures = (*PhysicalChemistry.figures, "descriptors", "substructures")
    about = "RDKit 2-D descriptors as normal scores and Morgan counts, multi-task regression (supervised)"

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus)
        self.substructures = SubstructureCounts(corpus, self.encoder.dim)


class Distillation(Task):
    """Supervised by a teacher: the standardized representations of another encoder, and counts of hashed substructures.

    A regression of the teacher's last hidden layer, after the hints of FitNets (Romero et al., ICLR 2015).
    """

    name = "distilled"
    targets = (TEACHER, "substructures")
    figures = ("loss", "teacher", "substructures")
    about = "graph representations of a supervised teacher and Morgan counts, multi-task regression (distilled)"
    center: Tensor
    scale: Tensor

    def __init__(self, corpus: Corpus) -> None:
        super().__init__()
        seen = corpus.targets[TEACHER][:CALIBRATION].float()
        seen = seen[seen.isfinite().all(dim=1)]
        self.head = nn.Linear(self.encoder.dim, seen.shape[1])
        self.substructures = SubstructureCounts(corpus, self.encoder.dim)
        self.register_buffer("center", seen.mean(dim=0))
        self.register_buffer("scale", seen.std(dim=0).clamp_min(1e-4))  # some of a teacher's numbers are constant

    def forward(self, corpus: Corpus, index: Tensor, generator: torch.Generator) -> Tensor:
        """Return [3]: the loss; the mean squared errors of representations, in units of their variance, and of counts.

        Molecules that the teacher cannot read have no part in the first.
        """
        batch = alike(corpus.graphs.batch(index), self.encoder)
        z = self.encoder.readout(self.encoder(batch).out.float(), batch)
        wanted = (corpus.targets[TEACHER][index.to(z.device)].float() - self.center) / self.scale
        known = wanted.isfinite().all(dim=1)
        error = (self.head(z).float() - wanted)[known].square().mean()
        substructures = self.substructures(z, corpus, index)
        return torch.stack([error + substructures, error, substructures])


TASKS: dict[str, type[Masking] | type[PhysicalChemistry] | type[Distillation]] = {
    task.name: task for task in (Masking, PhysicalChemistry, MaskingSubstructures, Computed, Distillation)
}
