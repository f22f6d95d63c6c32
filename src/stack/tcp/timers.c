/*
 * What a connection waits for. It has one timer in the host's wheel, armed for the earliest of its
 * deadlines; one that has been moved back or cleared costs a look when the timer fires, and no work
 * before.
 *
 *	RETRANSMIT, by retransmit_mode:
 *	    RETRANSMIT  the oldest segment was not acknowledged in time (RFC 6298, 5): it is sent
 *	                again, slow start; 15 times, or until the user timeout, then ETIMEDOUT.
 *	                In the handshake: syn_count times.
 *	    PROBE       nothing was heard for two round trips: the last segment again, so that the
 *	                receiver reports what is missing (RFC 8985, 7); then RETRANSMIT.
 *	    PERSIST     there is data and nothing in flight: the window is closed and is probed
 *	                (RFC 9293, 3.8.6.1), or what is held back (cork, silly window) goes.
 *	    (in fast recovery the first lost segment, which may be lost once more)
 *	ACK             a delayed acknowledgment is due.
 *	KEEPALIVE       the peer was silent for long: probes, then ETIMEDOUT (RFC 9293, 3.8.4). Of a
 *	                closed socket in FIN-WAIT-2: its end.
 *	PACE            what may be sent by the windows would be too much at once (pacing.c).
 *	REST            nothing has gone on for a while (rest.c).
 */
#include <errno.h>

#include "stack/tcp/conn_private.h"

#define DATA_RETRIES    15
#define HELD_MS         1000 /* RFC 9293, 3.8.6.2.1: the override timeout, at most */
#define RECOVERY_PROBES 3    /* of one gap; each twice as late as the one before */
#define PROBE_MIN_MS    10
#define PROBE_DELAY_MS  50 /* less than two segments in flight may await a delayed ACK */

static struct reeve_time earliest(const struct reeve_tcp *tcp)
{
	struct reeve_time t = REEVE_NEVER;

	for (unsigned i = 0; i < TCP_DEADLINES; i++)
		t = reeve_time_min(t, tcp->busy->deadlines[i]);
	return t;
}

void tcp_timer_set(struct reeve_tcp *tcp, enum tcp_deadline which, struct reeve_time at)
{
	if (tcp->busy)
		tcp->busy->deadlines[which] = at;
	if (!timer_is_armed(&tcp->timer) || reeve_time_before(at, tcp->timer.expires))
		timer_arm(&tcp->host->timers, &tcp->timer, at);
}

void tcp_timer_clear(struct reeve_tcp *tcp, enum tcp_deadline which)
{
	if (tcp->busy)
		tcp->busy->deadlines[which] = REEVE_NEVER;
}

static void set_in_ms(struct reeve_tcp *tcp, enum tcp_deadline which, int64_t ms)
{
	tcp_timer_set(tcp, which, reeve_time_add_ms(tcp_now(tcp), ms));
}

/* RFC 8985, 7.2. */
static int64_t probe_timeout_ms(const struct reeve_tcp *tcp)
{
	const int64_t twice = (int64_t)tcp->rtt.smoothed_us * 2 / 1000;
	const int64_t delay = tcp_in_flight(tcp) < 2U * tcp->mss ? PROBE_DELAY_MS : 1;

	return ((twice > PROBE_MIN_MS ? twice : PROBE_MIN_MS) + delay) << tcp->busy->probes;
}

static bool may_probe_tail(const struct reeve_tcp *tcp)
{
	if (tcp->busy->recovery == TCP_RECOVERY_OPEN ? tcp->is_probing_tail
						     : tcp->busy->probes >= RECOVERY_PROBES)
		return false;
	return tcp->sack && tcp->busy->recovery != TCP_RECOVERY_LOSS && tcp_is_synchronized(tcp) &&
	       rtt_is_known(&tcp->rtt) && tcp->rtt.backoff == 0 && tcp->send_window > 0 &&
	       probe_timeout_ms(tcp) < tcp->rtt.rto_ms;
}

/* The timeout after one that was in vain: not later than the user's patience ends (RFC 5482, 3), which
 * would else be noticed only when the doubled timeout is over. */
