"""One-line uses of configurations, models, outputs, saving and loading, tried with transformers and with tiepoint.

`SAME` are uses with the same result: equal values, or an exception of the same class (or of a subclass of it).
`DIFFERENT` are the uses whose results differ on purpose, with both results; `docs/coming-from/transformers.md` has the
reasons.
"""

import copy
import json
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tests.helpers.keypoint_matching import noise_pairs
from tests.helpers.random_networks import random_model, tiny_config
from torch import Tensor
from transformers.models.lightglue.modeling_lightglue import LightGlueKeypointMatchingOutput

import tiepoint
import tiepoint.huggingface as huggingface
from tiepoint.huggingface import to_transformers

IMAGES = noise_pairs(1)


@dataclass(frozen=True)
class Library:
    """The names of one library.

    Attributes:
        lib: transformers or tiepoint.huggingface.
        model: Tiny LightGlue with random weights, the same in both.
        output: Class of LightGlue's output.
        folder: Folder with the saved model.
        empty: Empty folder.
    """

    lib: Any
    model: Any
    output: Any
    folder: Path
    empty: Path

    def config(self, **values: Any) -> Any:
        return self.lib.LightGlueConfig(**values)

    def forward(self, **options: Any) -> Any:
        with torch.no_grad():
            return self.model(IMAGES, **options)

    def load(self, **options: Any) -> Any:
        return self.lib.AutoModelForKeypointMatching.from_pretrained(self.folder, **options)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory) -> tuple[Library, Library]:
    ours = random_model(tiny_config(max_keypoints=40, depth_confidence=1.0, width_confidence=1.0))
    theirs = to_transformers(ours)
    folders = [tmp_path_factory.mktemp(name) for name in ("ours", "theirs")]
    for model, folder in zip((ours, theirs), folders, strict=True):
        model.save_pretrained(folder / "model")
    outputs = (huggingface.LightGlueKeypointMatchingOutput, LightGlueKeypointMatchingOutput)
    libs = (huggingface, transformers)
    made = [
        Library(lib, model, output, folder / "model", folder)
        for lib, model, output, folder in zip(libs, (ours, theirs), outputs, folders, strict=True)
    ]
    return made[0], made[1]


