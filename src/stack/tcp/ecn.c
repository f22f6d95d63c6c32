/*
 * Explicit congestion notification (RFC 3168): what both ends agree upon in the handshake, the echo of
 * marks that the receiver keeps up until the sender says CWR, and what is marked as capable of it. What
 * the sender does about an echo is in recovery.c.
 */
#include "stack/tcp/conn_private.h"

static bool is_capable(const struct tcp_segment *s)
{
	return (s->how->tos & IP_ECN_MASK) != IP_ECN_NONE;
}

/* RFC 3168, 6.1.1: an ECN-setup SYN. It is never sent as capable itself; one that is comes over a path
 * that sets the bits by itself (as Linux has it). */
bool tcp_ecn_is_asked(const struct tcp_segment *s)
{
	const uint8_t both = TCP_ECE | TCP_CWR;

	return (s->h.flags & both) == both && !is_capable(s);
}

/* The peer's SYN, or SYN and ACK, to our SYN: whether it is agreed upon now. */
bool tcp_ecn_is_agreed(const struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	if (!tcp->ecn)
		return false;
	if (!(s->h.flags & TCP_ACK))
		return tcp_ecn_is_asked(s);
	return (s->h.flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
}

static void acknowledge_now(struct reeve_tcp *tcp)
{
	tcp->ack_due = true;
	tcp_mark_dirty(tcp);
}

/* RFC 3168, 6.1.3: of data that lies in the window, for who repeats old data must not be able to slow us
 * down. The echo begins, and ends, without delay: the sender's window may be one segment. */
void tcp_ecn_received(struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	if (!tcp->ecn || s->length == 0)
		return;
	if ((s->h.flags & TCP_CWR) && tcp->echo_due) {
		tcp->echo_due = false;
		acknowledge_now(tcp);
	}
	if (is_capable(s))
		tcp->ecn_seen = true;
	if ((s->how->tos & IP_ECN_MASK) == IP_ECN_CE && !tcp->echo_due) {
		tcp->echo_due = true;
		acknowledge_now(tcp);
	}
}

bool tcp_ecn_is_echo(const struct reeve_tcp *tcp, const struct tcp_segment *s)
{
	return tcp->ecn && (s->h.flags & (TCP_SYN | TCP_ECE)) == TCP_ECE;
}

/* RFC 3168, 6.1.2: the window was reduced, for whatever reason. The peer hears it with the next new data;
 * what it echoes until that has arrived is about what lies before. */
void tcp_ecn_reduced(struct reeve_tcp *tcp)
{
	if (!tcp->ecn)
		return;
	tcp->cwr_due = true;
	tcp->busy->has_reduced = true;
	tcp->busy->reduced_end = tcp->nxt;
}

/* Whether an echo is of data that was sent after the last reduction. */
bool tcp_ecn_is_news(const struct reeve_tcp *tcp)
{
	return !tcp->busy->has_reduced || seq_after(tcp->una, tcp->busy->reduced_end);
}

/* RFC 3168, 6.1.1 to 6.1.6: new data alone is sent as capable: a mark on what is sent again, on an
 * acknowledgment or on a probe would be lost, or be another's. */
void tcp_ecn_mark(struct reeve_tcp *tcp, struct tcp_emit *e)
{
	if (!tcp->ecn)
		return;
	e->tos |= IP_ECN_ECT0;
	if (!tcp->cwr_due)
		return;
	e->header.flags |= TCP_CWR;
	tcp->cwr_due = false;
}
