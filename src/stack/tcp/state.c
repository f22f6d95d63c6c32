/*
 * The states of RFC 9293, 3.3.2, and the one door between them.
 */
#include <assert.h>

#include "base/check.h"
#include "stack/tcp/conn_private.h"

#define BIT(state) (1U << REEVE_TCP_##state)

static const struct {
	const char *name; /* as ss prints it */
	unsigned next;    /* the states that may follow */
} states[] = {
	[REEVE_TCP_CLOSED] = { "UNCONN",
			       BIT(LISTEN) | BIT(SYN_SENT) | BIT(SYN_RECEIVED) | BIT(ESTABLISHED) },
	[REEVE_TCP_LISTEN] = { "LISTEN", BIT(CLOSED) },
	[REEVE_TCP_SYN_SENT] = { "SYN-SENT", BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(CLOSED) },
	[REEVE_TCP_SYN_RECEIVED] = { "SYN-RECV", BIT(ESTABLISHED) | BIT(CLOSED) },
	[REEVE_TCP_ESTABLISHED] = { "ESTAB", BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(CLOSED) },
	[REEVE_TCP_FIN_WAIT_1] = { "FIN-WAIT-1", BIT(FIN_WAIT_2) | BIT(CLOSING) | BIT(CLOSED) },
	[REEVE_TCP_FIN_WAIT_2] = { "FIN-WAIT-2", BIT(TIME_WAIT) | BIT(CLOSED) },
	[REEVE_TCP_CLOSE_WAIT] = { "CLOSE-WAIT", BIT(LAST_ACK) | BIT(CLOSED) },
	[REEVE_TCP_CLOSING] = { "CLOSING", BIT(TIME_WAIT) | BIT(CLOSED) },
	[REEVE_TCP_LAST_ACK] = { "LAST-ACK", BIT(CLOSED) },
	[REEVE_TCP_TIME_WAIT] = { "TIME-WAIT", BIT(CLOSED) },
};

static_assert(array_length(states) == REEVE_TCP_TIME_WAIT + 1, "a row each state");

const char *reeve_tcp_state_name(enum reeve_tcp_state state)
{
	return (unsigned)state < array_length(states) ? states[state].name : "?";
}

/* What must hold in the state that is entered. */
static void check_invariants(const struct reeve_tcp *tcp)
{
	switch ((enum reeve_tcp_state)tcp->state) {
	case REEVE_TCP_CLOSED:
		check(!tcp->has_flow && !timer_is_armed(&tcp->timer));
		break;
	case REEVE_TCP_LISTEN:
		check(tcp->listener);
		break;
	case REEVE_TCP_SYN_SENT:
	case REEVE_TCP_SYN_RECEIVED:
		check(tcp->has_flow && !tcp->fin_sent && !tcp->fin_received);
		break;
	case REEVE_TCP_ESTABLISHED:
		check(tcp->has_flow && !tcp->fin_received);
		break;
	case REEVE_TCP_FIN_WAIT_1:
		check(tcp->has_flow && tcp->fin_queued && !tcp->fin_received);
		break;
	case REEVE_TCP_FIN_WAIT_2:
		check(tcp->fin_sent && seq_equal(tcp->una, tcp->nxt));
		break;
	case REEVE_TCP_CLOSE_WAIT:
		check(tcp->has_flow && tcp->fin_received && !tcp->fin_queued);
		break;
	case REEVE_TCP_CLOSING:
	case REEVE_TCP_LAST_ACK:
		check(tcp->has_flow && tcp->fin_received && tcp->fin_queued);
		break;
	case REEVE_TCP_TIME_WAIT:
		check(tcp->fin_received && seq_equal(tcp->una, tcp->nxt));
		break;
	}
}

void tcp_set_state(struct reeve_tcp *tcp, enum reeve_tcp_state state)
{
	check(states[tcp->state].next & 1U << state);
	tcp->state = (uint8_t)state;
	check_invariants(tcp);
}

enum reeve_tcp_state tcp_told_state(const struct reeve_tcp *tcp)
{
	if (tcp->state == REEVE_TCP_ESTABLISHED && tcp->syn_unanswered)
		return REEVE_TCP_SYN_RECEIVED;
	return (enum reeve_tcp_state)tcp->state;
}

bool tcp_is_synchronized(const struct reeve_tcp *tcp)
{
	return tcp->state >= REEVE_TCP_ESTABLISHED;
}

bool tcp_may_receive(const struct reeve_tcp *tcp)
{
	return tcp->state == REEVE_TCP_ESTABLISHED || tcp->state == REEVE_TCP_FIN_WAIT_1 ||
	       tcp->state == REEVE_TCP_FIN_WAIT_2;
}

bool tcp_may_send(const struct reeve_tcp *tcp)
{
	return (tcp->state == REEVE_TCP_ESTABLISHED || tcp->state == REEVE_TCP_CLOSE_WAIT) &&
	       !tcp->fin_queued;
}
