"""Bad input: pointers, lengths, families and flags that are wrong, to each call on each kind of socket in
each of its states. Raw calls, so that no library stands between."""

import ctypes
import errno
import mmap
import os
import socket
import struct

from kit import LIBC, case

NUMBERS = {"socket": 41, "connect": 42, "accept": 43, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47,
           "shutdown": 48, "bind": 49, "listen": 50, "getsockname": 51, "getpeername": 52, "socketpair": 53,
           "setsockopt": 54, "getsockopt": 55, "accept4": 288, "recvmmsg": 299, "sendmmsg": 307}
NULL, BAD = 0, 8
DONTWAIT = socket.MSG_DONTWAIT
NOBODY = 65534
KINDS = {"tcp4": (socket.AF_INET, socket.SOCK_STREAM), "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
         "udp4": (socket.AF_INET, socket.SOCK_DGRAM), "udp6": (socket.AF_INET6, socket.SOCK_DGRAM)}
STATES = ("fresh", "bound", "listening", "connected")


def call(name, *arguments):
    ctypes.set_errno(0)
    value = LIBC.syscall(ctypes.c_long(NUMBERS[name]), *[ctypes.c_long(a) for a in arguments])
    return value if value >= 0 else errno.errorcode[ctypes.get_errno()]


class Edge:
    """Memory at whose end nothing follows."""

    def __init__(self, size=mmap.PAGESIZE):
        self.map = mmap.mmap(-1, size + mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.end = start + size
        LIBC.mprotect(ctypes.c_void_p(self.end), ctypes.c_size_t(mmap.PAGESIZE), 0)

    def put(self, data, missing=0):
        """Its address; the last `missing` bytes would lie behind the edge."""
        there = self.end - len(data) + missing
        ctypes.memmove(there, data, len(data) - missing)
        return there


def held(data):
    """A copy that stays, and its address."""
    buffer = ctypes.create_string_buffer(data, max(len(data), 1))
    KEPT.append(buffer)
    return ctypes.addressof(buffer)


KEPT = []


def name_of(family, port=0, host=None):
    if family == socket.AF_INET6:
        return struct.pack("=H", family) + struct.pack(">HI", port, 0) + socket.inet_pton(family, host or "::1") + bytes(4)
    return struct.pack("=H", family) + struct.pack(">H", port) + socket.inet_aton(host or "127.0.0.1") + bytes(8)


class Maker:
    def __init__(self, kind):
        self.family, self.type = KINDS[kind]
        self.is_tcp = self.type == socket.SOCK_STREAM
        self.address = "127.0.0.1" if self.family == socket.AF_INET else "::1"
        with socket.socket(self.family, socket.SOCK_STREAM) as s:
            s.bind((self.address, 0))
            self.closed = s.getsockname()[1]
        self.peer = socket.socket(self.family, self.type)
        self.peer.bind((self.address, 0))
        if self.is_tcp:
            self.peer.listen(64)

    def states(self):
        return [s for s in STATES if self.is_tcp or s != "listening"]

    def one(self, state):
        s = socket.socket(self.family, self.type)
        if state == "connected":
            s.connect(self.peer.getsockname())
            if self.is_tcp:
                KEPT.append(self.peer.accept()[0])
        elif state != "fresh":
            s.bind((self.address, 0))
        if state == "listening":
            s.listen(4)
        return s


def unprivileged():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


CALLS = {}


# What the kernel itself answers about the program's AF_UNIX end, as no filter sees such calls.
UNSEEN = {
    "bad_send_tcp": ("unconnected-send", ("bad data", "bad data, named", "data over the edge, named")),
    "bad_send_message_tcp": ("unconnected-send", ("a vector of bad bytes",)),
    "bad_send_udp": ("native-send", ("bad data", "to no name", "to no name of no length"))}


def of_each_kind(function):
    """A case of each kind of socket; the function yields rows of one state."""
    def register(kind):
        line, rows = UNSEEN.get(f"bad_{function.__name__}_{kind[:3]}", (None, ()))

        @case(name=f"bad_{function.__name__}_{kind}",
              differs={f"{state}: {row}": line for state in ("fresh", "bound") for row in rows})
        def run(near):
            m = Maker(kind)
            for state in m.states():
                for name, value in function(m, state):
                    yield f"{state}: {name}", value

    for kind in KINDS:
        register(kind)
    return function


def names(m):
    """Names that are wrong in some way, with their lengths."""
    good = name_of(m.family, m.closed)
    edge = Edge()
    for length in (0, 1, 2, 7, 8, 15, 16, 23, 24, 27, 28, 29, 128, 129, 2**31 - 1, -1, -2**31):
        if length != len(good):
            yield f"{length} bytes", held(good.ljust(200, b"\0")), length
    yield "no name", NULL, len(good)
    yield "no name of no length", NULL, 0
    yield "bad pointer", BAD, len(good)
    yield "bad pointer of no length", BAD, 0
    yield "over the edge", edge.put(good, 1), len(good)
    yield "all over the edge", edge.end, len(good)
    for family in (1, 3, 10, 16, 17, 99, 255, 65535):
        if family != m.family:
            yield f"family {family}", held(struct.pack("=H", family) + good[2:]), len(good)


@of_each_kind
def bind(m, state):
    for name, there, length in names(m):
        yield name, call("bind", m.one(state).fileno(), there, length)
    for host in ("192.0.2.77", "2001:db8::77"):
        if (":" in host) == (m.family == socket.AF_INET6):
            data = name_of(m.family, 0, host)
            yield "a foreign address", call("bind", m.one(state).fileno(), held(data), len(data))


@of_each_kind
def connect(m, state):
    for name, there, length in names(m):
        yield name, call("connect", m.one(state).fileno(), there, length)


@of_each_kind
def get_names(m, state):
    edge = Edge()
    for function in ("getsockname", "getpeername"):
        s = m.one(state)
        for room in (0, 1, 15, 16, 28, 100, -1, -2**31):
            length = ctypes.c_int(room)
            r = call(function, s.fileno(), held(bytes(128)), ctypes.addressof(length))
            yield f"{function}, room for {room}", [r, length.value]
        length = ctypes.c_int(100)
        there = ctypes.addressof(length)
        for name, pointer, size in (("bad pointer", BAD, there), ("no pointer", NULL, there), ("bad length", held(bytes(128)), BAD),
                                    ("no length", held(bytes(128)), NULL), ("over the edge", edge.end - 1, there)):
            yield f"{function}, {name}", call(function, s.fileno(), pointer, size)
        length.value = 0
        yield f"{function}, bad pointer without room", call(function, s.fileno(), BAD, there)


@of_each_kind
def shut_down(m, state):
    for how in (-1, 3, 4, 2**31 - 1, -2**31):
        yield f"{how}", call("shutdown", m.one(state).fileno(), how)


@of_each_kind
def listen(m, state):
    for backlog in (0, -1, 2**31 - 1, -2**31, 1 << 32 | 5):
        yield f"{backlog}", call("listen", m.one(state).fileno(), backlog)


@of_each_kind
def accept(m, state):
    s = m.one(state)
    s.setblocking(False)
    for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, 1, 2, 4, 0x100, -1, 1 << 32):
        yield f"flags {flags:#x}", call("accept4", s.fileno(), NULL, NULL, flags)
    yield "bad pointers", call("accept", s.fileno(), BAD, BAD)
    if state != "listening":
        return
    for name, pointer, length in (("bad name", BAD, held(struct.pack("i", 100))), ("bad length", held(bytes(128)), BAD),
                                  ("no length", held(bytes(128)), NULL), ("negative length", held(bytes(128)), held(struct.pack("i", -1)))):
        c = socket.socket(m.family, m.type)
        c.connect(s.getsockname())
        s.setblocking(True)
        yield f"{name} of one that waits", call("accept", s.fileno(), pointer, length)
        c.settimeout(10)
        try:
            yield f"{name}: its peer then reads", c.recv(1)
        except OSError as e:
            yield f"{name}: its peer then reads", errno.errorcode[e.errno]
        c.close()


