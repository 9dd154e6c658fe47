"""The contract with users: which names there are, and that importing them costs nothing before they are used."""

import subprocess
import sys

import pytest

import tiepoint

HUGGING_FACE = {
    "AutoConfig",
    "AutoImageProcessor",
    "AutoModel",
    "AutoModelForKeypointDetection",
    "AutoModelForKeypointMatching",
    "KeypointMatchingPipeline",
    "LightGlueConfig",
    "LightGlueForKeypointMatching",
    "LightGlueImageProcessor",
    "LightGlueImageProcessorFast",
    "LightGlueImageProcessorPil",
    "LightGlueKeypointMatchingOutput",
    "LightGluePreTrainedModel",
    "SuperPointConfig",
    "SuperPointForKeypointDetection",
    "SuperPointImageProcessor",
    "SuperPointImageProcessorFast",
    "SuperPointKeypointDescriptionOutput",
    "load_image",
    "pipeline",
}
"""The names that users of transformers know."""

PACKAGES = {
    "bench",
    "collection",
    "evaluation",
    "extraction",
    "feature_store",
    "geometry",
    "huggingface",
    "image",
    "matching",
    "models",
    "retrieval",
    "stitching",
    "training",
    "types",
    "video",
    "visualization",
    "weights",
}
"""Packages that resolve as attributes."""

CONTRACT = (
    HUGGING_FACE
    | PACKAGES
    | {
        "PRESETS",
        "Ranking",
        "Tracker",
        "TrainConfig",
        "Tracks",
        "find",
        "track",
        "train",
        "Camera",
        "Correspondences",
        "Collection",
        "match_collection",
        "match_nearest",
        "load_matcher",
        "read_features",
        "FeatureMatcher",
        "open_collection",
        "export_colmap",
        "extend_reconstruction",
        "localize",
        "reconstruct",
        "Features",
        "Image",
        "InvalidInput",
        "MatchResult",
        "Matcher",
        "Assignment",
        "MissingDependency",
        "TiepointError",
        "TwoViewEstimate",
        "PairVerification",
        "WeightsError",
        "__version__",
        "estimate_affine",
        "estimate_alignment",
        "estimate_essential",
        "estimate_fundamental",
        "estimate_homography",
        "estimate_relative_pose",
        "estimate_similarity",
        "load",
        "register",
        "register_many",
        "registration",
        "stitch",
        "match",
        "read_image",
    }
)

HEAVY = (
    "torch",
    "numpy",
    "PIL",
    "scipy",
    "cv2",
    "poselib",
    "pycolmap",
    "huggingface_hub",
    "safetensors",
    "jaxtyping",
    "rich",
)


def loaded_after(statement: str) -> set[str]:
    """Names of the heavy packages that are in memory after `statement` in a process of its own."""
    program = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.splitlines()[-1].split()) & set(HEAVY)


def test_public_names_change_only_on_purpose() -> None:
    assert set(tiepoint.__all__) == CONTRACT
    assert sorted(tiepoint.__all__) == sorted(set(tiepoint.__all__))


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_every_name_resolves(name: str) -> None:
    assert getattr(tiepoint, name) is getattr(tiepoint, name)
    assert name in dir(tiepoint)


def test_a_star_import_imports_all_names() -> None:
    names: dict[str, object] = {}
    exec("from tiepoint import *", names)
    assert set(names) >= CONTRACT


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="mach"):
        tiepoint.mach  # noqa: B018
    assert not hasattr(tiepoint, "mach")


def test_the_errors_form_one_tree() -> None:
    for error in (tiepoint.InvalidInput, tiepoint.WeightsError, tiepoint.MissingDependency):
        assert issubclass(error, tiepoint.TiepointError)
    assert issubclass(tiepoint.InvalidInput, ValueError)
    assert issubclass(tiepoint.MissingDependency, ImportError)


def test_public_names_have_docstrings() -> None:
    undocumented = [
        name for name in CONTRACT - {"__version__", "PRESETS"} if not getattr(tiepoint, name).__doc__
    ]
    assert undocumented == []


def test_import_loads_nothing_heavy() -> None:
    assert loaded_after("import tiepoint") == set()


def test_packages_resolve_without_torch() -> None:
    names = "; ".join(f"tiepoint.{name}" for name in sorted(PACKAGES))
    assert "torch" not in loaded_after(f"import tiepoint; {names}")


@pytest.mark.parametrize("name", ["TiepointError", "PRESETS"])
def test_light_names_stay_light(name: str) -> None:
    assert "torch" not in loaded_after(f"from tiepoint import {name}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["match", "--help"],
        *(
            pytest.param(words.split(), marks=pytest.mark.slow)
            for words in ("--help", "--version", "presets", "weights list")
        ),
    ],
)
def test_the_command_loads_no_torch_for_help_and_lists(arguments: list[str]) -> None:
    call = (
        f"import sys; sys.argv = ['tiepoint', *{arguments}]; from tiepoint.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    )
    assert not loaded_after(call) & {"torch", "numpy", "PIL"}


@pytest.mark.slow
def test_importing_the_api_changes_no_global_switch() -> None:
    program = (
        "import logging, torch, warnings\n"
        "def switches(): return (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(),\n"
        "    torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark, torch.initial_seed(),\n"
        "    logging.getLogger().handlers[:], logging.getLogger().level, warnings.filters[:])\n"
        "before = switches()\n"
        "import tiepoint, tiepoint.api, tiepoint.visualization, tiepoint.cli\n"
        "assert switches() == before\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
