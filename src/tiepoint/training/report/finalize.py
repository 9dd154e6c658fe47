"""What is done when training has ended: the trained matcher is compared with others, and everything is written."""

from tiepoint.io.versions import installed_versions
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.training.data.dataset import TrainingData
from tiepoint.training.initialization import Published, Start
from tiepoint.training.loop import Session
from tiepoint.training.report.export_model import save_model, save_record
from tiepoint.training.report.html_report import write_page
from tiepoint.training.report.training_report import TrainingReport
from tiepoint.training.validation import (
    Figures,
    nearest_matcher,
    network_matcher,
    validate,
    validate_network,
)


def finish(recipe: str, session: Session, start: Start, data: TrainingData) -> TrainingReport:
    """Measure, and write the folder; only the leading process does.

    Args:
        recipe: name of it.
        session: has run.
        start: what it began with.
        data: that it learned from, and is measured on.

    Raises:
        InvalidInput: the folder can't be written to.
    """
    report = _report(recipe, session, start, data)
    if session.trainer.processes.leads:
        _write(report, session.trainer.network, start.published, data)
    return report


def _report(recipe: str, session: Session, start: Start, data: TrainingData) -> TrainingReport:
    trainer, published = session.trainer, start.published
    return TrainingReport(
        folder=session.folder,
        recipe=recipe,
        extractor=published.name,
        kind=published.extractor.settings.kind,
        shape=trainer.network.shape,
        parameters=sum(parameter.numel() for parameter in trainer.network.parameters()),
        settings=session.settings,
        steps=trainer.step,
        pairs=trainer.pairs,
        seconds=trainer.seconds,
        protocol=data.protocol,
        figures=_compare(trainer.network, start, data) if trainer.processes.leads else {},
        problems=data.problems,
        versions=installed_versions(),
    )


def _compare(trained: LightGlue, start: Start, data: TrainingData) -> dict[str, Figures]:
    """The baselines, the network before, and after."""
    pairs, protocol = data.held_out, data.protocol
    networks = {"published": start.published.matcher, "before": start.network(), "trained": trained}
    return {
        "mutual nearest": validate(nearest_matcher(), pairs, protocol),
        **{name: validate_network(net, pairs, protocol) for name, net in networks.items() if net is not None},
        "trained, adaptive": validate_network(trained, pairs, protocol, adaptive=True),
    }


def _write(report: TrainingReport, network: LightGlue, published: Published, data: TrainingData) -> None:
    """The folder, whole: model, record and page."""
    save_model(report.folder, network, published)
    save_record(report.folder, report.to_dict())
    matchers = {
        "mutual nearest": nearest_matcher(),
        "trained": network_matcher(network, data.protocol),
    }
    write_page(report, data.held_out, matchers)
