"""Settings of the server: where it listens, what it may read, and how much it accepts."""

import ipaddress
import math
from dataclasses import dataclass, field, fields
from pathlib import Path

from tiepoint.errors import InvalidInput
from tiepoint.io.validation import check_integer
from tiepoint.presets import DEFAULT_PRESET

DEFAULT_PORT = 7860


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of what users can make the server store and compute; all are positive.

    Attributes:
        max_upload_mb: Maximum size of an image file in MB.
        max_request_mb: Maximum size of a request in MB; a request of the API has several images.
        max_megapixels: Maximum number of pixels of an image in millions.
        max_images: Maximum number of images per search or collection.
        max_storage_mb: Maximum size of all files of users in MB.
        max_queue: Maximum number of waiting jobs.
        upload_timeout_s: Maximum duration of a request's upload in s.
        min_upload_kb_per_s: Minimum rate of uploads in kB/s, after the first ten seconds.
        download_timeout_s: Maximum duration of a download from a URL in s.
        job_timeout_s: Maximum duration of a job in s; collections have no limit.
        keep_s: Time in s after which unused files and results are removed.
    """

    max_upload_mb: float = 50.0
    max_request_mb: float = 500.0
    max_megapixels: float = 50.0
    max_images: int = 200
    max_storage_mb: float = 4000.0
    max_queue: int = 32
    upload_timeout_s: float = 120.0
    min_upload_kb_per_s: float = 20.0
    download_timeout_s: float = 20.0
    job_timeout_s: float = 600.0
    keep_s: float = 3600.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidInput(f"{each.name}: expected a positive number, got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """Settings of `tiepoint app`.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        root: Folder whose images may be matched by their path; None for none.
        state: Folder in which collections are kept; None for the folder of the weights.
        preset: Preset that is selected at first: a name, or the folder of a trained model.
        allow_local_urls: Whether images may be downloaded from private and loopback addresses.
        allowed_hosts: Names under which browsers may reach the server, besides localhost and IP addresses.
        accept_license: Offer presets whose weights do not allow commercial use, too.
        device: Device of the networks, as for `tiepoint.load`.
        limits: Limits of uploads and jobs.

    Raises:
        InvalidInput: If the root is not a folder, or the port is out of range.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    root: Path | None = None
    state: Path | None = None
    preset: str = DEFAULT_PRESET
    allow_local_urls: bool = False
    allowed_hosts: tuple[str, ...] = ()
    accept_license: bool = False
    device: str = "auto"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if check_integer("port", self.port, 0) > 65535:
            raise InvalidInput(f"port: expected an integer up to 65535, got {self.port}")
        if self.root is not None:
            if not self.root.is_dir():
                raise InvalidInput(f"root: not a folder: {self.root}; pass a folder of images")
            object.__setattr__(self, "root", self.root.resolve())

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
