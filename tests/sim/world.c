/*
 * The loop of a simulation: moves frames and time until all is done, then looks for what is left.
 */
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../model/invariants.h"
#include "base/bytes.h"
#include "base/packet.h"
#include "link/capture.h"
#include "link/pipe.h"
#include "stack/host_private.h"

#define S REEVE_NS_PER_S

/* Enough for the slowest that a scenario can ask for. */
#define VIRTUAL_TIME_MAX (INT64_C(12) * 3600 * S)
#define QUIET_TIME_MAX   (3600 * S)
#define STEPS_MAX        3000000
#define ARRIVED_MAX      64
#define FRAMES_MAX       20000 /* from one host at one time */

void world_fail(struct world *w, const char *format, ...)
{
	va_list arguments;

	if (w->result->failed)
		return;
	w->result->failed = true;
	const int n = snprintf(w->result->reason, sizeof(w->result->reason),
			       "at %.6f s: ", (double)w->now.ns / 1e9);

	va_start(arguments, format);
	vsnprintf(w->result->reason + n, sizeof(w->result->reason) - (size_t)n, format, arguments);
	va_end(arguments);
}

void world_say(const struct world *w, const char *format, ...)
{
	va_list arguments;

	if (!w->options->verbose)
		return;
	printf("# %12.6f ", (double)w->now.ns / 1e9);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9fb21c651e98df25;
	return hash ^ hash >> 32;
}

static void hash_frame(struct world *w, unsigned machine, const struct reeve_packet *p)
{
	struct iovec iov[REEVE_PACKET_IOV];
	const size_t count = reeve_packet_iov(p, iov, REEVE_PACKET_IOV);
	uint64_t hash = mix(w->result->hash, (uint64_t)w->now.ns << 1 | machine);

	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		for (; left >= 8; bytes += 8, left -= 8) {
			uint64_t word;

			memcpy(&word, bytes, 8);
			hash = mix(hash, word);
		}
		for (; left; bytes++, left--)
			hash = mix(hash, *bytes);
	}
	w->result->hash = hash;
	w->result->frames++;
}

static void open_listener(struct world *w, unsigned host, unsigned index)
{
	struct listener *l = &w->machines[host].listeners[index];
	const struct reeve_sockaddr name = {
		.address = index ? reeve_any_ipv6 : reeve_any_ipv4,
		.port = index ? 8080 : 80,
	};

	l->user.kind = USER_LISTENER;
	l->host = host;
	l->index = index;
	l->tcp = reeve_tcp_new(w->machines[host].host, index ? REEVE_IPV6 : REEVE_IPV4, l);
	if (!l->tcp || reeve_tcp_bind(l->tcp, &name) < 0 ||
	    reeve_tcp_listen(l->tcp, w->scenario.backlog) < 0)
		world_fail(w, "host %u: no listener %u", host, index);
}

static void open_host(struct world *w, unsigned index)
{
	struct machine *m = &w->machines[index];
	struct reeve_host_config config = {
		.pool = w->pool,
		.max_sockets = w->scenario.max_sockets,
	};
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mac = { 2, 0, 0, 0, 0, (uint8_t)(index + 1) },
		.mtu = w->scenario.mtu[index],
		.offloads = w->scenario.offloads[index],
		.queue_packets = 1000,
	};
	const struct reeve_prefix address = {
		reeve_address_from_ipv4(0xc0000201 + index), /* 192.0.2.1, .2 */
		24,
	};

	store_be32(config.seed, (uint32_t)(w->scenario.seed >> 32));
	store_be32(config.seed + 4, (uint32_t)w->scenario.seed);
	config.seed[8] = (uint8_t)(index + 1);
	m->host = reeve_host_new(&config, w->now);
	m->address = address.address;
	if (!m->host || reeve_host_add_iface(m->host, &iface, &m->iface) < 0 ||
	    reeve_host_add_address(m->host, m->iface, &address) < 0) {
		world_fail(w, "host %u: cannot be made", index);
		return;
	}
	for (unsigned i = 0; i < SIM_LISTENERS; i++)
		open_listener(w, index, i);
}

