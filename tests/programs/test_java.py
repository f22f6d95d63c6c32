"""Java: its HTTP server and client, and a close that has to wake an accept."""

CODE = """
import java.io.*;
import java.net.*;
import java.net.http.*;

public class Try {
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
        System.exit(0);
    }
}
"""


def test_java(reeve, need, tmp_path):
    need("java", "javac")
    (tmp_path / "Try.java").write_text(CODE)
    r = reeve.run("java", str(tmp_path / "Try.java"), timeout=60)
    assert r.stdout == "from java\nclosed\n", r.stderr
