"""inetd's `wait` style: the UDP socket is standard input. One datagram is answered."""

import socket

here = socket.socket(fileno=0)
text, peer = here.recvfrom(65535)
here.sendto(text.upper(), peer)