static void open_links(struct world *w)
{
	const struct pipe_config config = { .mtu = 65535, .queue_packets = 100000 };
	const struct capture_config capture = { .buffer_bytes = 64 << 20 };
	struct link *a, *b;

	check(pipe_new(&config, &a, &b) == 0);
	w->impair = impair_new(a);
	check(w->impair);
	w->machines[0].link = w->impair;
	w->machines[1].link = b;
	if (!w->options->pcapng)
		return;
	w->capture = capture_new(&capture, w->now, 0);
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		w->machines[i].link = capture_link_new(w->machines[i].link, i ? "host1" : "host0");
		check(w->capture && w->machines[i].link);
		check(capture_attach(w->machines[i].link, w->capture));
	}
}

static void open_connection(struct world *w, unsigned index)
{
	struct connection *c = &w->connections[index];

	c->plan = &w->scenario.connections[index];
	c->index = index;
	c->client = (struct endpoint){
		.user.kind = USER_ENDPOINT,
		.world = w,
		.connection = c,
		.plan = &c->plan->sides[0],
		.wake = { c->plan->start_ns },
	};
	if (!c->plan->simultaneous)
		return;
	struct endpoint *e = malloc(sizeof(*e));

	check(e);
	*e = c->client;
	e->side = 1;
	e->plan = &c->plan->sides[1];
	e->wake.ns = c->plan->other_start_ns;
	e->next = w->accepted;
	w->accepted = e;
	c->server = e;
}

static bool world_open(struct world *w)
{
	uint8_t bytes[32] = { 'w' };

	store_be32(bytes + 4, (uint32_t)w->scenario.seed);
	random_init(&w->random, bytes);
	if (w->options->verbose)
		scenario_print(&w->scenario, stdout);
	w->pool = reeve_pool_new(
		&(struct reeve_pool_config){ w->scenario.pool_packets, w->scenario.pool_bytes });
	check(w->pool);
	open_links(w);
	for (unsigned i = 0; i < SIM_HOSTS; i++)
		open_host(w, i);
	for (unsigned i = 0; i < w->scenario.connection_count; i++)
		open_connection(w, i);
	for (unsigned i = 0; i < w->scenario.datagram_count && !w->result->failed; i++) {
		struct datagrams *d = &w->datagrams[i];

		d->user.kind = USER_DATAGRAMS;
		d->plan = &w->scenario.datagrams[i];
		d->index = i;
		datagrams_open(w, d);
	}
	return !w->result->failed;
}

static void handle_event(struct world *w, const struct reeve_event *event)
{
	struct user *user = event->user;

	switch (user->kind) {
	case USER_LISTENER:
		endpoint_accept(w, event->user);
		break;
	case USER_ENDPOINT:
		endpoint_event(event->user, event->what);
		break;
	case USER_DATAGRAMS:
		datagrams_event(w, event->user);
		break;
	}
}

/* What has arrived: with even seeds all of it at once, else packet by packet. */
static bool bring_in(struct world *w, struct machine *m)
{
	const unsigned most = w->scenario.seed % 2 ? 1 : ARRIVED_MAX;
	struct reeve_packet *arrived[ARRIVED_MAX];
	unsigned n = 0;

	while (n < most && (arrived[n] = link_receive(m->link, w->now))) {
		if (!w->scenario.trust)
			arrived[n]->offload.checksum = REEVE_CHECKSUM_UNKNOWN;
		n++;
	}
	reeve_host_input_many(m->host, m->iface, arrived, n, w->now);
	invariants_check(m->host);
	return n > 0;
}

static bool pump_machine(struct world *w, unsigned index)
{
	struct machine *m = &w->machines[index];
	struct reeve_event event;
	struct reeve_packet *p;
	uint64_t last = w->result->frames + FRAMES_MAX;
	bool any = false;
	unsigned iface;

	while ((p = reeve_host_output(m->host, w->now, &iface))) {
		if (iface != m->iface)
			world_fail(w, "host %u: output at interface %u", index, iface);
		hash_frame(w, index, p);
		link_send(m->link, p, w->now);
		any = true;
		if (w->result->frames > last) {
			world_fail(w, "host %u: no end of frames", index);
			break;
		}
	}
	while (!w->result->failed && reeve_host_next_event(m->host, &event)) {
		handle_event(w, &event);
		any = true;
	}
	while (bring_in(w, m))
		any = true;
	return any;
}

