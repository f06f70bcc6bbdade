"""Embeddings of a data set by a frozen encoder, the features of estimators such as `method=ridge`."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from roftbench.config.environment import RunContext
from roftbench.config.job import Job
from roftbench.data.dataset import MoleculeDataset
from roftbench.models.acceleration import shared_layers
from roftbench.runner.loading import load_encoder
from roftbench.runner.objective import EVAL_BATCH
from roftbench.runner.provenance import arithmetic
from roftbench.store.checksums import digest
from roftbench.store.tensors import Entry


def embeddings(job: Job, context: RunContext, dataset: MoleculeDataset, device: torch.device) -> NDArray[np.float32]:
    """Return the pooled representations of the N molecules by the job's encoder before fine-tuning, [N, d].

    They are computed for all molecules at the first use and cached beside the graphs.

    Raises:
        UsageError: the weights are not available or do not fit.
    """
    identity = job.fit_identity()
    random = {} if job.model.has_weights else {"seed": job.seed}
    kept = {name: identity.get(name) for name in ("protocol", "featurizer", "graphs", "model")}

    def build(smiles: Sequence[str], name: str) -> Entry:
        encoder = load_encoder(job, context).to(device).eval()
        whole = dataset if dataset.whole is None else dataset.whole
        graphs = whole.graphs_of(job.model.featurizer).to(device)
        chunks = torch.arange(len(graphs)).split(EVAL_BATCH)
        with torch.no_grad():
            found = [encoder.represent(batch) for batch in graphs.batches(chunks, shared_layers(encoder))]
        return {"z": torch.cat(found).float().cpu()}, {}

    version = digest({**kept, **random, "arithmetic": arithmetic(device)})
    z: NDArray[np.float32] = dataset.kept_beside("embeddings", version, build, of=job.model.name)["z"].numpy()
    return z if dataset.position is None else z[dataset.position]
