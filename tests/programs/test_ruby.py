"""ruby: TCPServer with threads, Net::HTTP, UDPSocket.

Run: a server with a thread a connection; 30 clients in threads; Net::HTTP to a server of python's; a
server of datagrams, and clients with and without connect.
Must come out: every answer, from the address that was asked; an exception of the right class where
nobody listens.
Limits: none known.
"""

PACKAGES = ["ruby"]
VERSION = ["ruby", "--version"]
HOSTS = 3

SERVER = """
require 'socket'
server = TCPServer.new('0.0.0.0', 7000)
loop do
  Thread.new(server.accept) do |c|
    while line = c.gets
      c.puts "#{c.peeraddr(false)[3]} #{line.upcase}"
    end
    c.close
  end
end
"""
CLIENT = """
require 'socket'
require 'net/http'
threads = 30.times.map do |i|
  Thread.new do
    s = TCPSocket.new('s', 7000)
    s.puts "word#{i}"
    s.gets == "#{s.local_address.ip_address} WORD#{i}\\n"
  end
end
puts threads.map(&:value).all?
puts Net::HTTP.get(URI('http://web/page'))
begin
  TCPSocket.new('s', 7001)
rescue Errno::ECONNREFUSED
  puts 'refused'
end
"""
UDP_SERVER = """
require 'socket'
server = UDPSocket.new
server.bind('0.0.0.0', 7000)
loop do
  text, from = server.recvfrom(65536)
  server.send("#{from[3]} #{text.upcase}", 0, from[3], from[1])
end
"""
UDP_CLIENT = """
require 'socket'
server = Socket.getaddrinfo('s', 7000, :INET, :DGRAM)[0]
plain = UDPSocket.new
plain.send('plain', 0, 's', 7000)
text, from = plain.recvfrom(65536)
puts text.end_with?(' PLAIN'), from[1] == 7000, from[3] == server[3]
connected = UDPSocket.new
connected.connect('s', 7000)
own = connected.local_address.ip_address
[0, 1, 1472, 1473, 60000].each do |size|
  connected.send('x' * size, 0)
  raise 'nothing comes' unless connected.wait_readable(30)
  puts connected.recv_nonblock(65536) == "#{own} #{'X' * size}"
end
begin
  connected.recvfrom_nonblock(9)
rescue IO::WaitReadable
  puts 'empty'
end
nobody = UDPSocket.new
nobody.connect('s', 7001)
nobody.send('x', 0)
begin
  nobody.recvfrom(9)
rescue Errno::ECONNREFUSED
  puts 'refused'
end
"""


def test_datagrams(site, need):
    need("ruby")
    site.serve("s", "ruby", "-e", UDP_SERVER)
    site.until_bound("s")
    assert site.client("c", "ruby", "-rio/wait", "-e", UDP_CLIENT).split() == ["true"] * 8 + [
        "empty", "refused"]


def test_ruby(site, need):
    need("ruby")
    (site.scratch / "page").write_text("page")
    site.serve("web", "/usr/bin/python3", "-m", "http.server", "80", cwd=site.scratch, ports=[80])
    site.serve("s", "ruby", "-e", SERVER, ports=[7000])
    assert site.client("c", "ruby", "-e", CLIENT) == "true\npage\nrefused\n"
