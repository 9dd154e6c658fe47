"""One-line uses of image processors, BatchFeature and the pipeline, tried with transformers and with tiepoint.

`SAME` are uses with the same result: equal values, or an exception of the same class (or of a subclass of it).
`DIFFERENT` are the uses whose results differ on purpose, with both results; `docs/coming-from/transformers.md` has the
reasons.
"""

import base64
import copy
import io
import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from tests.helpers.random_networks import noise_pair, random_model, tiny_config
from torch import Tensor
from transformers.image_utils import load_image
from transformers.models.lightglue.image_processing_pil_lightglue import LightGlueImageProcessorPil
from transformers.models.superpoint.image_processing_pil_superpoint import SuperPointImageProcessorPil

import tiepoint.huggingface as huggingface
from tiepoint.errors import InvalidInput, TiepointError
from tiepoint.huggingface import to_transformers

RNG = np.random.default_rng(0)
SMALL = {"height": 12, "width": 16}
PIXEL_TOLERANCE = 2 / 255  # torch and torchvision round 8-bit pixels differently


def image(width: int = 40, height: int = 30, mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


def encoded(picture: PIL.Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


A, B = image(), image()
PAIR = [A, B]
ARRAYS = [np.asarray(A), np.asarray(B)]
TENSORS = [torch.from_numpy(np.array(each)).permute(2, 0, 1) for each in PAIR]


@dataclass(frozen=True)
class Library:
    """The names of one library.

    Attributes:
        pair: Image processor of LightGlue, with the backend that is compared.
        single: Image processor of SuperPoint, with the same backend.
        backend: Name of the backend for `AutoImageProcessor`, "pil" or "torchvision".
        auto: AutoImageProcessor.
        features: BatchFeature.
        load_image: Function that reads an image.
        pipeline: Function that creates a pipeline.
        model: Tiny LightGlue with random weights.
        folder: Empty folder.
    """

    pair: Any
    single: Any
    backend: str
    auto: Any
    features: Any
    load_image: Any
    pipeline: Any
    model: Any
    folder: Path

    def matcher(self, **options: Any) -> Any:
        """Return a pipeline with the tiny model."""
        processor = self.pair(size={"height": 96, "width": 128})
        return self.pipeline(
            "keypoint-matching", model=self.model, image_processor=processor, device="cpu", **options
        )

    def saved(self, *parts: str) -> Path:
        """Return a folder with the file of an image processor."""
        folder = self.folder.joinpath("saved", *parts)
        self.pair(size=SMALL, resample=3).save_pretrained(folder)
        return folder


@pytest.fixture(scope="module")
def models() -> tuple[Any, Any]:
    """Return the tiny model of tiepoint and of transformers; the detector keeps few keypoints."""
    ours = random_model(tiny_config(max_keypoints=40, depth_confidence=1.0, width_confidence=1.0))
    return ours, to_transformers(ours)


@pytest.fixture(params=["pil", "torchvision"])
def libraries(request, models, tmp_path) -> Iterator[tuple[Library, Library]]:
    """Return tiepoint and transformers with the same backend."""
    backend, ours, theirs = request.param, huggingface, transformers
    is_pil = backend == "pil"
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield (
            Library(
                ours.LightGlueImageProcessor if is_pil else ours.LightGlueImageProcessorFast,
                ours.SuperPointImageProcessor if is_pil else ours.SuperPointImageProcessorFast,
                backend,
                ours.AutoImageProcessor,
                ours.BatchFeature,
                ours.load_image,
                ours.pipeline,
                models[0],
                tmp_path / "ours",
            ),
            Library(
                LightGlueImageProcessorPil if is_pil else theirs.LightGlueImageProcessor,
                SuperPointImageProcessorPil if is_pil else theirs.SuperPointImageProcessor,
                backend,
                theirs.AutoImageProcessor,
                theirs.BatchFeature,
                load_image,
                theirs.pipeline,
                models[1],
                tmp_path / "theirs",
            ),
        )


# --- Results ---


def outcome(use: Callable[[Library], Any], library: Library) -> Any:
    """Return the result of a use, or its exception."""
    try:
        return use(library)
    except Exception as error:
        return error


def assert_same(ours: Any, theirs: Any) -> None:
    """Check that two results are equal, or that ours is an exception of the other's class."""
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), f"{ours!r} is no {type(theirs).__name__}: {theirs}"
        assert "\n" not in str(ours) or not isinstance(ours, TiepointError)
        return
    assert not isinstance(ours, Exception), repr(ours)
    if isinstance(theirs, Tensor | np.ndarray):
        assert type(ours) is type(theirs)
        assert (tuple(ours.shape), ours.dtype) == (tuple(theirs.shape), theirs.dtype)
        assert np.allclose(np.asarray(ours, float), np.asarray(theirs, float), atol=PIXEL_TOLERANCE)
    elif hasattr(theirs, "keys"):
        assert dict(ours).keys() == dict(theirs).keys()
        for name in theirs:
            assert_same(ours[name], theirs[name])
    elif isinstance(theirs, list | tuple):
        assert (type(ours), len(ours)) == (type(theirs), len(theirs))
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours == theirs


def size_of(result: Any) -> Any:
    """Return the shape of `pixel_values`."""
    return tuple(result.pixel_values.shape)


def detections() -> SimpleNamespace:
    """Two images with keypoints in whole pixels of an 8 x 4 image; the second one is padded."""
    return SimpleNamespace(
        keypoints=torch.tensor([[[0.5, 0.5], [0.25, 0.75]], [[0.125, 0.25], [0.0, 0.0]]]),
        scores=torch.tensor([[0.9, 0.8], [0.7, 0.0]]),
        descriptors=torch.arange(16.0).reshape(2, 2, 4),
        mask=torch.tensor([[1, 1], [1, 0]]),
    )


def matches() -> SimpleNamespace:
    """One pair with two matches, in whole pixels of an 8 x 4 image."""
    return SimpleNamespace(
        keypoints=torch.tensor([[[[0.5, 0.5], [0.25, 0.75]], [[0.125, 0.25], [0.75, 0.5]]]]),
        matches=torch.tensor([[[1, 0], [1, 0]]]),
        matching_scores=torch.tensor([[[0.9, 0.4], [0.4, 0.9]]]),
        mask=torch.ones(1, 2, 2, dtype=torch.int),
    )


def whole(found: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """Return results with coordinates as integers, which transformers returns."""
    return [
        {name: value.int() if "keypoints" in name else value for name, value in each.items()}
        for each in found
    ]


def photos(seed: int = 0) -> list[PIL.Image.Image]:
    views = noise_pair(96, 128, seed).mul(255).byte().permute(0, 2, 3, 1).numpy()
    return [PIL.Image.fromarray(view) for view in views]


def scores(found: Any) -> list[float]:
    return [round(match["score"], 3) for match in found]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".json", ".safetensors"))


