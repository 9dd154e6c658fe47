"""Options of pycolmap by name, and values of the command line."""

from pathlib import Path

import pycolmap
import pytest

from tiepoint.collection.sfm.mapper_options import (
    check_mapper_options,
    make_mapper_options,
    parse_mapper_options,
)
from tiepoint.errors import InvalidInput


def test_every_option_of_pycolmap_has_a_name() -> None:
    """Every option can be set to its own value, by its name with its group."""
    values = pycolmap.IncrementalPipelineOptions().todict()
    groups = {"mapper", "triangulation"}
    options = {name: value for name, value in values.items() if name not in groups}
    options |= {f"{group}.{name}": value for group in groups for name, value in values[group].items()}
    assert len(options) > 80
    assert make_mapper_options(options).todict() == values


def test_texts_are_converted_to_the_type_of_the_option() -> None:
    texts = [
        "init_max_forward_motion=1.0",
        "mapper.init_min_tri_angle = 2",
        "multiple_models=no",
        "constant_cameras=1,2",
        "image_names=a.jpg, b=c.jpg",
        "snapshot_path=folder",
        "image_selection_method=max_visible_points_num",
        "triangulation.min_angle=0.5",
        "ba_gpu_index=0",
    ]
    made = make_mapper_options(parse_mapper_options(texts))
    assert (made.mapper.init_max_forward_motion, made.mapper.init_min_tri_angle) == (1.0, 2.0)
    assert (made.multiple_models, made.constant_cameras) == (False, {1, 2})
    assert made.image_names == ["a.jpg", "b=c.jpg"]
    assert made.snapshot_path == Path("folder")
    assert made.mapper.image_selection_method == pycolmap.ImageSelectionMethod.MAX_VISIBLE_POINTS_NUM
    assert (made.triangulation.min_angle, made.ba_gpu_index) == (0.5, "0")


def test_later_values_replace_earlier_ones() -> None:
    made = make_mapper_options({"num_threads": 1, "min_num_matches": 5}, {"num_threads": "2"})
    assert (made.num_threads, made.min_num_matches) == (2, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_threads", "expected NAME=VALUE, got 'num_threads'"),
        ("init_min_tri_angel=3", "did you mean 'init_min_tri_angle'"),
        ("mapper=3", "unknown mapper option 'mapper'"),
        ("init_max_error=far", "expected a value like 4.0, got 'far'"),
        ("num_threads=1.5", "expected a value like -1, got '1.5'"),
        ("multiple_models=perhaps", "expected a value like True, got 'perhaps'"),
        ("image_selection_method=best", "MIN_UNCERTAINTY, got 'best'"),
        ("init_max_error=-3", "out of range: init_max_error=-3"),
        ("init_min_tri_angle=nan", "out of range: init_min_tri_angle=nan"),
    ],
)
def test_invalid_options_are_named(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_mapper_options([text])
    assert message in str(error.value)
    assert len(str(error.value)) < 250


def test_values_of_another_type() -> None:
    with pytest.raises(InvalidInput, match="num_threads: expected a value like -1, got None"):
        make_mapper_options({"num_threads": None})
    assert check_mapper_options({"mapper.init_max_error": 3, "num_threads": 1}) == {
        "init_max_error",
        "num_threads",
    }
