"""Errors that tiepoint raises on purpose.

    TiepointError
    ├── InvalidInput (also ValueError)         invalid argument, image, array or file
    ├── WeightsError                           weights that cannot be found, downloaded, verified or loaded
    ├── StoreError                             store of features or matches that is corrupted or has other settings
    ├── TrainingError                          training that diverged
    ├── ExecutorError                          workers that cannot be started, reached or kept alive
    └── MissingDependency (also ImportError)   optional library that is not installed

A message is one line: what is wrong, what was given, what to do. The command line prints it on stderr without a
traceback and exits with status 1. Geometry that cannot be estimated is a value with a reason, not an error.
"""


class TiepointError(Exception):
    """Base class of all errors that tiepoint raises on purpose."""


class InvalidInput(TiepointError, ValueError):
    """An argument, image, array or file is invalid."""


class WeightsError(TiepointError):
    """Weights cannot be found, downloaded, verified or loaded."""


class StoreError(TiepointError):
    """A store of features or matches is corrupted, or was created with other settings."""


class TrainingError(TiepointError):
    """Training diverged: the loss or its gradient is not finite."""


class ExecutorError(TiepointError):
    """Workers cannot be started, reached or kept alive."""


class MissingDependency(TiepointError, ImportError):
    """An optional library is not installed; the message contains the pip command."""
