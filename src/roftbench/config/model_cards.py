"""Models as described in `conf/model/`."""

from pathlib import Path

from roftbench.config.registry import cards
from roftbench.errors import UsageError
from roftbench.models.config import PUBLISHED, ModelCard
from roftbench.store.checksums import git_blob, sha256


def model_cards(folder: Path | None = None) -> dict[str, ModelCard]:
    """Return the models of the shipped configs and of a user's config folder.

    Raises:
        UsageError: a config lacks a required key of a model, or has an impossible value.
    """
    return cards("model", ModelCard, folder)


def check_encoder(card: ModelCard, content: bytes) -> None:
    """Raise UsageError if the user's file is a published one of another shipped encoder.

    Files of different encoders may have equal keys and shapes, so that a strict load does not distinguish them.
    """
    published = [one for one in model_cards().values() if one.checkpoint == PUBLISHED]
    if card._target_ not in {one._target_ for one in published}:
        return
    digest, blob = sha256(content), git_blob(content)
    same = [one for one in published if one.sha256 == digest or one.git_blob == blob]
    if same and card._target_ not in {one._target_ for one in same}:
        encoder = same[0]._target_.rpartition(".")[2]
        raise UsageError(
            f"model.checkpoint={card.checkpoint} holds the weights of {same[0].name}, a {encoder}, but"
            f" model={card.name} is a {card._target_.rpartition('.')[2]}",
            key="model.checkpoint",
            got=card.checkpoint,
            hint=f"Use model={same[0].name}, or model.sha256={digest} to load it all the same.",
        )
