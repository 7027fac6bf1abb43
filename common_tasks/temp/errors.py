"""What the engine raises: each subclasses the built-in error that fits."""


class InvalidName(ValueError):
    """A name, category or suffix that no directory may have."""


class InvalidAge(ValueError):
    """A number of hours that is negative, not finite or no number."""


class BaseRefused(OSError):
    """A folder that is not ours to look into, to write to or to clean."""


class GuardFailed(RuntimeError):
    """There is a git repository, but git would not say what it tracks."""


class Unremovable(OSError):
    """A directory that was to be cleaned up, and what stood in the way."""


class EngineWarning(RuntimeWarning):
    """A fault on one directory that a library call lived with."""
