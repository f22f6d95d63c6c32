/* Owns the answers to requests about interfaces. */
#include "guest/interface_request.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "guest/memory.h"
#include "guest/supervisor.h"

#define NATIVE          1
#define QUEUE_LENGTH    1000
#define WIRELESS_FIRST  0x8b00
#define PRIVATE_FIRST   SIOCDEVPRIVATE
#define PRIVATE_LAST    (SIOCDEVPRIVATE + 15)
#define OLD_TIMESTAMP   0x8906 /* SIOCGSTAMP_OLD, and for nanoseconds the next */
#define OLD_TIMESTAMPNS 0x8907

/* What becomes of a request. */
enum treatment {
	ASKS,          /* about an interface by its name: fill() */
	ASKS_ADDRESS,  /* the same, of sockets of IPv4 only */
	ASKS_NAME,     /* about one by its index */
	ASKS_LIST,     /* SIOCGIFCONF */
	ASKS_ETHERNET, /* SIOCETHTOOL */
	CHANGES,       /* EPERM */
	CHANGES_ROUTE, /* the same, on an internet socket */
	CHANGES_IPV4,  /* the same, on one of IPv4 */
	CHANGES_ARP,   /* the same, whatever the request holds */
	CHANGES_IPV6,  /* the same, on one of IPv6 */
	ASKS_ARP,      /* SIOCGARP */
	HAS_NOTHING,   /* EOPNOTSUPP, of an interface that is there */
	NO_PACKAGE,    /* ENOPKG: VLANs */
	NO_TIMESTAMP,  /* ENOENT */
};

static const struct {
	unsigned request;
	enum treatment treatment;
} treatments[] = {
	{ OLD_TIMESTAMP, NO_TIMESTAMP },
	{ OLD_TIMESTAMPNS, NO_TIMESTAMP },
	{ SIOCADDRT, CHANGES_ROUTE },
	{ SIOCDELRT, CHANGES_ROUTE },
	{ SIOCGIFNAME, ASKS_NAME },
	{ SIOCGIFCONF, ASKS_LIST },
	{ SIOCGIFFLAGS, ASKS },
	{ SIOCSIFFLAGS, CHANGES },
	{ SIOCGIFADDR, ASKS_ADDRESS },
	{ SIOCSIFADDR, CHANGES_IPV4 },
	{ SIOCGIFDSTADDR, ASKS_ADDRESS },
	{ SIOCSIFDSTADDR, CHANGES_IPV4 },
	{ SIOCGIFBRDADDR, ASKS_ADDRESS },
	{ SIOCSIFBRDADDR, CHANGES_IPV4 },
	{ SIOCGIFNETMASK, ASKS_ADDRESS },
	{ SIOCSIFNETMASK, CHANGES_IPV4 },
	{ SIOCGIFMETRIC, ASKS },
	{ SIOCSIFMETRIC, CHANGES },
	{ SIOCGIFMTU, ASKS },
	{ SIOCSIFMTU, CHANGES },
	{ SIOCSIFNAME, CHANGES },
	{ SIOCSIFHWADDR, CHANGES },
	{ SIOCGIFHWADDR, ASKS },
	{ SIOCGIFSLAVE, ASKS },
	{ SIOCSIFSLAVE, CHANGES },
	{ SIOCADDMULTI, CHANGES },
	{ SIOCDELMULTI, CHANGES },
	{ SIOCGIFINDEX, ASKS },
	{ SIOCSIFHWBROADCAST, CHANGES },
	{ SIOCDIFADDR, CHANGES_IPV6 },
	{ SIOCGIFTXQLEN, ASKS },
	{ SIOCSIFTXQLEN, CHANGES },
	{ SIOCETHTOOL, ASKS_ETHERNET },
	{ SIOCGMIIPHY, CHANGES },
	{ SIOCGMIIREG, CHANGES },
	{ SIOCSMIIREG, CHANGES },
	{ SIOCWANDEV, HAS_NOTHING },
	{ SIOCDARP, CHANGES_ARP },
	{ SIOCGARP, ASKS_ARP },
	{ SIOCSARP, CHANGES_ARP },
	{ SIOCGIFMAP, ASKS },
	{ SIOCSIFMAP, CHANGES },
	{ SIOCGIFVLAN, NO_PACKAGE },
	{ SIOCSIFVLAN, NO_PACKAGE },
	{ SIOCSHWTSTAMP, CHANGES },
};

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

	if (request == SIOCGIFNETMASK)
		put_address(&ret->ifr_addr, mask_of(p));
	else if (request == SIOCGIFBRDADDR)
		put_address(&ret->ifr_addr, i->loopback ? 0 : address | ~mask_of(p));
	else
		put_address(&ret->ifr_addr, address);
	return 0;
}

static int fill(unsigned request, const struct guest_interface *i, struct ifreq *ret)
{
	switch (request) {
	case SIOCGIFFLAGS:
		ret->ifr_flags =
			(short)((i->up ? IFF_UP | IFF_RUNNING : 0) |
				(i->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST));
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
		ret->ifr_qlen = QUEUE_LENGTH;
		return 0;
	case SIOCGIFMAP:
		memset(&ret->ifr_map, 0, sizeof(ret->ifr_map));
		return 0;
	default:
		return -EINVAL;
	}
}

