"""A server that is given its listening sockets, as systemd and reeve(1) do it (sd_listen_fds(3)):
from descriptor 3 on, as many as LISTEN_FDS says, named by LISTEN_FDNAMES."""

import os
import selectors
import socket

if os.environ.get("LISTEN_PID") != str(os.getpid()):
    raise SystemExit("this is started by 'reeve up', or by systemd")
names = os.environ["LISTEN_FDNAMES"].split(":")
ready = selectors.DefaultSelector()
for number, name in enumerate(names):
    ready.register(socket.socket(fileno=3 + number), selectors.EVENT_READ, name)
while True:
    for key, _ in ready.select():
        connection, (address, port) = key.fileobj.accept()
        with connection:
            connection.recv(4096)
            body = f"{address}:{port} came by {key.data}\n"
            connection.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
