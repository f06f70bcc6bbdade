"""The encoder of a job with its weights, and the network with a head."""

from roftbench.config.components import build
from roftbench.config.environment import RunContext
from roftbench.config.job import NETWORK, Job, derive_seed
from roftbench.errors import UsageError
from roftbench.models.checkpoints import load_checkpoint, load_published
from roftbench.models.encoder import Encoder, Predictor
from roftbench.runner.devices import CPU
from roftbench.runner.training import seeded


def load_model(job: Job, context: RunContext, num_tasks: int) -> Predictor:
    """Return encoder and head of a job; random weights depend on the job's seed alone.

    Raises:
        UsageError: as `load_encoder` does, or the encoder's blocks do not cover its parameters.
    """
    encoder = load_encoder(job, context)
    try:
        with seeded(derive_seed(job.seed, "head"), CPU):
            model = Predictor(encoder, num_tasks)
        model.keys_of_blocks()
    except ValueError as error:
        raise UsageError(f"model {job.model.name}: {error}", key="model", got=job.model.name) from None
    return model


def load_encoder(job: Job, context: RunContext) -> Encoder:
    """Return a job's encoder with its pretrained weights, or with random ones that depend on the job's seed alone.

    Raises:
        UsageError: the weights are not available or do not fit; or the model is a fingerprint.
    """
    if job.model.kind != NETWORK:
        problem = (
            f"model={job.model.name} is a fingerprint, without a network: choose another of `roftbench list models`"
        )
        raise UsageError(problem, key="model", got=job.model.name)
    with seeded(derive_seed(job.seed, "encoder"), CPU):
        encoder: Encoder = build(job.model)
    spec = job.model
    if spec.source is not None:
        load_published(encoder, spec.source, context.places)
    elif spec.checkpoint is not None:
        load_checkpoint(encoder, spec.checkpoint, spec.sha256, spec.git_blob)
    return encoder
