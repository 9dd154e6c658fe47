"""The table shows the state of each pair after each layer; the text says where a pair stops."""

from benchmarks.adaptivity.render import describe_stop, layer_row

PAIR = {
    "keypoints": 400,
    "layers_run": 1,
    "stopped_by": "confidence",
    "matches": 90,
    "layers": [
        {"layer": 1, "keypoints": 380, "matches": 90, "confident": 0.961},
        {"layer": 2, "keypoints": 0, "matches": 92},
    ],
}


def test_row_has_confidence_keypoints_and_matches_of_all_pairs() -> None:
    assert layer_row({"easy": PAIR, "hard": PAIR}, 0) == ["1", *(["96%", "380", "90"] * 2)]


def test_last_layer_has_matches_only() -> None:
    assert layer_row({"easy": PAIR}, 1) == ["2", "–", "–", "92"]


def test_stop_is_described() -> None:
    assert "“easy” stops early, after 1 layers, with 90 matches" in describe_stop("easy", PAIR)
    last = PAIR | {"stopped_by": "last_layer", "layers_run": 2}
    assert "stops at the last layer, after 2 layers" in describe_stop("easy", last)
