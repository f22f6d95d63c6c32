"""What else datagrams can be asked and told: control data, error queues, corks, interfaces."""

import ctypes
import errno
import select
import socket
import struct
import threading
import time

from kit import WAIT, bits, case, error, eventually, host, later, raw, said, udp, until
from cases.udp_states import DONTWAIT, closed, many

PKTINFO, RECVERR, RECVTTL, RECVTOS, MTU_DISCOVER, MTU, ORIGDSTADDR = 8, 11, 12, 13, 10, 14, 20
DONTROUTE, CORK, CONFIRM = 4, 1, 0x800
TIMESTAMPNS = 35  # SO_TIMESTAMPNS


def set_ip(s, name, value=1):
    return said(s.setsockopt, socket.IPPROTO_IP, name, value)


def control(got):
    """Kinds and values, addresses left out."""
    return sorted((level, kind, bytes(data).hex() if kind in (1, 2) or len(data) <= 4 else len(data))
                  for level, kind, data in got)


def problem(s, size=100):
    """The oldest of the error queue: data, flags, to whom, and what of it."""
    got = said(s.recvmsg, size, 500, socket.MSG_ERRQUEUE)
    if not isinstance(got, tuple):
        return got
    data, ancillary, flags, name = got
    for level, kind, value in ancillary:
        if kind == RECVERR:
            number, origin, what, code, _, info, _ = struct.unpack_from("=IBBBBII", value)
            return (data, flags, host(name), errno.errorcode.get(number), origin, what, code, info,
                    host((socket.inet_ntoa(value[20:24]),)))
    return data, flags, "no IP_RECVERR"


@case
def udp_refused_is_told_once(near, far):
    a = udp(address=near.address)
    a.connect(closed(far))
    a.send(b"x")
    yield "poll", until(a, select.POLLERR)
    yield "error", error(a)
    yield "again", error(a)
    yield "poll again", bits(a)
    a.send(b"x")
    yield "poll, second", until(a, select.POLLERR)
    yield "recvfrom", said(a.recvfrom, 9)
    yield "poll after", bits(a)


@case
def udp_refused_wakes_who_waits(near, far):
    a = udp(address=near.address)
    a.connect(closed(far))
    waiting = later(a.recvfrom, 9).asleep()
    a.send(b"x")
    yield "recvfrom", waiting.wait()
    yield "poll", bits(a)


@case(differs={"recv": "native-error", "recv that waits": "native-error"})
def udp_refused_natively(near, far):
    a = udp(address=near.address)
    a.connect(closed(far))
    a.send(b"x")
    until(a, select.POLLERR)
    yield "recv", said(a.recv, 9)
    yield "recv again", said(a.recv, 9, DONTWAIT)
    waiting = later(a.recv, 9).asleep()
    a.send(b"x")
    yield "recv that waits", waiting.wait()


@case
def udp_refused_unconnected(near, far):
    a = udp(address=near.address)
    name = closed(far)
    a.sendto(b"x", name)
    b = far(udp, address=far.address)
    b.sendto(b"later", a.getsockname())
    yield "data", said(a.recvfrom, 9)[0]
    yield "error", error(a)


@case
def udp_edge_of_an_error(near, far):
    a = udp(address=near.address)
    a.connect(closed(far))
    e = select.epoll()
    e.register(a, select.EPOLLIN | select.EPOLLET)
    yield "quiet", e.poll(0)
    a.send(b"x")
    yield "events", [v for _, v in e.poll(WAIT)]
    yield "error", error(a)


@case
def udp_error_queue(near, far):
    a = udp(address=near.address)
    yield "set", set_ip(a, RECVERR)
    yield "empty", problem(a)
    a.sendto(b"to nobody", closed(far))
    yield "poll", until(a, select.POLLERR)
    yield "problem", problem(a)
    yield "poll after", bits(a)
    yield "error", error(a)
    yield "empty again", problem(a)


@case
def udp_error_queue_of_several(near, far):
    a = udp(address=near.address)
    set_ip(a, RECVERR)
    for data in (b"one", b"two"):
        a.sendto(data, closed(far))
        yield data.decode() + " error", eventually(lambda: error(a), "ECONNREFUSED")
    yield "cut", problem(a, 2)
    yield "second", problem(a)
    yield "third", problem(a)
    yield "poll", bits(a)