static void write_capture(struct world *w)
{
	const void *bytes;
	size_t n;

	while (w->capture && (n = capture_peek(w->capture, &bytes))) {
		fwrite(bytes, 1, n, w->options->pcapng);
		capture_consume(w->capture, n);
	}
}

/* Until nothing more happens at this time. */
static void pump(struct world *w)
{
	bool any = true;

	const uint64_t last = w->result->frames + UINT64_C(10) * FRAMES_MAX;
	uint32_t rounds = 0;

	while (any && !w->result->failed) {
		any = false;
		for (unsigned i = 0; i < SIM_HOSTS; i++)
			any |= pump_machine(w, i);
		if (w->result->frames > last || ++rounds > 10 * FRAMES_MAX)
			world_fail(w, "no end of events and frames");
	}
	write_capture(w);
}

static void close_listener(struct listener *l)
{
	reeve_tcp_close(l->tcp);
	l->tcp = NULL;
}

/* What the plan has for this time. */
static void act(struct world *w)
{
	const struct scenario *s = &w->scenario;

	while (w->weather < s->weather_count && s->weather[w->weather].from_ns <= w->now.ns) {
		impair_set(w->impair, &s->weather[w->weather].settings, w->now);
		world_say(w, "weather %u", w->weather);
		w->weather++;
	}
	if (s->listener_closes_ns && !w->listener_closed && s->listener_closes_ns <= w->now.ns) {
		world_say(w, "listener closes");
		w->listener_closed = true;
		close_listener(&w->machines[0].listeners[0]);
	}
	for (unsigned i = 0; i < s->connection_count; i++) {
		if (!reeve_time_before(w->now, w->connections[i].client.wake))
			endpoint_wake(&w->connections[i].client);
	}
	for (struct endpoint *e = w->accepted; e; e = e->next) {
		if (!reeve_time_before(w->now, e->wake))
			endpoint_wake(e);
	}
	for (unsigned i = 0; i < s->datagram_count; i++) {
		if (!reeve_time_before(w->now, w->datagrams[i].next))
			datagrams_wake(w, &w->datagrams[i]);
	}
}

static struct reeve_time next_act(const struct world *w)
{
	const struct scenario *s = &w->scenario;
	struct reeve_time next = REEVE_NEVER;

	if (w->weather < s->weather_count)
		next.ns = s->weather[w->weather].from_ns;
	if (s->listener_closes_ns && !w->listener_closed)
		next = reeve_time_min(next, (struct reeve_time){ s->listener_closes_ns });
	for (unsigned i = 0; i < s->connection_count; i++)
		next = reeve_time_min(next, w->connections[i].client.wake);
	for (const struct endpoint *e = w->accepted; e; e = e->next)
		next = reeve_time_min(next, e->wake);
	for (unsigned i = 0; i < s->datagram_count; i++)
		next = reeve_time_min(next, w->datagrams[i].next);
	return next;
}

static struct reeve_time next_deadline(struct world *w)
{
	struct reeve_time next = next_act(w);

	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		const struct reeve_time host = reeve_host_deadline(w->machines[i].host);

		if (!reeve_time_before(w->now, host))
			world_fail(w, "host %u: a deadline in the past, with nothing to do", i);
		next = reeve_time_min(next, host);
		next = reeve_time_min(next, link_deadline(w->machines[i].link));
	}
	return next;
}

static void say_sockets(const struct world *w, unsigned index)
{
	struct reeve_socket_info info;
	struct reeve_host_stats stats;
	uint64_t cursor = 0;

	reeve_host_stats(w->machines[index].host, &stats);
	world_say(w, "host %u: %u TCP, %u TIME-WAIT, %u UDP sockets", index, stats.tcp_sockets,
		  stats.tcp_time_wait, stats.udp_sockets);
	while (reeve_host_next_socket(w->machines[index].host, &cursor, &info))
		world_say(w, "  %s port %u to port %u, %llu received, %llu to send",
			  reeve_tcp_state_name(info.state), info.local.port, info.remote.port,
			  (unsigned long long)info.receive_queue,
			  (unsigned long long)info.send_queue);
}

