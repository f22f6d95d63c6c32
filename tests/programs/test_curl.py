"""curl: what it can be told about a connection.

Run: uploads and downloads of 5 MB at once, resumed and in parallel, by IPv4 and by name, with a
port and an address of its own choice; refused, reset, unanswered and cut connections.
Must come out: the same bytes, the chosen port at the server, each failure's own exit status: 6 no
such host, 7 refused, 18 cut, 28 timed out, 52 no answer, 56 reset.
Limits: none known.
"""

import hashlib

PACKAGES = ["curl"]
VERSION = ["curl", "--version"]
HOSTS = 2

SERVER = """if True:
    import hashlib, http.server, socket, struct, threading
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        data = open("data", "rb").read()
        def answer(self, body, status=200):
            self.send_response(status)
            self.send_header("Content-Length", len(body))
            self.end_headers()
            self.wfile.write(body)
        def do_GET(self):
            if self.path == "/port":
                return self.answer(b"%s %d" % (self.client_address[0].encode(), self.client_address[1]))
            if "Range" in self.headers:
                start = int(self.headers["Range"].split("=")[1].split("-")[0])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(self.data) - 1}/{len(self.data)}")
                self.send_header("Content-Length", len(self.data) - start)
                self.end_headers()
                return self.wfile.write(self.data[start:])
            self.answer(self.data)
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(hashlib.sha256(body).hexdigest().encode())
        def log_message(self, *_):
            pass
    def bad(port, act):
        def serve(s=socket.create_server(("0.0.0.0", port))):
            kept = []
            while True:
                c = s.accept()[0]
                kept.append(act(c))
        threading.Thread(target=serve, daemon=True).start()
    def reset(c):
        c.recv(1000)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    def cut(c):
        c.recv(1000)
        c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\nabc")
        c.shutdown(socket.SHUT_WR)
        c.recv(1)
    bad(81, reset)
    bad(82, cut)
    bad(83, lambda c: c)
    bad(84, lambda c: (c.recv(1000), c.shutdown(1), c.recv(1)) and None)
    http.server.ThreadingHTTPServer.request_queue_size = 64
    http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()
"""
CURL = ["curl", "-sS", "--fail", "--max-time", "60"]


def start(site, data):
    (site.scratch / "data").write_bytes(data(5_000_000))
    site.serve("s", "/usr/bin/python3", "-c", SERVER, cwd=site.scratch, ports=[80])


def test_transfers(site, need, data, same):
    need("curl")
    start(site, data)
    source, out = site.scratch / "data", site.scratch / "out"
    assert site.client("c", *CURL, "-T", source, "http://s/x") == \
        hashlib.sha256(source.read_bytes()).hexdigest()
    out.write_bytes(source.read_bytes()[:1_234_567])
    site.client("c", *CURL, "-C", "-", "-o", out, "http://s/x")
    same(source, out)
    many = [word for i in range(12) for word in ("-o", site.scratch / f"out{i}", "http://s/x")]
    site.client("c", *CURL, "-Z", *many)
    same(source, *(site.scratch / f"out{i}" for i in range(12)))
    got = site.client("c", *CURL, "--local-port", "4321", "-4",
                      "--keepalive-time", "3", "--tcp-fastopen", "http://s/port")
    assert got.startswith("198.18.") and got.endswith(" 4321")
    assert site.client("c", *CURL, "--interface", "eth0", "http://s/port").startswith("198.18.")
    assert site.client("c", *CURL, "--resolve", f"name.example:80:{site.address('s')}",
                       "http://name.example/port").startswith("198.18.")


def test_failures(site, need, data):
    need("curl")
    start(site, data)
    for url, status in (("http://none.example/", 6), ("http://s:85/", 7), ("http://s:81/", 56),
                        ("http://s:82/", 18), ("http://s:84/", 52)):
        site.client("c", *CURL, url, status=status)
    site.client("c", *CURL, "--max-time", "0.5", "http://s:83/", status=28)
    # Nobody has the address: ARP's answer does not come.
    r = site.reeve.run("--host", "c", *CURL, "--connect-timeout", "0.5", "http://198.18.200.200/")
    assert r.returncode in (7, 28), r.stderr
