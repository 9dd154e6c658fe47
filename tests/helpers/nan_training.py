"""A training by two processes whose third step is NaN in the second one: `python -m tests.helpers.nan_training FOLDER`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tests.helpers.synthetic_pairs import SyntheticPairs, make_trainer

from tiepoint.errors import TrainingError
from tiepoint.training.data.pairs import PairBatch
from tiepoint.training.distributed import init_distributed

NAN_PAIR = 10
"""Index of the pair with NaN descriptors; with two pairs per process, the second process draws it in its third step."""

save = torch.save


class PairsWithNaN(SyntheticPairs):
    """Synthetic pairs, one of which has NaN descriptors."""

    def batch(self, indices: Sequence[int]) -> PairBatch:
        batch = super().batch(indices)
        if NAN_PAIR in indices:
            batch.descriptors0.fill_(torch.nan)
        return batch


def save_slowly(*arguments: Any) -> None:
    """Save as slowly as a large network: torchrun would end this process as soon as the other one has stopped."""
    time.sleep(3)
    save(*arguments)


def main(folder: str) -> None:
    torch.set_num_threads(1)
    with init_distributed(torch.device("cpu")) as context:
        if context.is_main_process:
            torch.save = save_slowly
        trainer = make_trainer(Path(folder), pairs=40, context=context)
        trainer.dataset = PairsWithNaN()
        try:
            while trainer.fraction_done < 1:
                trainer.train_step()
        except TrainingError as error:
            sys.exit(str(error))
        finally:
            trainer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
