"""Python: http.server, asyncio, TLS, multiprocessing.

Run: http.server, fetched from its own host and from another; asyncio with 200 connections at once
and 1 MB through eight of them, by TCP and by TLS, and with datagrams; a multiprocessing manager.
Must come out: the page, every answer, the same bytes, a list that two hosts have changed.
Limits: none known.
"""

import pytest
from test_openssl import certificate

PACKAGES = ["openssl", "python3"]
VERSION = ["python3", "--version"]
HOSTS = 2

PYTHON = "/usr/bin/python3"
ECHO = """if True:
    import asyncio, ssl, sys
    async def serve(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
    class Upper(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport
        def datagram_received(self, data, address):
            self.transport.sendto(data.upper(), address)
    async def main():
        context = None
        if len(sys.argv) > 1:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*sys.argv[1:])
        await asyncio.get_running_loop().create_datagram_endpoint(Upper, ("0.0.0.0", 7))
        server = await asyncio.start_server(serve, "0.0.0.0", 7, ssl=context, backlog=256)
        await server.serve_forever()
    asyncio.run(main())
"""
CLIENTS = """if True:
    import asyncio, os, ssl, sys
    context = ssl.create_default_context(cafile=sys.argv[1]) if len(sys.argv) > 1 else None
    many = 200
    async def open():
        return await asyncio.open_connection("s", 7, ssl=context)
    async def word(pair, i):
        reader, writer = pair
        writer.write(b"word %d\\n" % i)
        assert await reader.readline() == b"word %d\\n" % i
    async def bulk(pair):
        reader, writer = pair
        data = os.urandom(1_000_000)
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        await writer.drain()
    class Answer(asyncio.DatagramProtocol):
        def __init__(self, future):
            self.future = future
        def datagram_received(self, data, address):
            self.future.set_result(data)
    async def main():
        pairs = await asyncio.gather(*(open() for _ in range(many)))
        for _ in range(3):
            await asyncio.gather(*(word(p, i) for i, p in enumerate(pairs)))
        await asyncio.gather(*(bulk(p) for p in pairs[:8]))
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: Answer(future),
                                                           remote_addr=("s", 7))
        transport.sendto(b"datagram")
        assert await future == b"DATAGRAM"
        for _, writer in pairs:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for _, w in pairs))
        print("done")
    asyncio.run(main())
"""
MANAGER = """if True:
    import sys
    from multiprocessing.managers import BaseManager
    shared = []
    class Manager(BaseManager):
        pass
    if sys.argv[1] == "serve":
        Manager.register("shared", lambda: shared)
        Manager(("0.0.0.0", 5000), b"secret").get_server().serve_forever()
    Manager.register("shared")
    m = Manager(("s", 5000), b"secret")
    m.connect()
    m.shared().append(sys.argv[2])
    print(m.shared())
"""


def test_http_server(site):
    (site.scratch / "page").write_text("hello")
    site.serve("web", PYTHON, "-m", "http.server", "80", cwd=site.scratch, ports=[80])
    code = "import urllib.request as r, sys; print(r.urlopen(sys.argv[1]).read())"
    for host, name in ("web", "127.0.0.1"), ("web", "web"), ("c", "web"):
        assert site.client(host, PYTHON, "-c", code, f"http://{name}/page") == "b'hello'\n"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_asyncio(site, need, tls):
    need("openssl")
    keys = certificate(site)[1::2] if tls else []
    site.serve("s", PYTHON, "-c", ECHO, *keys, ports=[7])
    assert site.client("c", PYTHON, "-c", CLIENTS, *keys[:1]) == "done\n"


def test_manager(site):
    site.serve("s", PYTHON, "-c", MANAGER, "serve", ports=[5000])
    site.client("a", PYTHON, "-c", MANAGER, "add", "from a")
    assert site.client("b", PYTHON, "-c", MANAGER, "add", "from b") == "['from a', 'from b']\n"
