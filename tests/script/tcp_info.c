/* struct tcp_info by name. */
#include "tcp_info.h"

#include <assert.h>
#include <string.h>

enum info {
	INFO_STATE,
	INFO_CA_STATE,
	INFO_BACKOFF,
	INFO_OPTIONS,
	INFO_SND_WSCALE,
	INFO_RCV_WSCALE,
	INFO_RTO,
	INFO_SND_MSS,
	INFO_RCV_MSS,
	INFO_UNACKED,
	INFO_RTT,
	INFO_RTTVAR,
	INFO_MIN_RTT,
	INFO_SND_SSTHRESH,
	INFO_SND_CWND,
	INFO_TOTAL_RETRANS,
	INFO_BYTES_SENT,
	INFO_BYTES_ACKED,
	INFO_BYTES_RECEIVED,
	INFO_SEGS_OUT,
	INFO_SEGS_IN,
	INFO_NOTSENT_BYTES,
	INFO_SND_WND,
	INFO_RCV_WND,
	INFO_FASTOPEN_CLIENT_FAIL,
	INFO_PACING_RATE,
	INFO_MAX_PACING_RATE,
	/* Ours, where Linux counts segments. */
	INFO_CWND_BYTES,
	INFO_SSTHRESH_BYTES,
	INFO_FLIGHT_BYTES,
	INFO_ACCEPT_QUEUE,
	INFO_BACKLOG,
	INFO_IS_PACED,
};

static const char *const names[TCP_INFO_VALUES] = {
	[INFO_STATE] = "tcpi_state",
	[INFO_CA_STATE] = "tcpi_ca_state",
	[INFO_BACKOFF] = "tcpi_backoff",
	[INFO_OPTIONS] = "tcpi_options",
	[INFO_SND_WSCALE] = "tcpi_snd_wscale",
	[INFO_RCV_WSCALE] = "tcpi_rcv_wscale",
	[INFO_RTO] = "tcpi_rto",
	[INFO_SND_MSS] = "tcpi_snd_mss",
	[INFO_RCV_MSS] = "tcpi_rcv_mss",
	[INFO_UNACKED] = "tcpi_unacked",
	[INFO_RTT] = "tcpi_rtt",
	[INFO_RTTVAR] = "tcpi_rttvar",
	[INFO_MIN_RTT] = "tcpi_min_rtt",
	[INFO_SND_SSTHRESH] = "tcpi_snd_ssthresh",
	[INFO_SND_CWND] = "tcpi_snd_cwnd",
	[INFO_TOTAL_RETRANS] = "tcpi_total_retrans",
	[INFO_BYTES_SENT] = "tcpi_bytes_sent",
	[INFO_BYTES_ACKED] = "tcpi_bytes_acked",
	[INFO_BYTES_RECEIVED] = "tcpi_bytes_received",
	[INFO_SEGS_OUT] = "tcpi_segs_out",
	[INFO_SEGS_IN] = "tcpi_segs_in",
	[INFO_NOTSENT_BYTES] = "tcpi_notsent_bytes",
	[INFO_SND_WND] = "tcpi_snd_wnd",
	[INFO_RCV_WND] = "tcpi_rcv_wnd",
	[INFO_FASTOPEN_CLIENT_FAIL] = "tcpi_fastopen_client_fail",
	[INFO_PACING_RATE] = "tcpi_pacing_rate",
	[INFO_MAX_PACING_RATE] = "tcpi_max_pacing_rate",
	[INFO_CWND_BYTES] = "reeve_cwnd_bytes",
	[INFO_SSTHRESH_BYTES] = "reeve_ssthresh_bytes",
	[INFO_FLIGHT_BYTES] = "reeve_flight_bytes",
	[INFO_ACCEPT_QUEUE] = "reeve_accept_queue",
	[INFO_BACKLOG] = "reeve_backlog",
	[INFO_IS_PACED] = "reeve_is_paced",
};

static_assert(INFO_IS_PACED + 1 == TCP_INFO_VALUES, "a value without a name");

/* Linux's numbers (RFC 793's order, more or less). */
static int64_t state_number(enum reeve_tcp_state state)
{
	static const uint8_t numbers[] = {
		[REEVE_TCP_CLOSED] = 7,      [REEVE_TCP_LISTEN] = 10,
		[REEVE_TCP_SYN_SENT] = 2,    [REEVE_TCP_SYN_RECEIVED] = 3,
		[REEVE_TCP_ESTABLISHED] = 1, [REEVE_TCP_FIN_WAIT_1] = 4,
		[REEVE_TCP_FIN_WAIT_2] = 5,  [REEVE_TCP_CLOSE_WAIT] = 8,
		[REEVE_TCP_CLOSING] = 11,    [REEVE_TCP_LAST_ACK] = 9,
		[REEVE_TCP_TIME_WAIT] = 6,
	};

	return numbers[state];
}

