"""Options of a request: parsed from text or JSON, with bounds, and never a path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from tiepoint.app.messages import RequestError
from tiepoint.app.settings import AppSettings
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import VERIFIERS
from tiepoint.io.messages import unknown_name
from tiepoint.presets import PRESETS, SHORT_NAMES, full_name
from tiepoint.types.options import Views
from tiepoint.weights import WEIGHTS

MAX_KEYPOINTS = 8192
MAX_RESIZE = 4096  # px
MAX_TOP = 50
OWN_MODEL = "own model"  # name of a folder of a model, whose path users need not know
VIEWS: dict[str, Views | None] = {"none": None, **{name: name for name in get_args(Views)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings:
    """Options of matching.

    Attributes:
        preset: Full name of a preset, or "own model": the folder of a model that the server was started with.
        max_keypoints: Maximum number of keypoints per image.
        resize: Longer image side in px that the extractor processes.
        views: Search over views, as for `tiepoint.load`.
    """

    preset: str
    max_keypoints: int = 2048
    resize: int = 1024
    views: Views | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeometrySettings:
    """Options of two-view geometry.

    Attributes:
        kind: "homography", "fundamental" or "pose".
        max_error_px: Inlier threshold in px.
    """

    kind: str
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX


def available_presets(settings: AppSettings) -> dict[str, str]:
    """Return the presets that users may choose, and their purpose; the one of the server comes first.

    Args:
        settings: Settings of the server; presets that are not free for commercial use need `accept_license`.
    """
    first = server_preset(settings)
    names = {name: row.about for name, row in PRESETS.items() if settings.accept_license or _is_free(name)}
    if first == OWN_MODEL:
        names[first] = "the model that the server was started with"
    return {name: names[name] for name in sorted(names, key=lambda name: name != first)}


def server_preset(settings: AppSettings) -> str:
    """Return the full name of the preset that the server was started with, "own model" for a folder."""
    name = str(full_name(settings.preset))
    return name if name in PRESETS else OWN_MODEL


def preset_source(name: str, settings: AppSettings) -> str:
    """Return what `tiepoint.load` takes for a name of `available_presets`: the name, or the folder of a model."""
    return settings.preset if name == OWN_MODEL else name


def parse_match(values: Mapping[str, Any], settings: AppSettings) -> MatchSettings:
    """Validate the options of matching.

    Args:
        values: Values by name, as text or JSON.
        settings: Settings of the server.

    Raises:
        RequestError: If a value is invalid.
    """
    return MatchSettings(
        preset=_parse_preset(values.get("preset"), settings),
        max_keypoints=parse_integer(values, "max_keypoints", 2048, 1, MAX_KEYPOINTS),
        resize=parse_integer(values, "resize", 1024, 64, MAX_RESIZE),
        views=VIEWS[parse_choice(values, "views", "none", list(VIEWS))],
    )


def parse_geometry(values: Mapping[str, Any]) -> GeometrySettings | None:
    """Validate the options of two-view geometry; None if it is not requested.

    Raises:
        RequestError: If a value is invalid.
    """
    kind = parse_choice(values, "verify", "none", ["none", *VERIFIERS])
    if kind == "none":
        return None
    return GeometrySettings(
        kind=kind,
        max_error_px=_parse_number(values, "max_error_px", TWO_VIEW_MAX_ERROR_PX, 0.1, 100.0),
    )


def parse_integer(values: Mapping[str, Any], name: str, default: int, minimum: int, maximum: int) -> int:
    """Return an integer option.

    Raises:
        RequestError: If it is not an integer in the range.
    """
    value = values.get(name)
    if value in (None, ""):
        return default
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or not minimum <= number <= maximum:
        raise RequestError(
            f"{name}: expected an integer from {minimum} to {maximum}, got {str(value)[:40]!r}", 422
        )
    return number


def parse_choice(values: Mapping[str, Any], name: str, default: str, known: list[str]) -> str:
    """Return an option with fixed values.

    Raises:
        RequestError: If it is another value.
    """
    value = values.get(name) or default
    if value not in known:
        raise RequestError(f"{name}: expected one of {', '.join(known)}, got {str(value)[:40]!r}", 422)
    return value


def _parse_number(
    values: Mapping[str, Any], name: str, default: float, minimum: float, maximum: float
) -> float:
    value = values.get(name)
    if value in (None, ""):
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not minimum <= number <= maximum:
        raise RequestError(
            f"{name}: expected a number from {minimum:g} to {maximum:g}, got {str(value)[:40]!r}", 422
        )
    return number


def _parse_preset(value: Any, settings: AppSettings) -> str:
    names = list(available_presets(settings))
    name = str(full_name(str(value))) if value else names[0]
    if name not in names:
        known = [each for each in (*names, *SHORT_NAMES) if each in PRESETS or each in SHORT_NAMES]
        raise RequestError(unknown_name("preset", str(value)[:60], known), 422)
    return name


def _is_free(name: str) -> bool:
    return all(WEIGHTS[weights].commercial for weights in PRESETS[name].weights)
