/* Owns the translation of TCP's figures. */
#include "guest/tcp_info.h"

#include <string.h>

#include "base/check.h"

/* The kernel's numbers of the states (linux/tcp.h has them for itself only). */
static const uint8_t states[] = {
	[REEVE_TCP_ESTABLISHED] = 1, [REEVE_TCP_SYN_SENT] = 2,   [REEVE_TCP_SYN_RECEIVED] = 3,
	[REEVE_TCP_FIN_WAIT_1] = 4,  [REEVE_TCP_FIN_WAIT_2] = 5, [REEVE_TCP_TIME_WAIT] = 6,
	[REEVE_TCP_CLOSED] = 7,      [REEVE_TCP_CLOSE_WAIT] = 8, [REEVE_TCP_LAST_ACK] = 9,
	[REEVE_TCP_LISTEN] = 10,     [REEVE_TCP_CLOSING] = 11,
};

void tcp_info_fill(const struct reeve_tcp_info *from, struct tcp_info *ret)
{
	const uint32_t mss = from->send_mss ? from->send_mss : 1;

	memset(ret, 0, sizeof(*ret));
	if ((unsigned)from->state < array_length(states))
		ret->tcpi_state = states[from->state];
	if (from->timestamps)
		ret->tcpi_options |= TCPI_OPT_TIMESTAMPS;
	if (from->sack)
		ret->tcpi_options |= TCPI_OPT_SACK;
	if (from->window_scaling)
		ret->tcpi_options |= TCPI_OPT_WSCALE;
	ret->tcpi_snd_wscale = from->send_scale & 15U;
	ret->tcpi_rcv_wscale = from->receive_scale & 15U;
	ret->tcpi_rto = from->rto_us;
	ret->tcpi_snd_mss = from->send_mss;
	ret->tcpi_rcv_mss = from->receive_mss;
	ret->tcpi_advmss = from->receive_mss;
	ret->tcpi_unacked = (from->bytes_in_flight + mss - 1) / mss;
	ret->tcpi_rtt = from->rtt_us;
	ret->tcpi_rttvar = from->rtt_variance_us;
	ret->tcpi_min_rtt = from->rtt_min_us;
	ret->tcpi_snd_ssthresh = from->ssthresh_bytes / mss;
	ret->tcpi_snd_cwnd = (from->cwnd_bytes + mss - 1) / mss;
	ret->tcpi_rcv_space = from->receive_window;
	ret->tcpi_total_retrans = (uint32_t)from->retransmits;
	ret->tcpi_bytes_sent = from->bytes_sent;
	ret->tcpi_bytes_acked = from->bytes_acked;
	ret->tcpi_bytes_received = from->bytes_received;
	ret->tcpi_segs_out = (uint32_t)from->segments_sent;
	ret->tcpi_segs_in = (uint32_t)from->segments_received;
}