@case
def udp_error_queue_and_data(near, far):
    a = udp(address=near.address)
    set_ip(a, RECVERR)
    a.sendto(b"to nobody", closed(far))
    until(a, select.POLLERR)
    b = far(udp, address=far.address)
    b.sendto(b"data", a.getsockname())
    until(a, select.POLLIN)
    yield "recvfrom says the error", said(a.recvfrom, 9)
    yield "then the data", said(a.recvfrom, 9)[0]
    yield "problem", problem(a)
    yield "off", set_ip(a, RECVERR, 0)
    yield "empty", problem(a)


@case
def udp_too_big_for_the_path(near):
    a, b = near(udp), near(udp)
    yield "discover", set_ip(a, MTU_DISCOVER, 2)
    yield "65507", said(a.sendto, bytes(65507), b.getsockname())
    yield "unconnected", said(a.getsockopt, socket.IPPROTO_IP, MTU)
    yield "wrong", set_ip(a, MTU_DISCOVER, 6)


@case
def udp_sizes_both_ways(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    for size in (0, 1, 1471, 1472, 1473, 9000, 65507):
        yield f"send {size}", said(a.sendto, bytes(size), b.getsockname())
        yield f"receive {size}", len(b.recvfrom(70000)[0])
    yield "send 65508", said(a.sendto, bytes(65508), b.getsockname())
    yield "send 70000", said(a.sendto, bytes(70000), b.getsockname())


@case
def udp_control_in(near, far):
    a, b = udp(bind=False), far(udp, address=far.address)
    a.bind(("", 0))
    for name in (PKTINFO, RECVTTL, RECVTOS, ORIGDSTADDR):
        yield f"set {name}", set_ip(a, name)
    b.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 33)
    b.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    b.sendto(b"x", (near.address, a.getsockname()[1]))
    data, ancillary, flags, _ = a.recvmsg(9, 300)
    yield "order", [(level, kind) for level, kind, _ in ancillary]
    yield "control", control(ancillary)
    yield "its addresses", [host((socket.inet_ntoa(d[i:i + 4]),)) for _, k, d in ancillary if k == PKTINFO
                            for i in (4, 8)]
    yield "flags", flags
    b.sendto(b"x", (near.address, a.getsockname()[1]))
    yield "no room", a.recvmsg(9, 20)[2] & socket.MSG_CTRUNC != 0
    b.sendto(b"x", (near.address, a.getsockname()[1]))
    yield "none at all", a.recvmsg(9)[2] & socket.MSG_CTRUNC != 0


