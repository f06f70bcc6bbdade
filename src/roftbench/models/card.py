"""What a model is called, where its weights come from and who trained them on what: the schema of `conf/model/`."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from roftbench.catalog import options
from roftbench.errors import UsageError, check_choice, check_range
from roftbench.store.checksums import Checksum, git_blob, sha256
from roftbench.store.downloads import Places, Source, check_places, present
from roftbench.store.http import check_file

PUBLISHED = "published"
BUNDLED = "bundled:"
OWN = "???"  # the user must say which file
PRETRAINING = {  # as it is set, and in words
    "none": "none",
    "self-supervised": "self-supervised",
    "supervised": "supervised",
    "both": "self-supervised and supervised",
    "unknown": "not stated",
}


@dataclass(frozen=True)
class ModelCard:
    """The keys of a model's config beside the parameters of its encoder.

    `checkpoint` says what is loaded: null (random weights), `bundled:FILE`, a path, or `published`: then `file` is
    looked for in `sources`, in order. `sha256` and `git_blob` are what the file must hash to; a published one needs at
    least one of them, so that a public file of which neither is known is the user's to download from `sources`.
    `verified` tells whether the file itself has been loaded and looked at here, or only described.
    `parameters` is 0 for a fingerprint.
    """

    name: str
    _target_: str
    summary: str = ""
    checkpoint: str | None = None
    file: str | None = None
    sources: list[str] = field(default_factory=list)
    sha256: str | None = None
    git_blob: str | None = None
    pretraining: str = "none"
    pretraining_data: str | None = None
    parameters: int | None = None
    verified: bool | None = None
    note: str | None = None
    reference: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        check_choice("pretraining", self.pretraining, PRETRAINING)
        if self.parameters is not None:
            check_range("parameters", self.parameters, 0)
        check_places(self.sources)
        if "bundled" in self.sources:
            raise ValueError(f"sources: a bundled checkpoint is checkpoint={BUNDLED}FILE")
        if self.checkpoint == PUBLISHED:
            if left := [name for name in ("sources", "file") if not getattr(self, name)]:
                raise ValueError(f"{left[0]} must be set for checkpoint={PUBLISHED}; for a file of yours give its path")
            if not self.checksum():
                raise ValueError(f"sha256 or git_blob must be set for checkpoint={PUBLISHED}")
            check_file(str(self.file), self.sha256, self.git_blob)

    def present(self, places: Places) -> str | None:
        """Return where on this machine the weights lie that are bundled or published, without reading them, or None."""
        if self.checkpoint == PUBLISHED:
            return present(self.source(), places)
        return "bundled" if (self.checkpoint or "").startswith(BUNDLED) else None

    @property
    def fingerprint(self) -> bool:
        """Whether there is no network."""
        return self.parameters == 0

    def own_file(self) -> str:
        """Return what is said of a file that the user gives, and where it is published if it is."""
        return ", published at ".join(["a file of yours", *self.sources[:1]])

    def checksum(self) -> Checksum:
        """Return what is known of the file."""
        return Checksum(self.sha256, self.git_blob)

    def source(self) -> Source:
        """Return where the published file may lie."""
        return Source(
            what=f"model {self.name}",
            file=str(self.file),
            sha256=self.sha256,
            places=tuple(self.sources),
            git_blob=self.git_blob,
            group="model",
        )

    def cautions(self) -> list[str]:
        """Return what the reader of a number must know of the published file."""
        unverified = (
            f"model {self.name}: not verified on the real file, which could not be had when its loader was made"
        )
        return [text for text in (self.verified is False and unverified, self.note) if text]

    def check_kind(self, content: bytes) -> None:
        """Raise UsageError if the user's file is a published one that belongs to another of our encoders.

        Files of different encoders may have equal keys and shapes, so that a strict load does not tell them apart.
        """
        cards = [card for card in model_cards().values() if card.checkpoint == PUBLISHED]
        if self._target_ not in {card._target_ for card in cards}:
            return
        digest, blob = sha256(content), git_blob(content)
        same = [card for card in cards if card.sha256 == digest or card.git_blob == blob]
        if same and self._target_ not in {card._target_ for card in same}:
            encoder = same[0]._target_.rpartition(".")[2]
            raise UsageError(
                f"model.checkpoint={self.checkpoint} holds the weights of {same[0].name}, a {encoder}, but"
                f" model={self.name} is a {self._target_.rpartition('.')[2]}. Take model={same[0].name}."
                f" (model.sha256={digest} loads it all the same.)"
            )


def model_cards(folder: Path | None = None) -> dict[str, ModelCard]:
    """Return the models of the shipped configs and of a user's config folder.

    Raises:
        UsageError: a config does not hold what a model needs.
    """
    names = {one.name for one in fields(ModelCard)}
    found = {}
    for name, content in options("model", folder).items():
        try:
            found[name] = ModelCard(**{key: value for key, value in content.items() if key in names})
        except (TypeError, ValueError) as error:
            raise UsageError(f"model/{name}.yaml: {error}") from None
    return found