static void say_stuck(struct world *w)
{
	for (unsigned i = 0; i < w->scenario.connection_count; i++) {
		const struct connection *c = &w->connections[i];

		for (unsigned side = 0; side < 2; side++) {
			const struct endpoint *e = side ? c->server : &c->client;

			if (e && !e->done)
				world_fail(w,
					   "connection %u: %s is stuck in %s, %llu read, %llu "
					   "written, %zu readable, %zu unsent",
					   i, side ? "server" : "client",
					   e->tcp ? reeve_tcp_state_name(reeve_tcp_state(e->tcp))
						  : "no state",
					   (unsigned long long)e->read,
					   (unsigned long long)e->written,
					   e->tcp ? reeve_tcp_readable(e->tcp) : 0,
					   e->tcp ? reeve_tcp_unsent(e->tcp) : 0);
		}
	}
	for (unsigned i = 0; i < SIM_HOSTS; i++)
		say_sockets(w, i);
	world_fail(w, "a socket stays though nobody uses it");
}

/* Moves time on and does all there is to do then. False when nothing will ever happen again. */
static bool step(struct world *w)
{
	struct reeve_time next = next_deadline(w);

	if (w->result->failed || reeve_time_is_never(next))
		return false;
	if (w->scenario.lateness_ns)
		next = reeve_time_add(next, (int64_t)(random_u64(&w->random) %
						      (uint64_t)w->scenario.lateness_ns));
	if (reeve_time_before(w->now, next))
		w->now = next;
	if (++w->steps > STEPS_MAX)
		world_fail(w, "no end after %u steps", STEPS_MAX);
	if (w->now.ns > VIRTUAL_TIME_MAX)
		say_stuck(w);
	for (unsigned i = 0; i < SIM_HOSTS; i++)
		reeve_host_tick(w->machines[i].host, w->now);
	act(w);
	pump(w);
	return !w->result->failed;
}

/* Everybody has closed, and the hosts have delivered it. */
static bool is_done(const struct world *w)
{
	for (unsigned i = 0; i < w->scenario.connection_count; i++) {
		if (!w->connections[i].client.done)
			return false;
	}
	for (const struct endpoint *e = w->accepted; e; e = e->next) {
		if (!e->done)
			return false;
	}
	for (unsigned i = 0; i < w->scenario.datagram_count; i++) {
		if (!reeve_time_is_never(w->datagrams[i].next))
			return false;
	}
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		const struct listener *l = w->machines[i].listeners;
		struct reeve_host_stats stats;

		reeve_host_stats(w->machines[i].host, &stats);
		if (stats.tcp_sockets + stats.tcp_time_wait >
		    (uint32_t)(l[0].tcp != NULL) + (l[1].tcp != NULL))
			return false;
	}
	return true;
}

/* False when nobody may. */
static bool give_up(struct world *w)
{
	bool any = false;

	for (unsigned i = 0; i < w->scenario.connection_count; i++)
		any |= endpoint_give_up(&w->connections[i].client);
	for (struct endpoint *e = w->accepted; e; e = e->next)
		any |= endpoint_give_up(e);
	pump(w);
	return any;
}

static void say_drops(const struct world *w, unsigned index)
{
	struct reeve_host_stats stats;

	reeve_host_stats(w->machines[index].host, &stats);
	world_say(w, "host %u: %llu segments sent again, %llu timeouts", index,
		  (unsigned long long)stats.tcp_retransmits,
		  (unsigned long long)stats.tcp_timeouts);
	for (unsigned i = 0; i < REEVE_DROP_COUNT; i++) {
		if (stats.drops[i])
			world_say(w, "host %u: %llu dropped: %s", index,
				  (unsigned long long)stats.drops[i], reeve_drop_text(i));
	}
}

