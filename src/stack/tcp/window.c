/*
 * The window that we offer, and when received data is acknowledged (RFC 9293, 3.8.6.2.2 and
 * 3.8.6.3; RFC 5681, 4.2).
 *
 * The window is the room between what waits for the reader and the receive buffer's limit. Its
 * right edge never moves back (RFC 9293, 3.8.6), and forward only by steps worth a segment.
 */
#include "stack/tcp/conn_private.h"

#define LONG_PATH_NS (2 * REEVE_NS_PER_MS)
#define ACK_DELAY_MS 40 /* as Linux; RFC 9293, 3.8.6.3 allows 500 */

uint8_t tcp_window_scale(const struct tcp_host *t, const struct tcp_settings *settings)
{
	const uint32_t most = settings->receive_fixed ? settings->receive_buffer : t->receive_max;
	uint8_t scale = 0;

	while (scale < TCP_SCALE_MAX && (UINT32_C(65535) << scale) < most)
		scale++;
	return scale;
}

void tcp_window_init(struct reeve_tcp *tcp)
{
	const uint32_t room = tcp->settings.receive_buffer;

	tcp->rcv_edge = seq_add(tcp->rcv_nxt, room < UINT16_MAX ? room : UINT16_MAX);
	if (tcp->busy)
		tcp->busy->ack_sent = tcp->rcv_nxt;
	tcp->receive_mss = TCP_MSS_DEFAULT;
	tcp->quick_acks = TCP_QUICK_ACKS;
}

/* How far the right edge could be. */
static struct tcp_seq possible_edge(const struct reeve_tcp *tcp)
{
	const uint32_t limit = tcp->settings.receive_buffer;
	const uint32_t used = tcp_received(tcp);
	const uint32_t most = UINT32_C(65535) << tcp->receive_scale;
	const uint32_t room = used < limit ? limit - used : 0;

	return seq_max(seq_add(tcp->rcv_nxt, room < most ? room : most), tcp->rcv_edge);
}

/* RFC 9293, 3.8.6.2.2: the least step forward. */
static uint32_t least_step(const struct reeve_tcp *tcp)
{
	const uint32_t half = tcp->settings.receive_buffer / 2;

	return half < tcp->receive_mss ? half : tcp->receive_mss;
}

uint16_t tcp_window_advertise(struct reeve_tcp *tcp, bool is_syn)
{
	const struct tcp_seq possible = possible_edge(tcp);
	const unsigned scale = is_syn ? 0 : tcp->receive_scale;
	struct tcp_seq edge = tcp->rcv_edge;

	if (seq_distance(edge, possible) >= least_step(tcp))
		edge = possible;

	const uint32_t window = seq_distance(tcp->rcv_nxt, edge);
	uint32_t field = window >> scale;

	/* What the scale cuts off must not take back what was offered; but each time that gives a
	 * little more, and a peer that sends by less than the scale's unit would never see the window
	 * close. So one unit over the buffer is the end of it. */
	if (seq_before(seq_add(tcp->rcv_nxt, field << scale), tcp->rcv_edge) &&
	    (uint64_t)tcp->busy->receive.length + (field << scale) <= tcp->settings.receive_buffer)
		field++;
	if (field > UINT16_MAX)
		field = UINT16_MAX;
	tcp->rcv_edge = seq_max(tcp->rcv_edge, seq_add(tcp->rcv_nxt, field << scale));
	return (uint16_t)field;
}

/* The peer hears of a window that has grown when it grew by a segment, and is twice what the peer
 * knows of: a fast reader does not cause an ACK each time it reads. */
bool tcp_window_should_update(const struct reeve_tcp *tcp)
{
	const struct tcp_seq possible = possible_edge(tcp);
	const uint32_t known = seq_distance(tcp->rcv_nxt, tcp->rcv_edge);
	const uint32_t now = seq_distance(tcp->rcv_nxt, possible);

	return tcp_may_receive(tcp) && now - known >= least_step(tcp) && (now - known) >= known;
}

/* A reader that takes half a buffer in one round trip could have more of a long path: the buffer
 * grows, unless the owner has said how large it is. On a short path more would only wait. */
void tcp_window_consumed(struct reeve_tcp *tcp, size_t bytes)
{
	struct tcp_settings *const s = &tcp->settings;
	const int64_t round_ns = tcp->rtt.smoothed_us * REEVE_NS_PER_US;

	const uint32_t most = tcp_of(tcp)->receive_max;

	if (s->receive_fixed || round_ns < LONG_PATH_NS || s->receive_buffer >= most)
		return;
	tcp->busy->round_bytes += (uint32_t)bytes;
	if (reeve_time_since(tcp_now(tcp), tcp->busy->round_start) < round_ns)
		return;
	if (tcp->busy->round_bytes >= s->receive_buffer / 2)
		s->receive_buffer = s->receive_buffer < most / 2 ? 2 * s->receive_buffer : most;
	tcp->busy->round_start = tcp_now(tcp);
	tcp->busy->round_bytes = 0;
}

/* More than a full segment is acknowledged at once (RFC 9293, SHLD-19, and as Linux), anything out of order too
 * (RFC 5681, 4.2), and the first ones of a connection, so that the peer's window opens quickly. */
void tcp_note_received(struct reeve_tcp *tcp, uint32_t bytes)
{
	tcp->busy->unacked_bytes += bytes;
	if (tcp->quick_acks > 0)
		tcp->quick_acks--;
	else if (!tcp->settings.quick_ack && tcp->busy->receive.range_count == 0 &&
		 tcp->busy->unacked_bytes <= tcp->receive_mss) {
		if (reeve_time_is_never(tcp->busy->deadlines[TCP_DEADLINE_ACK]))
			tcp_timer_set(tcp, TCP_DEADLINE_ACK,
				      reeve_time_add_ms(tcp_now(tcp), ACK_DELAY_MS));
		return;
	}
	tcp->ack_due = true;
	tcp_mark_dirty(tcp);
}
