"""What applies while a task runs, and how it ends if something is refused."""

import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator

from invoke.exceptions import Exit

_DESCRIPTORS = 16384
_FEWEST = 16  # descriptors that a task needs
_MOMENT = 0.001  # seconds: by then Python has left the code in which it ignores the interrupt


def exit_if(*, failed: bool) -> None:
    """End with exit code 1 if something failed."""
    if failed:
        raise Exit(code=1)


def allow_descriptors() -> None:
    """Let this process open up to 16,384 files, if the system allows it: a clean handles more projects at once then."""
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _DESCRIPTORS)
    if 0 <= now < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS reports a limit that it does not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _need_descriptors() -> None:
    """End with exit code 2 if this process may open so few files that a task would see only part of what is there.

    Raises OSError if the system itself has none left.
    """
    with contextlib.ExitStack() as taken:
        for number in range(_FEWEST):
            try:
                taken.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                if error.errno != errno.EMFILE:
                    raise
                few = f"this process may open only {number} more files, and a task needs {_FEWEST}: see `ulimit -n`"
                raise Exit(f"{few}; nothing was touched", code=2) from None


def _need_working_directory() -> None:
    """End with exit code 2 if the working directory was deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise Exit("the working directory no longer exists", code=2) from None


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Turn off garbage collection of cycles during the block: there may be very many entries, and no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn what is refused into one line on standard error and exit code 2.

    If the system refuses something, the exit code is 1; after Ctrl-C it is 130, without a line.
    """
    with _interrupts_kept():
        allow_descriptors()
        _need_descriptors()
        from ..fs.values import complaint
        from ..project.errors import TempError

        try:
            _need_working_directory()
            yield
        except TempError as error:
            raise Exit(str(error), code=2) from None
        except OSError as error:
            raise Exit(f"the system refused: {complaint('', error)}", code=1) from None
        except KeyboardInterrupt:
            raise Exit(code=130) from None


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Raise KeyboardInterrupt again, a moment later, if Python only reports it.

    It does that in finalizers and in weak reference callbacks. One of those runs whenever a module is imported.
    """
    before = sys.unraisablehook

    def raise_again(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            before(ignored)

    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = before
