"""The end of a training: compare the trained matcher with baselines, and write model, record and report."""

from collections.abc import Mapping

from torch import Tensor

from tiepoint.io.versions import installed_versions
from tiepoint.matching.adapters import ADAPTER, compact, merge, save_adapter
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.recognition import build
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.dataset import TrainingData
from tiepoint.training.initialization import InitialWeights, Pretrained
from tiepoint.training.loop import TrainingLoop
from tiepoint.training.lora import has_lora, lora_tensors
from tiepoint.training.report.export_model import save_model, save_record
from tiepoint.training.report.html_report import write_html_report
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import (
    ValidationMetrics,
    nearest_matcher,
    network_matcher,
    validate,
    validate_network,
)

BASELINES = {"before": "before the training", "mutual nearest": "mutual nearest neighbors"}
"""Name of a matcher in `TrainingReport.metrics` -> text; a trained network should be better."""


def finalize(
    config: TrainConfig, loop: TrainingLoop, initial: InitialWeights, data: TrainingData
) -> TrainingReport:
    """Measure the trained network, and write the output folder; only the main process does.

    Args:
        config: Settings of the training.
        loop: The finished training loop, with the weights of the best validation.
        initial: Initial weights, for comparison.
        data: Training and validation pairs.

    Raises:
        InvalidInput: If the folder cannot be written.
    """
    trained, adapter = _trained(loop.trainer.network, initial)
    report = _report(config, loop, trained, initial, data)
    if loop.trainer.context.is_main_process:
        if adapter:
            save_adapter(loop.folder / ADAPTER, adapter, initial.base_file())
        _write(report, trained, initial.pretrained, data)
    return report


def _trained(network: LightGlue, initial: InitialWeights) -> tuple[LightGlue, dict[str, Tensor]]:
    """Return the trained network, and its adapter if it has low-rank updates; then it is the base with the stored adapter."""
    if not has_lora(network):
        return network, {}
    base = initial.base()
    adapter = compact(lora_tensors(network, base))
    merged = merge(base.state_dict(), adapter, ADAPTER)
    return build(merged).to(initial.pretrained.extractor.device), adapter


def _report(
    config: TrainConfig, loop: TrainingLoop, trained: LightGlue, initial: InitialWeights, data: TrainingData
) -> TrainingReport:
    trainer, pretrained = loop.trainer, initial.pretrained
    metrics = _compare(trained, initial, data) if trainer.context.is_main_process else {}
    return TrainingReport(
        folder=loop.folder,
        recipe=config.recipe,
        extractor=pretrained.name,
        kind=pretrained.extractor.settings.kind,
        shape=trained.shape,
        parameters=sum(parameter.numel() for parameter in trained.parameters()),
        config=config,
        settings=loop.settings,
        steps=trainer.step,
        pairs=trainer.pairs,
        seconds=trainer.seconds,
        protocol=data.protocol,
        best_pairs=trainer.pairs if loop.best is None else loop.best.pairs,
        metrics=metrics,
        notes=notes_on(metrics),
        problems=data.problems,
        versions=installed_versions(),
    )


def notes_on(metrics: Mapping[str, ValidationMetrics]) -> tuple[str, ...]:
    """Return a note if the trained network is no better than before the training or than mutual nearest neighbors.

    Args:
        metrics: Metrics of the matchers by name, as in `TrainingReport`.
    """
    trained = metrics.get("trained")
    baselines = {
        name: metrics[name]
        for name in ("before", "mutual nearest")
        if trained is not None and name in metrics
    }
    return tuple(
        f"no better than {BASELINES[name]}: {_summarize(trained)}, {name} {_summarize(baseline)}; train longer"
        for name, baseline in baselines.items()
        if trained is not None and trained.f1 <= baseline.f1
    )


def _summarize(metrics: ValidationMetrics) -> str:
    return f"precision {100 * metrics.precision:.1f} %, recall {100 * metrics.recall:.1f} %"


def _compare(trained: LightGlue, initial: InitialWeights, data: TrainingData) -> dict[str, ValidationMetrics]:
    """Measure the baselines, and the network before and after the training."""
    pairs, protocol = data.held_out, data.protocol
    networks = {"pretrained": initial.pretrained.matcher, "before": initial.base(), "trained": trained}
    return {
        "mutual nearest": validate(nearest_matcher(), pairs, protocol),
        **{name: validate_network(net, pairs, protocol) for name, net in networks.items() if net is not None},
        "trained, adaptive": validate_network(trained, pairs, protocol, adaptive=True),
    }


def _write(report: TrainingReport, network: LightGlue, pretrained: Pretrained, data: TrainingData) -> None:
    """Write model, record and report."""
    save_model(report.folder, network, pretrained)
    save_record(report.folder, report.to_dict())
    matchers = {
        "mutual nearest": nearest_matcher(),
        "trained": network_matcher(network, data.protocol),
    }
    write_html_report(report, data.held_out, matchers)
