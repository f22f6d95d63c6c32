/*
 * ioctl(2): the requests about interfaces (netdevice(7)) are answered from the host's, whatever
 * socket they are made on: on an AF_UNIX one the kernel would show the machine's.
 */
#include "guest/sys.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "guest/memory.h"
#include "guest/names.h"
#include "guest/peer.h"
#include "guest/supervisor.h"

static const struct reeve_prefix *first_ipv4(const struct guest_interface *i)
{
	for (uint32_t n = 0; n < i->address_count; n++)
		if (reeve_address_is_ipv4(&i->addresses[n].address))
			return &i->addresses[n];
	return NULL;
}

static void put_address(struct sockaddr *to, uint32_t ipv4)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ipv4) };

	memcpy(to, &in, sizeof(in));
}

static uint32_t mask_of(const struct reeve_prefix *p)
{
	return p->length ? UINT32_MAX << (32 - p->length) : 0;
}

/* SIOCGIFCONF: one record for each interface with an IPv4 address. */
static int list_interfaces(const struct supervisor *s, const struct call *c)
{
	struct ifconf conf;
	int r = memory_read(c->trapped.tid, c->trapped.arguments[2], &conf, sizeof(conf));
	int used = 0;

	for (uint32_t i = 0; r == 0 && i < s->interfaces.count; i++) {
		const struct guest_interface *interface = &s->interfaces.list[i];
		const struct reeve_prefix *address = first_ipv4(interface);
		struct ifreq record;

		if (!address || (conf.ifc_buf && used + (int)sizeof(record) > conf.ifc_len))
			continue;
		memset(&record, 0, sizeof(record));
		memcpy(record.ifr_name, interface->name, IFNAMSIZ);
		put_address(&record.ifr_addr, reeve_address_to_ipv4(&address->address));
		if (conf.ifc_buf)
			r = memory_write(c->trapped.tid, (uint64_t)(uintptr_t)conf.ifc_buf + used,
					 &record, sizeof(record));
		used += (int)sizeof(record);
	}
	conf.ifc_len = used;
	return r < 0 ? r
		     : memory_write(c->trapped.tid, c->trapped.arguments[2], &conf, sizeof(conf));
}

static int fill_address(unsigned request, const struct guest_interface *i, struct ifreq *ret)
{
	const struct reeve_prefix *p = first_ipv4(i);

	if (!p)
		return -EADDRNOTAVAIL;
	const uint32_t address = reeve_address_to_ipv4(&p->address);

	switch (request) {
	case SIOCGIFNETMASK:
		put_address(&ret->ifr_addr, mask_of(p));
		break;
	case SIOCGIFBRDADDR:
		put_address(&ret->ifr_addr, i->loopback ? 0 : address | ~mask_of(p));
		break;
	default:
		put_address(&ret->ifr_addr, address);
		break;
	}
	return 0;
}