def saved_pipeline(library: Library) -> list[str]:
    library.matcher().save_pretrained(library.folder / "pipeline")
    return [name for name in files(library.folder / "pipeline") if name != "generation_config.json"]


def call(library: Library, images: Any = PAIR, **options: Any) -> Any:
    return library.pair(size=SMALL)(images, return_tensors="pt", **options)


def call_single(library: Library, images: Any = A, **options: Any) -> Any:
    return library.single(size=SMALL)(images, return_tensors="pt", **options)


def set_and_call(library: Library) -> Any:
    processor = library.pair(size=SMALL)
    processor.do_grayscale = False
    processor.size = {"height": 6, "width": 8}
    return processor(PAIR, return_tensors="np")


SAME: dict[str, Callable[[Library], Any]] = {
    # Pixels of pairs
    "call": lambda lib: lib.pair(size=SMALL)(PAIR),
    "pt": lambda lib: call(lib),
    "np": lambda lib: lib.pair(size=SMALL)(PAIR, return_tensors="np"),
    "preprocess": lambda lib: lib.pair(size=SMALL).preprocess(images=PAIR, return_tensors="pt"),
    "images=": lambda lib: lib.pair(size=SMALL)(images=PAIR, return_tensors="pt"),
    "tuple": lambda lib: call(lib, tuple(PAIR)),
    "list of pairs": lambda lib: call(lib, [PAIR, PAIR[::-1]]),
    "list of tuples": lambda lib: call(lib, [tuple(PAIR)]),
    "list without return_tensors": lambda lib: lib.pair(size=SMALL)([PAIR, PAIR]),
    "arrays": lambda lib: call(lib, ARRAYS),
    "arrays with channels first": lambda lib: call(lib, [array.transpose(2, 0, 1) for array in ARRAYS]),
    "tensors": lambda lib: call(lib, TENSORS),
    "int32": lambda lib: call(lib, [array.astype(np.int32) for array in ARRAYS]),
    "int64 tensors": lambda lib: call(lib, [tensor.long() for tensor in TENSORS]),
    "input_data_format": lambda lib: call(lib, ARRAYS, input_data_format="channels_last"),
    "ChannelDimension": lambda lib: call(
        lib, ARRAYS, input_data_format=transformers.image_utils.ChannelDimension.LAST
    ),
    "do_resize=False": lambda lib: call(lib, do_resize=False),
    "do_resize=None": lambda lib: call(lib, do_resize=None),
    "do_grayscale=False": lambda lib: call(lib, do_grayscale=False),
    "rescale_factor": lambda lib: call(lib, rescale_factor=1 / 500),
    "resample number": lambda lib: call(lib, resample=0),
    "resample enum": lambda lib: call(lib, resample=PIL.Image.Resampling.BICUBIC),
    "size integer": lambda lib: size_of(call(lib, size=20)),
    "size square": lambda lib: size_of(call(lib, size=20, default_to_square=True)),
    "size pair": lambda lib: size_of(call(lib, size=(20, 30))),
    "size shortest_edge": lambda lib: size_of(call(lib, size={"shortest_edge": 21})),
    "size both edges": lambda lib: size_of(call(lib, size={"shortest_edge": 21, "longest_edge": 24})),
    "size max_height": lambda lib: size_of(call(lib, size={"max_height": 20, "max_width": 20})),
    "device": lambda lib: call(lib, device="cpu"),
    "attributes set": set_and_call,
    # Single images
    "one image": lambda lib: call_single(lib),
    "one array": lambda lib: call_single(lib, ARRAYS[0]),
    "list of images": lambda lib: call_single(lib, PAIR),
    "nested list": lambda lib: call_single(lib, [PAIR, PAIR]),
    "batch array": lambda lib: call_single(lib, np.stack(ARRAYS)),
    "batch tensor": lambda lib: call_single(lib, torch.stack(TENSORS)),
    "list of single images": lambda lib: lib.single(size=SMALL)(PAIR),
    "gray single images": lambda lib: call_single(lib, do_grayscale=True),
    # Settings
    "to_dict": lambda lib: lib.pair().to_dict(),
    "to_dict of SuperPoint": lambda lib: lib.single(size=SMALL).to_dict(),
    "to_json_string": lambda lib: json.loads(lib.pair(size=SMALL).to_json_string()),
    "size attributes": lambda lib: (
        lib.pair().size.height,
        lib.pair().size["width"],
        lib.pair().size.longest_edge,
    ),
    "unused settings": lambda lib: (lib.pair().do_normalize, lib.pair().image_mean, lib.pair().crop_size),
    "default_to_square": lambda lib: lib.pair().default_to_square,
    "model_input_names": lambda lib: lib.pair().model_input_names,
    "unknown attribute": lambda lib: lib.pair().do_greyscale,
    "constructor of a dict": lambda lib: lib.pair(**lib.pair(size=SMALL).to_dict()).to_dict(),
    "constructor with None": lambda lib: lib.pair(do_pad=None, do_normalize=None).to_dict(),
    "constructor without resizing": lambda lib: lib.pair(do_resize=None).to_dict()["do_resize"],
    "other names are kept": lambda lib: (lib.pair(foo=1).foo, lib.pair(foo=1).to_dict()["foo"]),
    "from_dict": lambda lib: lib.pair.from_dict({"resample": 3}, size=SMALL).to_dict(),
    "from_dict with unused": lambda lib: lib.pair.from_dict({}, foo=1, return_unused_kwargs=True)[1],
    "deepcopy": lambda lib: copy.deepcopy(lib.pair(size=SMALL)).to_dict(),
    "pickle": lambda lib: pickle.loads(pickle.dumps(lib.pair(size=SMALL))).to_dict(),
    # Files
    "save_pretrained": lambda lib: [Path(path).name for path in lib.pair().save_pretrained(lib.folder / "a")],
    "saved file": lambda lib: json.loads((lib.saved() / "preprocessor_config.json").read_text()),
    "from_pretrained": lambda lib: lib.pair.from_pretrained(lib.saved()).to_dict(),
    "from_pretrained of a file": lambda lib: lib.pair.from_pretrained(
        lib.saved() / "preprocessor_config.json"
    ).to_dict(),
    "from_pretrained by keyword": lambda lib: lib.pair.from_pretrained(
        pretrained_model_name_or_path=lib.saved(), size=20
    ).to_dict(),
    "subfolder": lambda lib: lib.pair.from_pretrained(lib.saved("b").parent, subfolder="b").to_dict(),
    "get_image_processor_dict": lambda lib: lib.pair.get_image_processor_dict(
        lib.saved(), foo=1, revision="x"
    ),
    "json file": lambda lib: (
        lib.pair(size=20).to_json_file(lib.folder / "a.json"),
        lib.pair.from_json_file(lib.folder / "a.json").to_dict(),
    )[1],
    "AutoImageProcessor": lambda lib: lib.auto.from_pretrained(lib.saved(), backend=lib.backend).to_dict(),
    "AutoImageProcessor use_fast": lambda lib: lib.auto.from_pretrained(
        lib.saved(), use_fast=lib.backend != "pil"
    ).to_dict(),
    "AutoImageProcessor with settings": lambda lib: (
        lib.auto.from_pretrained(lib.saved(), do_resize=False, foo=1, return_unused_kwargs=True)[0].do_resize
    ),
    "AutoImageProcessor of another model": lambda lib: (
        (lib.folder / "preprocessor_config.json").write_text('{"image_processor_type": "NoImageProcessor"}'),
        lib.auto.from_pretrained(lib.folder),
    ),
    # Results of models
    "post_process_keypoint_detection": lambda lib: whole(
        lib.single().post_process_keypoint_detection(detections(), [(4, 8), (4, 8)])
    ),
    "detection with a tensor": lambda lib: whole(
        lib.single().post_process_keypoint_detection(detections(), torch.tensor([[4, 8], [4, 8]]))
    ),
    "detection with too few sizes": lambda lib: lib.single().post_process_keypoint_detection(
        detections(), [(4, 8)]
    ),
    "post_process_keypoint_matching": lambda lib: whole(
        lib.pair().post_process_keypoint_matching(matches(), [((4, 8), (4, 8))], threshold=0.4)
    ),
    "matching with a tensor": lambda lib: whole(
        lib.pair().post_process_keypoint_matching(matches(), torch.tensor([[[4, 8], [4, 8]]]))
    ),
    "matching with too many sizes": lambda lib: lib.pair().post_process_keypoint_matching(
        matches(), [((4, 8),) * 2] * 2
    ),
    "matching with sizes of another form": lambda lib: lib.pair().post_process_keypoint_matching(
        matches(), torch.ones(1, 2, 3)
    ),
    "visualize_keypoint_matching": lambda lib: [
        np.asarray(drawing)
        for drawing in lib.pair().visualize_keypoint_matching(
            PAIR,
            [
                {
                    "keypoints0": torch.tensor([[3, 4]]),
                    "keypoints1": torch.tensor([[8, 9]]),
                    "matching_scores": torch.tensor([0.3]),
                }
            ],
        )
    ],
    # Invalid images and options
    "unknown option": lambda lib: call(lib, foo=1),
    "positional option": lambda lib: lib.pair()(PAIR, False),
    "None": lambda lib: call(lib, None),
    "None for single images": lambda lib: call_single(lib, None),
    "one image of a pair": lambda lib: call(lib, A),
    "list of one": lambda lib: call(lib, [A]),
    "three images": lambda lib: call(lib, [*PAIR, A]),
    "pair and image": lambda lib: call(lib, [PAIR, A]),
    "arrays of two axes": lambda lib: call(lib, [array[..., 0] for array in ARRAYS]),
    "missing files": lambda lib: lib.pair.from_pretrained(lib.folder),
    "TensorFlow": lambda lib: lib.pair()(PAIR, return_tensors="tf"),
    "unknown size": lambda lib: call(lib, size={"side": 3}),
    "batch of too many axes": lambda lib: call_single(lib, np.zeros((1, 1, 3, 8, 8))),
    # BatchFeature
    "data": lambda lib: lib.features({"a": [1]}).data,
    "mapping": lambda lib: (
        list(lib.features({"a": 1})),
        lib.features({"a": 1}).get("b", 2),
        "a" in lib.features({"a": 1}),
    ),
    "is a dict": lambda lib: isinstance(lib.features({"a": 1}), dict),
    "attribute": lambda lib: lib.features({"a": 1}).a,
    "missing attribute": lambda lib: lib.features({"a": 1}).b,
    "missing key": lambda lib: lib.features({"a": 1})["b"],
    "index": lambda lib: lib.features({"a": 1})[0],
    "conversion": lambda lib: lib.features({"a": [[1.0, 2.0]]}, tensor_type="pt"),
    "conversion of arrays": lambda lib: lib.features({"a": [np.ones(2), np.zeros(2)]}, "pt"),
    "conversion of tensors": lambda lib: lib.features({"a": [torch.ones(2), torch.zeros(2)]}, "pt"),
    "conversion to arrays": lambda lib: lib.features({"a": torch.ones(2)}).convert_to_tensors("np"),
    "text is kept": lambda lib: lib.features({"a": "x", "b": ["y"]}, "pt"),
    "skipped": lambda lib: lib.features({"a": [1]}, "pt", skip_tensor_conversion=["a"]),
    "unknown type": lambda lib: lib.features({"a": [1]}, "tf"),
    "ragged": lambda lib: lib.features({"a": [torch.ones(2), torch.zeros(3)]}, "pt"),
    "to a dtype": lambda lib: lib.features({"a": torch.ones(2), "b": torch.ones(2).int()}).to(torch.float16),
    "to device and dtype": lambda lib: lib.features({"a": torch.ones(2)}).to("cpu", torch.float64),
    "to dtype and device": lambda lib: lib.features({"a": torch.ones(2)}).to(torch.float64, "cpu"),
    "to of lists": lambda lib: lib.features({"a": [torch.ones(2)]}).to(torch.float16),
    "to a tensor": lambda lib: lib.features({"a": torch.ones(2)}).to(torch.ones(1)),
    "to returns itself": lambda lib: (lambda batch: batch.to("cpu") is batch)(
        lib.features({"a": torch.ones(2)})
    ),
    "pickled features": lambda lib: pickle.loads(pickle.dumps(lib.features({"a": [1]}))).data,
    "copied features": lambda lib: copy.copy(lib.features({"a": [1]})).a,
    "unpacked features": lambda lib: dict(**call(lib)),
    # load_image
    "load a file": lambda lib: np.asarray(
        lib.load_image((A.save(lib.folder / "a.png"), str(lib.folder / "a.png"))[1])
    ),
    "load an image": lambda lib: np.asarray(lib.load_image(A.convert("L"))),
    "load base64": lambda lib: np.asarray(lib.load_image(encoded(A))),
    "load a data URL": lambda lib: np.asarray(lib.load_image(f"data:image/png;base64,{encoded(A)}")),
    "load nothing": lambda lib: lib.load_image("nowhere/a.png"),
    "load an array": lambda lib: lib.load_image(ARRAYS[0]),
    # Pipeline
    "keys of a match": lambda lib: [list(match) for match in lib.matcher()(photos())[:1]],
    "scores": lambda lib: scores(lib.matcher()(photos())),
    "scores above": lambda lib: scores(lib.matcher()(photos(), threshold=0.5)),
    "positional threshold": lambda lib: scores(lib.matcher()(photos(), 0.5)),
    "inputs=": lambda lib: scores(lib.matcher()(inputs=tuple(photos()))),
    "one pair in a list": lambda lib: scores(lib.matcher()([photos()])),
    "two pairs": lambda lib: [scores(found) for found in lib.matcher()([photos(), tuple(photos(1))])],
    "timeout": lambda lib: scores(lib.matcher()(photos(), timeout=1.0)),
    "num_workers": lambda lib: scores(lib.matcher(num_workers=0)(photos())),
    "predict": lambda lib: scores(lib.matcher().predict(photos())),
    "transform": lambda lib: scores(lib.matcher().transform(photos())),
    "pair as base64": lambda lib: scores(lib.matcher()([encoded(photo) for photo in photos()])),
    "attributes of a pipeline": lambda lib: (
        lib.matcher().task,
        lib.matcher().device,
        lib.matcher().dtype,
        lib.matcher().torch_dtype,
        lib.matcher().feature_extractor,
    ),
    "files of a pipeline": saved_pipeline,
    "feature_extractor": lambda lib: (
        type(lib.pipeline("keypoint-matching", model=lib.model, feature_extractor=lib.pair()).image_processor)
        is lib.pair
    ),
    "pipeline of None": lambda lib: lib.matcher()(None),
    "pipeline of an image": lambda lib: lib.matcher()(A),
    "pipeline of one image": lambda lib: lib.matcher()([A]),
    "pipeline of three images": lambda lib: lib.matcher()([*PAIR, A]),
    "pipeline of a long pair": lambda lib: lib.matcher()([PAIR, [*PAIR, A]]),
    "pipeline of text": lambda lib: lib.matcher()("a.png"),
    "pipeline of arrays": lambda lib: lib.matcher()(ARRAYS),
    "pipeline of nothing": lambda lib: lib.matcher()([]),
    "pipeline of missing files": lambda lib: lib.matcher()(["nowhere/a.png", "nowhere/b.png"]),
    "unknown option of a pipeline": lambda lib: lib.matcher(foo=1),
    "unknown option of a call": lambda lib: lib.matcher()(photos(), foo=1),
    "unknown task": lambda lib: lib.pipeline("no-task", model=lib.model, image_processor=lib.pair()),
    "dtype given twice": lambda lib: lib.matcher(dtype="float32", model_kwargs={"dtype": "float32"}),
}


