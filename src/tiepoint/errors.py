"""Every error that tiepoint raises on purpose.

    TiepointError
    ├── InvalidInput (also ValueError)         an argument, image, array or file that can't be used as given
    ├── WeightsError                           weights that can't be found, fetched, verified or loaded
    ├── StoreError                             a store of features or matches that is damaged or of other settings
    ├── TrainingError                          training that can't go on, because the loss isn't a number any more
    ├── ExecutorError                          workers that can't be started, reached or kept alive
    └── MissingDependency (also ImportError)   an optional library that isn't installed

A message is one line that says what was expected, what came, and what to do. The command line prints it on
stderr without a traceback and exits with 1. Geometry that fails is a value, not an error.
"""


class TiepointError(Exception):
    """The base of all; catch this to catch everything that tiepoint raises on purpose."""


class InvalidInput(TiepointError, ValueError):
    """An argument, image, array or file can't be used as given."""


class WeightsError(TiepointError):
    """Weights can't be found, fetched, verified or loaded."""


class StoreError(TiepointError):
    """A store of features or matches is damaged, or was made with other settings."""


class TrainingError(TiepointError):
    """Training can't go on: the loss, or its gradient, isn't a finite number any more."""


class ExecutorError(TiepointError):
    """Workers can't be started, reached or kept alive."""


class MissingDependency(TiepointError, ImportError):
    """An optional library isn't installed; the message names the pip command."""
