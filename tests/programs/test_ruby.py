"""ruby: TCPServer with threads, Net::HTTP.

Run: a server with a thread a connection; 30 clients in threads; Net::HTTP to a server of python's.
Must come out: every answer, an exception of the right class where nobody listens.
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


def test_ruby(site, need):
    need("ruby")
    (site.scratch / "page").write_text("page")
    site.serve("web", "/usr/bin/python3", "-m", "http.server", "80", cwd=site.scratch, ports=[80])
    site.serve("s", "ruby", "-e", SERVER, ports=[7000])
    assert site.client("c", "ruby", "-e", CLIENT) == "true\npage\nrefused\n"
