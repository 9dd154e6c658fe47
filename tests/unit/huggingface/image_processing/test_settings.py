"""Settings of image processors: construction, round trips, options of the loader, invalid files."""

import json

import pytest
from tests.helpers.image_processors import PAIR, both_processors

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface import (
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    SuperPointImageProcessor,
)


def write(folder, **values):
    folder.mkdir(exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    return folder


# --- Construction ---


def test_none_is_the_default_of_values_and_disables_steps(tmp_path):
    default = LightGlueImageProcessor()
    assert LightGlueImageProcessor(size=None, resample=None, rescale_factor=None, do_pad=None) == default
    processor = LightGlueImageProcessor(do_resize=None)
    processor.save_pretrained(tmp_path)
    for same in (processor, LightGlueImageProcessor.from_pretrained(tmp_path)):
        assert (same.do_resize, same.to_dict()["do_resize"]) == (None, None)
        assert same(PAIR).pixel_values[0][0].shape == (3, 30, 40)
    assert default(PAIR, do_resize=None).pixel_values[0][0].shape == (3, 30, 40)
    assert default(PAIR, resample=None, size=None).pixel_values[0][0].shape == (3, 480, 640)


def test_settings_without_effect_are_kept_with_a_warning():
    with pytest.warns(
        UserWarning, match="^LightGlueImageProcessor: do_normalize, foo has no effect"
    ) as caught:
        processor = LightGlueImageProcessor(do_normalize=True, foo=[1], data_format="channels_first")
    assert caught[0].filename == __file__
    assert (processor.do_normalize, processor.foo) == (True, [1])
    assert processor.to_dict()["foo"] == [1]
    assert LightGlueImageProcessor.from_dict(processor.to_dict()) == processor


def test_settings_of_transformers_that_are_not_set_are_none():
    processor = LightGlueImageProcessor()
    names = ("do_normalize", "image_mean", "device", "return_tensors", "data_format", "do_convert_rgb")
    assert [getattr(processor, name) for name in names] == [None] * 6
    assert processor.default_to_square is False
    assert processor.to_dict().keys() == {*processor._fields(), "image_processor_type"}
    with pytest.raises(AttributeError, match="no setting 'do_greyscale'"):
        _ = processor.do_greyscale


def test_wrong_types_are_rejected():
    for values in ({"do_resize": "yes"}, {"resample": 1.5}, {"rescale_factor": "x"}, {"size": "big"}):
        with pytest.raises(InvalidInput, match=next(iter(values))):
            LightGlueImageProcessor(**values)


# --- Round trips ---


def test_processors_round_trip_through_a_folder(tmp_path):
    for processor in (
        LightGlueImageProcessor(size={"longest_edge": 512}),
        LightGlueImageProcessorFast(do_grayscale=False),
        SuperPointImageProcessor(resample=3),
    ):
        (path,) = processor.save_pretrained(tmp_path)
        assert path == str(tmp_path / "preprocessor_config.json")
        for source in (tmp_path, path):
            assert type(processor).from_pretrained(source) == processor
        stored = json.loads((tmp_path / "preprocessor_config.json").read_text())
        assert stored == processor.to_dict()
        assert type(processor).__name__.startswith(stored["image_processor_type"])
        processor.to_json_file(tmp_path / "other.json")
        assert type(processor).from_json_file(tmp_path / "other.json") == processor
    assert LightGlueImageProcessor() != LightGlueImageProcessorFast()


def test_unknown_keys_of_a_file_are_kept_and_old_ones_dropped(tmp_path):
    folder = write(
        tmp_path, do_normalize=None, crop=[1, 2], processor_class="X", resample=None, size=99, device=None
    )
    processor = LightGlueImageProcessor.from_pretrained(folder)
    assert (processor.size, processor.crop) == ({"shortest_edge": 99}, [1, 2])
    assert processor.resample == 2
    assert processor.to_dict()["crop"] == [1, 2]
    assert "processor_class" not in processor.to_dict()


def test_other_file_names_and_subfolders(tmp_path):
    SuperPointImageProcessor(resample=3).save_pretrained(tmp_path / "model" / "processor")
    options = {"subfolder": "processor"}
    assert SuperPointImageProcessor.from_pretrained(tmp_path / "model", **options).resample == 3
    SuperPointImageProcessor(resample=0).to_json_file(tmp_path / "model" / "processor" / "mine.json")
    options["image_processor_filename"] = "mine.json"
    assert SuperPointImageProcessor.from_pretrained(tmp_path / "model", **options).resample == 0
    assert (
        "subfolder" not in SuperPointImageProcessor.from_pretrained(tmp_path / "model", **options).to_dict()
    )


# --- Options of the loader ---


@both_processors
def test_overrides_and_unused_options(processor, tmp_path):
    kind = type(processor)
    processor.save_pretrained(tmp_path)
    assert kind.from_pretrained(tmp_path, do_grayscale=False, size=7, default_to_square=True).size.width == 7
    loaded, unused = kind.from_pretrained(tmp_path, resample=0, foo=False, return_unused_kwargs=True)
    assert (loaded.resample, unused) == (0, {"foo": False})
    assert kind.from_dict({"resample": 0}, resample=3, size=None) == kind(resample=3)
    with pytest.raises(TypeError, match=f"^{kind.__name__}.from_pretrained: unknown option 'foo'"):
        kind.from_pretrained(tmp_path, foo=False)
    with pytest.raises(InvalidInput, match=f"^{kind.__name__}.from_dict: unknown option 'foo'"):
        kind.from_dict({}, foo=False)


def test_options_of_the_loader_are_no_settings(tmp_path):
    LightGlueImageProcessor().save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="^LightGlueImageProcessor.from_pretrained: ") as caught:
        processor = LightGlueImageProcessor.from_pretrained(
            tmp_path, trust_remote_code=True, use_fast=True, revision="main", token=False, _from_auto=True
        )
    messages = sorted(str(warning.message).partition(": ")[2] for warning in caught)
    assert messages == [
        "trust_remote_code has no effect; code of a repository is never executed",
        "use_fast has no effect in tiepoint",
    ]
    assert processor == LightGlueImageProcessor()
    with pytest.warns(UserWarning, match="from_pretrained: do_normalize has no effect"):
        processor = LightGlueImageProcessor.from_pretrained(tmp_path, do_normalize=True)
    assert processor.do_normalize is True
    values, others = LightGlueImageProcessor.get_image_processor_dict(tmp_path, revision="main", resample=3)
    assert values == LightGlueImageProcessor().to_dict()
    assert others == {"resample": 3}


def test_options_of_the_model_that_transformers_passes_are_dropped():
    processor = LightGlueImageProcessor.from_dict({}, _from_auto=True, attn_implementation="sdpa", resample=3)
    assert processor == LightGlueImageProcessor(resample=3)


# --- Invalid files ---


def test_other_types_and_broken_files_are_rejected(tmp_path):
    write(tmp_path, image_processor_type="CLIPImageProcessor")
    with pytest.raises(InvalidInput, match="'CLIPImageProcessor'"):
        LightGlueImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("[1]")
    with pytest.raises(InvalidInput, match="expected a JSON object, got a list"):
        LightGlueImageProcessor.from_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(InvalidInput, match="is not valid JSON"):
        LightGlueImageProcessor.from_json_file(tmp_path / "preprocessor_config.json")
    with pytest.raises(InvalidInput, match=r"cannot read .*nowhere\.json: No such file"):
        LightGlueImageProcessor.from_json_file(tmp_path / "nowhere.json")
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json not found"):
        LightGlueImageProcessor.from_pretrained(tmp_path.parent)
    with pytest.raises(InvalidInput, match="cannot create folder"):
        LightGlueImageProcessor().save_pretrained(tmp_path / "preprocessor_config.json")
