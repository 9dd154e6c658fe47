"""What a training starts from: the extractor, the published matcher for it, and the network that is trained."""

from dataclasses import dataclass
from pathlib import Path

import torch

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NETWORKS, NeuralExtractor
from tiepoint.feature_store import JSONScalar
from tiepoint.io.hashing import file_digest
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.checkpoint import build
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.presets import MODEL, PRESETS
from tiepoint.training.recipes import OFFICIAL, SCRATCH
from tiepoint.weights import load_state_dict, resolve


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """What is published for an extractor.

    Attributes:
        name: of the extractor.
        extractor: on the device where it shall run.
        matcher: trained for its features; None where there is none.
    """

    name: str
    extractor: NeuralExtractor
    matcher: LightGlue | None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the network that are asked for; None: those of its weights, or of the recipe."""

    layers: int | None = None
    width: int | None = None
    heads: int | None = None

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidInput(f"{name} must be above 0, but is {value}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """The network that is trained and its teacher, and where they come from.

    Attributes:
        init: "scratch", "official", a file, or a folder that `tiepoint train` has written.
        sizes: that are asked for.
        seed: of random weights.
        teacher: None, or as `init`, but not "scratch".
        published: for the extractor.
    """

    init: str | Path
    sizes: Sizes
    seed: int
    teacher: str | Path | None
    published: Published

    def network(self) -> LightGlue:
        """With its first weights, in training mode, another one each time."""
        return starting_network(self.init, self.sizes, self.published, seed=self.seed)

    def teaching_network(self) -> LightGlue | None:
        """In evaluation mode.

        Raises:
            InvalidInput: it takes other descriptors.
        """
        if self.teacher is None:
            return None
        network = known_network(self.teacher, self.published)
        check_descriptor(network, f"the teacher {self.teacher}", self.published)
        return network.requires_grad_(False)

    def settings(self) -> dict[str, JSONScalar]:
        """What a resumed run must have too."""
        sizes = {name: getattr(self.sizes, name) for name in ("layers", "width", "heads")}
        teacher = None if self.teacher is None else identity(self.teacher)
        return {"init": identity(self.init), "teacher": teacher, **sizes, "seed": self.seed}


def load_published(
    name: str, device: torch.device, *, accept_license: bool = False, progress: bool = False
) -> Published:
    """Load an extractor, and the matcher that was published for it.

    Args:
        name: key of `tiepoint.extraction.extractor.NETWORKS`.
        device: where both shall run.
        accept_license: see `tiepoint.load`.
        progress: see `tiepoint.load`.

    Raises:
        InvalidInput: there is no such extractor.
        WeightsError: weights can't be found, fetched or loaded.
    """
    presets = [key for key, row in PRESETS.items() if row.extractor == name and row.folder is None]
    if name not in NETWORKS or not presets:
        raise InvalidInput(f"there is no extractor {name!r}; there are {', '.join(NETWORKS)}")
    preset = min(presets, key=lambda key: PRESETS[key].matcher != "lightglue")
    loaded = load(
        preset, device=device, resize=None, tile=None, accept_license=accept_license, progress=progress
    )
    matcher = loaded.matcher.network if isinstance(loaded.matcher, LightGlueMatcher) else None
    return Published(name, loaded.extractor, matcher)


def starting_network(init: str | Path, sizes: Sizes, published: Published, *, seed: int) -> LightGlue:
    """The network that is trained, with its first weights, in training mode.

    Args:
        init: "scratch", "official", a file of LightGlue's weights, or a folder that `tiepoint train` has written.
        sizes: of weights that exist, only fewer layers can be asked for: the first ones.
        published: for the extractor.
        seed: of random weights.

    Raises:
        InvalidInput: sizes that can't be, or no published matcher; weights for another descriptor.
        WeightsError: a file can't be read.
    """
    dim = published.extractor.descriptor_dim
    if init == SCRATCH:
        shape = LightGlueShape(
            input_dim=dim, dim=sizes.width or dim, layers=sizes.layers or 5, heads=sizes.heads or 4
        )
        return random_network(shape, seed).to(published.extractor.device).train()
    network = known_network(init, published)
    check_descriptor(network, str(init), published)
    return shortened(network, sizes, str(init)).to(published.extractor.device).train()


def known_network(name: str | Path, published: Published) -> LightGlue:
    """A copy of the published matcher, or of the one in a file or folder.

    Raises:
        InvalidInput, WeightsError: there is none.
    """
    if name != OFFICIAL:
        return build(load_state_dict(weights_file(name))).to(published.extractor.device)
    if published.matcher is None:
        raise InvalidInput(
            f"no LightGlue is published for {published.name}; begin from scratch, or name a file of weights"
        )
    return build({key: tensor.clone() for key, tensor in published.matcher.state_dict().items()})


def identity(name: str | Path) -> str:
    """How the settings of a run call weights: a word, or the digest of a file."""
    return (
        str(name)
        if name in (OFFICIAL, SCRATCH)
        else f"sha256 {file_digest(resolve(weights_file(name)))[:16]}"
    )


def weights_file(name: str | Path) -> str | Path:
    """The model's file where `name` is a folder of `tiepoint train`, which holds other files too."""
    model = Path(name) / MODEL
    return model if model.is_file() else name


def check_descriptor(network: LightGlue, name: str, published: Published) -> None:
    """Raise InvalidInput unless a network takes what the extractor gives."""
    columns = published.extractor.descriptor_dim
    if network.shape.position_dim != 2:
        raise InvalidInput(
            f"{name} takes positions with scale and orientation, which {published.name} doesn't give; choose weights that "
            "were trained for it"
        )
    if network.shape.input_dim != columns:
        raise InvalidInput(
            f"{name} takes descriptors of {network.shape.input_dim} columns, but {published.name} gives {columns}; "
            "choose weights that were trained for it"
        )


def random_network(shape: LightGlueShape, seed: int) -> LightGlue:
    """A network with torch's usual random weights; torch's own generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LightGlue(shape)


def shortened(network: LightGlue, sizes: Sizes, name: str) -> LightGlue:
    """The first layers of a network, each with the head that was trained for it.

    Raises:
        InvalidInput: more layers than it has, or another width or number of heads.
    """
    shape = network.shape
    for what, asked, has in (("width", sizes.width, shape.dim), ("heads", sizes.heads, shape.heads)):
        if asked not in (None, has):
            raise InvalidInput(
                f"the network of {name} has {what} {has}, not {asked}; begin from scratch for another"
            )
    layers = sizes.layers or shape.layers
    if layers > shape.layers:
        raise InvalidInput(f"the network of {name} has {shape.layers} layers, not {layers}; ask for fewer")
    return network.truncated(layers)
