"""The trainer: one step after another, each a function of the state before it and of nothing else."""

import math
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
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
from tiepoint.training.checkpoints import save_whole
from tiepoint.training.data.pairs import PairBatch, PairSource
from tiepoint.training.distributed import Processes
from tiepoint.training.objective import TERMS, Objective
from tiepoint.training.schedule import Budget, Schedule

DUMP = "dump.pt"
"""Of the leading process; that of process 1 is `dump-1.pt`, and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What a step depends on beside network and pairs.

    Attributes:
        schedule: of the learning rate.
        budget: how long the training is.
        batch_size: pairs that go through the network together, in each process.
        accumulate: batches that make a step.
        weight_decay: AdamW's.
        max_gradient_norm: longer gradients are cut to this length.
    """

    schedule: Schedule
    budget: Budget
    batch_size: int = 8
    accumulate: int = 1
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0


class Trainer:
    """Lowers an objective over the pairs of a source.

    Args:
        objective: holds the network that is trained, on the device of `processes`.
        source: where pairs come from.
        settings: see `StepSettings`.
        processes: that train together.
        folder: for the dumps, should the loss become NaN.

    Attributes:
        step: steps that are done.
        pairs: that the network has seen, in all processes.
        seconds: spent on steps by the leading process: the others also wait while it validates and saves.
    """

    def __init__(
        self,
        objective: Objective,
        source: PairSource,
        settings: StepSettings,
        processes: Processes,
        folder: Path,
    ) -> None:
        self.settings, self.source, self.processes, self.folder = settings, source, processes, folder
        self.step, self.pairs, self.seconds = 0, 0, 0.0
        self.network: LightGlue = objective.layers.network
        self._objective = processes.share(objective)
        self._optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.schedule.peak, weight_decay=settings.weight_decay
        )
        self._batches: Generator[PairBatch, None, None] | None = None

    @property
    def done(self) -> float:
        """Share of the training that is done; 1 or more: all."""
        return self.settings.budget.done(self.pairs, self.seconds)

    @property
    def pairs_a_step(self) -> int:
        """In all processes together."""
        return self.settings.batch_size * self.settings.accumulate * self.processes.count

    def take_step(self) -> dict[str, float]:
        """Go one step.

        Returns:
            The terms of the loss and the length of the gradient, averaged over the processes, by name; the learning
            rate; and what is done now.

        Raises:
            TrainingError: the loss or the gradient isn't finite in any process; all of them raise it, and what led to
                it is in their dumps.
        """
        start = perf_counter()
        self._set_learning_rate(rate := self.settings.schedule.learning_rate(self.done))
        batches = list(islice(self._stream(), self.settings.accumulate))
        terms = self._backward(batches)
        means = self.processes.mean(torch.cat((terms, gradient_length(self.network)[None]))).tolist()
        figures: dict[str, float] = dict(zip((*TERMS, "gradient"), means, strict=True))
        if not all(map(math.isfinite, means)):
            self._stop(figures, terms, batches)
        clip_grad_norm_(self.network.parameters(), self.settings.max_gradient_norm)
        self._optimizer.step()
        self._count(perf_counter() - start)
        done = {"step": self.step, "pairs": self.pairs, "seconds": self.seconds}
        return done | figures | {"learning_rate": rate}

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, as `Checkpoint` has it."""
        return {
            "step": self.step,
            "pairs": self.pairs,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: Any) -> None:
        """Go on from a `Checkpoint`."""
        self.step, self.pairs, self.seconds = state.step, state.pairs, state.seconds
        self.network.load_state_dict(state.network)
        self._optimizer.load_state_dict(state.optimizer)
        self.close()

    def close(self) -> None:
        """Stop making batches ahead; the next step begins to make them again."""
        if self._batches is not None:
            self._batches.close()
        self._batches = None
        self.source.close()

    def _stream(self) -> Generator[PairBatch, None, None]:
        if self._batches is None:
            self._batches = prefetched(self.source, self._numbers(self.pairs))
        return self._batches

    def _numbers(self, first: int) -> Iterator[range]:
        """Of the pairs of each batch of this process: the processes take batches in turn."""
        size, processes = self.settings.batch_size, self.processes
        for number in count():
            begin = first + (number * processes.count + processes.rank) * size
            yield range(begin, begin + size)

    def _backward(self, batches: list[PairBatch]) -> Tensor:
        """Gradients of the mean over the batches; the mean terms of their loss come back."""
        self._optimizer.zero_grad(set_to_none=True)
        sums = []
        for batch in batches:
            # gradients travel between processes once a step, with the last batch
            with nullcontext() if batch is batches[-1] else _without_exchange(self._objective):
                terms = self._objective(batch.to(self.processes.device))
                (terms[0] / len(batches)).backward()
            sums.append(terms.detach())
        return torch.stack(sums).mean(0)

    def _set_learning_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def _count(self, seconds: float) -> None:
        self.step += 1
        self.pairs += self.pairs_a_step
        self.seconds += self.processes.same(seconds)

    def _stop(self, figures: Mapping[str, float], terms: Tensor, batches: list[PairBatch]) -> NoReturn:
        """Figures are means over the processes, so all of them come here; terms and batches are this one's own."""
        path = self.folder / (DUMP if self.processes.leads else f"dump-{self.processes.rank}.pt")
        try:
            self._dump(path, figures, terms, batches)
            kept = f"{path} holds weights and pairs of that step"
        except InvalidInput as error:
            kept = f"weights and pairs of that step are lost: {error}"
        finally:
            self.processes.wait()  # torchrun ends the others as soon as one has stopped
        bad = ", ".join(f"{name} {value}" for name, value in figures.items() if not math.isfinite(value))
        raise TrainingError(
            f"training stopped before step {self.step + 1}, because {bad}; {kept}; "
            "go on from the last checkpoint with --resume, or begin again with a lower learning rate"
        )

    def _dump(
        self, path: Path, figures: Mapping[str, float], terms: Tensor, batches: list[PairBatch]
    ) -> None:
        content = {
            "figures": figures,
            "terms": dict(zip(TERMS, terms.tolist(), strict=True)),
            "batches": [_plain(batch) for batch in batches],
            "parameters": [
                name
                for name, parameter in self.network.named_parameters()
                if parameter.grad is None or not parameter.grad.isfinite().all()
            ],
            **self.state(),
        }
        save_whole(content, path)


def gradient_length(network: nn.Module) -> Tensor:
    """Euclidean length of the gradients of all parameters together."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return torch.stack([gradient.norm() for gradient in gradients]).norm()


def _plain(batch: PairBatch) -> dict[str, Any]:
    """Fields by name, as `torch.load` takes them without trusting the file: no types of ours."""
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: tuple(value) if isinstance(value, tuple) else value for name, value in values.items()}


def prefetched(source: PairSource, numbers: Iterator[range]) -> Generator[PairBatch, None, None]:
    """Batches in order; the next one is made while this one is used."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(source.batch, next(numbers))
        while True:
            now, ahead = ahead, pool.submit(source.batch, next(numbers))
            yield now.result()


def _without_exchange(module: nn.Module) -> AbstractContextManager[None]:
    return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()
