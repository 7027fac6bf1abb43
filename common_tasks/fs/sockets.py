"""The Unix sockets of this network namespace, as the kernel lists them (Linux: sock_diag(7)).

Unlike `/proc/net/unix`, this gives the device and inode that a socket is bound to, so it works for relative names too.
An ordinary user may ask.
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .kernel import Inode, raise_if_short

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY, _DONE, _ERROR = 20, 3, 2  # SOCK_DIAG_BY_FAMILY, NLMSG_DONE, NLMSG_ERROR
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_SHOW = 0x01 | 0x02 | 0x10  # UDIAG_SHOW_NAME, UDIAG_SHOW_VFS, UDIAG_SHOW_RQLEN
_NAME, _FILE, _QUEUE = 0, 1, 4  # UNIX_DIAG_NAME, UNIX_DIAG_VFS, UNIX_DIAG_RQLEN
_ALL = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST = struct.Struct("=BBHIIIII")  # unix_diag_req
_MESSAGE = struct.Struct("=BBBBIII")  # unix_diag_msg
_PAIR = struct.Struct("=II")
_ATTRIBUTE = struct.Struct("=HH")


class BoundSocket(NamedTuple):
    """A socket with a name in the file system: the name as it was given to bind(2), and what it named."""

    name: str
    file: Inode


class Sockets(NamedTuple):
    """The Unix sockets there are: those bound to a file, and the numbers of those with data that nobody has read."""

    bound: list[BoundSocket]
    unread: frozenset[int]


def list_sockets() -> Sockets | None:
    """Return the Unix sockets of this network namespace; None if the system does not list them.

    Raises OSError if this process cannot open any more files.
    """
    bound: list[BoundSocket] = []
    unread = set()
    try:
        for number, attributes in _dump():
            if _FILE in attributes:
                inode, device = _PAIR.unpack_from(attributes[_FILE])
                file = f"{device >> 20}:{device & 0xFFFFF}", inode
                bound.append(BoundSocket(os.fsdecode(attributes.get(_NAME, b"").rstrip(b"\0")), file))
            if _QUEUE in attributes and _PAIR.unpack_from(attributes[_QUEUE])[0]:
                unread.add(number)
    except (OSError, AttributeError) as error:  # not Linux, an old kernel, or forbidden in a container
        if isinstance(error, OSError):
            raise_if_short(error)
        return None
    return Sockets(bound, frozenset(unread))


def _dump() -> Iterator[tuple[int, dict[int, bytes]]]:
    """Yield the number of each socket, and its attributes. Raises OSError."""
    request = _REQUEST.pack(socket.AF_UNIX, 0, 0, _ALL, 0, _SHOW, _ALL, _ALL)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as netlink:
        netlink.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            for kind, body in _messages(netlink.recv(2**18)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    raise OSError(code, os.strerror(code))
                yield _MESSAGE.unpack_from(body)[4], dict(_attributes(body[_MESSAGE.size :]))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return length + 3 & ~3


def names_bound_elsewhere(pid: int) -> list[str]:
    """Return the absolute names of the Unix sockets in a process's network namespace. Raises OSError.

    Relative names are left out: nobody outside that namespace can tell what they refer to.
    """
    with open(f"/proc/{pid}/net/unix", "rb") as table:
        # Number, references, protocol, flags, type, state, inode, name.
        rows = [row.rstrip(b"\n").split(None, 7) for row in table]
    return [os.fsdecode(row[7]) for row in rows if len(row) == 8 and row[7].startswith(b"/")]
