"""perl: IO::Socket.

Run: a forking server of perl's and 20 clients; select with IO::Select over TCP and UDP; a timeout.
Must come out: every answer, the peer's address as the host's, a refusal with its text.
Limits: none known.
"""

PACKAGES = ["perl"]
VERSION = ["perl", "-v"]
HOSTS = 2

SERVER = r"""
use IO::Socket::INET; use IO::Select; $SIG{CHLD} = 'IGNORE'; $| = 1;
my $t = IO::Socket::INET->new(Listen => 50, LocalPort => 7000, ReuseAddr => 1) or die $@;
my $u = IO::Socket::INET->new(Proto => 'udp', LocalPort => 7000) or die $@;
my $s = IO::Select->new($t, $u);
while (my @ready = $s->can_read) {
    for my $x (@ready) {
        if ($x == $u) {
            my $from = $u->recv(my $data, 1500);
            $u->send(scalar reverse($data), 0, $from);
            next;
        }
        my $c = $t->accept or next;
        if (!fork) {
            while (my $line = <$c>) { chomp $line; print $c $c->peerhost, " ", scalar reverse($line), "\n"; }
            exit 0;
        }
        close $c;
    }
}
"""
CLIENT = r"""
use IO::Socket::INET; use Sys::Hostname; use Socket;
my @all = map { IO::Socket::INET->new(PeerAddr => 's:7000', Timeout => 20) or die $@ } 1 .. 20;
my $me = $all[0]->sockhost;
for my $i (0 .. 19) { my $c = $all[$i]; print $c "word$i\n"; $c->flush; }
for my $i (0 .. 19) {
    my $c = $all[$i];
    my $expected = "$me " . reverse("word$i") . "\n";
    my $got = <$c>;
    die "got $got" unless $got eq $expected;
}
my $u = IO::Socket::INET->new(Proto => 'udp', PeerAddr => 's:7000') or die $@;
$u->send('datagram');
$u->recv(my $data, 1500);
print "$data\n";
IO::Socket::INET->new(PeerAddr => 's:7001', Timeout => 20) or print "$!\n";
"""


def test_perl(site, need):
    need("perl")
    site.serve("s", "perl", "-e", SERVER, ports=[7000])
    assert site.client("c", "perl", "-e", CLIENT) == "margatad\nConnection refused\n"
