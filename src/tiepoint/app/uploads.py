"""Images of users: files in a folder that goes away, each under a secret id."""

import io
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import PIL.Image

from tiepoint.app.messages import RequestError
from tiepoint.app.settings import Limits
from tiepoint.errors import InvalidInput
from tiepoint.html.embedding import embed_image
from tiepoint.image import Image, read_image
from tiepoint.image.data_url import decode_data_url
from tiepoint.image.opening import open_pillow

IN_MEMORY = "the image in memory"  # name of encoded images in the errors of `read_image`
MAX_NAME_LENGTH = 120
PREVIEW_SIDE = 1200  # px


@dataclass(slots=True, kw_only=True)
class Upload:
    """An image of a user.

    Attributes:
        id: Secret name of the upload.
        name: File name that the user sees.
        path: File that contains the encoded image.
        size: Size of the file in bytes.
        image_size: Size (width, height) of the upright image in px.
        note: Remark for the user; "" for none.
        is_owned: Whether the file belongs to the upload; those below the root do not.
        last_used: Time of `time.monotonic`.
    """

    id: str
    name: str
    path: Path
    size: int
    image_size: tuple[int, int]
    note: str = ""
    is_owned: bool = True
    last_used: float = field(default_factory=time.monotonic)

    def to_dict(self) -> dict[str, object]:
        """Return what the user's browser gets."""
        return {
            "id": self.id,
            "name": self.name,
            "width": self.image_size[0],
            "height": self.image_size[1],
            "note": self.note,
        }


class Uploads:
    """All uploads of a server; safe to use from several threads.

    Args:
        folder: Folder of the files.
        limits: Limits of files and images.
        used_bytes: Returns the bytes that results use; they count as stored, too.
    """

    def __init__(self, folder: Path, limits: Limits, used_bytes: Callable[[], int] = lambda: 0) -> None:
        self.folder = folder
        self.limits = limits
        self._used_bytes = used_bytes
        self._uploads: dict[str, Upload] = {}
        self._reserved = 0  # bytes of uploads that are being read
        self._lock = threading.RLock()

    @property
    def stored_bytes(self) -> int:
        """Size of all uploads in bytes, without files below the root."""
        with self._lock:
            return self._reserved + sum(each.size for each in self._uploads.values() if each.is_owned)

    def add(self, content: bytes, name: str) -> Upload:
        """Validate and keep an encoded image.

        Args:
            content: Content of an image file.
            name: File name; only its last part is used.

        Raises:
            InvalidInput: If it is not an image, or too large.
            RequestError: If the storage is full.
        """
        name = clean_name(name)
        self._reserve(len(content), name)
        try:
            image, note = decode_upload(content, name, self.limits)
            upload_id = secrets.token_urlsafe(16)
            path = self.folder / f"{upload_id}.image"
            path.write_bytes(content)
            upload = Upload(
                id=upload_id, name=name, path=path, size=len(content), image_size=image.image_size, note=note
            )
            return self._keep(upload)
        except OSError as error:
            raise RequestError(
                "cannot store the upload: no space or no permission on the server", 507
            ) from error
        finally:
            with self._lock:
                self._reserved -= len(content)

    def add_file(self, path: Path, name: str) -> Upload:
        """Validate an image file below the root, which stays where it is.

        Args:
            path: Real path of the file.
            name: Path relative to the root.

        Raises:
            InvalidInput: If it is not an image, or too large.
        """
        content = _read_file(path, name, self.limits)
        image, note = decode_upload(content, name, self.limits)
        upload = Upload(
            id=secrets.token_urlsafe(16),
            name=name,
            path=path,
            size=len(content),
            image_size=image.image_size,
            note=note,
            is_owned=False,
        )
        return self._keep(upload)

    def get(self, upload_id: object) -> Upload:
        """Return an upload, which is then kept for longer.

        Raises:
            RequestError: If there is no such upload.
        """
        with self._lock:
            upload = self._uploads.get(upload_id) if isinstance(upload_id, str) else None
            if upload is None:
                raise RequestError("an image is no longer on the server; choose it again", 410)
            upload.last_used = time.monotonic()
            return upload

    def read(self, upload: Upload) -> Image:
        """Decode an upload.

        Raises:
            InvalidInput: If the file has changed and is not an image any more.
        """
        return self.read_file(upload.path, upload.name)

    def read_file(self, path: Path, name: str) -> Image:
        """Decode a file within the limits of uploads.

        Args:
            path: Path of the file.
            name: Name that the user knows, for messages and as source of the image.

        Raises:
            InvalidInput: If it is not an image, or too large.
        """
        return read_encoded(_read_file(path, name, self.limits), name, self.limits)

    def preview(self, upload: Upload) -> bytes:
        """Return a JPEG of at most 1200 px, upright, with 8 bits."""
        image = read_image(self.read(upload), stretch="auto")
        url = embed_image(image, max_side=PREVIEW_SIDE).url
        return decode_data_url(url, self.limits.max_upload_mb * 2)

    def remove(self, upload_id: str) -> None:
        """Remove an upload and its file; unknown ids are ignored."""
        with self._lock:
            upload = self._uploads.pop(upload_id, None)
        if upload is not None and upload.is_owned:
            upload.path.unlink(missing_ok=True)

    def renew(self, uploads: Iterable[Upload]) -> None:
        """Keep uploads for longer."""
        with self._lock:
            for upload in uploads:
                upload.last_used = time.monotonic()

    def check_space(self, size: int = 0) -> None:
        """Check that the limit of stored bytes is not exceeded.

        Args:
            size: Number of bytes to add.

        Raises:
            RequestError: If the storage is full.
        """
        if self.stored_bytes + self._used_bytes() + size > self.limits.max_storage_mb * 1e6:
            raise RequestError("the storage of the server is full; try again later", 507)

    def remove_unused(self) -> None:
        """Remove the uploads that were not used for `keep_s`."""
        oldest = time.monotonic() - self.limits.keep_s
        with self._lock:
            unused = [each.id for each in self._uploads.values() if each.last_used < oldest]
        for upload_id in unused:
            self.remove(upload_id)

    def _keep(self, upload: Upload) -> Upload:
        with self._lock:
            self._uploads[upload.id] = upload
        return upload

    def _reserve(self, size: int, name: str) -> None:
        if size > self.limits.max_upload_mb * 1e6:
            raise RequestError(
                f"{name!r} has {size / 1e6:,.1f} MB, which exceeds the limit of {self.limits.max_upload_mb:g} MB; "
                "save it with a higher compression",
                413,
            )
        with self._lock:
            self.check_space(size)
            self._reserved += size


