/*
 * One side of a connection: writes, reads, stalls, ends and misbehaves as planned, and only when an
 * event or its own clock tells it to, so that an event that is missing leaves it stuck for good.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define CHUNK_MAX 131072

#define CLIENT_PORT 20000 /* of those that connect simultaneously */
#define SERVER_PORT 30000

static uint64_t stream_of(const struct endpoint *e, unsigned side)
{
	return e->world->scenario.seed * 1000 + (uint64_t)e->connection->index * 2 + side;
}

static const char *side_name(const struct endpoint *e)
{
	return e->side ? "server" : "client";
}

static unsigned number_of(const struct endpoint *e)
{
	return e->connection ? e->connection->index : SIM_CONNECTIONS;
}

/* The other side; NULL while it isn't there. */
static const struct endpoint *peer_of(const struct endpoint *e)
{
	if (!e->connection)
		return NULL;
	return e->side ? &e->connection->client : e->connection->server;
}

static bool is_polite(const struct connection *c)
{
	return !c->plan->sides[0].rude && !c->plan->sides[1].rude;
}

/* Of a listener that closes early. */
static bool may_be_refused(const struct world *w, const struct connection *c)
{
	return w->scenario.listener_closes_ns && c->plan->server == 0 && c->plan->listener == 0;
}

/* Whether anything has been planned that this error may come from. */
static bool is_explained(const struct endpoint *e, int error)
{
	const struct world *w = e->world;
	const struct connection *c = e->connection;

	if (!c || !is_polite(c))
		return true;
	if (may_be_refused(w, c) && (error == ECONNREFUSED || error == ECONNRESET))
		return true;
	if (w->scenario.scarce) /* sockets, or room for a segment at the wrong time */
		return true;
	if (c->plan->simultaneous && (error == ECONNREFUSED || error == ECONNRESET))
		return true; /* the other had not come so far */
	if (c->plan->loopback || w->scenario.clear)
		return false;
	if (error == EHOSTUNREACH) /* the neighbour's address could not be had */
		return true;
	return !w->scenario.gentle;
}

static void release(struct endpoint *e)
{
	e->tcp = NULL;
	e->done = true;
}

static void failed(struct endpoint *e, int error)
{
	e->error = error;
	world_say(e->world, "connection %u: %s: error %d (%s) after %llu read, %llu written",
		  number_of(e), side_name(e), error, strerror(error), (unsigned long long)e->read,
		  (unsigned long long)e->written);
	if (error == 0)
		world_fail(e->world, "connection %u: %s: failed without an error", number_of(e),
			   side_name(e));
	else if (!is_explained(e, error))
		world_fail(e->world, "connection %u: %s: unexpected error %d (%s)", number_of(e),
			   side_name(e), error, strerror(error));
	reeve_tcp_close(e->tcp);
	release(e);
}

static void closed(struct endpoint *e)
{
	world_say(e->world, "connection %u: %s: closes, %llu read, %llu written", number_of(e),
		  side_name(e), (unsigned long long)e->read, (unsigned long long)e->written);
	e->finished = true;
	reeve_tcp_close(e->tcp);
	release(e);
}

/* True when the plan says that it is time to be rude. */
static bool be_rude(struct endpoint *e)
{
	if (!e->plan->rude || e->read + e->written < e->plan->rude_at)
		return false;
	if (e->plan->rude == RUDE_CLOSE) {
		closed(e);
		return true;
	}
	world_say(e->world, "connection %u: %s: aborts", number_of(e), side_name(e));
	reeve_tcp_abort(e->tcp);
	release(e);
	return true;
}

static void verify(struct endpoint *e, const uint8_t *bytes, size_t length)
{
	e->world->result->bytes += length;
	e->world->result->last_read_s = (double)e->world->now.ns / 1e9;
	if (e->connection && !content_matches(stream_of(e, !e->side), e->read, bytes, length))
		world_fail(e->world, "connection %u: %s: wrong bytes between %llu and %llu",
			   number_of(e), side_name(e), (unsigned long long)e->read,
			   (unsigned long long)e->read + length);
	e->read += length;
}

/* Bytes read; 0 at the end; -EAGAIN. */
static int64_t read_without_copy(struct endpoint *e, size_t wanted)
{
	struct iovec iov[3];
	const size_t count = reeve_tcp_peek(e->tcp, iov, 3);
	size_t got = 0;

	if (count == 0)
		return reeve_tcp_peer_closed(e->tcp) ? 0 : -EAGAIN;
	for (size_t i = 0; i < count && got < wanted; i++) {
		const size_t n = iov[i].iov_len < wanted - got ? iov[i].iov_len : wanted - got;

		verify(e, iov[i].iov_base, n);
		got += n;
	}
	reeve_tcp_consume(e->tcp, got);
	return (int64_t)got;
}

