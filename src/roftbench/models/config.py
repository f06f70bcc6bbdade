"""What a model is called, where its weights come from and who trained them on what: the schema of `conf/model/`."""

from dataclasses import dataclass, field

from roftbench.errors import UsageError, check_choice, check_range
from roftbench.store.checksums import Checksum
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
