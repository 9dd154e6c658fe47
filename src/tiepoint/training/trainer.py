"""The trainer: one optimizer step after another, each a function of the previous state alone."""

import math
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from tiepoint.errors import InvalidInput, TrainingError
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.checkpoints import Checkpoint, save_durably
from tiepoint.training.config import OptimConfig
from tiepoint.training.data.pairs import PairBatch, PairDataset
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.loss import LOSS_TERMS, TrainingLoss
from tiepoint.training.schedule import Budget

DUMP = "dump.pt"
"""Dump of the main process; that of process 1 is `dump-1.pt`, and so on."""


class Trainer:
    """Minimizes a loss over the pairs of a dataset.

    Args:
        loss: Loss of the trained network, on the device of `context`.
        dataset: Training pairs.
        config: Settings of the optimizer.
        budget: Length of the training.
        context: Processes that train together.
        folder: Folder for dumps if the loss becomes NaN.

    Attributes:
        step: Number of completed optimizer steps.
        pairs: Number of pairs trained on, over all processes.
        seconds: Time spent on steps by the main process; the others also wait while it validates and saves.
    """

    def __init__(
        self,
        loss: TrainingLoss,
        dataset: PairDataset,
        config: OptimConfig,
        budget: Budget,
        context: DistributedContext,
        folder: Path,
    ) -> None:
        self.config, self.budget, self.dataset = config, budget, dataset
        self.context, self.folder = context, folder
        self.step, self.pairs, self.seconds = 0, 0, 0.0
        self.network: LightGlue = loss.layers.network
        self._loss = context.wrap(loss)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(
            trained, lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._batches: Generator[PairBatch, None, None] | None = None

    @property
    def fraction_done(self) -> float:
        """Completed fraction of the training; 1 or more at the end."""
        return self.budget.fraction_done(self.pairs, self.seconds)

    @property
    def seconds_left(self) -> float:
        """Estimated remaining time at the current pace."""
        return max(0.0, self.budget.seconds_left(self.pairs, self.seconds))

    @property
    def pairs_per_step(self) -> int:
        """Pairs per optimizer step, over all processes."""
        return self.config.batch_size * self.config.accumulate * self.context.world_size

    def train_step(self) -> dict[str, float]:
        """Take one optimizer step.

        Returns:
            Metrics of the step by name: step, pairs and seconds after it, the loss terms and the gradient norm averaged
            over the processes, and the learning rate.

        Raises:
            TrainingError: If the loss or the gradient of any process is not finite; all processes raise it, and dump
                the state before the step.
        """
        start = perf_counter()
        rate = self.config.learning_rate * self.config.schedule.factor(self.fraction_done)
        self._set_learning_rate(rate)
        batches = list(islice(self._stream(), self.config.accumulate))
        terms = self._backward(batches)
        means = self.context.mean(torch.cat((terms, gradient_norm(self.network)[None]))).tolist()
        metrics: dict[str, float] = dict(zip((*LOSS_TERMS, "gradient"), means, strict=True))
        if not all(map(math.isfinite, means)):
            self._stop(metrics, terms, batches)
        clip_grad_norm_(self.network.parameters(), self.config.max_gradient_norm)
        self._optimizer.step()
        self._count(perf_counter() - start)
        position = {"step": self.step, "pairs": self.pairs, "seconds": self.seconds}
        return position | metrics | {"learning_rate": rate}

    def state(self) -> dict[str, Any]:
        """Return everything that the next step depends on, as the fields of `Checkpoint`."""
        return {
            "step": self.step,
            "pairs": self.pairs,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint."""
        self.step, self.pairs, self.seconds = checkpoint.step, checkpoint.pairs, checkpoint.seconds
        self.network.load_state_dict(checkpoint.network)
        self._optimizer.load_state_dict(dict(checkpoint.optimizer))
        self.close()

    def close(self) -> None:
        """Stop prefetching; the next step starts it again."""
        if self._batches is not None:
            self._batches.close()
        self._batches = None
        self.dataset.close()

    def _stream(self) -> Generator[PairBatch, None, None]:
        if self._batches is None:
            self._batches = prefetch(self.dataset, self._batch_indices(self.pairs))
        return self._batches

    def _batch_indices(self, first: int) -> Iterator[range]:
        """Yield the pair indices of each batch of this process; the processes take batches in turn."""
        size, context = self.config.batch_size, self.context
        for batch in count():
            begin = first + (batch * context.world_size + context.rank) * size
            yield range(begin, begin + size)

    def _backward(self, batches: list[PairBatch]) -> Tensor:
        """Accumulate the gradients of the mean loss over the batches; return its mean terms."""
        self._optimizer.zero_grad(set_to_none=True)
        terms_of_batches = []
        for batch in batches:
            # gradients are exchanged between processes once per step, with the last batch
            with nullcontext() if batch is batches[-1] else _without_exchange(self._loss):
                terms = self._loss(batch.to(self.context.device))
                (terms[0] / len(batches)).backward()
            terms_of_batches.append(terms.detach())
        return torch.stack(terms_of_batches).mean(0)

    def _set_learning_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _count(self, seconds: float) -> None:
        self.step += 1
        self.pairs += self.pairs_per_step
        self.seconds += self.context.broadcast(seconds)

    def _stop(self, metrics: Mapping[str, float], terms: Tensor, batches: list[PairBatch]) -> NoReturn:
        """Dump and raise. The metrics are means, so all processes get here; terms and batches are this process's."""
        name = DUMP if self.context.is_main_process else f"dump-{self.context.rank}.pt"
        path = self.folder / name
        try:
            self._dump(path, metrics, terms, batches)
            note = f"weights and pairs of that step are in {path}"
        except InvalidInput as error:
            note = f"weights and pairs of that step could not be saved: {error}"
        finally:
            self.context.barrier()  # torchrun ends the other processes as soon as one has stopped
        bad = ", ".join(f"{name} {value}" for name, value in metrics.items() if not math.isfinite(value))
        raise TrainingError(
            f"training stopped before step {self.step + 1}: {bad}; {note}; "
            "resume from the last checkpoint with --resume, or start again with a lower learning rate"
        )

    def _dump(
        self, path: Path, metrics: Mapping[str, float], terms: Tensor, batches: list[PairBatch]
    ) -> None:
        content = {
            "metrics": metrics,
            "terms": dict(zip(LOSS_TERMS, terms.tolist(), strict=True)),
            "batches": [_plain(batch) for batch in batches],
            "parameters": [
                name
                for name, parameter in self.network.named_parameters()
                if parameter.requires_grad and (parameter.grad is None or not parameter.grad.isfinite().all())
            ],
            **self.state(),
        }
        save_durably(content, path)


def gradient_norm(network: nn.Module) -> Tensor:
    """Return the Euclidean norm of the gradients of all parameters."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return torch.stack([gradient.norm() for gradient in gradients]).norm()


def prefetch(dataset: PairDataset, indices: Iterator[range]) -> Generator[PairBatch, None, None]:
    """Yield batches in order; the next batch is prepared while the current one is used."""
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(dataset.batch, next(indices))
        while True:
            current, upcoming = upcoming, pool.submit(dataset.batch, next(indices))
            yield current.result()


def _plain(batch: PairBatch) -> dict[str, Any]:
    """Convert a batch to built-in types, so that `torch.load(weights_only=True)` can read it."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: tuple(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _without_exchange(module: nn.Module) -> AbstractContextManager[None]:
    return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()