/* Linux's TCP_CA_... */
static int64_t recovery_number(enum reeve_tcp_recovery recovery)
{
	static const uint8_t numbers[] = {
		[REEVE_TCP_OPEN] = 0,          [REEVE_TCP_DISORDER] = 1, [REEVE_TCP_REDUCED] = 2,
		[REEVE_TCP_FAST_RECOVERY] = 3, [REEVE_TCP_LOSS] = 4,
	};

	return numbers[recovery];
}

static int64_t segments(uint64_t bytes, uint32_t mss)
{
	return mss ? (int64_t)((bytes + mss - 1) / mss) : 0;
}

/* Linux's number for a threshold that has never been set. */
static int64_t threshold(const struct reeve_tcp_info *i)
{
	if (i->ssthresh_bytes >= INT32_MAX || i->send_mss == 0)
		return INT32_MAX;
	return i->ssthresh_bytes / i->send_mss;
}

/* Linux's number for none is ~0, which is -1 here. */
static int64_t rate(uint64_t bytes)
{
	return bytes == UINT64_MAX ? -1 : (int64_t)bytes;
}

void tcp_info_read(const struct reeve_tcp *tcp, struct tcp_info_values *ret)
{
	struct reeve_tcp_info i;

	reeve_tcp_info(tcp, &i);

	const size_t queued = reeve_tcp_unsent(tcp);

	*ret = (struct tcp_info_values){ {
		[INFO_STATE] = state_number(i.state),
		[INFO_CA_STATE] = recovery_number(i.recovery),
		[INFO_BACKOFF] = i.backoff,
		[INFO_OPTIONS] = i.timestamps | i.sack << 1 | i.window_scaling << 2 | i.ecn << 3 |
				 i.ecn_seen << 4 | i.syn_data << 5,
		[INFO_FASTOPEN_CLIENT_FAIL] = i.fast_open_failure,
		[INFO_SND_WSCALE] = i.send_scale,
		[INFO_RCV_WSCALE] = i.receive_scale,
		[INFO_RTO] = i.rto_us,
		[INFO_SND_MSS] = i.send_mss,
		[INFO_RCV_MSS] = i.receive_mss,
		[INFO_UNACKED] = segments(i.bytes_in_flight, i.send_mss),
		[INFO_RTT] = i.rtt_us,
		[INFO_RTTVAR] = i.rtt_variance_us,
		[INFO_MIN_RTT] = i.rtt_min_us,
		[INFO_SND_SSTHRESH] = threshold(&i),
		[INFO_SND_CWND] = i.send_mss ? i.cwnd_bytes / i.send_mss : 0,
		[INFO_TOTAL_RETRANS] = (int64_t)i.retransmits,
		[INFO_BYTES_SENT] = (int64_t)i.bytes_sent,
		[INFO_BYTES_ACKED] = (int64_t)i.bytes_acked,
		[INFO_BYTES_RECEIVED] = (int64_t)i.bytes_received,
		[INFO_SEGS_OUT] = (int64_t)i.segments_sent,
		[INFO_SEGS_IN] = (int64_t)i.segments_received,
		[INFO_NOTSENT_BYTES] =
			queued > i.bytes_in_flight ? (int64_t)(queued - i.bytes_in_flight) : 0,
		[INFO_SND_WND] = i.send_window,
		[INFO_RCV_WND] = i.receive_window,
		[INFO_PACING_RATE] = rate(i.pacing_rate),
		[INFO_MAX_PACING_RATE] = rate(i.pacing_rate_max),
		[INFO_CWND_BYTES] = i.cwnd_bytes,
		[INFO_SSTHRESH_BYTES] = i.ssthresh_bytes,
		[INFO_FLIGHT_BYTES] = i.bytes_in_flight,
		[INFO_ACCEPT_QUEUE] = i.accept_queue,
		[INFO_BACKLOG] = i.backlog,
		[INFO_IS_PACED] = i.is_paced,
	} };
}

bool tcp_info_value(const struct tcp_info_values *values, const char *name, size_t length,
		    int64_t *ret)
{
	for (size_t i = 0; i < TCP_INFO_VALUES; i++) {
		if (strlen(names[i]) != length || memcmp(names[i], name, length) != 0)
			continue;
		if (values)
			*ret = values->list[i];
		return true;
	}
	return false;
}
