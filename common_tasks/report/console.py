"""Output: lines of styled text, in colour on a terminal and plain in a pipe."""

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from .text import wrap

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_AT_ONCE = 1000  # lines
_NARROWEST, _USUAL = 20, 80  # columns
# What replaces the shapes if the encoding lacks them.
_PLAIN = {"○": "o", "●": "*", "■": "=", "◆": "#", "△": "^", "◐": "~", "✗": "x", "━": "=", "╸": "-", "…": "~"}


class Span(NamedTuple):
    """A piece of a line. `style`: in rich's words."""

    text: str
    style: str = ""


class Prose(NamedTuple):
    """Sentences that are broken between words into as many lines as a terminal needs.

    `indent`: what each line begins with, except that the first one may begin with `start`.
    """

    text: str
    style: str = ""
    indent: str = ""
    start: str = ""


Line = tuple[Span, ...] | Prose


class Screen:
    """Standard output, and what has to be known about it to lay text out.

    `is_terminal`: whether it is one. `width`: its columns, or None in a pipe, where nothing is cut or wrapped. A
    terminal that claims to have no columns (`COLUMNS=0`) is taken to have 80.
    """

    def __init__(self) -> None:
        self._console = terminal() if sys.stdout and sys.stdout.isatty() else None
        self.is_terminal = self._console is not None
        self.width = self._console.width if self._console else None
        self.encoding: str = getattr(sys.stdout, "encoding", None) or "utf-8"
        shapes = "".join(_PLAIN)
        has_shapes = shapes.encode(self.encoding, "ignore").decode(self.encoding) == shapes
        self._plain = {} if has_shapes else str.maketrans(_PLAIN)

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines, some at a time: there may be very many."""
        pending = self._broken(lines)
        while some := list(islice(pending, _AT_ONCE)):
            if self._console:
                self._console.print(self._styled(some), soft_wrap=True)
            else:
                write("".join(self._unstyled(spans) for spans in some))

    def _broken(self, lines: Iterable[Line]) -> Iterator[tuple[Span, ...]]:
        for each in lines:
            if isinstance(each, Prose):
                yield from (line(text, each.style) for text in wrap(each.text, self.width, each.indent, each.start))
            else:
                yield each

    def _unstyled(self, spans: tuple[Span, ...]) -> str:
        text = "".join([span.text for span in spans]).rstrip()
        return f"{text.translate(self._plain) if self._plain else text}\n"

    def _styled(self, lines: list[tuple[Span, ...]]) -> "Text":
        from rich.text import Text

        texts = [Text.assemble(*((span.text.translate(self._plain), span.style) for span in spans)) for spans in lines]
        for text in texts:
            text.rstrip()
        return Text("\n").join(texts)


def line(text: str, style: str = "") -> tuple[Span, ...]:
    """Return a line in one style that is never broken."""
    return (Span(text, style),)


def write(text: str | bytes) -> None:
    """Write text, or bytes as they are, to standard output. It is no error if the reader has gone."""
    if sys.stdout is None:  # closed before we began
        return
    try:
        if isinstance(text, bytes):
            sys.stdout.flush()
            sys.stdout.buffer.write(text)
        else:
            sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python flushes standard output again at exit: that has to go nowhere, or it fails once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader has gone
            raise


def terminal(*, stderr: bool = False) -> "Console":
    """Return a console that draws on a terminal: on standard output, or on standard error."""
    from rich.console import Console

    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    console.width = max(_NARROWEST, console.width or _USUAL)
    return console