@of_each_kind
def send(m, state):
    s = m.one(state)
    good = m.peer.getsockname()
    to = held(name_of(m.family, good[1]))
    size = len(name_of(m.family))
    edge = Edge()
    stop = socket.MSG_NOSIGNAL | DONTWAIT
    if not (m.is_tcp and state == "listening"):
        yield "bad data", call("sendto", s.fileno(), BAD, 5, stop, NULL, 0)
        yield "bad data, named", call("sendto", s.fileno(), BAD, 5, stop, to, size)
        yield "data over the edge, named", call("sendto", s.fileno(), edge.end - 3, 5, stop, to, size)
    if m.is_tcp:
        return
    for name, there, length in names(m):
        yield f"to {name}", call("sendto", s.fileno(), held(b"x"), 1, stop, there, length)
    yield "to port 0", call("sendto", s.fileno(), held(b"x"), 1, stop, held(name_of(m.family, 0)), size)
    yield "out of band", call("sendto", s.fileno(), held(b"x"), 1, stop | socket.MSG_OOB, to, size)
    yield "too much", call("sendto", s.fileno(), held(bytes(70000)), 70000, stop, to, size)


@of_each_kind
def receive(m, state):
    s = m.one(state)
    s.setblocking(False)
    room = held(struct.pack("i", 100))
    for name, flags in (("", 0), ("peek", socket.MSG_PEEK), ("out of band", socket.MSG_OOB), ("error queue", socket.MSG_ERRQUEUE),
                        ("truncate", socket.MSG_TRUNC)):
        yield f"nothing there, {name}", call("recvfrom", s.fileno(), held(bytes(64)), 64, flags | DONTWAIT, held(bytes(128)), room)
    yield "bad pointers", call("recvfrom", s.fileno(), BAD, 64, DONTWAIT, BAD, BAD)
    if state != "connected":
        return
    other = KEPT[-1] if m.is_tcp else m.peer
    for name, data, to, length in (("bad data", BAD, NULL, NULL), ("bad name", held(bytes(9)), BAD, room),
                                   ("bad length", held(bytes(9)), held(bytes(128)), BAD),
                                   ("negative length", held(bytes(9)), held(bytes(128)), held(struct.pack("i", -1)))):
        if m.is_tcp and name != "bad data":
            continue
        if m.is_tcp:
            [k for k in KEPT if isinstance(k, socket.socket) and k.getpeername() == s.getsockname()][0].send(b"12345")
        else:
            other.sendto(b"12345", s.getsockname())
        s.setblocking(True)
        yield name, call("recvfrom", s.fileno(), data, 5, 0, to, length)


