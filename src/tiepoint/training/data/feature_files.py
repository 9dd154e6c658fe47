"""Features read from files as an extractor for training: hloc's HDF5, COLMAP's database, a folder of .npz files."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.feature_store.other_formats import list_images, read_features
from tiepoint.image import Image
from tiepoint.image.listing import find_images
from tiepoint.io.hashing import file_digest, short_digest
from tiepoint.training.data.given_features import GivenExtractor, warn_without_kind
from tiepoint.types import Features


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFiles:
    """Features of the images of a folder, in a file or in a folder of .npz files.

    Attributes:
        path: File or folder of the features.
        images: Folder of the images; names in `path` are relative to it.
        names: Names of images with features.
        kind: Name of the descriptor.
    """

    path: Path
    images: Path
    names: frozenset[str]
    kind: str = ""

    @classmethod
    def open(cls, path: str | os.PathLike[str], images: Path, *, kind: str = "") -> "FeatureFiles":
        """List the names of a file or folder.

        Args:
            path: hloc's .h5 file, COLMAP's database, or a folder of .npz files.
            images: Folder of the images.
            kind: Name of the descriptor.

        Raises:
            InvalidInput: If it is missing, damaged or empty, or one .npz file is named like two images.
            MissingDependency: If h5py is not installed (hloc).
        """
        if not Path(path).exists():
            raise InvalidInput(
                f"{path} not found; expected hloc's .h5 file, COLMAP's database, or a folder of .npz files"
            )
        names = frozenset(list_images(path))
        if Path(path).is_dir():
            _check_unambiguous(names, images)
        return cls(path=Path(path), images=images, names=names, kind=kind)

    def name_of(self, image: Path) -> str | None:
        """Return the name of an image in the file; .npz files may lack the image's suffix. None if it has no features."""
        if not image.is_relative_to(self.images):
            return None
        relative = image.relative_to(self.images)
        if (name := relative.as_posix()) in self.names:
            return name
        stem = relative.with_suffix("").as_posix()
        return stem if self.path.is_dir() and stem in self.names else None

    def read(self, image: Path) -> Features:
        """Read the features of an image.

        Raises:
            InvalidInput: If the file does not contain the image, or its features are invalid.
        """
        name = self.name_of(image)
        if name is None:
            raise InvalidInput(f"no features of {image} in {self.path}")
        try:
            return read_features(self.path, name, kind=self.kind)
        except InvalidInput as error:
            raise InvalidInput(f"features of {image} in {self.path}: {error}") from error

    def content_digest(self) -> str:
        """Return a digest of all files."""
        if self.path.is_file():
            return file_digest(self.path)
        files = sorted(self.path.rglob("*.npz"))
        return short_digest("\0".join(f"{file.relative_to(self.path)} {file_digest(file)}" for file in files))


def _check_unambiguous(names: frozenset[str], images: Path) -> None:
    """Check that no .npz file without an image suffix could be of two images, such as a.jpg and a.png."""
    found: dict[str, str] = {}
    for path in find_images(images):
        relative = path.relative_to(images)
        name, stem = relative.as_posix(), relative.with_suffix("").as_posix()
        if name in names or stem not in names:
            continue
        if stem in found:
            raise InvalidInput(
                f"{stem}.npz could be of {found[stem]} and of {name}; name the files like the images, such as {name}.npz"
            )
        found[stem] = name


class FileExtractor(GivenExtractor):
    """Features that were extracted by another program; warped images have none.

    Args:
        files: Features of the images.
        example: Features of the first image.
        settings: Settings; of the sizes, only `max_keypoints` has an effect.
        device: Device of the training.
        content: Digest of the files.
    """

    def __init__(
        self,
        files: FeatureFiles,
        example: Features,
        settings: ExtractionSettings,
        device: torch.device,
        content: str,
    ) -> None:
        super().__init__(self._read_source, example, settings, device)
        self.files, self.content = files, content
        self.fingerprint = short_digest(f"{self.fingerprint} {content}")

    def with_settings(self, settings: ExtractionSettings) -> "FileExtractor":
        """Return an extractor with the same files and other settings."""
        return FileExtractor(self.files, self.example, settings, self.device, self.content)

    def extract(self, image: Image, mask: Bool[Tensor, "h w"] | None = None) -> Features:
        """Read the features of an image, whatever the orientation in which its program read the pixels.

        Args:
            image: Image with its path as source.
            mask: None; masks are not supported.

        Raises:
            InvalidInput: If the files have no valid features of the image.
        """
        return self.checked(self._read_source(image), image.source)

    def read(self, image: Path) -> Features:
        """Read the features of an image by its path.

        Raises:
            InvalidInput: If the files have no valid features of the image.
        """
        return self.checked(self.files.read(image), str(image))

    def limited(self, max_keypoints: int) -> "FileExtractor":
        """Return an extractor with the same files and another maximum number of keypoints."""
        return self.with_settings(replace(self.settings, max_keypoints=max_keypoints))

    def _read_source(self, image: Image) -> Features:
        if image.source is None:
            raise InvalidInput("features from files are found by the path of their image; this one has none")
        return self.files.read(Path(image.source))


def extractor_from_files(
    features: str | os.PathLike[str], images: Path, device: torch.device, *, kind: str = ""
) -> FileExtractor:
    """Return an extractor that reads features of images from files.

    Args:
        features: hloc's .h5 file, COLMAP's database, or a folder of .npz files. Names of images are relative to `images`.
        images: Folder of the images.
        device: Device of the training.
        kind: Name of the descriptor; without one, the trained matcher accepts any features.

    Raises:
        InvalidInput: If the file cannot be read, or it has features of none of the images.
        MissingDependency: If h5py is not installed (hloc).
    """
    files = FeatureFiles.open(features, images, kind=kind)
    found = next((image for image in find_images(images) if files.name_of(image)), None)
    if found is None:
        raise InvalidInput(
            f"{features} has no features of the images in {images}: its names are like {min(files.names)!r}; expected paths "
            f"relative to that folder"
        )
    if not kind:
        warn_without_kind("set kind (--kind)")
    settings = ExtractionSettings(kind=kind, max_keypoints=None, resize=None)
    return FileExtractor(files, _first_valid(files), settings, device, files.content_digest())


def _first_valid(files: FeatureFiles) -> Features:
    """Return the features of the first image that has valid keypoints."""
    first: InvalidInput | None = None
    for image in find_images(files.images):
        if files.name_of(image):
            try:
                if len(features := files.read(image)):
                    return features
            except InvalidInput as error:
                first = first or error
    raise first or InvalidInput(f"{files.path} has no keypoints in any image of {files.images}")
