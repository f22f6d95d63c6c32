/*
 * The port space against the kernel: every socket of a generated list is brought into a state
 * (bound, listening, connected, accepted, TIME-WAIT ...), and then every other tries to bind, to
 * listen and to connect beside it, on real loopback sockets and in a port space. Both must give the
 * same errno at each step. Then triples, chosen at random.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "port/space.h"

#include "../base/cmocka_all.h"
#include "../base/own_kernel.h"
#include "../base/seed.h"

/* A socket's name and what bears on conflicts. */
struct shape {
	const char *address;
	bool ipv6, ipv6_only;
	bool reuse_address, reuse_port;
	bool other_owner;
};

static const struct shape places[] = {
	{ .address = "0.0.0.0" },
	{ .address = "127.0.0.1" },
	{ .address = "127.0.0.2" },
	{ .address = "::ffff:0.0.0.0", .ipv6 = true },
	{ .address = "::ffff:127.0.0.1", .ipv6 = true },
	{ .address = "::", .ipv6 = true },
	{ .address = "::", .ipv6 = true, .ipv6_only = true },
	{ .address = "::1", .ipv6 = true },
	{ .address = "::1", .ipv6 = true, .ipv6_only = true },
};

enum state {
	BOUND,
	LISTENING,
	CONNECTED,
	IMPLICIT,          /* connected without a bind */
	ACCEPTED,          /* its listener closed */
	ACCEPTED_BESIDE,   /* its listener still there */
	TIMEWAIT,          /* of a connection that was bound */
	TIMEWAIT_IMPLICIT, /* of one that was not */
	TIMEWAIT_ACCEPTED, /* of an accepted one, its listener closed */
	DISCONNECTED,      /* UDP: bound, connected, and back */
	STATE_COUNT,
};

static const char *const state_names[] = {
	"bound",        "listening",          "connected",
	"implicit",     "accepted",           "accepted beside its listener",
	"TIME-WAIT",    "implicit TIME-WAIT", "accepted TIME-WAIT",
	"disconnected",
};

static const struct reeve_time now = { REEVE_NS_PER_S };

static bool have_ipv6;
static bool have_owners; /* sockets can be made as another user */

static bool is_skipped(const struct shape *s)
{
	return (s->ipv6 && !have_ipv6) || (s->other_owner && !have_owners);
}

/* The kernel's side */

