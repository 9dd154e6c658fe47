"""Networks, loaded once per preset and shared by all jobs; options such as the number of keypoints cost nothing.

Only the preset of the server may be downloaded. Others must be on this machine, so that no request of a user makes the
server open a connection.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from tiepoint.api import load
from tiepoint.app.options import MatchSettings, preset_source, server_preset
from tiepoint.app.settings import AppSettings
from tiepoint.errors import WeightsError
from tiepoint.matcher import Matcher
from tiepoint.presets import PRESETS
from tiepoint.runtimes.bundle import is_bundle
from tiepoint.weights import WEIGHTS
from tiepoint.weights.resolution import local_places

MAX_LOADED = 3  # presets in memory


class Models:
    """The loaded presets of a server, the least recently used of which are dropped.

    Args:
        settings: Settings of the server.
        load_preset: Replaces `tiepoint.load`.
    """

    def __init__(self, settings: AppSettings, load_preset: Callable[..., Matcher] = load) -> None:
        self._settings = settings
        self._load = load_preset
        self._loaded: OrderedDict[str, Matcher] = OrderedDict()
        self._lock = threading.Lock()

    def matcher(self, options: MatchSettings) -> Matcher:
        """Return a matcher with these options, which shares the networks of its preset.

        Raises:
            WeightsError: If the weights are not on this machine, or cannot be loaded.
        """
        base = self.load(options.preset)
        if is_bundle(preset_source(options.preset, self._settings)):
            return base
        settings = replace(
            base.extractor.settings, max_keypoints=options.max_keypoints, resize=options.resize
        )
        return Matcher(base.extractor.with_settings(settings), base.matcher, options.views)

    def load(self, preset: str) -> Matcher:
        """Return the matcher of a preset with its default options.

        Raises:
            WeightsError: If the weights are not on this machine, or cannot be loaded.
        """
        with self._lock:
            if preset not in self._loaded:
                self.check_present(preset)
                source = preset_source(preset, self._settings)
                self._loaded[preset] = self._load(
                    source, device=self._settings.device, accept_license=self._settings.accept_license
                )
                while len(self._loaded) > MAX_LOADED:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(preset)
            return self._loaded[preset]

    def is_present(self, preset: str) -> bool:
        """Return whether no download is needed for a preset, or it is the server's own."""
        return preset == server_preset(self._settings) or all(
            _is_on_disk(name) for name in PRESETS[preset].weights
        )

    def check_present(self, preset: str) -> None:
        """Check that no download is needed for a preset, or it is the server's own.

        Raises:
            WeightsError: If its weights are not on this machine.
        """
        if not self.is_present(preset):
            raise WeightsError(
                f"the weights of {preset} are not on the server; run there: tiepoint weights download "
                f"{' '.join(PRESETS[preset].weights)}"
            )


def _is_on_disk(weights: str) -> bool:
    return any(path is not None and path.is_file() for _, path in local_places(WEIGHTS[weights]))
