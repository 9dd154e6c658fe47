"""Videos that end early: FFmpeg decodes what is there and reports the end of the file, whatever the header declares."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

CONTAINER_TIME_BASE = 1_000_000  # units of FFmpeg's container times per second
TOLERANCE_FRAMES = 2.5  # the duration of the last frames is often unknown
TOLERANCE_RATIO = 0.01  # headers round, or count an edit that players skip
TS_PACKET_SIZES = {188: 0, 192: 4, 204: 0}
"""Packet size of MPEG-TS in bytes -> offset of the sync byte: broadcast, Blu-ray and cameras, with error correction."""
TS_SYNC = 0x47


@dataclass(slots=True)
class EndOfStreams:
    """Latest time of the packets of all streams: audio may be longer than video.

    Attributes:
        seconds: End of the last packet in s.
        is_corrupt: Whether the last video packet is marked as corrupt.
    """

    seconds: float = 0.0
    is_corrupt: bool = False

    def add(self, packet: Any) -> None:
        """Account for a packet of any stream."""
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None and packet.time_base is not None:
            self.seconds = max(self.seconds, float((time + (packet.duration or 0)) * packet.time_base))
        if packet.size and packet.stream.type == "video":
            self.is_corrupt = bool(packet.is_corrupt)


def missing_end(container: Any, path: Path | None, end: EndOfStreams) -> str | None:
    """Return what is missing at the end of a video, after all its packets were read; None if it is complete.

    Args:
        container: Open container of PyAV.
        path: Path of the video; None for other sources, whose length in bytes is not known.
        end: Latest time of its packets.
    """
    name = container.format.name
    if path is None:
        return _missing_seconds(container, end)
    if "avi" in name.split(","):
        return _missing_riff_bytes(path)
    if "mpegts" in name.split(","):
        return "its last packet is incomplete" if end.is_corrupt or _is_cut_ts(path) else None
    return _missing_seconds(container, end)


def is_mp4(path: Path) -> bool:
    """Whether a file begins like MP4 or QuickTime, which cannot be read without the index at their end."""
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"mdat", b"wide")


def _missing_seconds(container: Any, end: EndOfStreams) -> str | None:
    """Compare the declared duration with the end of the last packet."""
    if not container.duration:
        return None
    declared = container.duration / CONTAINER_TIME_BASE
    start = min(0, container.start_time or 0) / CONTAINER_TIME_BASE
    rate = float(container.streams.video[0].average_rate or Fraction(25))
    tolerance = TOLERANCE_FRAMES / rate + TOLERANCE_RATIO * declared
    if declared - (end.seconds - start) <= tolerance:
        return None
    return f"it has {max(0.0, end.seconds - start):.1f} of {declared:.1f} s"


def _missing_riff_bytes(path: Path) -> str | None:
    """Compare the sizes of the RIFF chunks of an AVI with that of the file; FFmpeg corrects its duration silently."""
    size = path.stat().st_size
    last = max(_riff_ends(path, size), default=0)
    return None if last <= size else f"it has {size:,} of {last:,} bytes"


def _riff_ends(path: Path, size: int) -> Iterator[int]:
    """Yield the declared end of each RIFF chunk; files above 1 GB have several."""
    position = 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(8)
            if header[:4] != b"RIFF":
                return
            length = int.from_bytes(header[4:], "little")
            position += 8 + length + length % 2
            yield position - length % 2


def _is_cut_ts(path: Path) -> bool:
    """Whether a transport stream ends within a packet; they have one size, and begin with a sync byte."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(3 * max(TS_PACKET_SIZES))
    for packet_size, offset in TS_PACKET_SIZES.items():
        if start[offset::packet_size][:3] == bytes([TS_SYNC]) * 3:
            return size % packet_size != 0
    return False
