/*
 * Pacing: what congestion control lets out in a round trip is spread over it, so that the queues of
 * the path see the rate of the window and not its bursts (RFC 9002, 7.7; in TCP as Linux has it).
 *
 * The rate is the window by the round trip: twice that in slow start, where the window doubles in a
 * round trip, and 1.2 times when slow start is nearly over or past; and never more than the owner's
 * ceiling. On a short path (TCP_PACED_LEAST_US), such as from host to host of one network, only the
 * ceiling paces: our timers tick once in a millisecond.
 *
 * `paced_to` is the time up to which all that was sent has used the rate up. What the rate has given
 * since then may go at once, but no more than a quantum: ten segments, which is an initial window
 * (RFC 6928, 2), or what goes in a millisecond. So idleness saves up no burst (RFC 5681, 4.1), and
 * acknowledgments still clock out what they make room for. What has to wait waits for
 * TCP_DEADLINE_PACE, until a quantum may go, or all there is; as timers are late, a second quantum is
 * left to it then.
 *
 * Only new data waits. What is sent again and what probes goes at once, and counts.
 */
#include "stack/tcp/conn_private.h"

#define SLOW_START_PERCENT 200
#define AVOIDANCE_PERCENT  120
#define QUANTUM_SEGMENTS   10
#define QUANTUM_NS         REEVE_NS_PER_MS

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Not up to the threshold with the rate of slow start: as Linux, which so overshoots it less. */
static uint64_t percent_of(uint32_t window, uint32_t threshold)
{
	return window < threshold / 2 ? SLOW_START_PERCENT : AVOIDANCE_PERCENT;
}

/* Smoothed, by one sample a round trip, it lags behind when a queue has drained. */
static uint32_t round_trip_us(const struct reeve_tcp *tcp)
{
	const uint32_t smoothed_us = tcp->rtt.smoothed_us;
	const struct tcp_rack *const k = tcp->busy ? &tcp->busy->rack : NULL;

	if (!k || !k->is_valid || k->rtt_us >= smoothed_us)
		return smoothed_us;
	return k->rtt_us > TCP_PACED_LEAST_US ? k->rtt_us
					      : (uint32_t)least_of(smoothed_us, TCP_PACED_LEAST_US);
}

static uint64_t path_rate(const struct reeve_tcp *tcp)
{
	const struct congestion_memory *const known = &tcp->learned.congestion;
	const uint32_t window = tcp->busy ? tcp->busy->congestion.window : known->window;
	const uint32_t threshold = tcp->busy ? tcp->busy->congestion.threshold : known->threshold;

	if (!rtt_is_known(&tcp->rtt) || window == 0)
		return UINT64_MAX;
	return most_of(window * percent_of(window, threshold) * 10000 / round_trip_us(tcp), 1);
}

static uint64_t ceiling_of(const struct reeve_tcp *tcp)
{
	return tcp->settings.pacing_max ? tcp->settings.pacing_max : UINT64_MAX;
}

uint64_t tcp_pacing_rate(const struct reeve_tcp *tcp)
{
	return least_of(path_rate(tcp), ceiling_of(tcp));
}

/* The rate that is kept to, of a connection that is paced. */
static uint64_t kept_rate(const struct reeve_tcp *tcp)
{
	return tcp->rtt.smoothed_us < TCP_PACED_LEAST_US ? ceiling_of(tcp) : tcp_pacing_rate(tcp);
}

static int64_t time_for(uint64_t bytes, uint64_t rate)
{
	return (int64_t)((bytes * (uint64_t)REEVE_NS_PER_S + rate - 1) / rate);
}

static uint64_t bytes_in(int64_t ns, uint64_t rate)
{
	return (uint64_t)ns * rate / (uint64_t)REEVE_NS_PER_S;
}

static int64_t quantum_ns(const struct reeve_tcp *tcp, uint64_t rate)
{
	const int64_t ns = time_for((uint64_t)QUANTUM_SEGMENTS * tcp->mss, rate);

	return ns > QUANTUM_NS ? ns : QUANTUM_NS;
}

/* What lies further back than that is given up. */
static void give_up_past(struct reeve_tcp *tcp, int64_t ns)
{
	const int64_t now_ns = tcp_now(tcp).ns;
	const struct reeve_time since = { now_ns > INT64_MIN + ns ? now_ns - ns : INT64_MIN };

	if (reeve_time_before(tcp->busy->paced_to, since))
		tcp->busy->paced_to = since;
}

uint32_t tcp_pacing_room(struct reeve_tcp *tcp)
{
	const struct tcp_busy *const b = tcp->busy;
	const uint64_t rate = kept_rate(tcp);
	const int64_t most_ns = quantum_ns(tcp, rate);

	give_up_past(tcp, b->is_held ? 2 * most_ns : most_ns);
	if (!reeve_time_before(b->paced_to, tcp_now(tcp)))
		return 0;

	const uint64_t room = bytes_in(reeve_time_since(tcp_now(tcp), b->paced_to), rate);

	return room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

void tcp_pacing_sent(struct reeve_tcp *tcp, uint32_t bytes)
{
	tcp->busy->paced_to = reeve_time_add(tcp->busy->paced_to, time_for(bytes, kept_rate(tcp)));
}

void tcp_pacing_wait(struct reeve_tcp *tcp, uint32_t bytes)
{
	const uint64_t rate = kept_rate(tcp);
	const int64_t most_ns = quantum_ns(tcp, rate);
	const int64_t all_ns = time_for(bytes, rate);

	tcp_timer_set(tcp, TCP_DEADLINE_PACE,
		      reeve_time_add(tcp->busy->paced_to, all_ns < most_ns ? all_ns : most_ns));
}

bool tcp_pacing_is_by_owner(const struct reeve_tcp *tcp)
{
	return kept_rate(tcp) == ceiling_of(tcp);
}
