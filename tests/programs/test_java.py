"""Java: HttpServer, HttpClient, NIO, and a close that wakes an accept.

Run: HttpServer and HttpClient on one host; a selector that serves 100 channels of another host;
DatagramChannel; the interfaces; ServerSocket.close while another thread accepts.
Must come out: every answer, the interfaces lo and eth0, an exception in the thread that accepts.
Limits: a close wakes an accept within 0.1 s, where Linux does at once.
"""

PACKAGES = ["openjdk-17-jdk-headless"]
VERSION = ["java", "--version"]
HOSTS = 2

FIRST = """
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.util.*;
import java.util.stream.*;

public class First {
    public static void main(String[] a) throws Exception {
        var server = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress(8000), 0);
        server.createContext("/", x -> {
            x.sendResponseHeaders(200, 9);
            x.getResponseBody().write("from java".getBytes());
            x.close();
        });
        server.start();
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:8000/")).build();
        System.out.println(HttpClient.newHttpClient()
            .send(request, HttpResponse.BodyHandlers.ofString()).body());
        var listener = new ServerSocket(8001);
        var thread = new Thread(() -> {
            try {
                listener.accept();
            } catch (IOException e) {
                System.out.println("closed");
            }
        });
        thread.start();
        while (thread.getState() != Thread.State.RUNNABLE)
            Thread.onSpinWait();
        listener.close();
        thread.join();
        System.out.println(NetworkInterface.networkInterfaces().map(NetworkInterface::getName)
            .sorted().collect(Collectors.joining(" ")));
        try {
            new Socket("127.0.0.1", 8002);
        } catch (ConnectException e) {
            System.out.println(e.getMessage());
        }
        System.exit(0);
    }
}
"""
SERVER = """
import java.net.*;
import java.nio.*;
import java.nio.channels.*;

public class Server {
    public static void main(String[] a) throws Exception {
        var selector = Selector.open();
        var listener = ServerSocketChannel.open().bind(new InetSocketAddress(7000), 200);
        listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        var datagrams = DatagramChannel.open().bind(new InetSocketAddress(7000));
        datagrams.configureBlocking(false).register(selector, SelectionKey.OP_READ);
        var buffer = ByteBuffer.allocateDirect(65536);
        while (true) {
            selector.select();
            for (var i = selector.selectedKeys().iterator(); i.hasNext(); i.remove()) {
                var key = i.next();
                buffer.clear();
                if (key.isAcceptable()) {
                    var c = listener.accept();
                    if (c != null)
                        c.configureBlocking(false).register(selector, SelectionKey.OP_READ);
                } else if (key.channel() == datagrams) {
                    var from = datagrams.receive(buffer);
                    if (from != null)
                        datagrams.send(buffer.flip(), from);
                } else {
                    var c = (SocketChannel) key.channel();
                    if (c.read(buffer) < 0) {
                        c.close();
                        continue;
                    }
                    buffer.flip();
                    while (buffer.hasRemaining())
                        c.write(buffer);
                }
            }
        }
    }
}
"""
CLIENT = """if True:
    import os, socket
    many = [socket.create_connection(("s", 7000)) for _ in range(100)]
    for i, s in enumerate(many):
        s.sendall(b"%4d" % i * 1000)
    for i, s in enumerate(many):
        data = b""
        while len(data) < 4000:
            data += s.recv(4000)
        assert data == b"%4d" % i * 1000
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.connect(("s", 7000))
    u.send(b"datagram")
    print(u.recv(100))
"""


def test_java(site, need, tmp_path):
    need("java", "javac")
    (tmp_path / "First.java").write_text(FIRST)
    assert site.client("c", "java", tmp_path / "First.java") == \
        "from java\nclosed\neth0 lo\nConnection refused\n"


def test_nio(site, need, tmp_path):
    need("java", "javac")
    (tmp_path / "Server.java").write_text(SERVER)
    site.serve("s", "java", tmp_path / "Server.java", ports=[7000], patience=60)
    assert site.client("c", "/usr/bin/python3", "-c", CLIENT) == "b'datagram'\n"