/* ethtool(8): a cable is plugged in, and what drives it. */
static int ask_ethernet(const struct call *c, const struct guest_interface *i, uint64_t data)
{
	uint32_t command = 0;
	const int r = memory_read(c->trapped.tid, data, &command, sizeof(command));
	const struct ethtool_value link = { .cmd = command, .data = i && i->up };
	const struct ethtool_drvinfo driver = { .cmd = command, .driver = "reeve" };

	if (r < 0 || !i)
		return r < 0 ? r : -ENODEV;
	switch (command) {
	case ETHTOOL_GLINK:
		return memory_write(c->trapped.tid, data, &link, sizeof(link));
	case ETHTOOL_GDRVINFO:
		return memory_write(c->trapped.tid, data, &driver, sizeof(driver));
	default:
		return -EOPNOTSUPP;
	}
}

/* The record of the request and the interface that it names. "eth0:1" is eth0. */
static int read_record(const struct supervisor *s, const struct call *c, struct ifreq *ret,
		       const struct guest_interface **ret_interface)
{
	char name[IFNAMSIZ];
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[2], ret, sizeof(*ret));

	if (r < 0)
		return r;
	ret->ifr_name[IFNAMSIZ - 1] = '\0';
	memcpy(name, ret->ifr_name, sizeof(name));
	name[strcspn(name, ":")] = '\0';
	*ret_interface = interfaces_by_name(&s->interfaces, name);
	return 0;
}

static int write_record(const struct call *c, const struct ifreq *record)
{
	return memory_write(c->trapped.tid, c->trapped.arguments[2], record, sizeof(*record));
}

static int ask(const struct supervisor *s, const struct call *c, enum treatment treatment)
{
	const unsigned request = (unsigned)call_int(c, 1);
	const struct guest_interface *i = NULL;
	struct ifreq record;
	int r = read_record(s, c, &record, &i);

	if (r < 0)
		return r;
	if (treatment == ASKS_NAME)
		i = interfaces_by_index(&s->interfaces, (uint32_t)record.ifr_ifindex);
	if (treatment == ASKS_ETHERNET)
		return ask_ethernet(c, i, (uint64_t)(uintptr_t)record.ifr_data);
	if (!i)
		return -ENODEV;
	if (treatment == HAS_NOTHING)
		return -EOPNOTSUPP;
	if (treatment == ASKS_NAME)
		memcpy(record.ifr_name, i->name, IFNAMSIZ);
	else
		r = strchr(record.ifr_name, ':') && treatment == ASKS_ADDRESS
			    ? -EADDRNOTAVAIL
			    : fill(request, i, &record);
	return r < 0 ? r : write_record(c, &record);
}

/* Once the request has been read: -EPERM, or -ENOTTY where sockets have none such. */
static int refuse(const struct call *c, int error)
{
	struct ifreq record;
	const int r = memory_read(c->trapped.tid, c->trapped.arguments[2], &record, sizeof(record));

	return r < 0 ? r : error;
}

/* inet6_ioctl(): it has the first of these requests for addresses, and the second for tunnels. */
static int change_ipv6(const struct call *c, int family)
{
	const int request = call_int(c, 1);

	if (family != AF_INET6)
		return refuse(c, -ENOTTY);
	if (request == SIOCSIFADDR)
		return -EPERM;
	return request == SIOCSIFDSTADDR ? -ENODEV : refuse(c, -ENOTTY);
}

/* No neighbour is known. */
static int ask_arp(const struct call *c)
{
	struct arpreq request;
	const int r =
		memory_read(c->trapped.tid, c->trapped.arguments[2], &request, sizeof(request));

	if (r < 0)
		return r;
	return request.arp_pa.sa_family == AF_INET ? -ENXIO : -EPFNOSUPPORT;
}

static int treat(const struct supervisor *s, const struct call *c, enum treatment treatment,
		 int family)
{
	switch (treatment) {
	case ASKS:
	case ASKS_NAME:
	case ASKS_ETHERNET:
	case HAS_NOTHING:
		return ask(s, c, treatment);
	case ASKS_ADDRESS:
		return family == AF_INET ? ask(s, c, treatment) : refuse(c, -ENOTTY);
	case ASKS_LIST:
		return list_interfaces(s, c);
	case CHANGES:
		return refuse(c, -EPERM);
	case CHANGES_ROUTE:
		return family == AF_INET || family == AF_INET6 ? refuse(c, -EPERM)
							       : refuse(c, -ENOTTY);
	case CHANGES_IPV4:
		return family == AF_INET ? refuse(c, -EPERM) : change_ipv6(c, family);
	case CHANGES_ARP:
		return family == AF_INET ? -EPERM : refuse(c, -ENOTTY);
	case CHANGES_IPV6:
		return family == AF_INET6 ? -EPERM : refuse(c, -ENOTTY);
	case ASKS_ARP:
		return family == AF_INET ? ask_arp(c) : refuse(c, -ENOTTY);
	case NO_PACKAGE:
		return -ENOPKG;
	case NO_TIMESTAMP:
		return family == AF_INET || family == AF_INET6 ? -ENOENT : NATIVE;
	}
	return NATIVE;
}

int interface_request(const struct supervisor *s, const struct call *c, int family)
{
	const unsigned request = (unsigned)call_int(c, 1);

	for (size_t i = 0; i < array_length(treatments); i++)
		if (treatments[i].request == request)
			return treat(s, c, treatments[i].treatment, family);
	if (request >= PRIVATE_FIRST && request <= PRIVATE_LAST)
		return treat(s, c, HAS_NOTHING, family);
	/* No interface is wireless, and a kernel without any has no such requests. */
	return request >= WIRELESS_FIRST ? -ENOTTY : NATIVE;
}
