"""Echo sockets, as ping uses them."""

import fcntl
import select
import socket
import struct

from kit import bits, case, error, host, raw, said, until
from cases.udp_messages import RECVERR, RECVTTL, control, set_ip
from cases.udp_states import DONTWAIT


def own_network():
    """Where everybody may have echo sockets: on the machine's own few may (net.ipv4.ping_group_range)."""
    raw("unshare", 0x40000000)  # CLONE_NEWNET
    with open("/proc/sys/net/ipv4/ping_group_range", "w") as f:
        f.write("0 2147483647")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def echo():
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except PermissionError:
        own_network()
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)


def request(sequence=1, data=b"payload", kind=8, code=0):
    return struct.pack(">BBHHH", kind, code, 0, 0x9999, sequence) + data


def opened(reply):
    """A reply's type, code, sequence and data."""
    kind, code, _, _, sequence = struct.unpack_from(">BBHHH", reply)
    return kind, code, sequence, reply[8:]


@case(root=True)
def icmp_round(near, far):
    s = near(echo)
    yield "send", said(s.sendto, request(), (far.address, 0))
    reply, name = s.recvfrom(99)
    yield "reply", opened(reply)
    yield "from", host(name)
    yield "its port", name[1]
    yield "identifier is the port", struct.unpack(">H", reply[4:6])[0] == s.getsockname()[1]
    yield "poll", bits(s)


@case(root=True)
def icmp_identifiers(near):
    a, b, c = near(echo), near(echo), near(echo)
    yield "bind", said(a.bind, ("127.0.0.1", 4711))
    yield "reuse", c.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    yield "shared", said(c.bind, ("127.0.0.1", 4711))
    c.close()
    yield "name", a.getsockname()
    yield "bind again", said(a.bind, ("127.0.0.1", 4712))
    yield "foreign", said(b.bind, ("203.0.113.4", 0))
    a.sendto(request(7), ("127.0.0.1", 0))
    b.sendto(request(8), ("127.0.0.1", 0))
    yield "first's", opened(a.recv(99))[2]
    yield "second's", opened(b.recv(99))[2]
    yield "nothing more", said(a.recv, 9, DONTWAIT)


@case(root=True)
def icmp_what_may_be_sent(near):
    s = near(echo)
    name = ("127.0.0.1", 0)
    yield "reply", said(s.sendto, request(kind=0), name)
    yield "unreachable", said(s.sendto, request(kind=3), name)
    yield "with a code", said(s.sendto, request(code=1), name)
    yield "too short", said(s.sendto, b"1234567", name)
    yield "nothing", said(s.sendto, b"", name)
    yield "header alone", said(s.sendto, request(data=b""), name)
    yield "to a port", said(s.sendto, request(), ("127.0.0.1", 5))
    yield "without a name", said(s.sendmsg, [request()])
    yield "out of band", said(s.sendto, request(), socket.MSG_OOB, name)


@case(root=True)
def icmp_connected(near, far):
    s = near(echo)
    yield "connect", said(s.connect, (far.address, 1))
    yield "address", host(s.getsockname())
    yield "peer", host(s.getpeername())
    yield "send", said(s.sendmsg, [request(3)])
    yield "reply", opened(s.recvfrom(99)[0])


@case(root=True)
def icmp_options(near):
    s = near(echo)
    yield "type", s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    yield "protocol", s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    yield "fresh", s.getsockname()
    yield "peer", said(s.getpeername)
    yield "poll", bits(s)
    yield "listen", said(s.listen, 1)
    yield "wrong kind", said(socket.socket, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)


@case(root=True)
def icmp_control(near, far):
    s = near(echo)
    yield "set", set_ip(s, RECVTTL)
    s.sendto(request(), (far.address, 0))
    yield "control", control(s.recvmsg(99, 100)[1])
    yield "ttl out", said(s.sendmsg, [request(5)], [(socket.IPPROTO_IP, 2, struct.pack("i", 9))], 0,
                          (far.address, 0))
    yield "reply", opened(s.recvfrom(99)[0])


@case(root=True)
def icmp_sizes(near, far):
    s = near(echo)
    for size in (0, 56, 1472, 1473, 20000, 65499):
        yield f"send {size}", said(s.sendto, request(1, bytes(size)), (far.address, 0))
        yield f"reply {size}", len(s.recv(70000))
    yield "send 65508", said(s.sendto, request(1, bytes(65500)), (far.address, 0))
    yield "cut", said(s.sendto, request(2, bytes(100)), (far.address, 0))
    data, _, flags, _ = s.recvmsg(20)
    yield "cut reply", (len(data), flags)


@case(root=True)
def icmp_error_queue(near):
    s = near(echo)
    yield "set", set_ip(s, RECVERR)
    yield "empty", said(s.recvmsg, 9, 99, socket.MSG_ERRQUEUE)
    yield "error", error(s)


@case(root=True)
def icmp_shut(near):
    s = near(echo)
    yield "unconnected", said(s.shutdown, socket.SHUT_WR)
    yield "send", said(s.sendto, request(), ("127.0.0.1", 0))
    yield "poll", bits(s)


@case(root=True)
def icmp_several(near, far):
    s = near(echo)
    for i in range(10):
        s.sendto(request(i), (far.address, 0))
    yield "in order", [opened(s.recv(99))[2] for _ in range(10)]
    yield "poll", until(s, select.POLLOUT)
