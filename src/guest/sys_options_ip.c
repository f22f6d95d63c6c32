/* Options of IPPROTO_IP and IPPROTO_IPV6 that are more than a number (ip(7), ipv6(7)). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/kernel.h"
#include "guest/memory.h"
#include "guest/supervisor.h"
#include "guest/sys_options.h"

#define ECN_BITS          3
#define IP_OPTIONS_MOST   40
#define IPV6_LEAST_MTU    1280 /* RFC 8200, 5 */
#define MULTICAST_REQUEST 20   /* struct ipv6_mreq */

/* RFC 5014, 6: which source address is preferred. */
#define PREFER_TEMPORARY 0x0001
#define PREFER_PUBLIC    0x0002
#define PREFER_CARE_OF   0x0004
#define PREFER_CGA       0x0008
#define PREFER_EITHER    0x0100
#define PREFER_HOME      0x0400
#define PREFER_NON_CGA   0x0800

static int path_mtu(const struct supervisor *s, const struct guest_socket *socket)
{
	const bool is_local = reeve_address_is_loopback(&socket->remote.address) ||
			      reeve_address_equal(&socket->remote.address, &s->welcome.address);

	for (uint32_t i = 0; i < s->interfaces.count; i++)
		if (!!s->interfaces.list[i].loopback == is_local)
			return (int)s->interfaces.list[i].mtu;
	return 1500;
}

/* TCP has the two bits for itself (RFC 3168, 6.1.5). */
static int set_class(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (call_int(c, 1) == IPPROTO_IPV6) {
		if (value < -1 || value > UINT8_MAX)
			return -EINVAL;
		value = value < 0 ? 0 : value;
	}
	value &= socket->kind == SOCKET_TCP ? UINT8_MAX & ~ECN_BITS : UINT8_MAX;
	option_keep(s, c, socket, value);
	return 0;
}

/* An IPv4 option of one byte is padding; no other is sent. */
static int set_ip_options(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	uint8_t bytes[IP_OPTIONS_MOST] = { 0 };
	const uint32_t length = option_length(c);

	(void)s;
	(void)socket;
	if (length > sizeof(bytes))
		return -EINVAL;
	const int r = option_read_bytes(c, bytes, length);

	for (uint32_t i = 0; r == 0 && i < length && bytes[i] != IPOPT_EOL; i++)
		if (bytes[i] != IPOPT_NOP)
			return -EINVAL;
	return r;
}

static int set_interface(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0 || option_length(c) != sizeof(value))
		return r == -EFAULT ? r : -EINVAL;
	if (value && !interfaces_by_index(&s->interfaces, ntohl((uint32_t)value)))
		return -EADDRNOTAVAIL;
	option_keep(s, c, socket, value);
	return 0;
}

/* The lowest and, above it, the highest; 0 stands for the host's own. */
static int set_port_range(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);
	const uint32_t low = (uint32_t)value & UINT16_MAX, high = (uint32_t)value >> 16;

	if (r < 0 || option_length(c) != sizeof(value))
		return r == -EFAULT ? r : -EINVAL;
	if (low && high && low > high)
		return -EINVAL;
	option_keep(s, c, socket, value);
	return 0;
}

static int set_forbidden(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_refuse(c, EPERM);
}

static int get_mtu(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	const int mtu = path_mtu(s, socket);

	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	/* IPv4 has no larger packets, whatever the link takes. */
	return option_write_int(
		c, mtu > UINT16_MAX && reeve_address_is_ipv4(&socket->remote.address) ? UINT16_MAX
										      : mtu);
}

/* The kernel has a socket's port in that place. */
static int get_protocol(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return option_write_int(c, socket->is_bound ? socket->local.port : 0);
}

static int get_nothing(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_write(c, "", 0);
}

static int get_packet_options(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return socket->kind == SOCKET_TCP ? option_write(c, "", 0) : -ENOPROTOOPT;
}

static int get_family(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	return socket->state == SOCKET_CONNECTED ? option_write_int(c, AF_INET6) : -ENOTCONN;
}

/* An AF_INET6 socket that speaks to an IPv4 address may become an AF_INET one. */
static int set_family(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	(void)s;
	if (r < 0 || !c->trapped.arguments[3])
		return r < 0 ? r : -EINVAL;
	if (value != AF_INET)
		return -EINVAL;
	if (socket->state != SOCKET_CONNECTED)
		return -ENOTCONN;
	if (!reeve_address_is_ipv4(&socket->remote.address))
		return -EADDRNOTAVAIL;
	socket->family = AF_INET;
	return 0;
}

static int set_multicast_interface(struct supervisor *s, struct call *c,
				   struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r == -EFAULT || socket->kind != SOCKET_UDP)
		return r == -EFAULT ? r : -ENOPROTOOPT;
	if (r < 0)
		return r;
	if (value && !interfaces_by_index(&s->interfaces, (uint32_t)value))
		return -ENODEV;
	option_keep(s, c, socket, value);
	return 0;
}

