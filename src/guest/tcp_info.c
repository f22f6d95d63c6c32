/* Owns the translation of TCP's figures. */
#include "guest/tcp_info.h"

#include <string.h>

#include "base/check.h"

#define SEGMENT_DEFAULT  536 /* RFC 9293, 3.7.1 */
#define TCP_IP_HEADERS   40
#define TIMESTAMP_OPTION 12
#define INITIAL_WINDOW   10 /* segments: RFC 6928 */
#define REORDERING       3
#define RTO_FIRST_US     1000000    /* RFC 6298, 2.1 */
#define SSTHRESH_NONE    0x7fffffff /* what Linux says while there is none */

/* The kernel's numbers of the states (linux/tcp.h has them for itself only). */
static const uint8_t states[] = {
	[REEVE_TCP_ESTABLISHED] = 1, [REEVE_TCP_SYN_SENT] = 2,   [REEVE_TCP_SYN_RECEIVED] = 3,
	[REEVE_TCP_FIN_WAIT_1] = 4,  [REEVE_TCP_FIN_WAIT_2] = 5, [REEVE_TCP_TIME_WAIT] = 6,
	[REEVE_TCP_CLOSED] = 7,      [REEVE_TCP_CLOSE_WAIT] = 8, [REEVE_TCP_LAST_ACK] = 9,
	[REEVE_TCP_LISTEN] = 10,     [REEVE_TCP_CLOSING] = 11,
};

static const uint8_t recoveries[] = {
	[REEVE_TCP_OPEN] = TCP_CA_Open,   [REEVE_TCP_DISORDER] = TCP_CA_Disorder,
	[REEVE_TCP_REDUCED] = TCP_CA_CWR, [REEVE_TCP_FAST_RECOVERY] = TCP_CA_Recovery,
	[REEVE_TCP_LOSS] = TCP_CA_Loss,
};

static void fill_connection(const struct reeve_tcp_info *from, struct tcp_info *ret)
{
	const uint32_t mss = from->send_mss ? from->send_mss : SEGMENT_DEFAULT;
	const uint32_t headers = TCP_IP_HEADERS + (from->timestamps ? TIMESTAMP_OPTION : 0);

	if (from->timestamps)
		ret->tcpi_options |= TCPI_OPT_TIMESTAMPS;
	if (from->sack)
		ret->tcpi_options |= TCPI_OPT_SACK;
	if (from->window_scaling)
		ret->tcpi_options |= TCPI_OPT_WSCALE;
	if (from->ecn)
		ret->tcpi_options |= TCPI_OPT_ECN;
	if (from->ecn_seen)
		ret->tcpi_options |= TCPI_OPT_ECN_SEEN;
	ret->tcpi_ca_state = recoveries[from->recovery];
	ret->tcpi_backoff = from->backoff;
	ret->tcpi_snd_wscale = from->send_scale & 15U;
	ret->tcpi_rcv_wscale = from->receive_scale & 15U;
	ret->tcpi_rcv_mss = from->receive_mss;
	ret->tcpi_advmss = from->receive_mss;
	ret->tcpi_pmtu = mss + headers;
	ret->tcpi_unacked = (from->bytes_in_flight + mss - 1) / mss;
	ret->tcpi_notsent_bytes = from->bytes_not_sent;
	ret->tcpi_rtt = from->rtt_us;
	ret->tcpi_rttvar = from->rtt_variance_us;
	ret->tcpi_rcv_ssthresh = from->receive_window;
	ret->tcpi_rcv_space = from->receive_window;
	ret->tcpi_snd_wnd = from->send_window;
	ret->tcpi_total_retrans = (uint32_t)from->retransmits;
	ret->tcpi_bytes_sent = from->bytes_sent;
	ret->tcpi_bytes_acked = from->bytes_acked;
	ret->tcpi_bytes_received = from->bytes_received;
	ret->tcpi_segs_out = (uint32_t)from->segments_sent;
	ret->tcpi_segs_in = (uint32_t)from->segments_received;
	ret->tcpi_delivered_ce = from->delivered_marked;
	ret->tcpi_delivered = (uint32_t)((from->bytes_acked + mss - 1) / mss);
}

void tcp_info_fill(const struct reeve_tcp_info *from, struct guest_tcp_info *ret)
{
	struct tcp_info *info = &ret->info;
	const uint32_t mss = from->send_mss ? from->send_mss : SEGMENT_DEFAULT;

	memset(ret, 0, sizeof(*ret));
	if ((unsigned)from->state < array_length(states))
		info->tcpi_state = states[from->state];
	info->tcpi_reordering = REORDERING;
	info->tcpi_snd_cwnd =
		from->cwnd_bytes ? (from->cwnd_bytes + mss - 1) / mss : INITIAL_WINDOW;
	info->tcpi_pacing_rate = from->pacing_rate;
	info->tcpi_max_pacing_rate = from->pacing_rate_max;
	if (from->state == REEVE_TCP_LISTEN) {
		info->tcpi_unacked = from->accept_queue;
		info->tcpi_sacked = from->backlog;
		return;
	}
	info->tcpi_delivery_rate_app_limited = 1; /* it isn't measured */
	info->tcpi_rto = from->rto_us ? from->rto_us : RTO_FIRST_US;
	info->tcpi_snd_mss = mss;
	info->tcpi_min_rtt = from->rtt_min_us ? from->rtt_min_us : UINT32_MAX;
	info->tcpi_snd_ssthresh = from->ssthresh_bytes && from->ssthresh_bytes < UINT32_MAX
					  ? from->ssthresh_bytes / mss
					  : SSTHRESH_NONE;
	if (from->state != REEVE_TCP_CLOSED)
		fill_connection(from, info);
}
