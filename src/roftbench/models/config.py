"""Schema of `conf/model/` beside the parameters of an encoder: name, weights, and how these were pretrained."""

from dataclasses import dataclass, field

from roftbench.errors import UsageError, check_choice, check_range
from roftbench.store.checksums import Checksum
from roftbench.store.downloads import Places, Source, check_places, present
from roftbench.store.http import check_file

PUBLISHED = "published"
BUNDLED = "bundled:"
OWN = "???"  # a file that the user has to name
PRETRAINING = {  # value in a config: in words
    "none": "none",
    "self-supervised": "self-supervised",
    "supervised": "supervised",
    "both": "self-supervised and supervised",
    "unknown": "not stated",
}


@dataclass(frozen=True)
class ModelCard:
    """Keys of a model's config beside the parameters of its encoder.

    Attributes:
        checkpoint: weights that are loaded: None for random ones, `bundled:FILE`, a path, or `published`.
        file: name of the published file.
        sources: where the published file is looked for, in order.
        sha256: digest that the file must have; a published file needs this or `git_blob`.
        git_blob: git's object id that the file must have.
        pretraining: a key of `PRETRAINING`.
        pretraining_data: data of the pretraining, in words.
        seen: data sets whose labels the pretraining saw; None: not known, or without labels for a pretraining that is
            none or self-supervised. No part of a job's key.
        parameters: number of parameters of the encoder; 0 for a fingerprint.
        verified: whether the loader was tested on the file itself, False if only on its description.
        note: caution for readers of results.
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
    seen: list[str] | None = None
    parameters: int | None = None
    verified: bool | None = None
    note: str | None = None
    reference: str | None = None
    license: str | None = None

    def __post_init__(self) -> None:
        check_choice("pretraining", self.pretraining, PRETRAINING)
        if self.parameters is not None:
            check_range("parameters", self.parameters, 0)
        check_places(self.sources)
        if "bundled" in self.sources:
            raise UsageError(
                f"sources: a bundled checkpoint is checkpoint={BUNDLED}FILE", key="sources", got=self.sources
            )
        if self.checkpoint == PUBLISHED:
            if left := [name for name in ("sources", "file") if not getattr(self, name)]:
                problem = f"{left[0]} must be set for checkpoint={PUBLISHED}; for a file of yours give its path"
                raise UsageError(problem, key=left[0])
            if not self.checksum():
                raise UsageError(f"sha256 or git_blob must be set for checkpoint={PUBLISHED}", key="sha256")
            check_file(str(self.file), self.sha256, self.git_blob)

    def present(self, places: Places) -> str | None:
        """Return where bundled or published weights are on this machine, or None; they are not read."""
        if self.checkpoint == PUBLISHED:
            return present(self.source(), places)
        return "bundled" if (self.checkpoint or "").startswith(BUNDLED) else None

    @property
    def fingerprint(self) -> bool:
        """Whether the model is a fingerprint, without a network."""
        return self.parameters == 0

    def labels_seen(self) -> list[str] | None:
        """Return the data sets whose labels the pretraining saw; None if that is not known."""
        return [] if self.seen is None and self.pretraining in ("none", "self-supervised") else self.seen

    def own_file(self) -> str:
        """Return a description of a file that the user provides, with its public address if it has one."""
        return ", published at ".join(["a file of yours", *self.sources[:1]])

    def checksum(self) -> Checksum:
        """Return the expected checksums of the file."""
        return Checksum(self.sha256, self.git_blob)

    def source(self) -> Source:
        """Return the sources of the published file."""
        return Source(
            what=f"model {self.name}",
            file=str(self.file),
            sha256=self.sha256,
            places=tuple(self.sources),
            git_blob=self.git_blob,
            group="model",
        )

    def cautions(self) -> list[str]:
        """Return cautions about the published file for readers of results."""
        unverified = (
            f"model {self.name}: not verified on the real file, which could not be had when its loader was made"
        )
        return [text for text in (self.verified is False and unverified, self.note) if text]
