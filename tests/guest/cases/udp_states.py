"""Every call of a UDP socket in every state that it can be in."""

import ctypes
import select
import socket
import struct

from kit import LIBC, bits, case, error, host, raw, said, udp, until

DONTWAIT = socket.MSG_DONTWAIT


def disconnect(s):
    return raw("connect", s.fileno(), struct.pack("=H14x", 0), 16)


def closed(side):
    with side(udp, address=side.address) as s:
        return s.getsockname()


def connected(near, far):
    b = far(udp, address=far.address)
    a = udp(address=near.address)
    a.connect(b.getsockname())
    return a, b


def fresh(near, far):
    return udp(bind=False), far(udp, address=far.address)


def bound(near, far):
    return udp(address=near.address), far(udp, address=far.address)


def bound_to_any(near, far):
    a = udp(bind=False)
    a.bind(("", 0))
    return a, far(udp, address=far.address)


def disconnected(near, far):
    a, b = connected(near, far)
    disconnect(a)
    return a, b


def pending_error(near, far):
    a = udp(address=near.address)
    a.connect(closed(far))
    a.send(b"x")
    until(a, select.POLLERR)
    return a, far(udp, address=far.address)


def shut(how):
    def state(near, far):
        a, b = connected(near, far)
        a.shutdown(how)
        return a, b

    return state


def closed_by_other(near, far):
    a, b = connected(near, far)
    b.close()
    a.send(b"x")
    until(a, select.POLLERR)
    return a, far(udp, address=far.address)


def queued(near, far):
    a, b = connected(near, far)
    for data in (b"first", b"", b"third"):
        b.sendto(data, a.getsockname())
    # Behind them all, by the same way, as poll() tells of the first only.
    with udp(address=near.address) as behind:
        b.sendto(b"", behind.getsockname())
        until(behind, select.POLLIN)
    return a, b


def unread(near, far):
    """Connected only when something had come already."""
    a, b = bound(near, far)
    b.sendto(b"early", a.getsockname())
    until(a, select.POLLIN)
    a.connect(b.getsockname())
    return a, b


STATES = {
    "fresh": fresh, "bound": bound, "bound_to_any": bound_to_any, "connected": connected,
    "disconnected": disconnected, "pending_error": pending_error, "shut_read": shut(socket.SHUT_RD),
    "shut_write": shut(socket.SHUT_WR), "shut_both": shut(socket.SHUT_RDWR),
    "closed_by_other": closed_by_other, "queued": queued, "unread": unread,
}


def send_named(a, b):
    yield "sendto", said(a.sendto, b"named", b.getsockname())
    yield "again", said(a.sendto, b"again", b.getsockname())
    yield "sendmsg", said(a.sendmsg, [b"in ", b"parts"], [], 0, b.getsockname())
    yield "to port 0", said(a.sendto, b"x", (b.getsockname()[0], 0))
    yield "too long", said(a.sendto, bytes(65508), b.getsockname())
    yield "out of band", said(a.sendto, b"x", socket.MSG_OOB, b.getsockname())
    yield "poll", bits(a)
    yield "error", error(a)


def send_several(a, b):
    name = b.getsockname()
    packed = ctypes.create_string_buffer(
        struct.pack("=H", socket.AF_INET) + struct.pack(">H", name[1]) + socket.inet_aton(name[0]) + bytes(8), 16)
    yield "sendmmsg", many("sendmmsg", a, [b"one", b"two", b"three"], packed)
    yield "again", many("sendmmsg", a, [b"four", bytes(65508), b"six"], packed)
    yield "the first too long", many("sendmmsg", a, [bytes(65508), b"six"], packed)
    yield "none", many("sendmmsg", a, [], packed)


def receive(a, b):
    yield "recvfrom", told(a, 0)
    yield "recvfrom again", told(a, 0)
    yield "peek", told(a, socket.MSG_PEEK)
    yield "poll", bits(a)
    yield "error", error(a)