static void judge_machine(struct world *w, unsigned index)
{
	struct reeve_host *host = w->machines[index].host;
	struct reeve_socket_info info;
	struct reeve_host_stats stats;
	uint64_t cursor = 0;

	reeve_host_stats(host, &stats);
	w->result->retransmits += stats.tcp_retransmits;
	w->result->timeouts += stats.tcp_timeouts;
	if (stats.tcp_sockets || stats.tcp_time_wait || stats.udp_sockets)
		world_fail(w, "host %u: %u TCP, %u TIME-WAIT, %u UDP sockets are left", index,
			   stats.tcp_sockets, stats.tcp_time_wait, stats.udp_sockets);
	if (reeve_host_lingering(host))
		world_fail(w, "host %u: %u connections linger", index, reeve_host_lingering(host));
	if (reeve_host_next_socket(host, &cursor, &info))
		world_fail(w, "host %u: a socket is still listed", index);
	if (host->timers.armed)
		world_fail(w, "host %u: %u timers are still armed", index, host->timers.armed);
}

/* After all is closed: nothing may be left. */
static void judge(struct world *w)
{
	struct reeve_pool_stats stats;

	for (unsigned i = 0; i < w->scenario.connection_count; i++)
		endpoint_judge(&w->connections[i]);
	for (unsigned i = 0; i < SIM_HOSTS; i++)
		judge_machine(w, i);
	reeve_pool_stats(w->pool, &stats);
	if (stats.packets || stats.buffers)
		world_fail(w, "%u packets and %u buffers are left", stats.packets, stats.buffers);
	if (stats.refused && !w->scenario.scarce)
		world_fail(w, "the pool ran out");
}

static void close_all(struct world *w)
{
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		for (unsigned j = 0; j < SIM_LISTENERS; j++)
			close_listener(&w->machines[i].listeners[j]);
	}
	for (unsigned i = 0; i < w->scenario.datagram_count; i++)
		datagrams_close(&w->datagrams[i]);
}

static bool is_over(const struct world *w)
{
	return w->options->until_ns && w->now.ns >= w->options->until_ns;
}

static void note_read(struct world *w)
{
	for (unsigned i = 0; i < w->scenario.connection_count; i++)
		if (w->connections[i].server)
			w->result->read[i] = w->connections[i].server->read;
}

static void run(struct world *w)
{
	act(w);
	pump(w);
	while (!w->result->failed && !is_done(w) && !is_over(w)) {
		if (!step(w) && !w->result->failed && !give_up(w))
			say_stuck(w);
	}
	note_read(w);
	if (w->result->failed || is_over(w))
		return;
	world_say(w, "all is done");
	close_all(w);
	pump(w);
	const struct reeve_time end = reeve_time_add(w->now, QUIET_TIME_MAX);

	while (step(w)) {
		if (reeve_time_before(end, w->now))
			world_fail(w, "still busy long after everything was closed");
	}
	if (!w->result->failed)
		judge(w);
}

/* A simulation that failed leaves sockets, and with them everything, to the hosts. */
static void world_close(struct world *w)
{
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		if (w->machines[i].host)
			say_drops(w, i);
		reeve_host_free(w->machines[i].host);
		if (w->capture)
			capture_detach(w->machines[i].link, w->capture, w->now);
	}
	write_capture(w);
	for (unsigned i = 0; i < SIM_HOSTS; i++)
		link_free(w->machines[i].link);
	capture_free(w->capture);
	while (w->accepted) {
		struct endpoint *e = w->accepted;

		w->accepted = e->next;
		free(e);
	}
	reeve_pool_free(w->pool);
}

void sim_run(const struct scenario *s, const struct sim_options *options, struct sim_result *ret)
{
	struct world *w = calloc(1, sizeof(*w));

	check(w);
	memset(ret, 0, sizeof(*ret));
	w->options = options;
	w->result = ret;
	w->scenario = *s;
	if (world_open(w))
		run(w);
	ret->virtual_s = (double)w->now.ns / 1e9;
	world_close(w);
	free(w);
}
