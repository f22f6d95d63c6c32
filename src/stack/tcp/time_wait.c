/*
 * TIME-WAIT (RFC 9293, 3.6.1): the last ACK can be lost and segments can be late, so the pair of
 * sockets is kept from a new connection for 60 s. Of the connection only what answers need stays,
 * in a record of the demux's (port/wait.h); what can be computed again is.
 *
 * All records live equally long, so the demux has them in the order of their end, and they need one
 * timer together.
 */
#include <assert.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define ISS_STEP 65537 /* a new connection's sequence numbers begin beyond the old ones: Linux's */
#define LIFE_MS  (TCP_TIME_WAIT_S * 1000)

/* More are not ended at once: the timer comes again, and segments and calls in between. */
#define EXPIRED_AT_ONCE 256

/* In port_wait.hold, which is the owner's but for the bits of port_space_wait(). */
#define HOLDS_PORT 0x80

static_assert(sizeof(struct tcp_time_wait) <= 56, "with its bucket, 64 at the most");

static struct tcp_time_wait *of(struct port_wait *w)
{
	return w ? container_of(w, struct tcp_time_wait, wait) : NULL;
}

struct tcp_time_wait *tcp_time_wait_find(const struct tcp_host *t,
					 const struct reeve_sockaddr *local,
					 const struct reeve_sockaddr *remote)
{
	return of(port_demux_find_wait(t->demux, local, remote));
}

void tcp_time_wait_free(struct tcp_host *t, struct tcp_time_wait *w)
{
	const struct port_flow name = waits_name(&w->wait);
	const uint8_t hold = w->wait.hold;

	port_demux_remove_wait(t->demux, &w->wait);
	if (hold & HOLDS_PORT)
		port_space_end_wait(t->space, &name.local_address, name.local_port,
				    (uint8_t)(hold & ~HOLDS_PORT));
	if (port_demux_wait_count(t->demux) == 0)
		timer_disarm(&t->host->timers, &t->time_wait_timer);
	t->host->stats.tcp_time_wait--;
	tcp_give_slot(t);
}

bool tcp_time_wait_evict(struct tcp_host *t)
{
	struct port_wait *const oldest = port_demux_oldest_wait(t->demux);

	if (!oldest)
		return false;
	tcp_time_wait_free(t, of(oldest));
	return true;
}

/* When the oldest is to end; what is past its end waits for the next millisecond. */
static struct reeve_time end_of(const struct tcp_host *t, const struct port_wait *w)
{
	const struct reeve_time now = t->host->now;
	const int32_t left = (int32_t)(w->since + LIFE_MS - wait_tick_before(now));
	const int64_t ms = now.ns / REEVE_NS_PER_MS + (left > 0 ? left : 1);

	return (struct reeve_time){ ms * REEVE_NS_PER_MS };
}

void tcp_time_wait_expire(struct tcp_host *t)
{
	struct port_wait *w;

	for (unsigned i = 0; (w = port_demux_oldest_wait(t->demux)) != NULL; i++) {
		if (wait_age_ms(w, t->host->now) < LIFE_MS || i == EXPIRED_AT_ONCE) {
			timer_arm(&t->host->timers, &t->time_wait_timer, end_of(t, w));
			return;
		}
		tcp_time_wait_free(t, of(w));
	}
}

/* Instead of its flow, and of its port. */
static struct tcp_time_wait *take_over(struct tcp_host *t, struct reeve_tcp *tcp)
{
	uint8_t hold = 0;

	if (tcp->port.state == PORT_CONNECTED) {
		const struct reeve_address at = tcp->port.address;
		const uint16_t port = tcp->port.port;

		if (port_space_wait(t->space, &tcp->port, &hold))
			return NULL;
		check(reeve_address_equal(&at, &tcp->flow.local_address) &&
		      port == tcp->flow.local_port);
		hold |= HOLDS_PORT;
	}

	struct port_wait *const w =
		port_demux_retire_flow(t->demux, &tcp->flow, tcp->timestamps, tcp_now(tcp));

	if (!w) {
		if (hold & HOLDS_PORT)
			port_space_end_wait(t->space, &tcp->flow.local_address,
					    tcp->flow.local_port, (uint8_t)(hold & ~HOLDS_PORT));
		return NULL;
	}
	w->hold = hold;
	tcp->has_flow = false;
	return of(w);
}

bool tcp_time_wait_new(struct reeve_tcp *tcp)
{
	struct tcp_host *const t = tcp_of(tcp);
	struct tcp_time_wait *const w = take_over(t, tcp);

	if (!w)
		return false;
	w->rcv_nxt = tcp->rcv_nxt;
	w->snd_nxt = tcp->nxt;
	w->ts_recent = tcp->ts_recent;
	w->window = tcp_window_advertise(tcp, false);
	w->tos = tcp->settings.tos;
	w->ttl = tcp->settings.ttl;
	t->host->stats.tcp_time_wait++;
	if (!timer_is_armed(&t->time_wait_timer))
		timer_arm(&t->host->timers, &t->time_wait_timer, end_of(t, &w->wait));
	return true;
}

