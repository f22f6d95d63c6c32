/* A host without TCP: each segment is refused as if no socket had its port. */
#include "stack/tcp/tcp.h"

struct tcp_host {
	int nothing;
};

static struct tcp_host none;

struct tcp_host *tcp_host_new(struct reeve_host *host)
{
	(void)host;
	return &none;
}

struct tcp_host *tcp_host_free(struct tcp_host *t)
{
	(void)t;
	return NULL;
}

void tcp_input_take(struct reeve_host *host, struct reeve_packet *p_take,
		    const struct ip_received *how)
{
	(void)how;
	host_drop_take(host, p_take, REEVE_DROP_TCP_NO_PORT);
}

void tcp_icmp_error(struct reeve_host *host, const struct icmp_error *e)
{
	(void)e;
	host_count_drop(host, REEVE_DROP_ICMP_UNMATCHED);
}

void tcp_timer_fired(struct reeve_host *host, struct timer *timer)
{
	(void)host;
	(void)timer;
}

bool tcp_flush(struct reeve_host *host)
{
	(void)host;
	return false;
}

bool tcp_has_work(const struct reeve_host *host)
{
	(void)host;
	return false;
}

bool tcp_next_socket(const struct reeve_host *host, uint64_t *cursor, struct reeve_socket_info *ret)
{
	(void)host;
	(void)cursor;
	(void)ret;
	return false;
}

uint32_t tcp_lingering(const struct reeve_host *host)
{
	(void)host;
	return 0;
}