def receive_message(a, b):
    for row in ("recvmsg", "recvmsg again", "and again"):
        got = said(a.recvmsg, 3, 100, DONTWAIT)
        yield row, got[:3] if isinstance(got, tuple) else got
    yield "error queue", said(a.recvmsg, 9, 100, socket.MSG_ERRQUEUE)
    yield "recvmmsg", many("recvmmsg", a, [bytes(9)] * 2, None, DONTWAIT)


def read(a, b):
    yield "poll", bits(a)
    yield "error", error(a)
    yield "recv", said(a.recv, 9, DONTWAIT)
    yield "recv cut", said(a.recv, 2, DONTWAIT)
    yield "MSG_TRUNC", said(a.recv_into, bytearray(2), 2, DONTWAIT | socket.MSG_TRUNC)
    yield "recv again", said(a.recv, 9, DONTWAIT)


def names(a, b):
    yield "address", host(a.getsockname())
    yield "has a port", a.getsockname()[1] > 0
    peer = said(a.getpeername)
    yield "peer", host(peer) if isinstance(peer, tuple) else peer
    yield "bind", said(a.bind, ("", 0))
    yield "address after bind", host(a.getsockname())
    yield "listen", said(a.listen, 1)
    yield "accept", said(a.accept)


def connect(a, b):
    yield "connect", said(a.connect, b.getsockname())
    yield "address", host(a.getsockname())
    yield "peer", a.getpeername() == b.getsockname()
    yield "poll", bits(a)
    yield "send", said(a.sendmsg, [b"to the peer"])
    yield "disconnect", disconnect(a)
    yield "address, disconnected", host(a.getsockname())
    yield "peer, disconnected", said(a.getpeername)
    yield "disconnect again", disconnect(a)
    yield "to port 0", said(a.connect, (b.getsockname()[0], 0))
    yield "peer of port 0", said(a.getpeername)


def shutdown(a, b):
    yield "wrong", said(a.shutdown, 7)
    yield "read", said(a.shutdown, socket.SHUT_RD)
    yield "poll", bits(a)
    yield "write", said(a.shutdown, socket.SHUT_WR)
    yield "poll, both", bits(a)
    yield "sendto", said(a.sendto, b"x", b.getsockname())
    yield "recvfrom", told(a, 0)


def told(a, flags):
    """The data, and whether they have a sender."""
    got = said(a.recvfrom, 9, flags | DONTWAIT)
    return (got[0], got[1] is not None) if isinstance(got, tuple) else got


class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_long), ("length", ctypes.c_uint)]


def many(function, s, data, name, flags=0, timeout=None):
    """sendmmsg() or recvmmsg(): what it says, and of each message what has become of it."""
    buffers = [ctypes.create_string_buffer(d, max(len(d), 1)) for d in data]
    vectors = [(ctypes.c_size_t * 2)(ctypes.addressof(b), len(d)) for b, d in zip(buffers, data)]
    size = 16 if name else 0
    messages = (Message * max(len(data), 1))(
        *[Message(ctypes.addressof(name) if name else None, size, ctypes.addressof(v), 1) for v in vectors])
    if function == "sendmmsg":
        n = raw(function, s.fileno(), messages, len(data), flags)
    else:
        n = raw(function, s.fileno(), messages, len(data), flags, timeout)
    if not isinstance(n, int):
        return n
    return [n] + [(messages[i].length, buffers[i].raw[:messages[i].length] if function == "recvmmsg" else None)
                  for i in range(n)]


CALLS = (send_named, send_several, receive, receive_message, read, names, connect, shutdown)


# A native read's error is another one: the document says why.
NATIVE = {"read": {}}


def of_state(state, call, differs=None):
    def run(near, far):
        a, b = STATES[state](near, far)
        yield from call(a, b)

    case(name=f"udp_{state}_{call.__name__}", differs=differs)(run)


for state in STATES:
    for call in CALLS:
        of_state(state, call)