static int set_mtu(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);

	if (r < 0)
		return r;
	if (value && value < IPV6_LEAST_MTU)
		return -EINVAL;
	option_keep(s, c, socket, value);
	return 0;
}

static int set_anycast(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	if (option_length(c) < MULTICAST_REQUEST)
		return option_refuse(c, EINVAL);
	return option_refuse(c, call_int(c, 2) == IPV6_JOIN_ANYCAST ? EPERM : ENOENT);
}

static int set_flow_labels(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_refuse(c, EINVAL);
}

static int get_flow_labels(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -EINVAL;
}

static int set_packet_info(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	struct in6_pktinfo info;

	(void)s;
	(void)socket;
	return option_length(c) < sizeof(info) ? option_refuse(c, EINVAL)
					       : option_read_bytes(c, &info, sizeof(info));
}

static int get_unknown(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)c;
	(void)socket;
	return -ENOPROTOOPT;
}

/* Only none can be set. */
static int set_routing_header(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	(void)s;
	(void)socket;
	return option_length(c) == 0 ? 0 : option_refuse(c, EINVAL);
}

static int get_path_mtu(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	struct ip6_mtuinfo info = { .ip6m_mtu = (uint32_t)path_mtu(s, socket) };

	if (option_room(c) >= 0 && option_room(c) < (int32_t)sizeof(info))
		return -EINVAL;
	return socket->state == SOCKET_CONNECTED ? option_write(c, &info, sizeof(info)) : -ENOTCONN;
}

static int count_bits(int32_t value)
{
	return __builtin_popcount((unsigned)value);
}

static int set_preferences(struct supervisor *s, struct call *c, struct guest_socket *socket)
{
	int32_t value = 0;
	const int r = option_read(c, &value);
	const int32_t lifetime = value & (PREFER_TEMPORARY | PREFER_PUBLIC | PREFER_EITHER);
	const int32_t place = value & (PREFER_HOME | PREFER_CARE_OF);

	if (r < 0)
		return r;
	if (count_bits(lifetime) > 1 || count_bits(place) > 1 ||
	    count_bits(value & (PREFER_CGA | PREFER_NON_CGA)) > 1)
		return -EINVAL;
	option_keep(s, c, socket,
		    (lifetime ? lifetime : PREFER_EITHER) | (place ? place : PREFER_HOME));
	return 0;
}

const struct option_special options_of_ip[] = {
	{ IPPROTO_IP, IP_TOS, set_class, NULL },
	{ IPPROTO_IP, IP_OPTIONS, set_ip_options, get_nothing },
	{ IPPROTO_IP, IP_PKTOPTIONS, NULL, get_packet_options },
	{ IPPROTO_IP, IP_MTU, NULL, get_mtu },
	{ IPPROTO_IP, IP_IPSEC_POLICY, set_forbidden, NULL },
	{ IPPROTO_IP, IP_XFRM_POLICY, set_forbidden, NULL },
	{ IPPROTO_IP, IP_UNICAST_IF, set_interface, NULL },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE, set_port_range, NULL },
	{ IPPROTO_IP, IP_PROTOCOL, NULL, get_protocol },

	{ IPPROTO_IPV6, IPV6_ADDRFORM, set_family, get_family },
	{ IPPROTO_IPV6, IPV6_2292PKTOPTIONS, NULL, get_packet_options },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, set_multicast_interface, NULL },
	{ IPPROTO_IPV6, IPV6_MTU, set_mtu, get_mtu },
	{ IPPROTO_IPV6, IPV6_JOIN_ANYCAST, set_anycast, NULL },
	{ IPPROTO_IPV6, IPV6_LEAVE_ANYCAST, set_anycast, NULL },
	{ IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, set_flow_labels, get_flow_labels },
	{ IPPROTO_IPV6, IPV6_IPSEC_POLICY, set_forbidden, NULL },
	{ IPPROTO_IPV6, IPV6_XFRM_POLICY, set_forbidden, NULL },
	{ IPPROTO_IPV6, IPV6_PKTINFO, set_packet_info, get_unknown },
	{ IPPROTO_IPV6, IPV6_HOPOPTS, set_forbidden, get_nothing },
	{ IPPROTO_IPV6, IPV6_RTHDRDSTOPTS, set_forbidden, get_nothing },
	{ IPPROTO_IPV6, IPV6_RTHDR, set_routing_header, get_nothing },
	{ IPPROTO_IPV6, IPV6_DSTOPTS, set_forbidden, get_nothing },
	{ IPPROTO_IPV6, IPV6_PATHMTU, NULL, get_path_mtu },
	{ IPPROTO_IPV6, IPV6_TCLASS, set_class, NULL },
	{ IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, set_preferences, NULL },
	{ IPPROTO_IPV6, IPV6_UNICAST_IF, set_interface, NULL },
};

const int options_of_ip_count = array_length(options_of_ip);
