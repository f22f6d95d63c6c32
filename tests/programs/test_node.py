"""Node: http, fetch, net, dgram, cluster.

Run: an HTTP server with fetch and a refused fetch; datagrams and the interfaces; 100 connections
of net to another host, half closed; a cluster of two workers that share a port, by both schedules.
Must come out: every answer, ECONNREFUSED, lo and eth0, answers from both workers.
Limits: none known.
"""

import pytest

PACKAGES = ["nodejs"]
VERSION = ["node", "--version"]
HOSTS = 2

FIRST = """
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
ECHO = """
require('net').createServer({ allowHalfOpen: true }, c => c.pipe(c)).listen(7000);
"""
CLIENTS = """
const net = require('net'), crypto = require('crypto');
let left = 100;
for (let i = 0; i < 100; i++) {
  const data = crypto.randomBytes(i < 4 ? 2000000 : 1000), got = [];
  const c = net.connect(7000, 's', () => c.end(data));
  c.on('data', d => got.push(d));
  c.on('error', e => { console.log(e.code); process.exit(1); });
  c.on('end', () => {
    if (!Buffer.concat(got).equals(data)) { console.log('differs'); process.exit(1); }
    if (--left == 0) console.log('done');
  });
}
"""
CLUSTER = """
const cluster = require('cluster'), http = require('http');
if (process.argv[1] == 'none') cluster.schedulingPolicy = cluster.SCHED_NONE;
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else http.createServer((q, r) => {
  r.setHeader('Connection', 'close');
  setTimeout(() => r.end('worker ' + cluster.worker.id + '\\n'), 20);
}).listen(80);
"""


def test_node(site, need):
    need("node")
    assert site.client("c", "node", "-e", FIRST) == \
        "from node ECONNREFUSED datagram 127.0.0.1 lo,eth0\n"


def test_net(site, need):
    need("node")
    site.serve("s", "node", "-e", ECHO, ports=[7000])
    assert site.client("c", "node", "-e", CLIENTS) == "done\n"


@pytest.mark.parametrize("schedule", ["round", "none"])
def test_cluster(site, need, schedule):
    need("node", "curl")
    site.serve("s", "node", "-e", CLUSTER, schedule, ports=[80])
    got = site.client("c", "curl", "-sS", "--max-time", "60", "-Z", "--parallel-max", "20",
                      *["http://s/"] * 40).splitlines()
    assert sorted(set(got)) == ["worker 1", "worker 2"] and len(got) == 40