static int64_t repeated_timeout_ms(const struct reeve_tcp *tcp)
{
	const int64_t ms = rtt_timeout_ms(&tcp->rtt);
	const int64_t stalled_ns = reeve_time_since(tcp_now(tcp), tcp->busy->stalled_since);
	const int64_t left_ns = tcp->settings.user_timeout_ms * REEVE_NS_PER_MS - stalled_ns;
	const int64_t left_ms = (left_ns + REEVE_NS_PER_MS - 1) / REEVE_NS_PER_MS;

	if (tcp->settings.user_timeout_ms == 0 || left_ms >= ms)
		return ms;
	return left_ms > 1 ? left_ms : 1;
}

static void arm(struct reeve_tcp *tcp, enum tcp_retransmit_mode mode)
{
	int64_t ms = rtt_timeout_ms(&tcp->rtt);

	if (mode == TCP_MODE_RETRANSMIT && tcp->rtt.backoff > 0)
		ms = repeated_timeout_ms(tcp);
	if (mode == TCP_MODE_PROBE)
		ms = probe_timeout_ms(tcp);
	/* A part of a segment that cork, or a small window, holds back: a timeout, as Linux has it, but of
	 * a path that was slow once not minutes. */
	if (mode == TCP_MODE_PERSIST && tcp->send_window > 0 && ms > HELD_MS)
		ms = HELD_MS;
	tcp->busy->retransmit_mode = (uint8_t)mode;
	set_in_ms(tcp, TCP_DEADLINE_RETRANSMIT, ms);
}

void tcp_timer_retransmit(struct reeve_tcp *tcp)
{
	enum tcp_retransmit_mode mode = TCP_MODE_NONE;

	if (tcp->intercepted || reeve_tcp_awaits_write(tcp))
		mode = TCP_MODE_NONE;
	else if (!tcp_is_synchronized(tcp) || tcp->syn_unanswered || !seq_equal(tcp->una, tcp->nxt))
		mode = may_probe_tail(tcp) ? TCP_MODE_PROBE : TCP_MODE_RETRANSMIT;
	else if (tcp_unsent_bytes(tcp) > 0 || (tcp->fin_queued && !tcp->fin_sent))
		mode = TCP_MODE_PERSIST;
	if (mode == TCP_MODE_NONE) {
		tcp->busy->retransmit_mode = TCP_MODE_NONE;
		tcp_timer_clear(tcp, TCP_DEADLINE_RETRANSMIT);
	} else if (reeve_time_is_never(tcp->busy->deadlines[TCP_DEADLINE_RETRANSMIT]) ||
		   (mode != (enum tcp_retransmit_mode)tcp->busy->retransmit_mode &&
		    (mode == TCP_MODE_PERSIST || tcp->busy->retransmit_mode == TCP_MODE_PERSIST))) {
		arm(tcp, mode);
	}
}

void tcp_timer_keepalive(struct reeve_tcp *tcp)
{
	if (tcp->is_orphan && tcp->state == REEVE_TCP_FIN_WAIT_2)
		set_in_ms(tcp, TCP_DEADLINE_KEEPALIVE, (int64_t)tcp->settings.linger2_s * 1000);
	else if (tcp->settings.keepalive && tcp_is_synchronized(tcp))
		set_in_ms(tcp, TCP_DEADLINE_KEEPALIVE,
			  (int64_t)tcp->settings.keepalive_idle_s * 1000);
	else
		tcp_timer_clear(tcp, TCP_DEADLINE_KEEPALIVE);
}

/* RFC 1122, 4.2.3.9: the ICMP error that was not believed is the better explanation. */
static int timeout_error(const struct reeve_tcp *tcp)
{
	return tcp->soft_error ? tcp->soft_error : ETIMEDOUT;
}

static bool user_timeout_is_over(const struct reeve_tcp *tcp)
{
	return tcp->settings.user_timeout_ms > 0 &&
	       reeve_time_since(tcp_now(tcp), tcp->busy->stalled_since) >=
		       tcp->settings.user_timeout_ms * REEVE_NS_PER_MS;
}

