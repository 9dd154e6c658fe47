"""TIFF files: the format of their samples, which Pillow's modes do not tell, and why Pillow cannot read some."""

import io
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import PIL.Image
from PIL.ExifTags import Base as Tag
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from tiepoint.errors import InvalidInput

Stream: TypeAlias = io.BufferedReader | io.BytesIO
"""Stream in which one can seek."""

WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1  # PhotometricInterpretation
UNSIGNED, SIGNED = 1, 2  # SampleFormat
ACTUAL_SAMPLES = "tiepoint samples"  # key in the info of an image whose tags were changed
ENTRY_BYTES = 12  # of an image file directory
VALUE_BYTES = {3: 2, 4: 4}  # by field type: SHORT and LONG
BIG_TIFF = 43  # version in the header; the header of other files has 8 bytes
SAMPLE_KINDS = {UNSIGNED: "unsigned integers", SIGNED: "signed integers", 3: "floating point"}
"""SampleFormat -> name."""


class Samples(NamedTuple):
    """Format of the samples of a TIFF.

    Attributes:
        bands: Number of values per pixel.
        bits: Bits per value.
        sample_format: 1 unsigned, 2 signed, 3 floating point; other values have no name.
        white_is_zero: Whether 0 is white.
    """

    bands: int
    bits: int
    sample_format: int
    white_is_zero: bool

    @classmethod
    def from_tags(cls, tags: Any) -> "Samples":
        """Return the format from the tags of a TIFF, a mapping; defaults are those of TIFF 6.0."""
        bits = tags.get(Tag.BitsPerSample, (1,))
        bands = tags.get(Tag.SamplesPerPixel, len(bits))
        formats = tags.get(Tag.SampleFormat, (1,))
        return cls(bands, bits[0], formats[0], tags.get(Tag.PhotometricInterpretation) == WHITE_IS_ZERO)

    def __str__(self) -> str:
        kind = SAMPLE_KINDS.get(self.sample_format, f"samples of format {self.sample_format}")
        white = ", white is zero" if self.white_is_zero else ""
        return f"{self.bands} band{'s' * (self.bands != 1)} of {self.bits}-bit {kind}{white}"


def read_samples(image: PIL.Image.Image) -> Samples | None:
    """Return the format of the samples of an image that Pillow opened from a TIFF; None for other images."""
    tags = getattr(image, "tag_v2", None)
    return image.info.get(ACTUAL_SAMPLES) or (Samples.from_tags(tags) if tags else None)


def open_unusual_tiff(stream: Stream, name: str) -> PIL.Image.Image:
    """Open a TIFF that Pillow refused: it supports "white is zero" and unsigned 32 bits for some byte orders only.

    Pillow opens a copy of the file whose tags say "black is zero" and signed; `read_samples` returns the actual format.

    Args:
        stream: Stream of the file.
        name: Name of the image for the message.

    Raises:
        InvalidInput: If Pillow cannot read the format of its samples.
        Exception: Any of Pillow's errors if the header is damaged.
    """
    samples = Samples.from_tags(_read_tags(stream))
    if samples.bands > 1:
        raise _unreadable(samples, name)
    tags = {Tag.PhotometricInterpretation: BLACK_IS_ZERO}
    if (samples.bits, samples.sample_format) == (32, UNSIGNED):
        tags[Tag.SampleFormat] = SIGNED
    try:
        image = TiffImageFile(io.BytesIO(_with_tags(stream, tags)), "")
    except SyntaxError:  # Pillow's error for unsupported samples
        raise _unreadable(samples, name) from None
    image.info[ACTUAL_SAMPLES] = samples
    return image


def _with_tags(stream: Stream, tags: Mapping[Tag, int]) -> bytes:
    """Return the file with other values of tags that it has."""
    stream.seek(0)
    data = bytearray(stream.read())
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    for entry in range(start + 2, start + 2 + ENTRY_BYTES * count, ENTRY_BYTES):
        tag = int.from_bytes(data[entry : entry + 2], order)
        if tag in tags:
            size = VALUE_BYTES[int.from_bytes(data[entry + 2 : entry + 4], order)]
            data[entry + 8 : entry + 8 + size] = tags[Tag(tag)].to_bytes(size, order)
    return bytes(data)


def _unreadable(samples: Samples, name: str) -> InvalidInput:
    fix = "pass the pixels as an array, read with another library such as tifffile"
    if samples.bands > 1:
        fix = f"select one or three bands, for example with gdal_translate -b 1, or {fix}"
    return InvalidInput(f"{name} is a TIFF with {samples}, which Pillow cannot read; {fix}")


def _read_tags(stream: Stream) -> ImageFileDirectory_v2:
    stream.seek(0)
    header = stream.read(8)
    if BIG_TIFF in header[2:4]:
        header += stream.read(8)
    tags = ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    return tags
