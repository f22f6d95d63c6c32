/* RTM_GETLINK and RTM_GETADDR: the host's interfaces and their addresses. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>

#include "guest/netlink_reply.h"
#include "guest/supervisor.h"

#define QUEUE_LENGTH       1000
#define ETHERNET_MTU_LEAST 68
#define MTU_MOST           65535

static void put_counters(struct netlink_reply *r, const struct guest_interface *i)
{
	const struct rtnl_link_stats64 large = {
		.rx_packets = i->rx_packets,
		.tx_packets = i->tx_packets,
		.rx_bytes = i->rx_bytes,
		.tx_bytes = i->tx_bytes,
	};
	const struct rtnl_link_stats small = {
		.rx_packets = (uint32_t)i->rx_packets,
		.tx_packets = (uint32_t)i->tx_packets,
		.rx_bytes = (uint32_t)i->rx_bytes,
		.tx_bytes = (uint32_t)i->tx_bytes,
	};

	netlink_attribute(r, IFLA_STATS64, &large, sizeof(large));
	netlink_attribute(r, IFLA_STATS, &small, sizeof(small));
}

static void put_link(struct netlink_reply *r, const struct guest_interface *i, uint16_t flags)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	const struct rtnl_link_ifmap map = { 0 };
	const uint8_t state = i->loopback ? IF_OPER_UNKNOWN : IF_OPER_UP, mode = 0, carrier = 1;
	struct ifinfomsg *m = netlink_start(r, RTM_NEWLINK, flags, sizeof(*m));

	m->ifi_type = i->loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
	m->ifi_index = (int)i->index;
	m->ifi_flags = (i->up ? IFF_UP | IFF_RUNNING | IFF_LOWER_UP : 0) |
		       (i->loopback ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST);
	netlink_attribute(r, IFLA_IFNAME, i->name, strnlen(i->name, sizeof(i->name) - 1) + 1);
	netlink_attribute_u32(r, IFLA_TXQLEN, QUEUE_LENGTH);
	netlink_attribute(r, IFLA_OPERSTATE, &state, 1);
	netlink_attribute(r, IFLA_LINKMODE, &mode, 1);
	netlink_attribute_u32(r, IFLA_MTU, i->mtu);
	netlink_attribute_u32(r, IFLA_MIN_MTU, i->loopback ? 0 : ETHERNET_MTU_LEAST);
	netlink_attribute_u32(r, IFLA_MAX_MTU, i->loopback ? 0 : MTU_MOST);
	netlink_attribute_u32(r, IFLA_GROUP, 0);
	netlink_attribute_u32(r, IFLA_PROMISCUITY, 0);
	netlink_attribute_u32(r, IFLA_NUM_TX_QUEUES, 1);
	netlink_attribute_u32(r, IFLA_NUM_RX_QUEUES, 1);
	netlink_attribute(r, IFLA_CARRIER, &carrier, 1);
	netlink_attribute(r, IFLA_QDISC, "noqueue", sizeof("noqueue"));
	netlink_attribute(r, IFLA_MAP, &map, sizeof(map));
	netlink_attribute(r, IFLA_ADDRESS, i->mac, sizeof(i->mac));
	netlink_attribute(r, IFLA_BROADCAST, i->loopback ? i->mac : broadcast, sizeof(broadcast));
	put_counters(r, i);
	netlink_finish(r);
}

static void dump_links(struct netlink_reply *r)
{
	const struct interfaces *all = &r->supervisor->interfaces;

	for (uint32_t n = 0; n < all->count; n++)
		put_link(r, &all->list[n], NLM_F_MULTI);
	netlink_done(r);
}

void netlink_get_link(struct netlink_reply *r)
{
	const struct interfaces *all = &r->supervisor->interfaces;
	const struct ifinfomsg *m = netlink_request(r, sizeof(*m));
	const struct guest_interface *i = NULL;
	char name[ALTIFNAMSIZ];

	if (netlink_is_dump(r)) {
		dump_links(r);
		return;
	}
	if (!m) {
		netlink_error(r, -EINVAL);
		return;
	}
	const bool has_name = netlink_find_text(r, sizeof(*m), IFLA_IFNAME, name, IFNAMSIZ) ||
			      netlink_find_text(r, sizeof(*m), IFLA_ALT_IFNAME, name, sizeof(name));

	if (m->ifi_index > 0)
		i = interfaces_by_index(all, (uint32_t)m->ifi_index);
	else if (has_name)
		i = interfaces_by_name(all, name);
	if (!i) {
		netlink_error(r, m->ifi_index > 0 || has_name ? -ENODEV : -EINVAL);
		return;
	}
	put_link(r, i, 0);
	netlink_flush(r);
}

static void put_address(struct netlink_reply *r, const struct guest_interface *i,
			const struct reeve_prefix *p, uint16_t flags)
{
	const bool ipv4 = reeve_address_is_ipv4(&p->address);
	const uint8_t *bytes = p->address.bytes + (ipv4 ? 12 : 0);
	const size_t size = ipv4 ? 4 : 16;
	const struct ifa_cacheinfo forever = { .ifa_prefered = UINT32_MAX,
					       .ifa_valid = UINT32_MAX };
	struct ifaddrmsg *m = netlink_start(r, RTM_NEWADDR, flags, sizeof(*m));

	m->ifa_family = ipv4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = p->length;
	m->ifa_flags = IFA_F_PERMANENT;
	m->ifa_scope = i->loopback ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->ifa_index = i->index;
	netlink_attribute(r, IFA_ADDRESS, bytes, size);
	if (ipv4)
		netlink_attribute(r, IFA_LOCAL, bytes, size);
	if (ipv4 && !i->loopback) {
		const uint32_t host = p->length >= 32 ? 0 : UINT32_MAX >> p->length;

		netlink_attribute_u32(r, IFA_BROADCAST,
				      htonl(reeve_address_to_ipv4(&p->address) | host));
	}
	if (ipv4)
		netlink_attribute(r, IFA_LABEL, i->name, strnlen(i->name, sizeof(i->name) - 1) + 1);
	netlink_attribute_u32(r, IFA_FLAGS, IFA_F_PERMANENT);
	netlink_attribute(r, IFA_CACHEINFO, &forever, sizeof(forever));
	netlink_finish(r);
}

static void dump_addresses(struct netlink_reply *r, int family, uint32_t index)
{
	const struct interfaces *all = &r->supervisor->interfaces;

	for (uint32_t n = 0; n < all->count; n++) {
		const struct guest_interface *i = &all->list[n];

		if (index && i->index != index)
			continue;
		for (uint32_t a = 0; a < i->address_count; a++) {
			const bool ipv4 = reeve_address_is_ipv4(&i->addresses[a].address);

			if (family == AF_UNSPEC || family == (ipv4 ? AF_INET : AF_INET6))
				put_address(r, i, &i->addresses[a], NLM_F_MULTI);
		}
	}
	netlink_done(r);
}

/* inet6_rtm_getaddr(); there is none such of IPv4. */
static void find_address(struct netlink_reply *r)
{
	const struct interfaces *all = &r->supervisor->interfaces;
	const uint8_t *wanted = netlink_find(r, sizeof(struct ifaddrmsg), IFA_LOCAL, 16);

	if (!wanted)
		wanted = netlink_find(r, sizeof(struct ifaddrmsg), IFA_ADDRESS, 16);
	for (uint32_t n = 0; wanted && n < all->count; n++) {
		const struct guest_interface *i = &all->list[n];

		for (uint32_t a = 0; a < i->address_count; a++) {
			if (memcmp(i->addresses[a].address.bytes, wanted, 16) != 0)
				continue;
			put_address(r, i, &i->addresses[a], 0);
			netlink_flush(r);
			return;
		}
	}
	netlink_error(r, wanted ? -EADDRNOTAVAIL : -EINVAL);
}

void netlink_get_address(struct netlink_reply *r, int family)
{
	const struct ifaddrmsg *m = netlink_request(r, sizeof(*m));

	if (netlink_is_dump(r))
		dump_addresses(r, family, r->is_strict && m ? m->ifa_index : 0);
	else if (family == AF_INET6 && m)
		find_address(r);
	else
		netlink_error(r, -EOPNOTSUPP);
}
