"""A training by several processes whose third step isn't a number in the second one: `python -m tests.helpers.nan_training FOLDER`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tests.helpers.synthetic_pairs import SyntheticPairs, make_trainer

from tiepoint.errors import TrainingError
from tiepoint.training.data.pairs import PairBatch
from tiepoint.training.distributed import joined_processes

SPOILT = 10
"""Of two processes with two pairs each, the second one draws this pair in its third step."""

save = torch.save


class SpoiltPairs(SyntheticPairs):
    """Synthetic pairs, of which one has descriptors that aren't numbers."""

    def batch(self, indices: Sequence[int]) -> PairBatch:
        batch = super().batch(indices)
        if SPOILT in indices:
            batch.descriptors0.fill_(torch.nan)
        return batch


def save_slowly(*arguments: Any) -> None:
    """As a large network is saved: torchrun ends this process meanwhile, if another one has stopped."""
    time.sleep(3)
    save(*arguments)


def main(folder: str) -> None:
    torch.set_num_threads(1)
    with joined_processes(torch.device("cpu")) as processes:
        if processes.leads:
            torch.save = save_slowly
        trainer = make_trainer(Path(folder), pairs=40, processes=processes)
        trainer.source = SpoiltPairs()
        try:
            while trainer.done < 1:
                trainer.take_step()
        except TrainingError as error:
            sys.exit(str(error))
        finally:
            trainer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
