/*
 * What a connection sends: the handshake, lost data again, new data, FIN, and acknowledgments by
 * themselves. Called for connections that were marked; decides everything anew each time.
 *
 * Segments are up to 64 KiB long, with the segment size noted (RFC 9293, 3.7.2): what the link does
 * not take so long is cut when it leaves the interface.
 */
#include <errno.h>

#include "base/check.h"
#include "stack/iface.h"
#include "stack/tcp/conn_private.h"

#define SEGMENT_MAX (65535 - 60 - TCP_HEADER_MAX) /* payload bytes of the largest packet */

/* What one round of sending goes by. */
struct sender {
	struct reeve_tcp *tcp;
	const struct ip_route *route;
	struct scoreboard_view view;
	uint32_t pipe; /* bytes held to be in the network */
	bool is_paced;
	uint32_t paced, held; /* bytes that pacing lets out now, and that it holds back */
};

/* One segment of the stream in the making. */
struct shape {
	struct tcp_seq seq;
	uint32_t length; /* payload bytes */
	uint8_t flags;   /* besides ACK */
	bool is_probe;   /* longer than a segment, and not to be cut (path_mtu.c) */
	bool is_new;     /* never sent before */
};

uint32_t tcp_unsent_bytes(const struct reeve_tcp *tcp)
{
	return tcp->fin_sent ? 0 : tcp->busy->send.length - tcp_in_flight(tcp);
}

static struct tcp_seq stream_end(const struct reeve_tcp *tcp)
{
	return seq_add(tcp->una, tcp->busy->send.length);
}

static struct tcp_emit begin(struct reeve_tcp *tcp, struct tcp_seq seq, uint8_t flags)
{
	struct tcp_emit e = {
		.flow = &tcp->flow,
		.ttl = tcp->settings.ttl,
		.tos = tcp->settings.tos,
		.header = { .sequence = seq.n, .flags = flags },
	};

	if (flags & TCP_ACK)
		e.header.acknowledgment = tcp->rcv_nxt.n;
	if (tcp->echo_due && (flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK)
		e.header.flags |= TCP_ECE;
	if (tcp->timestamps) {
		e.header.options.has_timestamps = true;
		e.header.options.timestamp = tcp_timestamp(tcp_of(tcp), tcp->ts_offset);
		e.header.options.timestamp_echo = tcp->ts_recent;
	}
	return e;
}

/* What holds once a segment with an ACK is under way. */
static void acknowledged(struct reeve_tcp *tcp)
{
	tcp->ack_due = false;
	tcp->busy->unacked_bytes = 0;
	tcp->busy->ack_sent = tcp->rcv_nxt;
	tcp_timer_clear(tcp, TCP_DEADLINE_ACK);
}

/* RFC 2018, 4; RFC 2883, 4: what arrived twice comes first. */
static void add_sack(struct reeve_tcp *tcp, struct tcp_options *o)
{
	const unsigned most = tcp->timestamps ? TCP_SACK_BLOCKS - 1 : TCP_SACK_BLOCKS;
	unsigned used = 0;

	if (!tcp->sack)
		return;
	if (tcp->has_dsack)
		o->sack[used++] =
			(struct tcp_sack_block){ tcp->busy->dsack_start.n, tcp->busy->dsack_end.n };
	tcp->has_dsack = false;
	o->sack_count = (uint8_t)(used + receive_queue_sack(&tcp->busy->receive, o->sack + used,
							    most - used));
}

static void send_empty(struct reeve_tcp *tcp, struct tcp_seq seq)
{
	struct tcp_emit e = begin(tcp, seq, TCP_ACK);

	e.header.window = tcp_window_advertise(tcp, false);
	add_sack(tcp, &e.header.options);
	acknowledged(tcp);
	tcp->segments_sent++;
	tcp_emit_empty(tcp_of(tcp), &e);
}

void tcp_send_ack(struct reeve_tcp *tcp)
{
	send_empty(tcp, tcp->nxt);
}

void tcp_send_reset(struct reeve_tcp *tcp)
{
	struct tcp_emit e = begin(tcp, tcp->nxt, TCP_RST | TCP_ACK);

	if (tcp->state == REEVE_TCP_CLOSED || tcp->state == REEVE_TCP_LISTEN ||
	    tcp->state == REEVE_TCP_SYN_SENT || tcp->state == REEVE_TCP_TIME_WAIT)
		return;
	tcp->segments_sent++;
	tcp_emit_empty(tcp_of(tcp), &e);
}

/* RFC 5961, 7: limited, for each connection by itself (CVE-2016-5696: a limit that connections
 * share tells one about the other). */
void tcp_challenge(struct reeve_tcp *tcp)
{
	const struct reeve_time now = tcp_now(tcp);

	if (tcp->busy->has_challenged &&
	    reeve_time_since(now, tcp->busy->last_challenge) < TCP_CHALLENGE_MS * REEVE_NS_PER_MS)
		return;
	tcp->busy->has_challenged = true;
	tcp->busy->last_challenge = now;
	tcp_send_ack(tcp);
}

/* Fast Open's part of a SYN, or of the answer to one: the option, and data. Each goes once. */
static void add_fast_open(struct reeve_tcp *tcp, bool is_answer, struct tcp_options *o,
			  struct reeve_packet *p)
{
	struct tcp_fast_handshake *const fast = tcp->busy->fast;
	struct send_queue *const q = &tcp->busy->send;