@case
def udp_control_out(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    b.setsockopt(socket.IPPROTO_IP, RECVTTL, 1)
    b.setsockopt(socket.IPPROTO_IP, RECVTOS, 1)
    for what, kind, value in (("ttl", 2, struct.pack("i", 9)), ("tos", 1, struct.pack("i", 8)),
                              ("tos in a byte", 1, b"\x20")):
        yield what, said(a.sendmsg, [b"x"], [(socket.IPPROTO_IP, kind, value)], 0, b.getsockname())
        yield f"{what} came", control(b.recvmsg(9, 300)[1])
    for what, level, kind, value in (
            ("ttl 0", 0, 2, struct.pack("i", 0)), ("ttl 256", 0, 2, struct.pack("i", 256)),
            ("short ttl", 0, 2, b"\1"), ("tos 256", 0, 1, struct.pack("i", 256)), ("unknown", 0, 99, bytes(4)),
            ("short info", 0, PKTINFO, bytes(4)), ("of TCP", 6, 1, bytes(4)),
            ("unknown of SOL_SOCKET", 1, 99, bytes(4))):
        yield what, said(a.sendmsg, [b"x"], [(level, kind, value)], 0, b.getsockname())


@case
def udp_source_by_control(near, far):
    a, b = udp(bind=False), far(udp, address=far.address)
    a.bind(("", 0))

    def send(address, iface=0):
        info = struct.pack("=i4s4s", iface, socket.inet_aton(address), bytes(4))
        return said(a.sendmsg, [b"x"], [(socket.IPPROTO_IP, PKTINFO, info)], 0, b.getsockname())

    yield "own", send(near.address)
    yield "came from", host(b.recvfrom(9)[1])
    yield "any", send("0.0.0.0")
    yield "foreign", send("203.0.113.7")
    yield "interface that is not", send("0.0.0.0", 99)


@case
def udp_timestamps(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    for name, size in ((29, 1e6), (35, 1e9)):
        before = time.time()
        yield f"set {name}", said(a.setsockopt, socket.SOL_SOCKET, name, 1)
        b.sendto(b"x", a.getsockname())
        ancillary = a.recvmsg(9, 300)[1]
        yield f"kind {name}", [(level, kind, len(d)) for level, kind, d in ancillary]
        s, part = struct.unpack("ll", ancillary[0][2])
        yield f"when {name}", before - 1 <= s + part / size <= time.time() + 1
    yield "off", said(a.setsockopt, socket.SOL_SOCKET, 35, 0)
    b.sendto(b"x", a.getsockname())
    yield "none", a.recvmsg(9, 300)[1]


@case
def udp_cork(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    a.connect(b.getsockname())
    yield "set", said(a.setsockopt, socket.IPPROTO_UDP, CORK, 1)
    yield "send", said(a.sendmsg, [b"one "])
    yield "send again", said(a.sendmsg, [b"two "])
    yield "get", said(a.getsockopt, socket.IPPROTO_UDP, CORK)
    yield "nothing yet", said(b.recv, 99, int(DONTWAIT))
    yield "send natively", said(a.send, b"three")
    yield "unset", said(a.setsockopt, socket.IPPROTO_UDP, CORK, 0)
    yield "one datagram", said(b.recv, 99)
    a.send(b"next")
    yield "next", said(b.recv, 99)


@case
def udp_more(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    yield "more", said(a.sendto, b"one ", socket.MSG_MORE, b.getsockname())
    yield "nothing yet", said(b.recv, 99, int(DONTWAIT))
    yield "last", said(a.sendto, b"two", b.getsockname())
    yield "one datagram", said(b.recv, 99)


@case
def udp_flags_that_change_nothing(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    for flag in (CONFIRM, socket.MSG_NOSIGNAL, socket.MSG_EOR, DONTWAIT, DONTROUTE):
        yield f"send {int(flag):#x}", said(a.sendto, b"x", int(flag), b.getsockname())
        yield f"came {int(flag):#x}", said(b.recv, 9)


@case
def udp_recvmmsg_waits_for_all(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    b.sendto(b"one", a.getsockname())
    waiting = later(many, "recvmmsg", a, [bytes(9)] * 2, None).asleep()
    b.sendto(b"two", a.getsockname())
    yield "both", waiting.wait()


@case
def udp_recvmmsg_waits_for_one(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    waiting = later(many, "recvmmsg", a, [bytes(9)] * 2, None, 0x10000).asleep()
    b.sendto(b"one", a.getsockname())
    yield "one", waiting.wait()


@case
def udp_recvmmsg_time(near, far):
    a, b = udp(address=near.address), far(udp, address=far.address)
    for i in range(3):
        b.sendto(b"x", a.getsockname())
    until(a, select.POLLIN)
    none = ctypes.create_string_buffer(struct.pack("ll", 0, 0), 16)
    wrong = ctypes.create_string_buffer(struct.pack("ll", 0, 10**9), 16)
    long = ctypes.create_string_buffer(struct.pack("ll", 100, 0), 16)
    yield "no time", many("recvmmsg", a, [bytes(9)] * 3, None, 0, none)
    yield "no such time", many("recvmmsg", a, [bytes(9)] * 3, None, 0, wrong)
    yield "two in time", many("recvmmsg", a, [bytes(9)] * 2, None, 0, long)
    yield "some is left", struct.unpack("ll", long.raw)[0] >= 90


@case
def udp_recvmmsg_and_an_error(near, far):
    a = udp(address=near.address)
    set_ip(a, RECVERR)
    yield "empty", many("recvmmsg", a, [bytes(9)], None, int(DONTWAIT))
    a.sendto(b"to nobody", closed(far))
    until(a, select.POLLERR)
    yield "error", many("recvmmsg", a, [bytes(9)], None, int(DONTWAIT))
    yield "problem", many("recvmmsg", a, [bytes(99)], None, int(socket.MSG_ERRQUEUE))


@case
def udp_timeout(near):
    a = near(udp)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20000))
    yield "recvfrom", said(a.recvfrom, 9)
    yield "recv", said(a.recv, 9)
    yield "recvmmsg", many("recvmmsg", a, [bytes(9)], None)


@case
def udp_interface(near):
    lo, any_ = near(udp), near(udp, bind=False)
    yield "set", said(lo.setsockopt, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    yield "none such", said(lo.setsockopt, socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"nothing0")
    any_.sendto(b"x", lo.getsockname())
    yield "came", said(lo.recvfrom, 9)[0]
    yield "reply", said(lo.sendto, b"y", any_.getsockname()) if any_.getsockname()[0] != "0.0.0.0" else 1


@case
def udp_broadcast_wants_to_be_allowed(near):
    a = near(udp, bind=False)
    yield "limited", said(a.sendto, b"x", ("255.255.255.255", 9))
    yield "set", said(a.setsockopt, socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    yield "connect", said(a.connect, ("127.0.0.1", 9))


@case
def udp_reuse_port_group(near, far):
    a = udp(bind=False)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    a.bind((near.address, 0))
    b = udp(bind=False)
    yield "alone", said(b.bind, a.getsockname())
    b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    yield "together", said(b.bind, a.getsockname())
    for i in range(20):
        with far(udp, address=far.address) as c:
            c.sendto(b"x", a.getsockname())

    def all_here():
        got[0] += sum(1 for s in (a, b) if isinstance(said(s.recv, 9, DONTWAIT), bytes))
        return got[0]

    got = [0]
    yield "all of them", eventually(all_here, 20)


@case
def udp_closed_member_of_a_group(near, far):
    """What would have been a closed socket's goes to the others at once."""
    a, b = udp(bind=False), udp(bind=False)
    for s in (a, b):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    a.bind((near.address, 0))
    b.bind(a.getsockname())
    a.close()
    for i in range(10):
        with far(udp, address=far.address) as c:
            c.sendto(b"%d" % i, b.getsockname())
            yield f"datagram {i}", said(b.recvfrom, 9)[0]


@case
def udp_there_when_sent(near, far):
    """Nobody waits for it: sendto() and sendmsg() return when it has come."""
    a, b, c = (udp(address=near.address), far(udp, address=far.address),
               udp(address=near.address))
    name = a.getsockname()
    yield "sendto", sorted({str(said(a.recv, 9, DONTWAIT)) for _ in range(100) if b.sendto(b"x", name)})
    yield "sendmsg", sorted({str(said(a.recv, 9, DONTWAIT)) for _ in range(100) if c.sendmsg([b"y"], [], 0, name)})


@case
def udp_there_when_sent_by_several(near):
    """However many send at the same time."""
    found = set()

    def exchange():
        a, b = near(udp), near(udp)
        for _ in range(300):
            b.sendto(b"x", a.getsockname())
            found.add(str(said(a.recv, 9, DONTWAIT)))

    threads = [threading.Thread(target=exchange) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    yield "found", sorted(found)


@case
def udp_full_queue_drops(near):
    a, b = near(udp), near(udp)
    for i in range(3000):
        b.sendto(b"%d" % i, a.getsockname())
    got = 0
    while isinstance(said(a.recv, 9, DONTWAIT), bytes):
        got += 1
    yield "kept", 100 < got < 3000
    data = b""
    for _ in range(1000):  # what it had been sent may not all have been taken yet
        b.sendto(b"after", a.getsockname())
        while (data := said(a.recv, 9, DONTWAIT)) not in (b"after", "EAGAIN"):
            pass
        if data == b"after":
            break
    yield "goes on", data


@case
def udp_ipv6_control(near):
    a, b = near(udp, socket.AF_INET6), near(udp, socket.AF_INET6)
    for name in (49, 51, 66):  # IPV6_RECVPKTINFO, RECVHOPLIMIT, RECVTCLASS
        a.setsockopt(socket.IPPROTO_IPV6, name, 1)
    b.sendto(b"x", a.getsockname())
    ancillary = a.recvmsg(9, 300)[1]
    yield "kinds", [(level, kind, len(d)) for level, kind, d in ancillary]
    yield "values", [d.hex() for _, kind, d in ancillary]
    yield "hop limit out", said(b.sendmsg, [b"x"], [(41, 52, struct.pack("i", 7))], 0, a.getsockname())
    yield "hop limit came", [d.hex() for _, kind, d in a.recvmsg(9, 300)[1] if kind == 52]


@case
def udp_mapped_control(near):
    a = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    a.bind(("::", 0))
    b = near(udp)
    for name in (49, 51, 66):
        a.setsockopt(socket.IPPROTO_IPV6, name, 1)
    for name in (PKTINFO, RECVTTL):
        a.setsockopt(socket.IPPROTO_IP, name, 1)
    b.sendto(b"x", ("127.0.0.1", a.getsockname()[1]))
    yield "kinds", [(level, kind, len(d)) for level, kind, d in a.recvmsg(9, 300)[1]]


@case
def udp_ipv6_error_queue(near):
    a = near(udp, socket.AF_INET6)
    a.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
    with near(udp, socket.AF_INET6) as s:
        name = s.getsockname()
    a.sendto(b"to nobody", name)
    yield "poll", until(a, select.POLLERR)
    data, ancillary, flags, _ = a.recvmsg(99, 300, socket.MSG_ERRQUEUE)
    yield "data", data
    yield "flags", flags
    yield "what", [(level, kind, d[:8].hex()) for level, kind, d in ancillary]


# --- multicast ---------------------------------------------------------------------------------

JOIN, LEAVE, JOIN_SOURCE, LEAVE_SOURCE, BLOCK = 35, 36, 39, 40, 38
GROUP = "239.77.1.2"


def mreq(group, address="127.0.0.1", *source):
    return b"".join(socket.inet_aton(a) for a in (group, address, *source))


def member(address, group=GROUP, join=JOIN):
    s = udp(bind=False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", 0))
    s.setsockopt(socket.IPPROTO_IP, join, mreq(group, address))
    return s


def speaker(address):
    s = udp(address=address)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    return s


@case
def multicast_from_host_to_host(near, far):
    a, b = near(member, near.address), far(speaker, far.address)
    yield "send", said(b.sendto, b"to all", (GROUP, a.getsockname()[1]))
    data, name = a.recvfrom(9)
    yield "data", data
    yield "from", host(name)
    yield "leave", said(a.setsockopt, socket.IPPROTO_IP, LEAVE, mreq(GROUP, near.address))
    yield "leave again", said(a.setsockopt, socket.IPPROTO_IP, LEAVE, mreq(GROUP, near.address))


@case
def multicast_membership(near):
    s = near(udp, bind=False)
    yield "join", set_ip(s, JOIN, mreq(GROUP))
    yield "again", set_ip(s, JOIN, mreq(GROUP))
    yield "no group", set_ip(s, JOIN, mreq("192.0.2.7"))
    yield "no such interface", set_ip(s, JOIN, mreq("239.1.1.1", "203.0.113.9"))
    yield "no such index", set_ip(s, JOIN, mreq("239.1.1.1") + struct.pack("i", 99))
    yield "too short", set_ip(s, JOIN, bytes(7))
    yield "by index", set_ip(s, JOIN, mreq("239.1.1.1", "0.0.0.0") + struct.pack("i", 1))
    yield "leave by index", set_ip(s, LEAVE, mreq("239.1.1.1", "0.0.0.0") + struct.pack("i", 1))
    yield "leave what was not joined", set_ip(s, LEAVE, mreq("239.1.1.9"))
    yield "leave no group", set_ip(s, LEAVE, mreq("192.0.2.7"))
    yield "leave", set_ip(s, LEAVE, mreq(GROUP))


@case
def multicast_limit(near):
    s = near(udp, bind=False)
    for i in range(22):
        yield f"join {i}", set_ip(s, JOIN, mreq(f"239.77.2.{i}"))


@case
def multicast_sources(near):
    s = near(udp, bind=False)
    for what, name, source in (
            ("leave unjoined", LEAVE_SOURCE, "127.0.0.1"), ("join", JOIN_SOURCE, "127.0.0.1"),
            ("again", JOIN_SOURCE, "127.0.0.1"), ("another", JOIN_SOURCE, "127.0.0.2"),
            ("block", BLOCK, "127.0.0.2"), ("leave one", LEAVE_SOURCE, "127.0.0.1"),
            ("leave it again", LEAVE_SOURCE, "127.0.0.1"), ("leave the other", LEAVE_SOURCE, "127.0.0.2")):
        yield what, set_ip(s, name, socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
                           + socket.inet_aton(source))
    yield "nothing is left", set_ip(s, LEAVE, mreq(GROUP))


@case
def multicast_to_whom(near):
    a, b = near(member, "127.0.0.1"), near(udp, bind=False)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    b.bind(("", a.getsockname()[1]))
    s = near(speaker, "127.0.0.1")

    def heard():
        s.sendto(b"x", (GROUP, a.getsockname()[1]))
        yield "member", said(a.recv, 9)
        yield "another", said(b.recv, 9, DONTWAIT)

    for row, seen in heard():
        yield f"{row}, all", seen
    yield "not all", set_ip(b, 49, 0)
    for row, seen in heard():
        yield f"{row}, not all", seen


@case
def multicast_without_loop(near):
    a, s = near(member, "127.0.0.1"), near(speaker, "127.0.0.1")
    yield "default", s.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP)
    yield "ttl", s.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL)
    a.setsockopt(socket.IPPROTO_IP, RECVTTL, 1)
    a.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 5)
    s.sendto(b"x", (GROUP, a.getsockname()[1]))
    yield "control", [(k, bytes(d).hex()) for _, k, d in a.recvmsg(9, 300)[1]]


@case
def multicast_interface(near):
    s = near(udp, bind=False)
    for what, value in (("address", socket.inet_aton("127.0.0.1")), ("none such", socket.inet_aton("203.0.113.9")),
                        ("index", bytes(8) + struct.pack("i", 1)), ("no such index", bytes(8) + struct.pack("i", 99)),
                        ("any", bytes(4)), ("mreq", mreq("0.0.0.0"))):
        yield what, set_ip(s, socket.IP_MULTICAST_IF, value)
        yield f"{what}, told", s.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, 4)


@case
def multicast_bound_to_the_group(near):
    a = near(udp, bind=False)
    yield "bind", said(a.bind, (GROUP, 0))
    yield "join", set_ip(a, JOIN, mreq(GROUP))
    s = near(speaker, "127.0.0.1")
    s.sendto(b"x", (GROUP, a.getsockname()[1]))
    yield "came", said(a.recv, 9)
    s.sendto(b"y", ("127.0.0.1", a.getsockname()[1]))
    s.sendto(b"z", (GROUP, a.getsockname()[1]))
    yield "not what is for another address", said(a.recv, 9)


def send_times(s, name, count):
    """Datagrams in a row, each with the time at which it was sent."""
    for _ in range(count):
        s.sendto(struct.pack("q", time.clock_gettime_ns(time.CLOCK_REALTIME)), name)


@case
def arrival_lies_between(near, far):
    """Not before it was sent, not after it was read."""
    a, b = udp(address=near.address), far(udp, address=far.address)
    a.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
    early = late = 0
    for _ in range(20):
        sending = far(later, send_times, b, a.getsockname(), 50)
        for _ in range(50):
            data, ancillary, _, _ = a.recvmsg(9, 100)
            now = time.clock_gettime_ns(time.CLOCK_REALTIME)
            sent, = struct.unpack("q", data)
            seconds, ns = struct.unpack("ll", ancillary[0][2])
            early += seconds * 1_000_000_000 + ns < sent
            late += seconds * 1_000_000_000 + ns > now
        sending.wait()
    yield "early, late", (early, late)
