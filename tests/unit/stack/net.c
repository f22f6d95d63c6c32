/* Two hosts on one wire, in virtual time. */
#include "net.h"

#include <string.h>

#include "base/packet.h"

void net_mac(uint8_t number, uint8_t ret[6])
{
	static const uint8_t first[5] = { 0x02, 0, 0, 0, 0 };

	memcpy(ret, first, 5);
	ret[5] = number;
}

struct reeve_host *net_host_new(struct net *n, uint8_t seed)
{
	struct reeve_host_config config = { .pool = n->pool, .max_sockets = 64 };

	memset(config.seed, seed, sizeof(config.seed));
	struct reeve_host *const host = reeve_host_new(&config, n->now);

	assert_non_null(host);
	return host;
}

unsigned net_add_iface(const struct net *n, struct reeve_host *host, uint8_t mac)
{
	struct reeve_iface_config config = {
		.name = "eth0",
		.mtu = n->mtu,
		.offloads = n->offloads,
		.queue_packets = 256,
	};
	unsigned index = 0;

	net_mac(mac, config.mac);
	assert_int_equal(reeve_host_add_iface(host, &config, &index), 0);
	return index;
}

void net_init(struct net *n)
{
	static const struct reeve_pool_config pool = {
		.max_packets = 4096,
		.max_buffer_bytes = 64 << 20,
	};
	static const char *const addresses[] = { "192.0.2.1/24", "192.0.2.2/24" };

	n->pool = reeve_pool_new(&pool);
	assert_non_null(n->pool);
	if (!n->now.ns)
		n->now = (struct reeve_time){ REEVE_NS_PER_S };
	if (!n->mtu)
		n->mtu = 1500;
	for (unsigned i = 0; i < 2; i++) {
		const struct reeve_prefix prefix = net_prefix(addresses[i]);

		n->hosts[i] = net_host_new(n, (uint8_t)(i + 1));
		n->ifaces[i] = net_add_iface(n, n->hosts[i], (uint8_t)(i + 1));
		assert_int_equal(reeve_host_add_address(n->hosts[i], n->ifaces[i], &prefix), 0);
	}
}

void net_deinit(struct net *n)
{
	for (unsigned i = 0; i < 2; i++)
		n->hosts[i] = reeve_host_free(n->hosts[i]);
	n->pool = reeve_pool_free(n->pool);
}

/* True when a frame was carried. */
static bool carry(struct net *n, unsigned from)
{
	unsigned iface;
	struct reeve_packet *const p = reeve_host_output(n->hosts[from], n->now, &iface);

	if (!p)
		return false;
	n->carried++;
	if (n->cut)
		reeve_packet_free(p);
	else
		reeve_host_input(n->hosts[!from], n->ifaces[!from], p, n->now);
	return true;
}

void net_settle(struct net *n)
{
	unsigned idle = 0;

	for (unsigned i = 0; idle < 2; i = !i) {
		idle++;
		while (carry(n, i))
			idle = 0;
	}
}

void net_pass_ms(struct net *n, int64_t ms)
{
	const struct reeve_time end = reeve_time_add_ms(n->now, ms);

	for (;;) {
		net_settle(n);
		const struct reeve_time next = reeve_time_min(reeve_host_deadline(n->hosts[0]),
							      reeve_host_deadline(n->hosts[1]));

		if (reeve_time_before(end, next))
			break;
		n->now = next;
		reeve_host_tick(n->hosts[0], n->now);
		reeve_host_tick(n->hosts[1], n->now);
	}
	n->now = end;
	reeve_host_tick(n->hosts[0], n->now);
	reeve_host_tick(n->hosts[1], n->now);
	net_settle(n);
}

struct reeve_address net_address(const char *text)
{
	struct reeve_address a;

	assert_int_equal(reeve_address_parse(text, &a), 0);
	return a;
}

struct reeve_sockaddr net_name(const char *text, uint16_t port)
{
	return (struct reeve_sockaddr){ .address = net_address(text), .port = port };
}

struct reeve_prefix net_prefix(const char *text)
{
	struct reeve_prefix p;

	assert_int_equal(reeve_prefix_parse(text, &p), 0);
	return p;
}

struct reeve_host_stats net_stats(const struct reeve_host *host)
{
	struct reeve_host_stats stats;

	reeve_host_stats(host, &stats);
	return stats;
}

uint64_t net_drop(const struct reeve_host *host, enum reeve_drop reason)
{
	return net_stats(host).drops[reason];
}

uint64_t net_drops(const struct reeve_host *host)
{
	const struct reeve_host_stats stats = net_stats(host);
	uint64_t drops = 0;

	for (unsigned i = 0; i < REEVE_DROP_COUNT; i++)
		drops += stats.drops[i];
	return drops;
}

void net_input(struct net *n, unsigned host, const void *bytes, size_t length)
{
	struct reeve_packet *const p = reeve_packet_from_bytes(n->pool, bytes, length, NULL);

	assert_non_null(p);
	reeve_host_input(n->hosts[host], n->ifaces[host], p, n->now);
}

size_t net_output(struct net *n, unsigned host, uint8_t *bytes, size_t size)
{
	unsigned iface;
	struct reeve_packet *const p = reeve_host_output(n->hosts[host], n->now, &iface);

	if (!p)
		return 0;
	const size_t length = reeve_packet_length(p);

	assert_true(length <= size);
	packet_copy(p, 0, length, bytes);
	reeve_packet_free(p);
	return length;
}
