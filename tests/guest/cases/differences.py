"""Lines of docs/differences.md that no case of anything else comes across."""

import ctypes
import os
import socket
import struct

from kit import case, listener, pair, said, settle, tcp, udp

DONTWAIT, MORE = int(socket.MSG_DONTWAIT), socket.MSG_MORE
SOCK_DIAG = 4
FREEBIND, MSFILTER = 15, 41
SAVE_SYN, SAVED_SYN, UPPER, INQ = 27, 28, 31, 36
ATTACH_FILTER = 26
INCLUDE = 1
ELSEWHERE = "192.0.2.77"
GROUP, SOURCE = "239.1.2.3", "198.51.100.1"


@case(differs={"has a listener": "proc-net"})
def table_of_proc(near):
    with listener() as l, open("/proc/net/tcp") as table:
        inodes = [line.split()[9] for line in table.readlines()[1:]]
        yield "has a listener", str(os.fstat(l.fileno()).st_ino) in inodes


@case(differs={"socket": "sock-diag"})
def sockets_by_netlink(near):
    yield "socket", said(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG).close())


@case(differs={f"bind of {kind}": "no-effect" for kind in ("tcp", "udp")})
def free_bind(near):
    for kind, s in (("tcp", tcp()), ("udp", udp(bind=False))):
        yield f"set of {kind}", said(s.setsockopt, socket.IPPROTO_IP, FREEBIND, 1)
        yield f"bind of {kind}", said(s.bind, (ELSEWHERE, 0))


@case(differs={"control data": "no-effect"})
def unread_with_each_message(near, far):
    a, b = pair(near, far)
    yield "set", said(a.setsockopt, socket.IPPROTO_TCP, INQ, 1)
    b.send(b"x")
    yield "control data", a.recvmsg(1, 100)[1]


@case(differs={"kept": "no-effect"})
def saved_syn(near, far):
    with listener(address=near.address) as l:
        yield "set", said(l.setsockopt, socket.IPPROTO_TCP, SAVE_SYN, 1)
        c = far(tcp)
        c.connect(l.getsockname())
        a, _ = l.accept()
        yield "kept", len(a.getsockopt(socket.IPPROTO_TCP, SAVED_SYN, 200)) > 0


@case(differs={"source": "multicast-filter", "IPv6": "multicast-filter"})
def filter_of_a_group(near):
    s = udp(bind=False)
    group, here = socket.inet_aton(GROUP), socket.inet_aton(near.address)
    yield "join", said(s.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + here)
    yield "source", said(s.setsockopt, socket.IPPROTO_IP, MSFILTER,
                         group + here + struct.pack("=II", INCLUDE, 1) + socket.inet_aton(SOURCE))
    s = udp(socket.AF_INET6, bind=False)
    yield "IPv6", said(s.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                       socket.inet_pton(socket.AF_INET6, "ff01::77") + struct.pack("=I", 1))


def upper(name):
    return said(tcp().setsockopt, socket.IPPROTO_TCP, UPPER, name)


# Not every kernel has it: ENOENT says that it has not.
@case(differs={"tls": "tcp-upper"} if upper(b"tls") != "ENOENT" else None)
def upper_protocols(near):
    yield "tls", upper(b"tls")
    yield "none that is", upper(b"nosuch")


@case(differs={"held back": "more-is-sent"})
def more(near, far):
    """A kernel holds it back for no longer than 200 ms, which may be over when it is looked at: hence the
    attempts."""
    def is_held_back():
        a, b = pair(near, far)
        with a, b:
            a.send(b"one ", MORE)
            settle(near, far)
            return said(b.recv, 99, DONTWAIT) == "EAGAIN"

    yield "held back", any(is_held_back() for _ in range(8))


@case(differs={"recv": "stream-filter"}, root=True)
def filter_of_a_stream(near, far):
    a, b = pair(near, far)
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0), 8)  # lets nothing through
    yield "set", said(a.setsockopt, socket.SOL_SOCKET, ATTACH_FILTER,
                      struct.pack("@HP", 1, ctypes.addressof(program)))
    b.send(b"x")
    settle(near, far)
    yield "recv", said(a.recv, 9, DONTWAIT)
