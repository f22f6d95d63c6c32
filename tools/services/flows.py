"""What passed a host's link, by port: `reeve capture` writes pcapng, and this counts it.

The bytes of a TCP connection are told by its sequence numbers (RFC 9293, section 3.4), so that what
was sent twice counts once; the bytes of UDP are those of its datagrams.
"""

import ipaddress
import struct
import threading

ENHANCED_PACKET = 6
TCP, UDP = 6, 17
SYN, ACK = 2, 16


class Direction:
    """The bytes that one side of a TCP connection has sent."""

    def __init__(self):
        self.first = None
        self.bytes = 0

    def add(self, sequence, flags, length):
        if self.first is None:
            self.first = sequence + (1 if flags & SYN else 0)
        offset = (sequence + (1 if flags & SYN else 0) - self.first) & 0xffffffff
        if offset < 0x80000000:
            self.bytes = max(self.bytes, offset + length)


class Flow:
    def __init__(self, client, port, is_data):
        self.client = client  # "198.18.0.3:49152"
        self.port = port
        self.is_data = is_data
        self.into, self.out = Direction(), Direction()


class Flows:
    """Reads a pcapng stream in a thread of its own, until it ends.

    `address` is the server's. FTP's connections for data count as port 21's: those to a passive
    port, and those that the server itself opens.
    """

    def __init__(self, stream, address, passive_ports):
        self.stream = stream
        self.address = address
        self.passive_ports = passive_ports
        self.flows = {}
        self.begun = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def of(self, protocol, port):
        """(first client's socket, bytes in, bytes out) of all flows of a service's port."""
        number = {"tcp": TCP, "udp": UDP}[protocol]
        flows = [f for (p, *_), f in self.flows.items() if p == number and f.port == port]
        control = [f for f in flows if not f.is_data]
        return (control[0].client if control else "", sum(f.into.bytes for f in flows),
                sum(f.out.bytes for f in flows))

    def _read(self):
        while True:
            head = self._exactly(8)
            if not head:
                return
            kind, length = struct.unpack("<II", head)
            body = self._exactly(length - 8)
            self.begun.set()
            if kind == ENHANCED_PACKET and body:
                captured, = struct.unpack_from("<I", body, 12)
                self._packet(memoryview(body)[20:20 + captured])

    def _exactly(self, n):
        piece = self.stream.read(n)
        return piece if len(piece) == n else None

    def _packet(self, frame):
        if len(frame) < 34 or frame[12:14] != b"\x08\x00":
            return
        packet = frame[14:]
        header = (packet[0] & 15) * 4
        length, = struct.unpack_from("!H", packet, 2)
        protocol = packet[9]
        fragment, = struct.unpack_from("!H", packet, 6)
        if protocol not in (TCP, UDP) or fragment & 0x1fff or len(packet) < header + 8:
            return
        source, destination = (str(ipaddress.ip_address(bytes(packet[i:i + 4])))
                               for i in (12, 16))
        here, there = struct.unpack_from("!HH", packet, header)
        flags = packet[header + 13] if protocol == TCP else 0
        into = destination == self.address
        if into:
            flow = self._flow(protocol, there, (source, here), False)
        elif source == self.address:
            flow = self._flow(protocol, here, (destination, there), flags & (SYN | ACK) == SYN)
        else:
            return
        side = flow.into if into else flow.out
        if protocol == UDP:
            side.bytes += length - header - 8
        else:
            sequence, = struct.unpack_from("!I", packet, header + 4)
            side.add(sequence, flags, length - header - (packet[header + 12] >> 4) * 4)

    def _flow(self, protocol, port, client, is_from_server):
        key = (protocol, port, client)
        flow = self.flows.get(key)
        if not flow:
            is_data = is_from_server or protocol == TCP and port in self.passive_ports
            flow = Flow("%s:%d" % client, 21 if is_data else port, is_data)
            self.flows[key] = flow
        return flow