static int fill(unsigned request, const struct guest_interface *i, struct ifreq *ret)
{
	switch (request) {
	case SIOCGIFFLAGS:
		ret->ifr_flags = (short)((i->up ? IFF_UP | IFF_RUNNING : 0) |
					 (i->loopback ? IFF_LOOPBACK : IFF_BROADCAST));
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFBRDADDR:
		return fill_address(request, i, ret);
	case SIOCGIFMTU:
		ret->ifr_mtu = (int)i->mtu;
		return 0;
	case SIOCGIFINDEX:
		ret->ifr_ifindex = (int)i->index;
		return 0;
	case SIOCGIFHWADDR:
		memset(&ret->ifr_hwaddr, 0, sizeof(ret->ifr_hwaddr));
		ret->ifr_hwaddr.sa_family = i->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
		memcpy(ret->ifr_hwaddr.sa_data, i->mac, sizeof(i->mac));
		return 0;
	case SIOCGIFMETRIC:
		ret->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		ret->ifr_qlen = 1000;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int interface_request(const struct supervisor *s, const struct call *c, unsigned request)
{
	struct ifreq record;
	int r = memory_read(c->trapped.tid, c->trapped.arguments[2], &record, sizeof(record));

	if (r < 0)
		return r;
	record.ifr_name[IFNAMSIZ - 1] = '\0';
	const struct guest_interface *i =
		request == SIOCGIFNAME
			? interfaces_by_index(&s->interfaces, (uint32_t)record.ifr_ifindex)
			: interfaces_by_name(&s->interfaces, record.ifr_name);

	if (!i)
		return -ENODEV;
	if (request == SIOCGIFNAME) {
		memcpy(record.ifr_name, i->name, IFNAMSIZ);
		r = 0;
	} else {
		r = fill(request, i, &record);
	}
	return r < 0 ? r
		     : memory_write(c->trapped.tid, c->trapped.arguments[2], &record,
				    sizeof(record));
}

/* What is said to have been asked for and can't be changed. */
static bool is_change(unsigned request)
{
	switch (request) {
	case SIOCADDRT:
	case SIOCDELRT:
	case SIOCSIFFLAGS:
	case SIOCSIFADDR:
	case SIOCSIFDSTADDR:
	case SIOCSIFBRDADDR:
	case SIOCSIFNETMASK:
	case SIOCSIFMETRIC:
	case SIOCSIFMTU:
	case SIOCSIFNAME:
	case SIOCSIFHWADDR:
	case SIOCSIFTXQLEN:
	case SIOCSARP:
	case SIOCDARP:
		return true;
	default:
		return false;
	}
}

static bool is_query(unsigned request)
{
	switch (request) {
	case SIOCGIFNAME:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFTXQLEN:
		return true;
	default:
		return false;
	}
}

static int write_count(const struct call *c, int32_t count)
{
	return memory_write(c->trapped.tid, c->trapped.arguments[2], &count, sizeof(count));
}

/* What the program has written and the network process has not yet read. */
static int32_t unread_by_network(const struct guest_socket *socket)
{
	int bytes = 0;

	if (!socket || socket->end < 0 || ioctl(socket->end, FIONREAD, &bytes) < 0)
		return 0;
	return bytes - socket->filler;
}

static void counted(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data)
{
	struct call *c = r->call;

	(void)data;
	if (!c)
		return;
	const int32_t held = answer->error ? 0 : (int32_t)answer->value2;

	(void)call_answer(s, c, write_count(c, held + unread_by_network(c->socket)));
}

/* SIOCOUTQ and SIOCOUTQNSD: what lies in both stages. */
static void count_unsent(struct supervisor *s, struct call *c, unsigned request)
{
	struct guest_message m = peer_message(c->socket, GUEST_GET, -1);

	if (c->socket->state == SOCKET_LISTENING) {
		(void)call_answer(s, c, -EINVAL);
		return;
	}
	if (!c->socket->is_known || c->socket->state != SOCKET_CONNECTED) {
		(void)call_answer(s, c, write_count(c, 0));
		return;
	}
	m.value = request == SIOCOUTQ ? GUEST_SETTING_UNSENT : GUEST_SETTING_NOT_YET_SENT;
	c->request = channel_request(s, &m, NULL, counted);
	if (!c->request) {
		(void)call_answer(s, c, -ENOBUFS);
		return;
	}
	c->request->call = c;
	call_keep(s, c, NULL, -1);
}

static bool is_of_stream(struct supervisor *s, struct call *c, uint64_t cookie)
{
	c->socket = socket_by_cookie(&s->sockets, cookie);
	return c->socket && c->socket->kind == SOCKET_TCP;
}

void sys_ioctl(struct supervisor *s, struct call *c)
{
	const unsigned request = (unsigned)call_int(c, 1);
	uint64_t cookie = 0;

	c->fd = descriptor_get(&s->descriptors, c->trapped.tid, call_int(c, 0));
	/* Terminals and others have requests of these numbers too. */
	const bool is_socket = c->fd >= 0 && descriptor_cookie(c->fd, &cookie) == 0;

	if (is_socket && request == SIOCGIFCONF)
		(void)call_answer(s, c, list_interfaces(s, c));
	else if (is_socket && is_query(request))
		(void)call_answer(s, c, interface_request(s, c, request));
	else if (is_socket && is_change(request))
		(void)call_answer(s, c, -EPERM);
	else if (is_socket && (request == SIOCOUTQ || request == SIOCOUTQNSD) &&
		 is_of_stream(s, c, cookie))
		count_unsent(s, c, request);
	else if (is_socket && request != SIOCOUTQ &&
		 (request == SIOCETHTOOL || (request & 0xff00) != 0x8900))
		(void)call_answer(s, c, -EOPNOTSUPP);
	else
		call_continue(s, c);
}