def header(name=NULL, name_length=0, vectors=NULL, count=0, control=NULL, control_length=0, flags=0):
    return struct.pack("=Qi4xQQQQi4x", name, name_length, vectors, count, control, control_length, flags)


def headers(m):
    data = held(b"12345")
    one = held(struct.pack("=QQ", data, 5))
    to, size = held(name_of(m.family, m.peer.getsockname()[1])), len(name_of(m.family))
    yield "none", NULL
    yield "bad pointer", BAD
    yield "over the edge", Edge().put(header(vectors=one, count=1), 8)
    yield "bad vectors", held(header(to, size, BAD, 1))
    yield "vectors over the edge", held(header(to, size, Edge().put(bytes(16), 8), 1))
    yield "1025 vectors", held(header(to, size, held(bytes(16) * 1025), 1025))
    yield "2**32 vectors", held(header(to, size, one, 2**32))
    yield "2**63 vectors", held(header(to, size, one, 2**63))
    yield "a vector of bad bytes", held(header(to, size, held(struct.pack("=QQ", BAD, 5)), 1))
    yield "a vector of negative length", held(header(to, size, held(struct.pack("=QQ", data, 2**63)), 1))
    yield "the second vector bad", held(header(to, size, held(struct.pack("=QQQQ", data, 5, BAD, 5)), 2))


