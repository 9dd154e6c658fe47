"""MatchResult: what one pair of photographs gave."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from tiepoint.draw import draw_matches
from tiepoint.errors import InvalidInput
from tiepoint.files import check_writable, replacing
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.types import Features, Matches

FORMATS = (".npz", ".json")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchResult:
    """Tie points of one pair, and what is known of how they came about.

    Attributes:
        matches: (k, 2) int64, indices into the keypoints of image 0 and of image 1, by rising index of image 0.
        scores: (k,) float32, confidence of each match: in (0, 1] for LightGlue, the cosine for nearest.
        features0: of image 0; their `keypoints` are what `matches` index.
        features1: of image 1.
        layers_run: layers of the network that this pair needed; 0 when an image has no keypoints.
        survived0: (m,) int64, 1 + number of prunings that each keypoint of image 0 survived; the number of layers
            with pruning off (the official `prune0`).
        survived1: (n,) likewise of image 1.
        seconds: duration of each stage that ran: "read", "extract", "match".
    """

    matches: np.ndarray
    scores: np.ndarray
    features0: Features
    features1: Features
    layers_run: int
    survived0: np.ndarray
    survived1: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        features0: Features,
        features1: Features,
        matches: Matches,
        seconds: dict[str, float] | None = None,
    ) -> "MatchResult":
        """Join the features of a pair with what a matcher says of them."""
        return cls(
            matches=matches.matches.numpy(),
            scores=matches.scores.float().numpy(),
            features0=features0,
            features1=features1,
            layers_run=matches.layers_run,
            survived0=matches.survived0.numpy(),
            survived1=matches.survived1.numpy(),
            seconds=dict(seconds or {}),
        )

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def points0(self) -> np.ndarray:
        """(k, 2) float32: (x, y) in px of the original image 0, the centre of its top-left pixel = (0, 0)."""
        return _array(self.features0.keypoints)[self.matches[:, 0]]

    @property
    def points1(self) -> np.ndarray:
        """(k, 2) float32: where the same physical points are in image 1."""
        return _array(self.features1.keypoints)[self.matches[:, 1]]

    def draw(
        self,
        image0: ImageSource | Image | None = None,
        image1: ImageSource | Image | None = None,
        *,
        keypoints: bool = False,
        max_lines: int | None = 500,
    ) -> PIL.Image.Image:
        """Draw the two images side by side, with a line a match, from red (low score) to green (high score).

        Args:
            image0: the picture to draw on; None: read it again from where it came.
            image1: likewise.
            keypoints: whether to show keypoints without a match too.
            max_lines: the strongest matches are drawn; None: all.

        Raises:
            InvalidInput: an image was given as pixels when matching, and isn't given here; or can't be read; or
                has another size than the one that was matched.
        """
        return draw_matches(
            _picture(image0, self.features0, 0),
            _picture(image1, self.features1, 1),
            self.points0,
            self.points1,
            self.scores,
            keypoints0=_array(self.features0.keypoints) if keypoints else None,
            keypoints1=_array(self.features1.keypoints) if keypoints else None,
            max_lines=max_lines,
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the descriptors, in plain lists and numbers."""
        return {name: _plain(value) for name, value in self._contents().items()}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything but the descriptors to a file; it appears whole or not at all.

        Args:
            path: ends in .npz (NumPy) or .json.

        Returns:
            The path.

        Raises:
            InvalidInput: another ending, or the file can't be written.
        """
        path = check_format(path)
        with replacing(path) as temporary:
            if path.suffix.lower() == ".npz":
                arrays: dict[str, Any] = {k: np.asarray(v) for k, v in self._arrays().items()}
                with temporary.open("wb") as file:
                    np.savez_compressed(file, **arrays)
            else:
                temporary.write_text(json.dumps(self.to_dict(), allow_nan=False), encoding="utf-8")
        return path

    def _arrays(self) -> dict[str, Any]:
        """What an .npz can hold: no None, and a dict as its values by name."""
        contents = {name: value for name, value in self._contents().items() if value is not None}
        seconds = contents.pop("seconds")
        return contents | {f"seconds_{stage}": value for stage, value in seconds.items()}

    def _contents(self) -> dict[str, Any]:
        contents: dict[str, Any] = {}
        for side, features in enumerate((self.features0, self.features1)):
            contents[f"image{side}"] = features.source
            contents[f"image_size{side}"] = list(features.image_size)
            contents[f"exif_orientation{side}"] = features.exif_orientation
        return contents | {
            "features": self.features0.kind,
            "points0": self.points0,
            "points1": self.points1,
            "scores": self.scores,
            "matches": self.matches,
            "keypoints0": _array(self.features0.keypoints),
            "keypoints1": _array(self.features1.keypoints),
            "layers_run": self.layers_run,
            "survived0": self.survived0,
            "survived1": self.survived1,
            "seconds": dict(self.seconds),
        }


def check_format(path: str | os.PathLike[str], *suffixes: str) -> Path:
    """Find out before the work whether matches can be saved under this name.

    Args:
        path: where to.
        suffixes: the endings that will do; none given: .npz and .json.

    Raises:
        InvalidInput: another ending, or the file can't be written.
    """
    target, allowed = Path(path), suffixes or FORMATS
    if target.suffix.lower() not in allowed:
        raise InvalidInput(
            f"can't save matches as {target.name!r}; use a name that ends in {' or '.join(allowed)}"
        )
    check_writable(target)
    return target


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _picture(given: ImageSource | Image | None, features: Features, side: int) -> Image:
    if given is None and features.source is None:
        raise InvalidInput(
            f"image {side} was matched from pixels in memory; pass it: result.draw(image0, image1)"
        )
    image = read_image(features.source if given is None else given)  # type: ignore[arg-type]
    if image.image_size != features.image_size:
        raise InvalidInput(
            f"image {side} is {image.image_size[0]} x {image.image_size[1]} px, but "
            f"{features.image_size[0]} x {features.image_size[1]} was matched; pass the image that was matched"
        )
    return image