static int64_t read_copy(struct endpoint *e, size_t wanted)
{
	static uint8_t bytes[CHUNK_MAX];
	const int64_t n = reeve_tcp_read(e->tcp, bytes, wanted);

	if (n > (int64_t)wanted)
		world_fail(e->world, "connection %u: more read than asked for", number_of(e));
	else if (n > 0)
		verify(e, bytes, (size_t)n);
	return n;
}

static void reached_end(struct endpoint *e)
{
	const struct endpoint *peer = peer_of(e);

	e->at_end = true;
	world_say(e->world, "connection %u: %s: end after %llu", number_of(e), side_name(e),
		  (unsigned long long)e->read);
	if (!e->connection)
		return;
	if (!peer || !peer->finished)
		world_fail(e->world, "connection %u: %s: end that nobody has said", number_of(e),
			   side_name(e));
	else if (peer->written != e->read)
		world_fail(e->world, "connection %u: %s: end after %llu bytes of %llu",
			   number_of(e), side_name(e), (unsigned long long)e->read,
			   (unsigned long long)peer->written);
}

/* How much to read now; 0: nothing until its time. */
static size_t read_limit(struct endpoint *e)
{
	const struct side_plan *p = e->plan;
	size_t limit = p->read_size;

	if (reeve_time_before(e->world->now, e->read_again))
		return 0;
	if (p->stall_ns && !e->stalled) {
		if (e->read >= p->stall_at) {
			e->stalled = true;
			e->read_again = reeve_time_add(e->world->now, p->stall_ns);
			return 0;
		}
		if (limit > p->stall_at - e->read)
			limit = p->stall_at - e->read;
	}
	return limit;
}

static void do_read(struct endpoint *e)
{
	size_t limit;

	while (!e->done && !e->at_end && (limit = read_limit(e)) > 0) {
		const int64_t n =
			e->plan->without_copy ? read_without_copy(e, limit) : read_copy(e, limit);

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			failed(e, (int)-n);
			return;
		}
		if (n == 0)
			reached_end(e);
		else if (e->plan->read_gap_ns)
			e->read_again = reeve_time_add(e->world->now, e->plan->read_gap_ns);
		if (be_rude(e))
			return;
	}
}

static int64_t write_without_copy(struct endpoint *e, size_t wanted)
{
	struct iovec iov[3];
	const size_t count = reeve_tcp_reserve(e->tcp, wanted, iov, 3);
	size_t put = 0;

	for (size_t i = 0; i < count && put < wanted; i++) {
		const size_t n = iov[i].iov_len < wanted - put ? iov[i].iov_len : wanted - put;

		content_fill(stream_of(e, e->side), e->written + put, iov[i].iov_base, n);
		put += n;
	}
	if (put)
		reeve_tcp_commit(e->tcp, put);
	return (int64_t)put;
}

static int64_t write_copy(struct endpoint *e, size_t wanted)
{
	static uint8_t bytes[CHUNK_MAX];

	content_fill(stream_of(e, e->side), e->written, bytes, wanted);
	return reeve_tcp_write(e->tcp, bytes, wanted);
}

static void do_write(struct endpoint *e)
{
	const struct side_plan *p = e->plan;

	while (!e->done && !e->finished && e->written < p->bytes &&
	       !reeve_time_before(e->world->now, e->write_again)) {
		const uint64_t left = p->bytes - e->written;
		const size_t wanted = left < p->write_size ? left : p->write_size;
		const int64_t n =
			p->without_copy ? write_without_copy(e, wanted) : write_copy(e, wanted);

		if (n == 0) /* full: WRITABLE follows */
			return;
		if (n < 0) {
			failed(e, (int)-n);
			return;
		}
		e->written += (uint64_t)n;
		if (p->urgent && e->written % 7 == 0)
			reeve_tcp_mark_urgent(e->tcp);
		if (p->write_gap_ns)
			e->write_again = reeve_time_add(e->world->now, p->write_gap_ns);
		if (be_rude(e))
			return;
	}
}

static void do_end(struct endpoint *e)
{
	if (e->done || e->written < e->plan->bytes)
		return;
	if (e->plan->ending == END_AT_ONCE || (e->at_end && e->plan->ending == END_SECOND)) {
		closed(e);
		return;
	}
	if (e->plan->cork && !e->uncorked) {
		e->uncorked = true;
		reeve_tcp_set(e->tcp, REEVE_TCP_CORK, 0);
	}
	if (e->plan->ending == END_FIRST && !e->finished) {
		e->finished = true;
		const int error = reeve_tcp_shutdown(e->tcp);

		world_say(e->world, "connection %u: %s: shuts down after %llu", number_of(e),
			  side_name(e), (unsigned long long)e->written);
		if (error) {
			failed(e, -error);
			return;
		}
	}
	if (e->finished && e->at_end)
		closed(e);
}