/* When it has answered is kept as milliseconds since its beginning, and one: 0 is never. */
static bool may_answer(const struct tcp_host *t, const struct tcp_time_wait *w)
{
	const uint32_t last = w->wait.since + w->wait.answered - 1;

	return w->wait.answered == 0 ||
	       (int32_t)(wait_tick_before(t->host->now) - last) >= TCP_CHALLENGE_MS;
}

static void note_answer(const struct tcp_host *t, struct tcp_time_wait *w)
{
	const uint32_t ms = wait_tick_after(t->host->now) - w->wait.since;

	w->wait.answered = (uint16_t)(ms < UINT16_MAX ? ms + 1 : UINT16_MAX);
}

/* `limited`: not more often than a challenge ACK, where an answer could cause another. */
static void answer(struct tcp_host *t, struct tcp_time_wait *w, bool limited)
{
	const struct port_flow name = waits_name(&w->wait);
	struct tcp_emit e = {
		.flow = &name,
		.ttl = w->ttl,
		.tos = w->tos,
		.header = {
			.sequence = w->snd_nxt.n,
			.acknowledgment = w->rcv_nxt.n,
			.flags = TCP_ACK,
			.window = w->window,
		},
	};

	if (limited && !may_answer(t, w))
		return;
	note_answer(t, w);
	e.header.options.has_timestamps = tcp_time_wait_has_timestamps(w);
	e.header.options.timestamp = tcp_timestamp(t, tcp_timestamp_offset(t, &name));
	e.header.options.timestamp_echo = w->ts_recent;
	tcp_emit_empty(t, &e);
}

/* RFC 6191, 2: a SYN that is surely newer than anything of the old connection. */
static bool is_new_connection(const struct tcp_time_wait *w, const struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	if ((s->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	if (tcp_time_wait_has_timestamps(w) && o->has_timestamps) {
		if (o->timestamp != w->ts_recent)
			return (int32_t)(o->timestamp - w->ts_recent) > 0;
	}
	return seq_after(s->seq, w->rcv_nxt);
}

struct tcp_seq tcp_time_wait_beyond(const struct tcp_time_wait *w)
{
	return seq_add(w->snd_nxt, ISS_STEP);
}

/* The listener at its port, if there is still one: it gets the SYN. */
static bool replace(struct tcp_host *t, struct tcp_time_wait *w, struct tcp_segment *s)
{
	const struct port_flow name = waits_name(&w->wait);
	const struct reeve_sockaddr local = { name.local_address, name.local_port, 0 };
	const struct reeve_sockaddr remote = { name.remote_address, name.remote_port, 0 };
	struct port_listener *const found = port_demux_find_listener(t->demux, &local, &remote);

	if (!found)
		return false;

	const struct tcp_seq iss = tcp_time_wait_beyond(w);

	tcp_time_wait_free(t, w);
	tcp_listen_syn(container_of(found, struct tcp_listener, port), s, &iss);
	return true;
}

/* 2 MSL from now again: the peer has not got our last ACK (RFC 9293, 3.10.7.4, eighth). */
static void restart(struct tcp_host *t, struct tcp_time_wait *w)
{
	w->wait.answered = 0;
	port_demux_renew_wait(t->demux, &w->wait, t->host->now);
}

void tcp_time_wait_input(struct tcp_host *t, struct tcp_time_wait *w, struct tcp_segment *s)
{
	const struct tcp_options *const o = &s->h.options;

	if (s->h.flags & TCP_RST) { /* RFC 1337, 3, (1): not even one that fits ends it */
		tcp_segment_drop(t, s, REEVE_DROP_TCP_BLIND);
		return;
	}
	if (is_new_connection(w, s) && replace(t, w, s))
		return;
	if (tcp_time_wait_has_timestamps(w) && o->has_timestamps &&
	    (int32_t)(o->timestamp - w->ts_recent) < 0) {
		answer(t, w, true);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_PAWS);
		return;
	}

	const struct tcp_seq end = seq_add(s->seq, s->length + 1);

	if ((s->h.flags & TCP_FIN) && seq_equal(end, w->rcv_nxt)) {
		restart(t, w);
		answer(t, w, false);
		tcp_segment_drop(t, s, REEVE_DROP_TCP_DUPLICATE);
		return;
	}
	/* A pure ACK that is right needs no answer; all else hears where we are. */
	if (s->length > 0 || (s->h.flags & (TCP_SYN | TCP_FIN)) || !seq_equal(s->seq, w->rcv_nxt))
		answer(t, w, true);
	tcp_segment_drop(t, s, REEVE_DROP_TCP_SEQUENCE);
}
