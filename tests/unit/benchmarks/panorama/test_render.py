"""The panorama benchmark: table of both methods, and the peak memory."""

from benchmarks.panorama.render import memory_sentence, paragraphs, rows_of

ABOUT = {
    "command": "python -m benchmarks panorama",
    "date": "2026-11-30",
    "machine": {"processor": "Fast One", "threads": 2},
    "versions": {"torch": "2.9"},
}
ERRORS = {"rotation_error_deg": {"median": 0.0123}, "residual_px": {"median": 0.456}, "images": 4}
ROW = {
    "case": "5 views",
    "views": 5,
    "tiepoint": ERRORS | {"psnr_db": 30.06, "psnr_overlap_db": 29.0, "psnr_ends_db": None},
    "opencv": {"images": 0, "status": 1},
}
MEMORY = {
    "about": ABOUT,
    "preset": "fast",
    "views": 30,
    "image_size": [4000, 3000],
    "panorama_size": [20_000, 5000],
    "peak_memory_mb": 2560,
}


def test_failures_have_no_numbers() -> None:
    assert list(rows_of(ROW)) == [
        ["5 views", "tiepoint", "4 of 5", "0.012°", "0.46 px", "30.1 dB", "29.0 dB", "–"],
        ["", "cv2.Stitcher", "0 of 5", "–", "–", "–", "–", "–"],
    ]


def test_memory_is_part_of_the_page_once_it_was_measured() -> None:
    record = {"about": ABOUT, "preset": "fast", "image_size": [800, 600], "rows": [ROW]}
    assert len(list(paragraphs(record | {"memory": None}))) == 2
    *_, last = paragraphs(record | {"memory": MEMORY})
    assert last == memory_sentence(MEMORY)
    assert "a panorama of 100 megapixels in 2.5 GiB at most" in last
