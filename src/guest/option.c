/* Owns the table of options. Numbers and defaults are Linux's (ip(7), ipv6(7), tcp(7), udp(7)). */
#include "guest/option.h"

#include <assert.h>
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/protocol.h"
#include "reeve/tcp.h"
#include "reeve/udp.h"

#ifndef IP_LOCAL_PORT_RANGE
#	define IP_LOCAL_PORT_RANGE 51
#endif

#define TCP  OPTION_FOR_TCP
#define UDP  OPTION_FOR_UDP
#define BOTH (OPTION_FOR_TCP | OPTION_FOR_UDP)
#define BOOL OPTION_BOOL
#define BYTE OPTION_BYTE
#define V6   OPTION_IPV6_ONLY

static const struct option_row rows[] = {
	{ SOL_SOCKET, SO_REUSEPORT, REEVE_TCP_REUSE_PORT, REEVE_UDP_REUSE_PORT, 0, 1, 0,
	  BOTH | BOOL },
	{ SOL_SOCKET, SO_KEEPALIVE, REEVE_TCP_KEEPALIVE, -1, 0, 1, 0, BOTH | BOOL },
	{ SOL_SOCKET, SO_BROADCAST, -1, REEVE_UDP_BROADCAST, 0, 1, 0, BOTH | BOOL },

	{ IPPROTO_TCP, TCP_NODELAY, REEVE_TCP_NO_DELAY, -1, 0, 1, 0, TCP | BOOL },
	{ IPPROTO_TCP, TCP_MAXSEG, REEVE_TCP_MAX_SEGMENT, -1, 88, 32767, 536, TCP },
	{ IPPROTO_TCP, TCP_CORK, REEVE_TCP_CORK, -1, 0, 1, 0, TCP | BOOL },
	{ IPPROTO_TCP, TCP_KEEPIDLE, REEVE_TCP_KEEPALIVE_IDLE_S, -1, 1, 32767, 7200, TCP },
	{ IPPROTO_TCP, TCP_KEEPINTVL, REEVE_TCP_KEEPALIVE_INTERVAL_S, -1, 1, 32767, 75, TCP },
	{ IPPROTO_TCP, TCP_KEEPCNT, REEVE_TCP_KEEPALIVE_COUNT, -1, 1, 127, 9, TCP },
	{ IPPROTO_TCP, TCP_SYNCNT, REEVE_TCP_SYN_COUNT, -1, 1, 127, 6, TCP },
	{ IPPROTO_TCP, TCP_LINGER2, REEVE_TCP_LINGER2_S, -1, INT_MIN, INT_MAX, 60, TCP },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, -1, -1, INT_MIN, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, -1, -1, 0, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_QUICKACK, REEVE_TCP_QUICK_ACK, -1, 0, 1, 1, TCP | BOOL },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, REEVE_TCP_USER_TIMEOUT_MS, -1, 0, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_FASTOPEN, -1, -1, 0, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, -1, INT_MIN, INT_MAX, 0, TCP },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, -1, -1, 0, 1, 0, TCP },
	{ IPPROTO_TCP, TCP_SAVE_SYN, -1, -1, 0, 2, 0, TCP },
	{ IPPROTO_TCP, TCP_INQ, -1, -1, 0, 1, 0, TCP },

	{ IPPROTO_IP, IP_TOS, REEVE_TCP_TOS, REEVE_UDP_TOS, INT_MIN, INT_MAX, 0, BOTH | BYTE },
	{ IPPROTO_IP, IP_TTL, REEVE_TCP_TTL, REEVE_UDP_TTL, -1, 255, 64, BOTH | BYTE },
	{ IPPROTO_IP, IP_PKTINFO, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_RECVTTL, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_RECVTOS, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_RECVERR, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_MTU_DISCOVER, -1, REEVE_UDP_DONT_FRAGMENT, 0, 5, 1, BOTH | BYTE },
	{ IPPROTO_IP, IP_FREEBIND, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, -1, -1, 0, 1, 0, BOTH | BOOL | BYTE },
	{ IPPROTO_IP, IP_MULTICAST_TTL, -1, -1, -1, 255, 1, UDP | BYTE },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, -1, -1, 0, 1, 1, UDP | BOOL | BYTE },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE, -1, -1, INT_MIN, INT_MAX, 0, BOTH },

	{ IPPROTO_IPV6, IPV6_V6ONLY, REEVE_TCP_IPV6_ONLY, REEVE_UDP_IPV6_ONLY, 0, 1, 0,
	  BOTH | BOOL | V6 | OPTION_FRESH },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, REEVE_TCP_TTL, REEVE_UDP_TTL, -1, 255, 64, BOTH | V6 },
	{ IPPROTO_IPV6, IPV6_TCLASS, REEVE_TCP_TOS, REEVE_UDP_TOS, -1, 255, 0, BOTH | V6 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, -1, -1, 0, 1, 0, BOTH | BOOL | V6 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, -1, -1, 0, 1, 0, BOTH | BOOL | V6 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, -1, -1, 0, 1, 0, BOTH | BOOL | V6 },
	{ IPPROTO_IPV6, IPV6_RECVERR, -1, -1, 0, 1, 0, BOTH | BOOL | V6 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, -1, -1, 0, 5, 1, BOTH | V6 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, -1, -1, -1, 255, 1, UDP | V6 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, -1, -1, 0, 1, 1, UDP | BOOL | V6 },

	{ IPPROTO_UDP, 1 /* UDP_CORK */, -1, -1, 0, 0, 0, UDP | BOOL },
};

static_assert(array_length(rows) <= OPTION_COUNT, "OPTION_COUNT is too small");
static_assert(OPTION_COUNT <= 64, "`changed` has a bit for each");

int option_count(void)
{
	return (int)array_length(rows);
}

int option_find(int level, int name)
{
	for (size_t i = 0; i < array_length(rows); i++)
		if (rows[i].level == level && rows[i].name == name)
			return (int)i;
	return -1;
}

const struct option_row *option_at(int index)
{
	check(index >= 0 && index < option_count());
	return &rows[index];
}

void socket_options_init(struct socket_options *o)
{
	o->changed = 0;
	for (size_t i = 0; i < array_length(rows); i++)
		o->values[i] = rows[i].initial;
}

int32_t socket_option(const struct socket_options *o, int level, int name)
{
	const int i = option_find(level, name);

	check(i >= 0);
	return o->values[i];
}

void socket_option_set(struct socket_options *o, int level, int name, int32_t value)
{
	const int i = option_find(level, name);

	check(i >= 0);
	if (o->values[i] != value)
		o->changed |= UINT64_C(1) << i;
	o->values[i] = value;
}