def clean_name(name: str) -> str:
    """Return the last part of a file name without control characters, of at most 120 characters."""
    last = PurePosixPath(PureWindowsPath(name).name).name
    printable = "".join(letter for letter in last if letter.isprintable())
    return printable[-MAX_NAME_LENGTH:] or "image"


def decode_upload(content: bytes, name: str, limits: Limits) -> tuple[Image, str]:
    """Decode an image file and say what of it is used.

    Args:
        content: Content of the file.
        name: File name for messages.
        limits: Limits of the image.

    Returns:
        The image with its name as source, and a remark about its frames, "" for none.
    """
    image = read_encoded(content, name, limits)
    frames = _count_frames(content)
    note = f"first of {frames:,} frames" if frames > 1 else ""
    return image, note


def read_encoded(content: bytes, name: str, limits: Limits) -> Image:
    """Decode an image file; errors and the source of the image contain its name instead of a path.

    Raises:
        InvalidInput: If it is not an image, or has too many pixels.
    """
    if not content:
        raise InvalidInput(f"{name!r} is empty; choose another file")
    try:
        image = read_image(content, max_megapixels=limits.max_megapixels)
    except InvalidInput as error:
        raise with_name(error, name) from error
    return replace(image, source=name)


def with_name(error: InvalidInput, name: str) -> InvalidInput:
    """Return an error of `read_image` about an image in memory with the name that the user knows."""
    text = str(error).replace(IN_MEMORY, repr(name))
    return InvalidInput(text.replace(", or increase max_megapixels if there is enough memory", ""))


def _count_frames(content: bytes) -> int:
    """Return the number of frames of an animation; 1 for pages of a TIFF and other images."""
    try:
        opened = open_pillow(io.BytesIO(content), IN_MEMORY)
        is_animated = opened.format in ("GIF", "PNG", "WEBP", "AVIF") and getattr(
            opened, "is_animated", False
        )
        return int(getattr(opened, "n_frames", 1)) if is_animated else 1
    except (InvalidInput, OSError, ValueError, PIL.Image.DecompressionBombError):
        return 1


def _read_file(path: Path, name: str, limits: Limits) -> bytes:
    try:
        if path.stat().st_size > limits.max_upload_mb * 1e6:
            raise RequestError(f"{name!r} exceeds the limit of {limits.max_upload_mb:g} MB", 413)
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {name!r}: {error.strerror}", 404) from error
