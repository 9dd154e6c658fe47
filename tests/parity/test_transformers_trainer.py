"""A Trainer of transformers whose loss is computed from the model's scores trains it."""

import pytest
import torch
from tests.helpers.keypoint_matching import noise_pairs
from tests.helpers.random_networks import random_model, tiny_config
from torch.utils.data import Dataset

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")


class Pairs(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"pixel_values": noise_pairs(4)[index]}


class ScoreTrainer(transformers.Trainer):
    """Raises the scores of all mutual nearest neighbors."""

    def compute_loss(self, model, inputs, return_outputs=False, **_):
        outputs = model(**inputs)
        scores = outputs.matching_scores[outputs.matching_scores > 0]
        loss = -scores.log().mean()
        return (loss, outputs) if return_outputs else loss


@pytest.mark.slow
def test_scores_rise(tmp_path):
    model = random_model(tiny_config(max_keypoints=40, depth_confidence=-1, width_confidence=-1))
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=8,
        per_device_train_batch_size=2,
        learning_rate=1e-3,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    before = {name: tensor.clone() for name, tensor in model.matcher.state_dict().items()}
    trainer = ScoreTrainer(model=model, args=arguments, train_dataset=Pairs())
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    changed = [
        name for name, tensor in model.matcher.state_dict().items() if not torch.equal(tensor, before[name])
    ]
    assert any("self_attn" in name for name in changed)
    trainer.save_model(str(tmp_path / "trained"))
    assert (tmp_path / "trained").is_dir()