	if (!fast || tcp->syn_resent)
		return;
	if (is_answer && fast->renews_cookie)
		tcp_fast_cookie(tcp_of(tcp), &tcp->flow, &o->fast_open);
	if (is_answer)
		return;
	o->fast_open = fast->option;
	/* A SYN has no urgent pointer: what is urgent waits. */
	if (fast->option.length == 0 || q->length == 0 || tcp->urgent_out)
		return;
	fast->sent = (uint16_t)send_queue_append(q, 0, q->length, p);
	tcp->bytes_sent += fast->sent;
	tcp->host->stats.tcp_bytes_out += fast->sent;
}

/* SYN, or SYN and ACK, with what we offer or what was agreed upon. */
static void send_syn(struct reeve_tcp *tcp, const struct ip_route *route)
{
	const bool is_answer = tcp->state != REEVE_TCP_SYN_SENT;
	struct tcp_emit e = begin(tcp, tcp->iss, is_answer ? TCP_SYN | TCP_ACK : TCP_SYN);
	struct reeve_packet *const p = packet_new(tcp->host->pool);
	struct tcp_options *const o = &e.header.options;
	uint16_t mss = tcp_route_mss(route, &tcp->flow.remote_address);

	if (tcp->settings.max_segment && tcp->settings.max_segment < mss)
		mss = tcp->settings.max_segment;
	/* RFC 3168, 6.1.1.1: some paths drop a SYN that asks for ECN. The answer to the first may come
	 * all the same, and then it is agreed upon. */
	if (tcp->ecn && is_answer)
		e.header.flags |= TCP_ECE;
	else if (tcp->ecn && !tcp->syn_resent)
		e.header.flags |= TCP_ECE | TCP_CWR;
	o->mss = mss;
	o->sack_permitted = tcp->sack;
	o->has_window_scale = tcp->scaling;
	o->window_scale = tcp->receive_scale;
	if (is_answer) {
		e.header.window = tcp_window_advertise(tcp, true);
		acknowledged(tcp);
	} else {
		const uint32_t room = tcp->settings.receive_buffer;

		e.header.window = room < UINT16_MAX ? (uint16_t)room : UINT16_MAX;
	}
	tcp->syn_due = false;
	if (p)
		add_fast_open(tcp, is_answer, o, p);

	const uint32_t length = p ? (uint32_t)reeve_packet_length(p) : 0;

	tcp->nxt = seq_max(tcp->nxt, seq_add(tcp->iss, 1 + length));
	if (!tcp->syn_resent && !tcp->timing) {
		tcp->timing = true;
		tcp->busy->timed_end = tcp->nxt;
		tcp->busy->timed_at = tcp_now(tcp);
	}
	tcp->segments_sent++;
	if (p)
		tcp_emit(tcp_of(tcp), p, &e);
}

/* The longest payload a packet may have on this route: no more frames than the interface has room
 * for. */
static uint32_t longest(const struct reeve_tcp *tcp, const struct ip_route *route)
{
	const uint32_t most = SEGMENT_MAX / tcp->mss;
	const uint32_t room = iface_room(tcp->host, route->iface);

	/* The urgent pointer would have to be moved in each piece. */
	if (tcp->urgent_out || most < 1 || room < 1)
		return tcp->mss;
	return (room < most ? room : most) * tcp->mss;
}

/* How many segments of the wire a payload is. */
static uint32_t segments_of(const struct reeve_tcp *tcp, uint32_t length)
{
	return length > tcp->mss ? (length + tcp->mss - 1U) / tcp->mss : 1;
}

static void fill_urgent(const struct reeve_tcp *tcp, struct tcp_header *h)
{
	const struct tcp_seq seq = { h->sequence };

	if (!tcp->urgent_out || !seq_before(seq, tcp->busy->urgent_end))
		return;

	const uint32_t ahead = seq_distance(seq, tcp->busy->urgent_end);

	h->flags |= TCP_URG;
	h->urgent = ahead < UINT16_MAX ? (uint16_t)ahead : UINT16_MAX;
}

/* Sends a segment of the stream. False: no memory; nothing has changed. The payload may come out
 * shorter than asked, when its slices are many; *shape says how long it is then. */
static bool send_shape(struct reeve_tcp *tcp, const struct ip_route *route, struct shape *shape)
{
	struct reeve_packet *const p = packet_new(tcp->host->pool);

	if (!p)
		return false;

	const uint32_t sent = send_queue_append(
		&tcp->busy->send, seq_distance(tcp->una, shape->seq), shape->length, p);

	if (sent < shape->length) {
		shape->flags = (uint8_t)(shape->flags & ~(TCP_FIN | TCP_PSH));
		shape->length = sent > tcp->mss ? sent - sent % tcp->mss : sent;
		packet_trim(p, shape->length);
		shape->is_probe = false;
	}
	if (shape->length > tcp->mss && !shape->is_probe) {
		p->offload.segmentation = reeve_address_is_ipv4(&tcp->flow.remote_address)
						  ? REEVE_SEGMENTATION_TCP4
						  : REEVE_SEGMENTATION_TCP6;
		p->offload.segment_size = tcp->mss;
	}

	struct tcp_emit e = begin(tcp, shape->seq, (uint8_t)(TCP_ACK | shape->flags));

	if (shape->is_new && shape->length > 0)
		tcp_ecn_mark(tcp, &e);
	e.has_offloads = true;
	e.offloads = route->offloads;
	e.header.window = tcp_window_advertise(tcp, false);
	fill_urgent(tcp, &e.header);
	acknowledged(tcp);
	tcp->segments_sent += segments_of(tcp, shape->length);
	tcp->busy->last_sent = tcp_now(tcp);
	tcp_emit(tcp_of(tcp), p, &e);
	return true;
}

/* Whether a range that is sent again reaches up to our FIN, and so has to have it. */
static uint8_t resend_flags(const struct reeve_tcp *tcp, struct tcp_seq end)
{
	if (!seq_equal(end, stream_end(tcp)))
		return 0;
	return tcp->fin_sent ? TCP_FIN | TCP_PSH : TCP_PSH;
}

/* Bytes sent again, FIN included; 0: not now. */
static uint32_t resend(struct reeve_tcp *tcp, const struct ip_route *route,
		       const struct scoreboard_range *range, uint32_t most)
{
	const struct tcp_seq data_end = seq_min(range->end, stream_end(tcp));
	struct shape shape = { .seq = range->start };

	if (seq_before(range->start, data_end))
		shape.length = seq_distance(range->start, data_end);
	if (!scoreboard_has_room(&tcp->busy->scoreboard))
		return 0;
	if (shape.length > most)
		shape.length = most;
	shape.flags = resend_flags(tcp, seq_add(shape.seq, shape.length));
	if (shape.length == 0)
		shape.flags &= TCP_FIN; /* nothing to push */
	if (!send_shape(tcp, route, &shape))
		return 0;

	const uint32_t bytes = shape.length + (shape.flags & TCP_FIN ? 1 : 0);
	struct scoreboard_range sent = { shape.seq, seq_add(shape.seq, bytes) };

	/* A FIN that goes along, behind the range, may have arrived already. */
	if (scoreboard_is_sacked(&tcp->busy->scoreboard, seq_sub(sent.end, 1)))
		sent.end = range->end;
	scoreboard_resent(&tcp->busy->scoreboard, &sent, tcp->nxt, tcp_now_us(tcp));
	tcp->timing = false; /* Karn's rule: RFC 6298, 3 */
	tcp->retransmits += segments_of(tcp, shape.length);
	tcp->host->stats.tcp_retransmits += segments_of(tcp, shape.length);
	return bytes;
}

/* What congestion control lets out now: while the window falls, what PRR gives. */
static uint32_t congestion_room(const struct sender *s)
{
	const uint32_t window = s->tcp->busy->congestion.window;

	if (s->tcp->busy->prr.is_active)
		return s->tcp->busy->prr.quota;
	return window > s->pipe ? window - s->pipe : 0;
}

static void note_pace(struct sender *s, uint32_t bytes)
{
	if (!s->is_paced)
		return;
	tcp_pacing_sent(s->tcp, bytes);
	s->paced -= bytes < s->paced ? bytes : s->paced;
}

/* RFC 6675, 5, (C): the first lost range, when the window has room. */
static bool send_lost(struct sender *s)
{
	struct reeve_tcp *const tcp = s->tcp;
	struct scoreboard_range range;

	if (tcp->busy->recovery == TCP_RECOVERY_OPEN)
		return false;
	if (!scoreboard_next_lost(&tcp->busy->scoreboard, &s->view, &range)) {
		tcp->resend_due = false;
		return false;
	}

	const uint32_t room = congestion_room(s);
	uint32_t most = longest(tcp, s->route);

	if (room < tcp->mss && !tcp->resend_due)
		return false;
	if (most > room)
		most = room < tcp->mss ? tcp->mss : room - room % tcp->mss;

	const uint32_t bytes = resend(tcp, s->route, &range, most);

	if (bytes == 0)
		return false;
	tcp_path_resent(tcp, range.start, seq_add(range.start, bytes));
	note_pace(s, bytes);
	s->pipe += bytes;
	prr_sent_again(&tcp->busy->prr, bytes);
	tcp->resend_due = false;
	tcp->busy->first_lost = false;
	s->view.first_lost = false;
	tcp_recovery_resent(tcp, seq_add(range.start, bytes));
	s->view.lost = seq_max(s->view.lost, seq_min(tcp->busy->resent_high, tcp->nxt));
	return true;
}

/* Nagle's algorithm as Minshall has it: one small segment may be under way. And cork. */
static bool may_send_partial(const struct reeve_tcp *tcp)
{
	if (tcp->push_partial || tcp->fin_queued)
		return true;
	if (tcp->settings.cork)
		return false;
	return tcp->settings.no_delay || !seq_after(tcp->busy->small_end, tcp->una);
}

/* How much of the unsent may go now; 0: nothing. `window` is what the peer takes, `room` what the
 * congestion window leaves. Sets window_limited. RFC 9293, 3.8.6.2.1. */
static uint32_t decide_length(struct reeve_tcp *tcp, uint32_t unsent, uint32_t window,
			      uint32_t room)
{
	const uint32_t usable = window < room ? window : room;
	const uint32_t mss = tcp->mss;

	check(mss > 0);
	if (unsent <= usable && unsent % mss == 0)
		return unsent;
	if (unsent <= usable) {
		const uint32_t full = unsent - unsent % mss;

		return may_send_partial(tcp) ? unsent : full;
	}
	if (room < window)
		tcp->window_limited = true;
	if (usable >= mss)
		return usable - usable % mss;
	if (room < window) /* never less than a segment for want of congestion window */
		return 0;
	if (usable > 0 && (tcp->push_partial || usable >= tcp->send_window_max / 2))
		return usable;
	return 0;
}

static uint32_t peer_room(const struct reeve_tcp *tcp)
{
	const uint32_t in_flight = tcp_in_flight(tcp);

	return tcp->send_window > in_flight ? tcp->send_window - in_flight : 0;
}

static void note_sent(struct reeve_tcp *tcp, const struct shape *shape)
{
	const bool has_fin = shape->flags & TCP_FIN;

	if (seq_equal(tcp->una, tcp->nxt)) {
		tcp->busy->stalled_since = tcp_now(tcp);
		tcp->busy->rack.is_valid =
			false; /* its times, modulo 2^32, say nothing after a rest */
	}
	tcp->nxt = seq_add(shape->seq, shape->length + has_fin);
	if (has_fin)
		tcp->fin_sent = true;
	if (shape->length % tcp->mss)
		tcp->busy->small_end = tcp->nxt;
	if (tcp->sack)
		sent_times_add(&tcp->busy->sent_times, tcp->nxt, tcp_now_us(tcp));
	if (!tcp->timing) {
		tcp->timing = true;
		tcp->busy->timed_end = tcp->nxt;
		tcp->busy->timed_at = tcp_now(tcp);
	}
	tcp->bytes_sent += shape->length;
	tcp->host->stats.tcp_bytes_out += shape->length;
}

/* The connection was idle for longer than its timeout: RFC 5681, 4.1. */
static void restart_if_idle(struct reeve_tcp *tcp)
{
	const int64_t idle_ns = reeve_time_since(tcp_now(tcp), tcp->busy->last_sent);
	const uint32_t rto_ms = rtt_timeout_ms(&tcp->rtt);

	if (!seq_equal(tcp->una, tcp->nxt) || tcp->bytes_sent == 0 ||
	    idle_ns <= rto_ms * REEVE_NS_PER_MS)
		return;
	congestion_idle(&tcp->busy->congestion, idle_ns / REEVE_NS_PER_MS, rto_ms, tcp_now(tcp));
	tcp->busy->last_sent = tcp_now(tcp); /* once is enough, whether anything goes out or not */
}

static uint32_t probe_length(const struct sender *s, uint32_t unsent, uint32_t usable)
{
	return tcp_path_probe(s->tcp, s->route, unsent < usable ? unsent : usable);
}

/* How much of that may go by the rate; 0: it has to wait, with all that is `wanted`. No less than a
 * segment, or all. */
static uint32_t pace(struct sender *s, const struct shape *shape, uint32_t wanted)
{
	const uint32_t mss = s->tcp->mss;
	const uint32_t least = shape->length < mss ? shape->length : mss;

	if (s->paced < least) {
		s->held = wanted;
		return 0;
	}
	if (shape->length <= s->paced || shape->is_probe)
		return shape->length;
	return s->paced - s->paced % mss;
}

static bool send_new(struct sender *s)
{
	struct reeve_tcp *const tcp = s->tcp;
	const uint32_t unsent = tcp_unsent_bytes(tcp);
	const uint32_t window = peer_room(tcp);
	const bool fin_waits = tcp->fin_queued && !tcp->fin_sent;

	if (unsent == 0 && !fin_waits)
		return false;
	restart_if_idle(tcp);

	const uint32_t room = congestion_room(s);
	const uint32_t most = longest(tcp, s->route);
	struct shape shape = { .seq = tcp->nxt, .is_new = true };

	shape.length = probe_length(s, unsent, window < room ? window : room);
	shape.is_probe = shape.length > 0;
	if (!shape.is_probe)
		shape.length = decide_length(tcp, unsent, window, room);
	if (shape.length == 0 && unsent > 0)
		return false;

	const uint32_t wanted = shape.length;

	if (shape.length > most && !shape.is_probe)
		shape.length = most;
	if (s->is_paced && unsent > 0)
		shape.length = pace(s, &shape, wanted);
	if (shape.length == 0 && unsent > 0)
		return false;
	if (shape.length == unsent) {
		if (fin_waits && window > unsent)
			shape.flags = TCP_FIN;
		if (unsent > 0)
			shape.flags |= TCP_PSH;
	}
	if ((shape.length == 0 && !(shape.flags & TCP_FIN)) || !send_shape(tcp, s->route, &shape))
		return false;
	if (shape.is_probe)
		tcp_path_probed(tcp, shape.seq, shape.length);
	note_sent(tcp, &shape);
	note_pace(s, shape.length);
	s->pipe += seq_distance(shape.seq, tcp->nxt);
	prr_sent(&tcp->busy->prr, seq_distance(shape.seq, tcp->nxt));
	s->view.next = tcp->nxt;
	return true;
}

/* What of the last segment nobody has reported yet. */
static struct scoreboard_range unreported_tail(const struct reeve_tcp *tcp)
{
	const struct scoreboard *const b = &tcp->busy->scoreboard;
	const uint32_t in_flight = tcp_in_flight(tcp);
	const uint32_t back = in_flight < tcp->mss ? in_flight : tcp->mss;
	struct scoreboard_range range = { seq_sub(tcp->nxt, back), tcp->nxt };
	const struct score *s;
	unsigned cursor = 0;