@of_each_kind
def send_message(m, state):
    if state == "listening":
        return
    s = m.one(state)
    stop = socket.MSG_NOSIGNAL | DONTWAIT
    for name, there in headers(m):
        if m.is_tcp and name in ("the second vector bad",):
            continue  # what is before it may be sent, or not
        yield name, call("sendmsg", s.fileno(), there, stop)
    one = held(struct.pack("=QQ", held(b"12345"), 5))
    if m.is_tcp:
        return
    to, size = held(name_of(m.family, m.peer.getsockname()[1])), len(name_of(m.family))
    for length in (-1, 1, 15, 129):
        yield f"a name of {length} bytes", call("sendmsg", s.fileno(), held(header(to, length, one, 1)), stop)
    yield "a bad name", call("sendmsg", s.fileno(), held(header(BAD, size, one, 1)), stop)
    yield "bad control data", call("sendmsg", s.fileno(), held(header(to, size, one, 1, BAD, 24)), stop)
    yield "2**40 bytes of control data", call("sendmsg", s.fileno(), held(header(to, size, one, 1, one, 2**40)), stop)
    for name, control in (("short", struct.pack("=Qii", 15, 0, 1)), ("long", struct.pack("=Qii", 100, 0, 1)),
                          ("of no level", struct.pack("=Qii8x", 24, 77, 1)), ("of no type", struct.pack("=Qii8x", 24, 0, 99))):
        yield f"control data {name}", call("sendmsg", s.fileno(), held(header(to, size, one, 1, held(control), len(control))), stop)


@of_each_kind
def receive_message(m, state):
    s = m.one(state)
    s.setblocking(False)
    for name, there in headers(m):
        yield name, call("recvmsg", s.fileno(), there, DONTWAIT)


@of_each_kind
def many_messages(m, state):
    if state == "listening":
        return
    s = m.one(state)
    s.setblocking(False)
    stop = socket.MSG_NOSIGNAL | DONTWAIT
    one = held(struct.pack("=QQ", held(b"12345"), 5))
    good = held((header(vectors=one, count=1) + bytes(8)) * 2)
    for name, there, count in (("none", NULL, 0), ("no messages", NULL, 1), ("bad messages", BAD, 1), ("of good ones none", good, 0)):
        yield f"send {name}", call("sendmmsg", s.fileno(), there, count, stop)
        yield f"receive {name}", call("recvmmsg", s.fileno(), there, count, DONTWAIT, NULL)
    yield "receive, nothing there", call("recvmmsg", s.fileno(), good, 2, DONTWAIT, NULL)
    for name, time in (("bad", BAD), ("of negative seconds", held(struct.pack("=qq", -1, 0))),
                       ("of too many nanoseconds", held(struct.pack("=qq", 0, 10**9)))):
        yield f"receive with a time {name}", call("recvmmsg", s.fileno(), good, 2, DONTWAIT, time)


@case
def bad_sockets(near):
    unprivileged()
    for family in (socket.AF_INET, socket.AF_INET6):
        for type in range(12):
            if type != socket.SOCK_DGRAM and type != socket.SOCK_STREAM:
                yield f"{family} {type}", call("socket", family, type, 0)
        for type in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for protocol in (2, 41, 50, 200, 255, 256, 263, -1, 2**31 - 1, 6 if type == 2 else 17):
                yield f"{family} {type} {protocol}", call("socket", family, type, protocol)
        for flags in (0x10, 0x100, 0x800000, 0x40000000, -2**31):
            yield f"{family} with {flags:#x}", call("socket", family, socket.SOCK_STREAM | flags, 0)
        yield f"raw {family}", [call("socket", family, socket.SOCK_RAW, p) for p in (0, 1, 6, 17, 58, 255)]
    for family in (0, 46, 47, 64, 255, 65535, -1, 2**31 - 1):
        yield f"family {family}", [call("socket", family, t, 0) for t in (1, 2, 3)]


@case
def bad_socket_pairs(near):
    two = held(bytes(8))
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 46, 255, -1):
        yield f"{family}", [call("socketpair", family, t, 0, two) for t in (1, 2, 3, 99)]
    yield "AF_UNIX, bad pointer", call("socketpair", socket.AF_UNIX, socket.SOCK_STREAM, 0, BAD)
    yield "AF_INET, bad pointer", call("socketpair", socket.AF_INET, socket.SOCK_STREAM, 0, BAD)


@case
def bad_descriptors_of_each_call(near):
    """No socket, no descriptor, one that can't be used."""
    with open("/dev/null") as f:
        path = os.open("/", os.O_PATH)
        for name, fd in (("file", f.fileno()), ("path", path), ("closed", 999), ("-1", -1), ("huge", 2**31 - 1), ("AT_FDCWD", -100)):
            for function in NUMBERS:
                if function not in ("socket", "socketpair"):
                    yield f"{name}: {function}", call(function, fd, BAD, BAD, BAD, BAD, BAD)
