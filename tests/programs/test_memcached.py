"""memcached: threads, many connections, datagrams.

Run: memcached with four threads; 500 connections at once from two hosts, values of up to 1 MB,
and a get by UDP.
Must come out: every value as it was set, the number of connections that its own statistics count,
the reply by UDP with its request's number.
Limits: none known.
"""

PACKAGES = ["memcached"]
VERSION = ["memcached", "--version"]
HOSTS = 3

CONNECTIONS = 250
CLIENT = f"""if True:
    import os, socket, sys
    me = sys.argv[1]
    many = [socket.create_connection(("s", 11211)) for _ in range({CONNECTIONS})]
    files = [s.makefile("rwb") for s in many]
    for i, f in enumerate(files):
        f.write(b"set %s.%d 0 0 5\\r\\n%05d\\r\\n" % (me.encode(), i, i))
        f.flush()
    assert all(f.readline() == b"STORED\\r\\n" for f in files)
    for f in files:
        f.write(b"".join(b"get %s.%d\\r\\n" % (me.encode(), i) for i in range({CONNECTIONS})))
        f.flush()
    for f in files:
        for i in range({CONNECTIONS}):
            assert f.readline().split()[:1] == [b"VALUE"]
            assert f.readline() == b"%05d\\r\\n" % i
            assert f.readline() == b"END\\r\\n"
    big = os.urandom(1_000_000)
    for f in files[:8]:
        f.write(b"set %s 0 0 %d\\r\\n%s\\r\\nget %s\\r\\n" % (me.encode(), len(big), big, me.encode()))
        f.flush()
    for f in files[:8]:
        assert f.readline() == b"STORED\\r\\n"
        f.readline()
        assert f.read(len(big) + 2) == big + b"\\r\\n" and f.readline() == b"END\\r\\n"
    files[0].write(b"stats\\r\\n")
    files[0].flush()
    for line in iter(files[0].readline, b"END\\r\\n"):
        if line.startswith(b"STAT curr_connections"):
            assert int(line.split()[2]) >= {CONNECTIONS}, line
    print("done")
"""
DATAGRAM = """if True:
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect(("s", 11211))
    s.send(b"\\x12\\x34\\0\\0\\0\\1\\0\\0" + b"get c1.7\\r\\n")
    print(s.recv(1500))
"""


def test_many_clients(site, need):
    need("memcached")
    site.serve("s", "memcached", "-t", "4", "-c", "1024", "-U", "11211", "-l", "0.0.0.0", "-u",
               "root", ports=[11211])
    got = site.together(*((f"c{i}", "/usr/bin/python3", "-c", CLIENT, f"c{i}") for i in (1, 2)))
    assert got == ["done\n", "done\n"]
    assert site.client("c1", "/usr/bin/python3", "-c", DATAGRAM) == \
        repr(b"\x124\0\0\0\1\0\0VALUE c1.7 0 5\r\n00007\r\nEND\r\n") + "\n"