	while ((s = scoreboard_next(b, range.start, range.end, &cursor)))
		if (!s->resent)
			range.start = s->end;
	return range;
}

/* RFC 8985, 7.3: the last segment again; new data, if the windows allow any, follows by itself. */
static void send_tail_probe(struct sender *s)
{
	struct reeve_tcp *const tcp = s->tcp;

	/* One that does not go out, or is not needed any more, says nothing of a loss. */
	tcp->tail_due = tcp->is_probing_tail = false;
	if (seq_equal(tcp->una, tcp->nxt) || tcp->busy->recovery != TCP_RECOVERY_OPEN)
		return;

	const struct scoreboard_range range = unreported_tail(tcp);

	if (!seq_before(range.start, range.end))
		return;

	const uint32_t bytes = resend(tcp, s->route, &range, tcp->mss);

	if (bytes > 0) {
		note_pace(s, bytes);
		tcp->is_probing_tail = true;
		tcp->busy->tail_end = tcp->nxt;
	}
}

/* A window or keepalive probe: a segment that the peer has to answer because it is old. Linux's
 * shape of it; RFC 9293, 3.8.4 and 3.8.6.1. */
static void send_probe(struct reeve_tcp *tcp)
{
	tcp->probe_due = false;
	send_empty(tcp, seq_sub(tcp->una, 1));
}

/* Whether the window was in use: new data that went out, up to `nxt` now, says so. A program that
 * waits for room in the send buffer would have used more. */
static void note_use(struct reeve_tcp *tcp, struct tcp_seq before)
{
	if (tcp->busy->recovery != TCP_RECOVERY_OPEN ||
	    (!tcp->window_limited && (seq_equal(before, tcp->nxt) || tcp->wants_write)))
		return;
	congestion_sent(&tcp->busy->congestion, tcp_in_flight(tcp), tcp->window_limited,
			tcp_now(tcp), rtt_timeout_ms(&tcp->rtt));
}

static void begin_pace(struct sender *s)
{
	s->is_paced = tcp_is_paced(s->tcp);
	if (s->is_paced)
		s->paced = tcp_pacing_room(s->tcp);
}

/* The window sets the rate: what waits for that waits for the window, unless the owner wants less than
 * the path would give. */
static void end_pace(struct sender *s)
{
	struct reeve_tcp *const tcp = s->tcp;

	tcp->busy->is_held = s->held > 0;
	if (s->held == 0) {
		tcp_timer_clear(tcp, TCP_DEADLINE_PACE);
		return;
	}
	if (tcp_pacing_is_by_owner(tcp))
		tcp->window_limited = false;
	tcp_pacing_wait(tcp, s->held);
}

/* False: the budget or the interface's room ran out. */
static bool output_stream(struct reeve_tcp *tcp, const struct ip_route *route, unsigned *budget)
{
	struct sender s = { .tcp = tcp, .route = route };
	bool more = false;

	const struct tcp_seq before = tcp->nxt;

	tcp_update_mss(tcp, route);
	if (tcp->syn_due)
		send_syn(tcp, route);
	tcp->window_limited = false;
	begin_pace(&s);
	/* Reports of gaps go by themselves: data segments have no room for them. */
	if (tcp->ack_due && (tcp->has_dsack || tcp->busy->receive.range_count > 0))
		tcp_send_ack(tcp);
	if (tcp->tail_due)
		send_tail_probe(&s);
	tcp_recovery_view(tcp, &s.view);
	s.pipe = tcp_recovery_pipe(tcp, &s.view);
	while (!more) {
		/* Rather wait than lose our own segments in our own queue. */
		more = *budget == 0 || iface_room(tcp->host, route->iface) == 0;
		if (more || (!send_lost(&s) && !send_new(&s)))
			break;
		--*budget;
	}
	tcp->push_partial = false;
	end_pace(&s);
	if (!more)
		note_use(tcp, before);
	if (tcp->probe_due)
		send_probe(tcp);
	if (tcp->ack_due)
		tcp_send_ack(tcp);
	tcp_timer_retransmit(tcp);
	tcp_consider_rest(tcp);
	return !more;
}

bool tcp_output(struct reeve_tcp *tcp, unsigned *budget)
{
	struct ip_route route;

	if (tcp->state == REEVE_TCP_CLOSED || tcp->state == REEVE_TCP_LISTEN ||
	    tcp->state == REEVE_TCP_TIME_WAIT)
		return true;

	if (!tcp_wake(tcp)) {
		tcp_timer_set(tcp, TCP_DEADLINE_MEMORY,
			      reeve_time_add_ms(tcp_now(tcp), TCP_STARVED_MS));
		return true;
	}

	const int r =
		ip_route(tcp->host, &tcp->flow.remote_address, &tcp->flow.local_address, &route);

	if (r < 0) {
		tcp->soft_error = (int16_t)-r;
		tcp_timer_retransmit(tcp);
		return true;
	}
	if (tcp_is_synchronized(tcp))
		return output_stream(tcp, &route, budget);
	if (tcp->syn_due)
		send_syn(tcp, &route);
	if (tcp->ack_due && tcp->state == REEVE_TCP_SYN_RECEIVED)
		tcp_send_ack(tcp);
	tcp_timer_retransmit(tcp);
	return true;
}