@pytest.mark.parametrize("use", SAME)
def test_same(use, libraries):
    ours, theirs = libraries
    assert_same(outcome(SAME[use], ours), outcome(SAME[use], theirs))


# --- Differences ---


@dataclass(frozen=True)
class Difference:
    """A use with different results, for a reason on the page `docs/coming-from/transformers.md`.

    Attributes:
        use: The use.
        theirs: Result of transformers: a value, or the class of an exception.
        ours: Result of tiepoint: a value, or the class of an exception.
    """

    use: Callable[[Library], Any]
    theirs: Any
    ours: Any


def number_of_warnings(use: Callable[[], Any]) -> int:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    return len([each for each in caught if "tiepoint" in str(each.message)])


def highest(result: Any) -> float:
    """Return the maximum of `pixel_values`, rounded."""
    return round(float(np.max(np.asarray(result.pixel_values))), 3)


DIFFERENT: dict[str, Difference] = {
    # Pixels
    "gray images have three channels": Difference(
        lambda lib: size_of(call(lib, [A.convert("L"), B.convert("L")])), (1, 2, 1, 12, 16), (1, 2, 3, 12, 16)
    ),
    "gray single images have three channels": Difference(
        lambda lib: size_of(call_single(lib, A.convert("L"))), (1, 1, 12, 16), (1, 3, 12, 16)
    ),
    "alpha is dropped": Difference(
        lambda lib: size_of(call_single(lib, A.convert("RGBA"))), (1, 4, 12, 16), (1, 3, 12, 16)
    ),
    "unscaled values are floating point": Difference(
        lambda lib: str(call(lib, do_rescale=False, do_grayscale=False).pixel_values.dtype),
        "torch.uint8",
        "torch.float32",
    ),
    "floating-point images in [0, 1] are not scaled twice": Difference(
        lambda lib: highest(call_single(lib, np.ones((30, 40, 3), np.float32))), 0.004, 1.0
    ),
    "the longest edge is a size": Difference(
        lambda lib: size_of(call(lib, size={"longest_edge": 20})), ValueError, (1, 2, 3, 15, 20)
    ),
    "images of different sizes are padded": Difference(
        lambda lib: call_single(lib, [image(8, 6), image(6, 8)], do_resize=False)["image_sizes"].tolist(),
        ValueError,
        [[6, 8], [8, 6]],
    ),
    "channels can be last": Difference(
        lambda lib: size_of(call(lib, data_format="channels_last")), (1, 2, 3, 12, 16), (1, 2, 12, 16, 3)
    ),
    "options of calls can be settings": Difference(
        lambda lib: size_of(lib.pair(size=SMALL, data_format="channels_last")(PAIR, return_tensors="pt")),
        (1, 2, 3, 12, 16),
        (1, 2, 12, 16, 3),
    ),
    "paths": Difference(
        lambda lib: (A.save(lib.folder / "a.png"), size_of(call(lib, [lib.folder / "a.png"] * 2)))[1],
        TypeError,
        (1, 2, 3, 12, 16),
    ),
    "None is the default of values": Difference(
        lambda lib: lib.pair(size=None).to_dict()["size"], None, {"height": 480, "width": 640}
    ),
    # Settings and options
    "wrong types are rejected by the constructor": Difference(
        lambda lib: lib.pair(do_resize="yes").do_resize, "yes", ValueError
    ),
    "wrong types are rejected when set": Difference(
        lambda lib: setattr(lib.pair(), "do_resize", "yes"), None, ValueError
    ),
    "settings without effect warn": Difference(
        lambda lib: number_of_warnings(lambda: lib.pair(do_normalize=True, image_mean=[0.5] * 3)), 0, 1
    ),
    "options without effect warn": Difference(
        lambda lib: number_of_warnings(lambda: call(lib, do_center_crop=True, crop_size=8)), 0, 1
    ),
    "unknown settings of a constructor warn": Difference(
        lambda lib: number_of_warnings(lambda: lib.pair(do_greyscale=True)), 0, 1
    ),
    "unknown options of from_pretrained are errors": Difference(
        lambda lib: lib.pair.from_pretrained(lib.saved(), do_greyscale=True).do_resize, True, TypeError
    ),
    "unknown options of from_dict are errors": Difference(
        lambda lib: lib.pair.from_dict({}, do_greyscale=True).do_resize, True, TypeError
    ),
    "a file instead of a folder": Difference(
        lambda lib: ((lib.folder / "a").touch(), lib.pair().save_pretrained(lib.folder / "a")),
        AssertionError,
        ValueError,
    ),
    "settings are compared by value": Difference(lambda lib: lib.pair() == lib.pair(), False, True),
    "AutoImageProcessor has no instances": Difference(lambda lib: lib.auto(), OSError, ValueError),
    # Results of models
    "coordinates are not truncated": Difference(
        lambda lib: (
            lib.pair().post_process_keypoint_matching(matches(), [((3, 6), (3, 6))])[0]["keypoints0"].tolist()
        ),
        [[3, 1], [1, 2]],
        [[3.0, 1.5], [1.5, 2.25]],
    ),
    "coordinates of keypoints are not truncated": Difference(
        lambda lib: (
            lib.single().post_process_keypoint_detection(detections(), [(3, 6)] * 2)[0]["keypoints"].tolist()
        ),
        [[3, 1], [1, 2]],
        [[3.0, 1.5], [1.5, 2.25]],
    ),
    "sizes of another rank": Difference(
        lambda lib: lib.pair().post_process_keypoint_matching(matches(), torch.ones(1, 2)),
        IndexError,
        ValueError,
    ),
    "drawings of the wrong number of pairs": Difference(
        lambda lib: len(lib.pair().visualize_keypoint_matching([PAIR, PAIR], [])), 0, ValueError
    ),
    # BatchFeature
    "items of different lengths": Difference(
        lambda lib: str(lib.features({"a": [[1, 2], [3]]}, "np").a.dtype), "object", ValueError
    ),
    "nested lists of tensors": Difference(
        lambda lib: tuple(lib.features({"a": [[torch.ones(2)] * 3] * 4}, "pt").a.shape), ValueError, (4, 3, 2)
    ),
    # load_image
    "load a path object": Difference(
        lambda lib: (A.save(lib.folder / "a.png"), lib.load_image(lib.folder / "a.png").size)[1],
        TypeError,
        (40, 30),
    ),
    # Pipeline
    "batches": Difference(lambda lib: len(lib.matcher()([photos(), photos(1)], batch_size=2)), TypeError, 2),
    "generators": Difference(lambda lib: len(list(lib.matcher()(iter([photos()])))), ValueError, 1),
    "threshold of the pipeline": Difference(
        lambda lib: len(lib.matcher(threshold=1.0)(photos())) == 0, False, True
    ),
    "path objects": Difference(
        lambda lib: (A.save(lib.folder / "a.png"), len(lib.matcher()([lib.folder / "a.png"] * 2)) >= 0)[1],
        ValueError,
        True,
    ),
    "coordinates of matches are not truncated": Difference(
        lambda lib: type(lib.matcher()(photos())[0]["keypoint_image_0"]["x"]), int, float
    ),
    "a file instead of a folder for a pipeline": Difference(
        lambda lib: ((lib.folder / "a").touch(), lib.matcher().save_pretrained(lib.folder / "a"))[1],
        None,
        ValueError,
    ),
    "options without effect of the pipeline warn": Difference(
        lambda lib: number_of_warnings(lambda: lib.matcher(processor=SimpleNamespace())), 0, 1
    ),
}


@pytest.mark.parametrize("use", DIFFERENT)
def test_different(use, libraries):
    ours, theirs = libraries
    difference = DIFFERENT[use]
    for library, expected in ((theirs, difference.theirs), (ours, difference.ours)):
        result = outcome(difference.use, library)
        if isinstance(expected, type) and issubclass(expected, Exception):
            assert isinstance(result, expected), f"{result!r} of {library.pair.__module__}"
        else:
            assert result == expected, library.pair.__module__
    if isinstance(result, Exception):
        assert isinstance(result, InvalidInput)
        assert "\n" not in str(result)