static void handshake_timeout(struct reeve_tcp *tcp)
{
	tcp_fast_failed(tcp);
	if (tcp->retries >= tcp->settings.syn_count || user_timeout_is_over(tcp)) {
		tcp_fail(tcp, timeout_error(tcp));
		return;
	}
	tcp->retries++;
	tcp->rtt.backoff++;
	tcp->syn_due = true;
	tcp->syn_resent = true;
	tcp->timing = false;
	tcp->retransmits++;
	tcp->host->stats.tcp_retransmits++;
	tcp->host->stats.tcp_timeouts++;
	tcp_mark_dirty(tcp);
	arm(tcp, TCP_MODE_RETRANSMIT);
}

/* The peer has closed its window over what is in flight, and lives: RFC 9293, 3.8.6.1 again. */
static bool is_shut_out(const struct reeve_tcp *tcp)
{
	return tcp->send_window == 0 && !tcp->is_orphan &&
	       reeve_time_since(tcp_now(tcp), tcp->last_received) <
		       2 * RTO_MAX_MS * REEVE_NS_PER_MS;
}

static void retransmission_timeout(struct reeve_tcp *tcp)
{
	if ((tcp->rtt.backoff >= DATA_RETRIES && !is_shut_out(tcp)) || user_timeout_is_over(tcp)) {
		tcp_reset(tcp, timeout_error(tcp));
		return;
	}
	tcp->host->stats.tcp_timeouts++;
	tcp_path_timeout(tcp);
	tcp_recovery_timeout(tcp);
	if (tcp->rtt.backoff < DATA_RETRIES)
		tcp->rtt.backoff++;
	arm(tcp, TCP_MODE_RETRANSMIT);
}

/* As long as the peer answers, a closed window may stay closed (RFC 9293, 3.8.6.1); but not for
 * ever when the owner has gone. `retries` counts the probes since the last answer. */
static void persist_timeout(struct reeve_tcp *tcp)
{
	if (tcp->send_window > 0) {
		tcp->push_partial = true;
		tcp_mark_dirty(tcp);
		arm(tcp, TCP_MODE_PERSIST);
		return;
	}

	const bool is_dead =
		tcp->is_orphan ? tcp->rtt.backoff >= DATA_RETRIES : tcp->retries >= DATA_RETRIES;

	if (is_dead || (tcp->retries > 0 && user_timeout_is_over(tcp))) {
		tcp_reset(tcp, timeout_error(tcp));
		return;
	}
	tcp->retries++;
	if (tcp->rtt.backoff < DATA_RETRIES)
		tcp->rtt.backoff++;
	tcp->probe_due = true;
	tcp_mark_dirty(tcp);
	arm(tcp, TCP_MODE_PERSIST);
}

static void probe_deadline(struct reeve_tcp *tcp)
{
	if (tcp->busy->recovery == TCP_RECOVERY_FAST) {
		tcp->busy->probes++;
		tcp_recovery_probe(tcp);
	} else {
		tcp->tail_due = true;
		tcp->is_probing_tail = true;
		tcp->busy->tail_end = tcp->nxt;
		tcp_mark_dirty(tcp);
	}
	arm(tcp, may_probe_tail(tcp) ? TCP_MODE_PROBE : TCP_MODE_RETRANSMIT);
}

static void retransmit_deadline(struct reeve_tcp *tcp)
{
	switch ((enum tcp_retransmit_mode)tcp->busy->retransmit_mode) {
	case TCP_MODE_NONE:
		break;
	case TCP_MODE_RETRANSMIT:
		if (tcp_is_synchronized(tcp) && !tcp->syn_unanswered)
			retransmission_timeout(tcp);
		else
			handshake_timeout(tcp);
		break;
	case TCP_MODE_PROBE:
		probe_deadline(tcp);
		break;
	case TCP_MODE_PERSIST:
		persist_timeout(tcp);
		break;
	}
}