def outcome(use: Any, library: Library) -> Any:
    """Return the result of a use, or the exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return use(library)
        except Exception as error:
            return error


def after(statement: Any, value: Any) -> Any:
    """Return `value`; the statement was evaluated before."""
    return value() if callable(value) else value


def scores(output: Any) -> Tensor:
    return output["matching_scores"].sum()


SAME: dict[str, Any] = {
    # Configurations
    "defaults": lambda t: [
        getattr(t.config(), n) for n in ("descriptor_dim", "num_hidden_layers", "num_attention_heads")
    ],
    "confidences": lambda t: [getattr(t.config(), n) for n in ("depth_confidence", "width_confidence")],
    "filter threshold": lambda t: t.config().filter_threshold,
    "key/value heads follow": lambda t: t.config(num_attention_heads=8).num_key_value_heads,
    "hidden size": lambda t: t.config(descriptor_dim=64).hidden_size,
    "intermediate size": lambda t: t.config(descriptor_dim=64).intermediate_size,
    "model type": lambda t: t.lib.LightGlueConfig.model_type,
    "model type of an object": lambda t: t.config().model_type,
    "detector type": lambda t: t.config().keypoint_detector_config.model_type,
    "detector class": lambda t: type(t.config().keypoint_detector_config).__name__,
    "detector as dict": lambda t: (
        (
            t.config(keypoint_detector_config={"model_type": "superpoint", "max_keypoints": 7})
        ).keypoint_detector_config.max_keypoints
    ),
    "detector as object": lambda t: (
        t.config(
            keypoint_detector_config=t.lib.SuperPointConfig(nms_radius=2)
        ).keypoint_detector_config.nms_radius
    ),
    "encoder sizes": lambda t: list(t.lib.SuperPointConfig().encoder_hidden_sizes),
    "superpoint defaults": lambda t: [
        getattr(t.lib.SuperPointConfig(), n)
        for n in ("keypoint_threshold", "max_keypoints", "border_removal_distance")
    ],
    "output_attentions": lambda t: t.config(output_attentions=True).output_attentions,
    "output_hidden_states": lambda t: t.config(output_hidden_states=True).output_hidden_states,
    "return_dict": lambda t: t.config(return_dict=False).return_dict,
    "requests are off by default": lambda t: [t.config().output_attentions, t.config().output_hidden_states],
    "labels": lambda t: t.config().id2label,
    "number of labels": lambda t: t.config(num_labels=3).id2label,
    "label to class": lambda t: t.config().label2id,
    "dtype": lambda t: t.config(dtype="float16").dtype,
    "torch_dtype": lambda t: t.config(torch_dtype="bfloat16").dtype,
    "no dtype": lambda t: t.config().dtype,
    "architectures": lambda t: t.config().architectures,
    "is_encoder_decoder": lambda t: t.config().is_encoder_decoder,
    "chunk size": lambda t: t.config().chunk_size_feed_forward,
    "problem type": lambda t: t.config().problem_type,
    "name": lambda t: t.config().name_or_path,
    "set a field": lambda t: after(
        setattr(c := t.config(), "filter_threshold", 0.5), lambda: c.filter_threshold
    ),
    "update": lambda t: after(
        (c := t.config()).update({"filter_threshold": 0.5}), lambda: c.filter_threshold
    ),
    "to_dict": lambda t: {k: v for k, v in t.config().to_dict().items() if isinstance(v, float | int)},
    "to_diff_dict": lambda t: sorted(
        t.config(output_hidden_states=True).to_diff_dict().keys() - {"transformers_version"}
    ),
    "json text": lambda t: json.loads(t.config(descriptor_dim=64).to_json_string())["descriptor_dim"],
    "json text of all": lambda t: json.loads(t.config().to_json_string(use_diff=False))["return_dict"],
    "json file": lambda t: after(
        t.config(descriptor_dim=64).to_json_file(t.empty / "c.json"),
        lambda: t.lib.LightGlueConfig.from_json_file(t.empty / "c.json").descriptor_dim,
    ),
    "from_dict": lambda t: t.lib.LightGlueConfig.from_dict({"descriptor_dim": 64}).hidden_size,
    "from_dict with overrides": lambda t: (
        t.lib.LightGlueConfig.from_dict({}, filter_threshold=0.4).filter_threshold
    ),
    "unused options": lambda t: t.lib.LightGlueConfig.from_dict({}, return_unused_kwargs=True, other=1)[1],
    "config from a folder": lambda t: t.lib.LightGlueConfig.from_pretrained(t.folder).descriptor_dim,
    "config from a file": lambda t: (
        t.lib.LightGlueConfig.from_pretrained(t.folder / "config.json").descriptor_dim
    ),
    "config with overrides": lambda t: (
        t.lib.LightGlueConfig.from_pretrained(t.folder, filter_threshold=0.4).filter_threshold
    ),
    "config dict": lambda t: t.lib.LightGlueConfig.get_config_dict(t.folder)[0]["descriptor_dim"],
    "other options of the config dict": lambda t: t.lib.LightGlueConfig.get_config_dict(t.folder, other=1)[1][
        "other"
    ],
    "saving a config returns nothing": lambda t: t.config().save_pretrained(t.empty / "config"),
    "equal configurations": lambda t: t.config(descriptor_dim=64) == t.config(descriptor_dim=64),
    "different configurations": lambda t: t.config() == t.config(filter_threshold=0.4),
    "copy of a configuration": lambda t: copy.deepcopy(t.config(descriptor_dim=64)).descriptor_dim,
    "pickled configuration": lambda t: pickle.loads(pickle.dumps(t.config(descriptor_dim=64))).descriptor_dim,
    "printed configuration": lambda t: repr(t.config()).partition(" ")[0],
    "AutoConfig": lambda t: type(t.lib.AutoConfig.from_pretrained(t.folder)).__name__,
    "AutoConfig for a model": lambda t: t.lib.AutoConfig.for_model("superpoint").max_keypoints,
    "AutoConfig for an unknown model": lambda t: t.lib.AutoConfig.for_model("no such model"),
    "a configuration of a missing folder": lambda t: t.lib.LightGlueConfig.from_pretrained(
        t.empty / "missing"
    ),
    # Models
    "AutoModel": lambda t: type(t.lib.AutoModel.from_pretrained(t.folder)).__name__,
    "AutoModel from a configuration": lambda t: type(t.lib.AutoModel.from_config(t.model.config)).__name__,
    "AutoModelForKeypointMatching": lambda t: type(t.load()).__name__,
    "AutoModelForKeypointDetection": lambda t: (
        type(t.lib.AutoModelForKeypointDetection.from_config(t.lib.SuperPointConfig())).__name__
    ),
    "config class": lambda t: type(t.model).config_class.__name__,
    "main input": lambda t: t.model.main_input_name,
    "prefix": lambda t: t.model.base_model_prefix,
    "does not generate": lambda t: t.model.can_generate(),
    "no gradient checkpointing": lambda t: t.model.supports_gradient_checkpointing,
    "enable gradient checkpointing": lambda t: t.model.gradient_checkpointing_enable(),
    "no input embeddings": lambda t: t.model.get_input_embeddings(),
    "device": lambda t: t.model.device,
    "dtype of the model": lambda t: t.model.dtype,
    "evaluation mode": lambda t: t.load().training,
    "name of the model": lambda t: Path(t.load().name_or_path).name,
    "half precision": lambda t: t.load(dtype=torch.float16).dtype,
    "half precision by name": lambda t: t.load(dtype="bfloat16").dtype,
    "dtype in the configuration": lambda t: t.load(dtype="bfloat16").config.dtype,
    "dtype auto": lambda t: t.load(dtype="auto").dtype,
    "torch_dtype of the model": lambda t: t.load(torch_dtype=torch.float16).dtype,
    "settings": lambda t: t.load(filter_threshold=0.4).config.filter_threshold,
    "given configuration": lambda t: t.load(config=t.config(**SMALLER)).config.filter_threshold,
    "configuration by path": lambda t: t.load(config=str(t.folder)).config.descriptor_dim,
    "loading info": lambda t: sorted(t.load(output_loading_info=True)[1]),
    "nothing is missing": lambda t: t.load(output_loading_info=True)[1]["missing_keys"],
    "no folder": lambda t: t.lib.AutoModelForKeypointMatching.from_pretrained(t.empty / "missing"),
    "from tensors": lambda t: (
        type(t.model)
        .from_pretrained(None, config=t.model.config, state_dict=t.model.state_dict())
        .num_parameters(only_trainable=False)
        > 0
    ),
    "saved files": lambda t: after(
        t.model.save_pretrained(t.empty / "again"),
        lambda: sorted(p.name for p in (t.empty / "again").iterdir()),
    ),
    "tensor names of files": lambda t: sorted(load_file(t.folder / "model.safetensors")),
    "architectures of a saved model": lambda t: json.loads((t.folder / "config.json").read_text())[
        "architectures"
    ],
    "saving returns nothing": lambda t: t.model.save_pretrained(t.empty / "nothing"),
    "shards": lambda t: after(
        t.model.save_pretrained(t.empty / "shards", max_shard_size="200KB"),
        lambda: (t.empty / "shards/model.safetensors.index.json").exists(),
    ),
    "variant": lambda t: after(
        t.model.save_pretrained(t.empty / "variant", variant="fp16"),
        lambda: (t.empty / "variant/model.fp16.safetensors").exists(),
    ),
    "subfolder": lambda t: (
        t.lib.AutoModel.from_pretrained(t.folder.parent, subfolder="model").config.descriptor_dim
    ),
    "other processes": lambda t: after(
        t.model.save_pretrained(t.empty / "process", is_main_process=False), lambda: "no error"
    ),
    "copied model": lambda t: scores(copy.deepcopy(t.model).eval()(IMAGES)),
    "files load as a state dict": lambda t: str(
        t.model.load_state_dict(load_file(t.folder / "model.safetensors"))
    ),
    # Outputs
    "scores": lambda t: scores(t.forward()),
    "matches": lambda t: t.forward().matches.shape,
    "keys": lambda t: list(t.forward().keys()),
    "iteration": lambda t: list(t.forward()),
    "length": lambda t: len(t.forward()),
    "item by number": lambda t: t.forward()[1].sum(),
    "item by name": lambda t: t.forward()["keypoints"].sum(),
    "slice": lambda t: len(t.forward()[:2]),
    "get": lambda t: t.forward().get("nothing", 7),
    "in": lambda t: ["matches" in (o := t.forward()), "hidden_states" in o],
    "tuple": lambda t: len(t.forward().to_tuple()),
    "is a dict": lambda t: isinstance(t.forward(), dict),
    "unpacked": lambda t: sorted({**t.forward()}),
    "pop": lambda t: t.forward().pop("mask"),
    "update is refused": lambda t: t.forward().update({"mask": 1}),
    "missing key": lambda t: t.forward()["attentions"],
    "missing number": lambda t: t.forward()[9],
    "no loss": lambda t: t.forward().loss,
    "return_dict=False": lambda t: type(t.forward(return_dict=False)),
    "length of the tuple": lambda t: len(t.forward(return_dict=False)),
    "hidden states": lambda t: len(t.forward(output_hidden_states=True).hidden_states),
    "shapes of hidden states": lambda t: [
        s.shape[1:] for s in t.forward(output_hidden_states=True).hidden_states
    ],
    "no attentions without a request": lambda t: t.forward(output_hidden_states=True).attentions,
    "labels of a batch": lambda t: t.forward(labels=torch.zeros(1)),
    "three images in a pair": lambda t: t.model(IMAGES[:, [0, 0, 1]]),
    "dtype of keypoints": lambda t: t.forward().keypoints.dtype,
    "dtype of the mask": lambda t: t.forward().mask.dtype.is_floating_point,
    "output by hand": lambda t: list(t.output(matches=torch.zeros(1, 2, 3, dtype=torch.long))),
    "output from a dict": lambda t: list(t.output({"mask": torch.ones(1, 2, 3, dtype=torch.long)})),
    "pickled output": lambda t: list(pickle.loads(pickle.dumps(t.forward()))),
}

SMALLER = {
    "keypoint_detector_config": dict(tiny_config().keypoint_detector_config.to_dict()),
    "descriptor_dim": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "filter_threshold": 0.7,
}


def same(actual: Any, expected: Any) -> bool:
    if isinstance(expected, Exception):
        return isinstance(actual, type(expected))
    if isinstance(expected, Tensor):
        torch.testing.assert_close(actual, expected, atol=1e-3, rtol=1e-4)
        return True
    return actual == expected


@pytest.mark.parametrize("use", SAME)
def test_same(use, libraries):
    ours, theirs = libraries
    actual, expected = outcome(SAME[use], ours), outcome(SAME[use], theirs)
    assert same(actual, expected), f"{actual!r} instead of {expected!r}"


DIFFERENT: dict[str, tuple[Any, Any, Any]] = {
    "an integer for a confidence": (
        lambda t: t.config(depth_confidence=-1).depth_confidence,
        Exception,
        -1.0,
    ),
    "an unknown option of a loader": (
        lambda t: t.lib.LightGlueConfig.from_pretrained(t.folder, x=1).x,
        Exception,
        ValueError,
    ),
    "a missing tensor": (
        lambda t: (
            type(t.model)
            .from_pretrained(None, config=t.model.config, state_dict={"x": torch.ones(1)})
            .training
        ),
        False,
        tiepoint.WeightsError,
    ),
    "heads that do not divide": (lambda t: t.config(descriptor_dim=255), Exception, ValueError),
    "hidden size cannot differ": (
        lambda t: after(setattr(c := t.config(), "hidden_size", 64), lambda: c.descriptor_dim),
        256,
        64,
    ),
    "names of parameters": (lambda t: any("matcher." in name for name in t.model.state_dict()), False, True),
}


@pytest.mark.parametrize("use", DIFFERENT)
def test_different(use, libraries):
    ours, theirs = libraries
    function, their_result, our_result = DIFFERENT[use]
    for library, expected in ((theirs, their_result), (ours, our_result)):
        result = outcome(function, library)
        if isinstance(expected, type):
            assert isinstance(result, expected), f"{result!r} of {library.lib.__name__}"
        else:
            assert result == expected, library.lib.__name__
