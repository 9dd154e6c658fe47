# The public names: `__init__.py` resolves them lazily from this stub.
from .frames import (
    Frames as Frames,
    FrameSource as FrameSource,
    ReadOptions as ReadOptions,
    read_frames as read_frames,
)
from .tracker import (
    Tracker as Tracker,
)
from .tracking import (
    track as track,
    track_to_files as track_to_files,
)
from .tracks import (
    Observations as Observations,
    Tracks as Tracks,
)

__all__: list[str]