/* The next time it has something to do of its own accord. */
static void set_wake(struct endpoint *e)
{
	const struct reeve_time now = e->world->now;

	e->wake = REEVE_NEVER;
	if (e->done)
		return;
	if (reeve_time_before(now, e->read_again))
		e->wake = e->read_again;
	if (reeve_time_before(now, e->write_again))
		e->wake = reeve_time_min(e->wake, e->write_again);
}

/* Buffers of another size in the middle of it. */
static void rebuffer(struct endpoint *e)
{
	const struct side_plan *p = e->plan;

	if (!p->rebuffer_to || e->rebuffered || e->read + e->written < p->rebuffer_at)
		return;
	e->rebuffered = true;
	if (reeve_tcp_set(e->tcp, REEVE_TCP_SEND_BUFFER, p->rebuffer_to) < 0 ||
	    reeve_tcp_set(e->tcp, REEVE_TCP_RECEIVE_BUFFER, p->rebuffer_to) < 0)
		world_fail(e->world, "connection %u: buffers cannot be changed", number_of(e));
}

static void run(struct endpoint *e)
{
	if (!e->done && e->connected && !be_rude(e)) {
		rebuffer(e);
		do_read(e);
		do_write(e);
		do_end(e);
	}
	set_wake(e);
}

static void set_options(struct endpoint *e)
{
	const struct side_plan *p = e->plan;
	const struct {
		enum reeve_tcp_option option;
		int64_t value;
	} options[] = {
		{ REEVE_TCP_NO_DELAY, p->no_delay },
		{ REEVE_TCP_QUICK_ACK, p->quick_ack },
		{ REEVE_TCP_KEEPALIVE, p->keepalive },
		{ REEVE_TCP_KEEPALIVE_IDLE_S, 5 },
		{ REEVE_TCP_CORK, p->cork },
		{ REEVE_TCP_CONGESTION_CONTROL, p->congestion },
		{ REEVE_TCP_SEND_BUFFER, p->send_buffer },
		{ REEVE_TCP_RECEIVE_BUFFER, p->receive_buffer },
		{ REEVE_TCP_LINGER2_S, p->linger_s },
		{ REEVE_TCP_MAX_SEGMENT, p->max_segment },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].value == 0) /* the default */
			continue;
		const int error = reeve_tcp_set(e->tcp, options[i].option, options[i].value);

		if (error)
			world_fail(e->world, "option %d to %lld: error %d", (int)options[i].option,
				   (long long)options[i].value, -error);
	}
}

/* Where to connect to. */
static struct reeve_sockaddr name_of_other(const struct endpoint *e)
{
	const struct connection_plan *p = e->connection->plan;
	const struct world *w = e->world;
	struct reeve_sockaddr name = { .port = p->listener ? 8080 : 80 };

	if (p->simultaneous)
		name.port =
			(uint16_t)((e->side ? CLIENT_PORT : SERVER_PORT) + e->connection->index);
	name.address = w->machines[e->side ? p->client : p->server].address;
	if (p->loopback)
		name.address = p->ipv6 ? reeve_loopback_ipv6 : reeve_loopback_ipv4;
	return name;
}

void endpoint_start(struct endpoint *e)
{
	struct connection *c = e->connection;
	struct world *w = e->world;
	const struct reeve_sockaddr to = name_of_other(e);
	struct reeve_sockaddr from = {
		.address = c->plan->ipv6 ? reeve_any_ipv6 : reeve_any_ipv4,
	};

	e->started = true;
	e->wake = REEVE_NEVER;
	if (c->plan->simultaneous)
		from.port = (uint16_t)((e->side ? SERVER_PORT : CLIENT_PORT) + c->index);
	e->tcp = reeve_tcp_new(w->machines[e->side ? c->plan->server : c->plan->client].host,
			       c->plan->ipv6 ? REEVE_IPV6 : REEVE_IPV4, e);
	if (!e->tcp && w->scenario.scarce) {
		e->error = ENOBUFS;
		release(e);
		return;
	}
	if (!e->tcp) {
		world_fail(w, "connection %u: no socket", c->index);
		return;
	}
	set_options(e);
	int error = c->plan->bind_first || from.port ? reeve_tcp_bind(e->tcp, &from) : 0;

	if (error == 0)
		error = reeve_tcp_connect(e->tcp, &to, w->now);
	if (error == 0 && !e->side)
		error = reeve_tcp_local(e->tcp, &c->name);
	world_say(w, "connection %u: %s: connects from port %u, %d", c->index, side_name(e),
		  from.port ? from.port : c->name.port, error);
	if (error)
		world_fail(w, "connection %u: connect: error %d (%s)", c->index, -error,
			   strerror(-error));
}