static void keepalive_deadline(struct reeve_tcp *tcp)
{
	const struct tcp_settings *const s = &tcp->settings;
	const int64_t silent_ns = reeve_time_since(tcp_now(tcp), tcp->last_received);
	const int64_t idle_ns = s->keepalive_idle_s * REEVE_NS_PER_S;

	if (tcp->is_orphan && tcp->state == REEVE_TCP_FIN_WAIT_2) {
		tcp_dispose(tcp);
		return;
	}
	if (!s->keepalive || !tcp_is_synchronized(tcp))
		return;
	/* Data in flight or to be sent, or a SYN, asks the same question by itself. */
	if (tcp->syn_unanswered || !seq_equal(tcp->una, tcp->nxt) || tcp_unsent_bytes(tcp) > 0) {
		tcp_timer_keepalive(tcp);
		return;
	}
	if (silent_ns < idle_ns) {
		tcp->retries = 0;
		tcp_timer_set(tcp, TCP_DEADLINE_KEEPALIVE,
			      reeve_time_add(tcp->last_received, idle_ns));
		return;
	}
	if (s->user_timeout_ms
		    ? silent_ns >= s->user_timeout_ms * REEVE_NS_PER_MS && tcp->retries > 0
		    : tcp->retries >= s->keepalive_count) {
		tcp_reset(tcp, timeout_error(tcp));
		return;
	}
	tcp->retries++;
	tcp->probe_due = true;
	tcp_mark_dirty(tcp);
	set_in_ms(tcp, TCP_DEADLINE_KEEPALIVE, (int64_t)s->keepalive_interval_s * 1000);
}

/* True when the deadline had come; it is cleared then. */
static bool has_come(struct reeve_tcp *tcp, enum tcp_deadline which)
{
	if (reeve_time_before(tcp_now(tcp), tcp->busy->deadlines[which]) ||
	    reeve_time_is_never(tcp->busy->deadlines[which]))
		return false;
	tcp_timer_clear(tcp, which);
	return true;
}

/* A connection that rests has one deadline, and does not say which it was: each looks for itself
 * whether it has come. False: without memory there is nothing more to do now. */
static bool wake(struct reeve_tcp *tcp)
{
	if (tcp->busy)
		return true;
	if (tcp->is_orphan && tcp->state == REEVE_TCP_FIN_WAIT_2) {
		tcp_dispose(tcp);
		return false;
	}
	if (!tcp_wake(tcp)) {
		timer_arm(&tcp->host->timers, &tcp->timer,
			  reeve_time_add_ms(tcp_now(tcp), TCP_STARVED_MS));
		return false;
	}
	tcp->busy->deadlines[TCP_DEADLINE_MEMORY] = tcp_now(tcp);
	tcp->busy->deadlines[TCP_DEADLINE_KEEPALIVE] = tcp_now(tcp);
	tcp_mark_dirty(tcp);
	return true;
}

void tcp_conn_timer(struct reeve_tcp *tcp)
{
	if (!wake(tcp))
		return;
	if (has_come(tcp, TCP_DEADLINE_ACK)) {
		tcp->ack_due = true;
		tcp_mark_dirty(tcp);
	}
	if (has_come(tcp, TCP_DEADLINE_REORDER)) {
		tcp_recovery_check(tcp, 0, false);
		tcp_mark_dirty(tcp);
	}
	if (has_come(tcp, TCP_DEADLINE_PACE))
		tcp_mark_dirty(tcp);
	if (has_come(tcp, TCP_DEADLINE_MEMORY) && tcp->wants_write) {
		tcp->wants_write = false;
		tcp_raise(tcp, REEVE_WRITABLE);
	}
	if (has_come(tcp, TCP_DEADLINE_RETRANSMIT))
		retransmit_deadline(tcp);
	if (tcp->state != REEVE_TCP_CLOSED && has_come(tcp, TCP_DEADLINE_KEEPALIVE))
		keepalive_deadline(tcp);
	if (tcp->state != REEVE_TCP_CLOSED && has_come(tcp, TCP_DEADLINE_REST))
		tcp_rest_deadline(tcp);
	if (!tcp->busy)
		return;

	const struct reeve_time next = earliest(tcp);

	if (tcp->state != REEVE_TCP_CLOSED && !reeve_time_is_never(next))
		timer_arm(&tcp->host->timers, &tcp->timer, next);
}