static void set(int fd, int level, int option, int value)
{
	assert_int_equal(setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

static int open_socket(enum port_protocol protocol, const struct shape *s)
{
	if (s->other_owner)
		assert_int_equal(seteuid(65534), 0);

	const int fd = socket(s->ipv6 ? AF_INET6 : AF_INET,
			      (protocol == PORT_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	if (s->other_owner)
		assert_int_equal(seteuid(0), 0);
	assert_true(fd >= 0);
	if (s->ipv6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, s->ipv6_only);
	set(fd, SOL_SOCKET, SO_REUSEADDR, s->reuse_address);
	set(fd, SOL_SOCKET, SO_REUSEPORT, s->reuse_port);
	return fd;
}

static int bind_socket(int fd, const struct shape *s, uint16_t port)
{
	union name name;
	const socklen_t length = make_name(&name, s->ipv6, s->address, port);

	return bind(fd, &name.any, length) ? -errno : 0;
}

static int connect_socket(int fd, const struct shape *s, const char *address, uint16_t port)
{
	union name name;
	const socklen_t length = make_name(&name, s->ipv6, address, port);

	return connect(fd, &name.any, length) ? -errno : 0;
}

static uint16_t port_of(int fd)
{
	union name name = { .any = { 0 } };
	socklen_t length = sizeof(name);

	assert_int_equal(getsockname(fd, &name.any, &length), 0);
	return ntohs(name.any.sa_family == AF_INET6 ? name.ipv6.sin6_port : name.ipv4.sin_port);
}

/* A port that nobody has: the kernel's choice for a socket that conflicts with all. */
static uint16_t free_port(enum port_protocol protocol)
{
	const struct shape wildcard = { .address = have_ipv6 ? "::" : "0.0.0.0",
					.ipv6 = have_ipv6 };
	const int fd = open_socket(protocol, &wildcard);

	assert_int_equal(bind_socket(fd, &wildcard, 0), 0);

	const uint16_t port = port_of(fd);

	close(fd);
	return port;
}

/* Where a socket of this shape can connect to, and so the local address it has then. */
static const char *peer_address(const struct shape *s)
{
	if (!s->ipv6)
		return "127.0.0.1";
	return strncmp(s->address, "::ffff", 6) == 0 ? "::ffff:127.0.0.1" : "::1";
}

static const char *own_address(const struct shape *s)
{
	if (strcmp(s->address, "0.0.0.0") == 0)
		return "127.0.0.1";
	if (strcmp(s->address, "::ffff:0.0.0.0") == 0)
		return "::ffff:127.0.0.1";
	return strcmp(s->address, "::") == 0 ? "::1" : s->address;
}

static void wait_for_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* Both worlds */

struct world {
	enum port_protocol protocol;
	struct port_space *space;
	struct port_demux *demux;
	struct port_wait *replaced; /* by the last connect */
	int server;                 /* what sockets connect to */
	uint16_t server_port;
};

/* One socket in both worlds, and its helpers in the kernel. */
struct both {
	struct shape shape;
	int fd, peer, listener; /* -1: none */
	uint16_t port;
	struct port_reservation reservation, listener_reservation;
	struct port_flow flow;
	bool has_flow;
	bool waits; /* in TIME-WAIT, with what has its port, and its flow if it had one */
	struct reeve_address held_at;
	uint16_t held_port;
	uint8_t hold;
	struct port_wait *wait;
};

static struct reeve_address address_of(const char *text)
{
	struct reeve_address a;

	assert_int_equal(reeve_address_parse(text, &a), 0);
	return a;
}

static void world_init(struct world *w, enum port_protocol protocol)
{
	const struct port_space_config space = { .protocol = protocol,
						 .ephemeral_first = 32768,
						 .ephemeral_last = 60999 };
	const struct port_demux_config demux = { .max_flows = 1000,
						 .max_listeners = 1000,
						 .duplicate_flows = protocol == PORT_UDP };
	const struct shape any = { .address = have_ipv6 ? "::" : "0.0.0.0", .ipv6 = have_ipv6 };

	w->protocol = protocol;
	w->replaced = NULL;
	w->space = port_space_new(&space);
	w->demux = port_demux_new(&demux);
	assert_non_null(w->space);
	assert_non_null(w->demux);
	w->server = open_socket(protocol, &any);
	assert_int_equal(bind_socket(w->server, &any, 0), 0);
	w->server_port = port_of(w->server);
	if (protocol == PORT_TCP)
		assert_int_equal(listen(w->server, 16), 0);
}

static void world_deinit(struct world *w)
{
	close(w->server);
	assert_int_equal(port_space_count(w->space), 0);
	port_space_free(w->space);
	port_demux_free(w->demux);
}

static void both_open(struct world *w, struct both *b, const struct shape *s)
{
	*b = (struct both){ .shape = *s, .peer = -1, .listener = -1 };
	b->fd = open_socket(w->protocol, s);
	port_reservation_init(&b->reservation, s->ipv6);
	b->reservation.ipv6_only = s->ipv6_only;
	b->reservation.owner = s->other_owner ? 65534 : 0;
	port_space_set_reuse(w->space, &b->reservation, s->reuse_address, s->reuse_port);
	port_reservation_init(&b->listener_reservation, s->ipv6);
}

/* Closing without TIME-WAIT in the kernel, unless it has got there. */
static void drop_fd(int fd)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void both_close(struct world *w, struct both *b)
{
	drop_fd(b->fd);
	drop_fd(b->peer);
	drop_fd(b->listener);
	if (b->has_flow)
		port_demux_remove_flow(w->demux, &b->flow);
	if (b->wait)
		port_demux_remove_wait(w->demux, b->wait);
	if (b->waits)
		port_space_end_wait(w->space, &b->held_at, b->held_port, b->hold);
	port_space_release(w->space, &b->reservation);
	port_space_release(w->space, &b->listener_reservation);
}

/* Each of these takes the same step in both worlds and gives the kernel's result. */

static int same(int kernel, int ours, const struct both *b, const char *step)
{
	if (kernel != ours)
		print_message("# %s of %s%s%s%s%s: kernel %s, here %s\n", step, b->shape.address,
			      b->shape.ipv6_only ? " v6only" : "",
			      b->shape.reuse_address ? " reuseaddr" : "",
			      b->shape.reuse_port ? " reuseport" : "",
			      b->shape.other_owner ? " other" : "", strerror(-kernel),
			      strerror(-ours));
	return kernel;
}

static bool step_bind(struct world *w, struct both *b, uint16_t port, int *ret)
{
	const struct reeve_address address = address_of(b->shape.address);
	const int ours = port_space_bind(w->space, &b->reservation, &address, port);

	b->port = port;
	*ret = same(bind_socket(b->fd, &b->shape, port), ours, b, "bind");
	return *ret == ours;
}

static bool step_listen(struct world *w, struct both *b, int *ret)
{
	const int ours = port_space_listen(w->space, &b->reservation);

	*ret = same(listen(b->fd, 16) ? -errno : 0, ours, b, "listen");
	return *ret == ours;
}

static int connect_here(struct world *w, struct both *b)
{
	b->flow = (struct port_flow){ .local_address = address_of(own_address(&b->shape)),
				      .remote_address = address_of(peer_address(&b->shape)),
				      .remote_port = w->server_port };
	return port_space_connect(w->space, &b->reservation, w->demux, &b->flow, now, &w->replaced);
}

static bool step_connect(struct world *w, struct both *b, int *ret)
{
	const int ours = connect_here(w, b);
	const int kernel =
		same(connect_socket(b->fd, &b->shape, peer_address(&b->shape), w->server_port),
		     ours, b, "connect");

	b->has_flow = ours == 0;
	if (kernel == 0 && w->protocol == PORT_TCP) {
		b->peer = accept(w->server, NULL, NULL);
		assert_true(b->peer >= 0);
	}
	*ret = kernel;
	return kernel == ours;
}

/* Bringing the first socket into its state. Nothing here can conflict. */

static void connect_implicitly(struct world *w, struct both *b)
{
	int kernel;

	/* The kernel chooses; ours then gets that port by the way of bind, as an implicit one. */
	kernel = connect_socket(b->fd, &b->shape, peer_address(&b->shape), w->server_port);
	assert_int_equal(kernel, 0);
	if (w->protocol == PORT_TCP) {
		b->peer = accept(w->server, NULL, NULL);
		assert_true(b->peer >= 0);
	}
	b->port = port_of(b->fd);

	/* The space of this test has a range of its own for each: just the kernel's choice. */
	const struct port_space_config config = { .protocol = w->protocol,
						  .ephemeral_first = b->port,
						  .ephemeral_last = b->port };

	port_space_free(w->space);
	w->space = port_space_new(&config);
	assert_non_null(w->space);
	assert_int_equal(connect_here(w, b), 0);
	assert_int_equal(b->reservation.port, b->port);
	b->has_flow = true;
}

static void accept_one(struct world *w, struct both *b, bool keep_listener)
{
	const struct shape client = { .address = b->shape.address, .ipv6 = b->shape.ipv6 };
	const struct reeve_address own = address_of(own_address(&b->shape));
	struct port_reservation child;
	int result;

	assert_true(step_listen(w, b, &result));
	assert_int_equal(result, 0);
	b->peer = open_socket(w->protocol, &client);
	assert_int_equal(connect_socket(b->peer, &client, own_address(&b->shape), b->port), 0);
	b->listener = b->fd;
	b->fd = accept(b->listener, NULL, NULL);
	assert_true(b->fd >= 0);
	port_reservation_init(&child, b->shape.ipv6);
	assert_int_equal(port_space_inherit(w->space, &child, &b->reservation, &own), 0);
	port_space_move(w->space, &b->reservation, &b->listener_reservation, PORT_LISTENING);
	port_space_move(w->space, &child, &b->reservation, PORT_CONNECTED);
	if (keep_listener)
		return;
	close(b->listener);
	b->listener = -1;
	port_space_release(w->space, &b->listener_reservation);
}

/* It closes first, then its peer: the kernel keeps a TIME-WAIT of it. */
static void close_actively(struct world *w, struct both *b)
{
	assert_int_equal(shutdown(b->fd, SHUT_WR), 0);
	wait_for_end(b->peer);
	close(b->peer);
	b->peer = -1;
	wait_for_end(b->fd);
	close(b->fd);
	b->fd = -1;
	b->waits = true;
	b->held_at = b->reservation.address;
	b->held_port = b->reservation.port;
	assert_int_equal(port_space_wait(w->space, &b->reservation, &b->hold), 0);
	if (!b->has_flow)
		return;
	b->wait = port_demux_retire_flow(w->demux, &b->flow, true, now);
	assert_non_null(b->wait);
	b->has_flow = false;
}

static void disconnect(struct world *w, struct both *b)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	assert_int_equal(connect(b->fd, &nobody, sizeof(nobody)), 0);
	port_demux_remove_flow(w->demux, &b->flow);
	b->has_flow = false;
	port_space_disconnect(w->space, &b->reservation);
}

static void bring_to(struct world *w, struct both *b, enum state state)
{
	int result = 0;

	if (state == IMPLICIT || state == TIMEWAIT_IMPLICIT) {
		connect_implicitly(w, b);
	} else {
		assert_true(step_bind(w, b, free_port(w->protocol), &result));
		assert_int_equal(result, 0);
	}
	if (state == LISTENING)
		assert_true(step_listen(w, b, &result));
	if (state == CONNECTED || state == TIMEWAIT || state == DISCONNECTED)
		assert_true(step_connect(w, b, &result));
	if (state == ACCEPTED || state == ACCEPTED_BESIDE || state == TIMEWAIT_ACCEPTED)
		accept_one(w, b, state == ACCEPTED_BESIDE);
	if (state == TIMEWAIT || state == TIMEWAIT_IMPLICIT || state == TIMEWAIT_ACCEPTED)
		close_actively(w, b);
	if (state == DISCONNECTED)
		disconnect(w, b);
	assert_int_equal(result, 0);
}

/* A second socket beside the first: bind, and then listen or connect. */
static unsigned try_beside(struct world *w, const struct both *first, const struct shape *s,
			   bool connects)
{
	struct both second;
	unsigned differences = 0;
	int result;

	both_open(w, &second, s);
	differences += !step_bind(w, &second, first->port, &result);
	if (!differences && !result && connects)
		differences += !step_connect(w, &second, &result);
	else if (!differences && !result && w->protocol == PORT_TCP)
		differences += !step_listen(w, &second, &result);
	both_close(w, &second);
	return differences;
}

static unsigned try_all_beside(struct world *w, const struct shape *s, enum state state)
{
	const bool time_wait = state == TIMEWAIT || state == TIMEWAIT_IMPLICIT;
	const bool connected = state == CONNECTED || state == IMPLICIT;
	struct shape same = *s;
	struct both first;
	unsigned differences = 0;

	both_open(w, &first, s);
	bring_to(w, &first, state);
	for (unsigned i = 0; i < array_length(places) * 8 * (1U + connected); i++) {
		struct shape other = places[(i / 8) % array_length(places)];

		other.reuse_address = i & 1;
		other.reuse_port = i & 2;
		other.other_owner = i & 4;
		if (is_skipped(&other))
			continue;
		if (try_beside(w, &first, &other, i >= array_length(places) * 8)) {
			print_message("#   beside %s %s%s%s%s\n", state_names[state], s->address,
				      s->ipv6_only ? " v6only" : "",
				      s->reuse_address ? " reuseaddr" : "",
				      s->reuse_port ? " reuseport" : "");
			differences++;
		}
	}
	/* The last, because the TIME-WAIT may be taken over. */
	same.reuse_address = true;
	if (time_wait)
		differences += try_beside(w, &first, &same, true);
	both_close(w, &first);
	return differences;
}

static bool exists(enum port_protocol protocol, enum state state, const struct shape *s)
{
	const bool wildcard = reeve_address_is_unspecified(&(struct reeve_address){ 0 }) &&
			      strcmp(own_address(s), s->address) != 0;

	if ((state == IMPLICIT || state == TIMEWAIT_IMPLICIT) && !wildcard)
		return false;
	if (protocol == PORT_TCP)
		return state != DISCONNECTED;
	return state == BOUND || state == CONNECTED || state == IMPLICIT || state == DISCONNECTED;
}

static void test_pairs(enum port_protocol protocol)
{
	unsigned differences = 0;

	for (unsigned i = 0; i < array_length(places) * 4; i++) {
		struct shape s = places[i / 4];

		s.reuse_address = i & 1;
		s.reuse_port = i & 2;
		for (enum state state = 0; state < STATE_COUNT && !is_skipped(&s); state++) {
			struct world w;

			if (!exists(protocol, state, &s))
				continue;
			world_init(&w, protocol);
			differences += try_all_beside(&w, &s, state);
			world_deinit(&w);
		}
	}
	assert_int_equal(differences, 0);
}

static void test_tcp_pairs(void **state)
{
	(void)state;
	test_pairs(PORT_TCP);
}

static void test_udp_pairs(void **state)
{
	(void)state;
	test_pairs(PORT_UDP);
}

static void random_shape(struct random *random, struct shape *s)
{
	do {
		*s = places[random_below(random, array_length(places))];
		s->reuse_address = random_below(random, 2);
		s->reuse_port = random_below(random, 2);
		s->other_owner = random_below(random, 4) == 0;
	} while (is_skipped(s));
}

/* Linux lets a further member of a SO_REUSEPORT group in without looking at the port's other
 * sockets, once one is in; the space always looks (see space.c). */
static bool is_let_in_unseen(const struct both *sockets, unsigned count, int kernel)
{
	const struct shape *last = &sockets[count - 1].shape;

	for (unsigned i = 0; i + 1 < count && kernel == 0 && last->reuse_port; i++) {
		const struct shape *s = &sockets[i].shape;

		if (sockets[i].reservation.state != PORT_NONE && s->reuse_port &&
		    s->other_owner == last->other_owner)
			return true;
	}
	return false;
}

static unsigned try_triple(struct world *w, struct random *random, uint16_t port)
{
	struct both sockets[3];
	unsigned count = 0, differences = 0;
	bool goes_on = true;

	while (goes_on && count < array_length(sockets)) {
		struct both *b = &sockets[count++];
		struct shape s;
		int result;

		random_shape(random, &s);
		both_open(w, b, &s);
		goes_on = step_bind(w, b, port, &result);
		if (goes_on && !result && w->protocol == PORT_TCP && random_below(random, 3) == 0)
			goes_on = step_listen(w, b, &result);
		differences += !goes_on && !is_let_in_unseen(sockets, count, result);
	}
	for (unsigned i = 0; differences && i < count; i++)
		print_message("#   of %s%s%s%s\n", sockets[i].shape.address,
			      sockets[i].shape.ipv6_only ? " v6only" : "",
			      sockets[i].shape.reuse_address ? " reuseaddr" : "",
			      sockets[i].shape.reuse_port ? " reuseport" : "");
	for (unsigned i = 0; i < count; i++)
		both_close(w, &sockets[i]);
	return differences;
}

static void test_triples(enum port_protocol protocol)
{
	struct random random = seeded(protocol == PORT_TCP ? 6 : 17);
	unsigned differences = 0;
	struct world w;

	world_init(&w, protocol);

	const uint16_t port = free_port(protocol);

	for (unsigned i = 0; i < 5000; i++)
		differences += try_triple(&w, &random, port);
	world_deinit(&w);
	assert_int_equal(differences, 0);
}

static void test_tcp_triples(void **state)
{
	(void)state;
	test_triples(PORT_TCP);
}

static void test_udp_triples(void **state)
{
	(void)state;
	test_triples(PORT_UDP);
}

/* A network of its own, when that may be had: nobody else takes a port between two steps. */
static void look_around(void)
{
	const struct shape loopback = { .address = "::1", .ipv6 = true };
	const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	have_ipv6 = fd >= 0 && bind_socket(fd, &loopback, 0) == 0;
	if (fd >= 0)
		close(fd);
	have_owners = geteuid() == 0;
	if (!have_ipv6)
		printf("# skipped: pairs with IPv6, which this kernel has not\n");
	if (!have_owners)
		printf("# skipped: sockets of two owners, which only root can make\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_pairs),
		cmocka_unit_test(test_udp_pairs),
		cmocka_unit_test(test_tcp_triples),
		cmocka_unit_test(test_udp_triples),
	};

	enter_own_network();
	look_around();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
