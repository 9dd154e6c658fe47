"""The scripts of hloc (Hierarchical-Localization): replace `hloc` by `tiepoint.compat.hloc` in imports.

    from tiepoint.compat.hloc import extract_features, match_features, pairs_from_exhaustive, reconstruction

extract_features        main(conf, image_dir, export_dir): local features to an HDF5 file
match_features          main(conf, pairs, features, export_dir): matches to an HDF5 file
pairs_from_exhaustive   main(output, image_list): all pairs
pairs_from_retrieval    main(descriptors, output, num_matched): the most similar images
pairs_from_covisibility, pairs_from_poses   main(model, output, num_matched): pairs of a COLMAP model
reconstruction          main(sfm_dir, image_dir, pairs, features, matches): COLMAP's mapper

The files have hloc's layout, in both directions: each step reads what hloc wrote, and hloc reads what it writes.
tiepoint's own `match_collection` does all steps at once, resumes, and runs in parallel.

Source: https://github.com/cvg/Hierarchical-Localization (interface and file layout only).
"""

from typing import NoReturn

from tiepoint.errors import InvalidInput

ALTERNATIVES = {
    "localize_sfm": "tiepoint.localize(image, collection)",
    "localize_inloc": "hloc itself; it reads the files that tiepoint.compat.hloc writes",
    "match_dense": "match_features with 'aliked+lightglue'; tiepoint has no dense matchers",
    "triangulation": "hloc itself; it reads the files that tiepoint.compat.hloc writes",
    "visualization": "tiepoint collection view",
    "pipelines": "hloc itself; it reads the files that tiepoint.compat.hloc writes",
}
"""Module of hloc that does not exist here -> what to use instead."""


class MissingModule(InvalidInput, ImportError):
    """A module of hloc does not exist in `tiepoint.compat.hloc`."""


def __getattr__(name: str) -> NoReturn:
    """Say what to use instead of a module that does not exist."""
    if name in ALTERNATIVES:
        raise MissingModule(
            f"hloc.{name} has no counterpart in tiepoint.compat.hloc; use {ALTERNATIVES[name]}"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
