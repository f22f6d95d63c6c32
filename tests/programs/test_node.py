"""Node: a server, fetch(), datagrams and interfaces (libuv: edge-triggered, its own calls)."""

CODE = """
const http = require('http'), dgram = require('dgram'), os = require('os');
const server = http.createServer((q, r) => r.end('from node'));
server.listen(8000, async () => {
  const text = await (await fetch('http://127.0.0.1:8000/')).text();
  const refused = await fetch('http://127.0.0.1:8001/').catch(e => e.cause.code);
  const socket = dgram.createSocket('udp4');
  socket.on('message', (m, from) => {
    console.log(text, refused, m.toString(), from.address, Object.keys(os.networkInterfaces()).join());
    process.exit(0);
  });
  socket.bind(9000, () => socket.send('datagram', 9000, '127.0.0.1'));
});
"""


def test_node(reeve, need):
    need("node")
    r = reeve.run("node", "-e", CODE)
    assert r.stdout == "from node ECONNREFUSED datagram 127.0.0.1 lo,eth0\n", r.stderr