/* A client whose name that is and that nobody was accepted for. */
static struct connection *find_client(struct world *w, const struct listener *l,
				      const struct reeve_sockaddr *remote)
{
	for (unsigned i = 0; i < w->scenario.connection_count; i++) {
		struct connection *c = &w->connections[i];

		if (c->client.started && !c->server && c->plan->server == l->host &&
		    c->plan->listener == l->index && reeve_sockaddr_equal(&c->name, remote))
			return c;
	}
	return NULL;
}

static void accept_one(struct world *w, struct listener *l, struct reeve_tcp *tcp)
{
	static const struct side_plan to_the_end = { .read_size = 4096, .ending = END_SECOND };
	struct endpoint *e = calloc(1, sizeof(*e));
	struct reeve_sockaddr remote;

	if (!e || reeve_tcp_remote(tcp, &remote) < 0) {
		free(e);
		world_fail(w, "an accepted connection without a remote name");
		reeve_tcp_abort(tcp);
		return;
	}
	e->user.kind = USER_ENDPOINT;
	e->world = w;
	e->side = 1;
	e->tcp = tcp;
	e->started = true;
	e->connected = true;
	e->wake = REEVE_NEVER;
	e->connection = find_client(w, l, &remote);
	e->plan = e->connection ? &e->connection->plan->sides[1] : &to_the_end;
	e->next = w->accepted;
	w->accepted = e;
	reeve_tcp_set_user(tcp, e);
	if (e->connection) {
		e->connection->server = e;
		set_options(e);
	} else if (w->scenario.clear) {
		world_fail(w, "accepted from port %u, where nobody is", remote.port);
	}
	world_say(w, "connection %u: accepted", number_of(e));
	run(e);
}

void endpoint_accept(struct world *w, struct listener *l)
{
	struct reeve_tcp *tcp;

	while (l->tcp && (tcp = reeve_tcp_accept(l->tcp, NULL)))
		accept_one(w, l, tcp);
}

void endpoint_event(struct endpoint *e, uint32_t what)
{
	if (e->done) {
		world_fail(e->world, "connection %u: %s: event %#x after close", number_of(e),
			   side_name(e), what);
		return;
	}
	if (what & REEVE_CONNECTED)
		e->connected = true;
	if (what & REEVE_FAILED) {
		failed(e, reeve_tcp_error(e->tcp));
		return;
	}
	if (!e->connected && (what & ~(uint32_t)REEVE_WRITABLE)) {
		world_fail(e->world, "connection %u: %s: event %#x before it is connected",
			   number_of(e), side_name(e), what);
		return;
	}
	run(e);
}

/* Whether the peer's host knows nothing of the connection any more. */
static bool is_peer_gone(const struct endpoint *e)
{
	const struct connection_plan *p = e->connection ? e->connection->plan : NULL;
	struct reeve_socket_info info;
	struct reeve_sockaddr local;
	uint64_t cursor = 0;

	if (!p || !e->tcp || reeve_tcp_local(e->tcp, &local) < 0)
		return true;
	const struct reeve_host *host = e->world->machines[e->side ? p->client : p->server].host;

	while (reeve_host_next_socket(host, &cursor, &info)) {
		if (info.kind == REEVE_TCP && reeve_sockaddr_equal(&info.remote, &local))
			return false;
	}
	return true;
}

bool endpoint_give_up(struct endpoint *e)
{
	if (e->done || !e->started || e->plan->keepalive || !is_explained(e, ETIMEDOUT) ||
	    !is_peer_gone(e))
		return false;
	world_say(e->world, "connection %u: %s: gives up, its peer is gone", number_of(e),
		  side_name(e));
	e->error = ETIMEDOUT;
	reeve_tcp_abort(e->tcp);
	release(e);
	return true;
}

void endpoint_wake(struct endpoint *e)
{
	if (e->started)
		run(e);
	else
		endpoint_start(e);
}

void endpoint_judge(const struct connection *c)
{
	struct world *w = c->client.world;

	if (!is_polite(c) || may_be_refused(w, c))
		return;
	if (!c->client.error && !c->server && w->scenario.gentle && !w->scenario.scarce)
		world_fail(w, "connection %u: was never accepted", c->index);
	if (c->client.error || !c->server || c->server->error)
		return; /* judged when it was reported */
	for (unsigned side = 0; side < 2; side++) {
		const struct endpoint *e = side ? c->server : &c->client;

		if (e->plan->ending != END_AT_ONCE && e->read != c->plan->sides[!side].bytes)
			world_fail(w, "connection %u: %s: closed after %llu bytes of %llu",
				   c->index, side_name(e), (unsigned long long)e->read,
				   (unsigned long long)c->plan->sides[!side].bytes);
	}
}
