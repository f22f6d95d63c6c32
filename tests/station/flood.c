#include "station/flood.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/random.h"
#include "link/switch.h"
#include "reeve/reeve.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/pseudo.h"
#include "wire/tcp.h"

#define STEP_FRAMES   64 /* a station's turn, each way */
#define QUEUE_PACKETS 1024
#define PORT          80
#define BACKLOG       128
#define NETWORK       0xc6120000 /* 198.18.0.0/16; what is made up comes from 198.19.0.0/16 */
#define MADE_UP       0xc6130000
#define IP_TCP        6
#define SYN_LENGTH    (TCP_HEADER_MIN + 20)

enum { GATEWAY, SERVER, CLIENT, STATIONS };

struct honest {
	struct reeve_time opened;
	struct reeve_tcp *tcp;
};

struct flood {
	struct reeve_pool *pool;
	struct switch_ *fabric;
	struct link *links[STATIONS];
	struct reeve_host *hosts[STATIONS];
	unsigned ifaces[STATIONS];
	struct reeve_tcp *listener;
	struct random random;
	struct flood_result result;
};

static void station_mac(unsigned index, uint8_t ret[ETHER_ADDRESS])
{
	memcpy(ret, (const uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)(index + 1) }, ETHER_ADDRESS);
}

static bool add_station(struct flood *f, unsigned index, struct reeve_time now)
{
	const struct reeve_host_config config = {
		.pool = f->pool,
		.seed = { (uint8_t)(index + 1) },
		.max_sockets = 1 << 20,
		.ephemeral_first = 1024,
		.ephemeral_last = 65535,
	};
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mtu = 1500,
		.queue_packets = QUEUE_PACKETS,
	};
	const struct reeve_prefix address = { reeve_address_from_ipv4(NETWORK + index + 1), 16 };
	const struct reeve_prefix all = { reeve_any_ipv4, 0 };
	const struct reeve_address gateway = reeve_address_from_ipv4(NETWORK + GATEWAY + 1);
	unsigned port;

	station_mac(index, iface.mac);
	f->hosts[index] = reeve_host_new(&config, now);
	return f->hosts[index] &&
	       switch_add_port(f->fabric, iface.mtu, 0, &f->links[index], &port) == 0 &&
	       reeve_host_add_iface(f->hosts[index], &iface, &f->ifaces[index]) == 0 &&
	       reeve_host_add_address(f->hosts[index], f->ifaces[index], &address) == 0 &&
	       (index == GATEWAY ||
		reeve_host_add_route(f->hosts[index], &all, &gateway, f->ifaces[index]) == 0);
}

static bool listen_at(struct flood *f)
{
	const struct reeve_sockaddr any = { .address = reeve_any_ipv4, .port = PORT };

	f->listener = reeve_tcp_new(f->hosts[SERVER], REEVE_IPV4, NULL);
	return f->listener && reeve_tcp_bind(f->listener, &any) == 0 &&
	       reeve_tcp_listen(f->listener, BACKLOG) == 0;
}

struct flood *flood_new(uint64_t seed, struct reeve_time now)
{
	static const struct reeve_pool_config pool = { 1 << 16, UINT64_C(1) << 28 };
	const struct switch_config fabric = {
		.max_ports = STATIONS,
		.max_stations = 64,
		.queue_packets = QUEUE_PACKETS,
		.queue_bytes = 1 << 24,
		.ageing_s = 300,
		.key = { seed, 1 },
	};
	struct flood *const f = calloc(1, sizeof(*f));
	uint8_t bytes[32] = { 0 };

	if (!f)
		return NULL;
	memcpy(bytes, &seed, sizeof(seed));
	random_init(&f->random, bytes);
	f->pool = reeve_pool_new(&pool);
	f->fabric = switch_new(&fabric);
	if (!f->pool || !f->fabric)
		return flood_free(f);
	for (unsigned i = 0; i < STATIONS; i++)
		if (!add_station(f, i, now))
			return flood_free(f);
	return listen_at(f) ? f : flood_free(f);
}

struct flood *flood_free(struct flood *f)
{
	if (!f)
		return NULL;
	for (unsigned i = 0; i < STATIONS; i++)
		reeve_host_free(f->hosts[i]);
	for (unsigned i = 0; i < STATIONS; i++)
		link_free(f->links[i]);
	switch_free(f->fabric);
	reeve_pool_free(f->pool);
	free(f);
	return NULL;
}

void flood_open(struct flood *f, struct reeve_time now)
{
	const struct reeve_sockaddr to = {
		.address = reeve_address_from_ipv4(NETWORK + SERVER + 1),
		.port = PORT,
	};
	struct honest *const h = calloc(1, sizeof(*h));

	check(h);
	h->opened = now;
	h->tcp = reeve_tcp_new(f->hosts[CLIENT], REEVE_IPV4, h);
	check(h->tcp && reeve_tcp_connect(h->tcp, &to, now) == 0);
	f->result.opened++;
}

/* As a modern client's: everything that a cookie has to keep. */
static void make_syn(struct flood *f, uint8_t frame[ETHER_HEADER + IPV4_HEADER + SYN_LENGTH])
{
	const struct ipv4_header ip = {
		.header_length = IPV4_HEADER,
		.total_length = IPV4_HEADER + SYN_LENGTH,
		.ttl = 64,
		.protocol = IP_TCP,
		.source = MADE_UP + random_below(&f->random, 1 << 16),
		.destination = NETWORK + SERVER + 1,
	};
	const struct tcp_header h = {
		.source_port = (uint16_t)(1024 + random_below(&f->random, 64000)),
		.destination_port = PORT,
		.sequence = random_u32(&f->random),
		.flags = TCP_SYN,
		.window = 65535,
		.options = {
			.mss = 1460,
			.has_window_scale = true,
			.window_scale = 7,
			.sack_permitted = true,
			.has_timestamps = true,
			.timestamp = random_u32(&f->random),
		},
	};
	const struct reeve_address source = reeve_address_from_ipv4(ip.source);
	const struct reeve_address destination = reeve_address_from_ipv4(ip.destination);
	struct ether_header ether = { .type = ETHER_IPV4 };
	uint8_t *const tcp = frame + ETHER_HEADER + IPV4_HEADER;

	station_mac(SERVER, ether.destination);
	station_mac(GATEWAY, ether.source);
	ether_emit(&ether, frame);
	ipv4_emit(&ip, frame + ETHER_HEADER);
	check(tcp_header_size(&h) == SYN_LENGTH);
	tcp_header_emit(&h, tcp);
	store_be16(tcp + TCP_CHECKSUM_OFFSET, 0);

	const uint64_t pseudo = pseudo_sum(&source, &destination, IP_TCP, SYN_LENGTH);

	store_be16(tcp + TCP_CHECKSUM_OFFSET,
		   (uint16_t)~checksum_fold(checksum_add(pseudo, tcp, SYN_LENGTH)));
}

static void send_syns(struct flood *f, unsigned count, struct reeve_time now)
{
	uint8_t frame[ETHER_HEADER + IPV4_HEADER + SYN_LENGTH];

	for (unsigned i = 0; i < count; i++) {
		make_syn(f, frame);

		struct reeve_packet *const p =
			reeve_packet_from_bytes(f->pool, frame, sizeof(frame), NULL);

		if (!p)
			return;
		link_send(f->links[GATEWAY], p, now);
		f->result.syns++;
	}
}

/* It greets whoever it accepts, and closes when they do. */
static void server_event(struct flood *f, const struct reeve_event *e)
{
	struct reeve_tcp *tcp = e->socket;

	if (tcp != f->listener) {
		if (e->what & (REEVE_PEER_CLOSED | REEVE_FAILED))
			reeve_tcp_close(tcp);
		return;
	}
	while ((tcp = reeve_tcp_accept(f->listener, NULL)))
		reeve_tcp_write(tcp, "hello", 5);
}

static void client_event(struct flood *f, const struct reeve_event *e, struct reeve_time now)
{
	struct honest *const h = e->user;
	const int64_t waited = reeve_time_since(now, h->opened);

	if (!(e->what & (REEVE_READABLE | REEVE_FAILED)))
		return;
	if ((e->what & REEVE_READABLE) && waited <= FLOOD_PATIENCE_S * REEVE_NS_PER_S)
		f->result.succeeded++;
	reeve_tcp_consume(h->tcp, reeve_tcp_readable(h->tcp));
	reeve_tcp_abort(h->tcp); /* a TIME-WAIT each would look as if memory grew */
	free(h);
}

static void turn(struct flood *f, unsigned index, struct reeve_time now)
{
	struct reeve_packet *p;
	struct reeve_event event;
	unsigned iface;

	for (unsigned i = 0; i < STEP_FRAMES && (p = link_receive(f->links[index], now)); i++)
		reeve_host_input(f->hosts[index], f->ifaces[index], p, now);
	reeve_host_tick(f->hosts[index], now);
	while (reeve_host_next_event(f->hosts[index], &event)) {
		if (index == SERVER)
			server_event(f, &event);
		else if (index == CLIENT)
			client_event(f, &event, now);
	}
	for (unsigned i = 0;
	     i < STEP_FRAMES && (p = reeve_host_output(f->hosts[index], now, &iface)); i++)
		link_send(f->links[index], p, now);
}

void flood_step(struct flood *f, unsigned syns, struct reeve_time now)
{
	send_syns(f, syns, now);
	for (unsigned i = 0; i < STATIONS; i++)
		turn(f, i, now);
}

void flood_result(const struct flood *f, struct flood_result *ret)
{
	struct reeve_host_stats stats;
	struct reeve_pool_stats pool;

	reeve_host_stats(f->hosts[SERVER], &stats);
	reeve_pool_stats(f->pool, &pool);
	*ret = f->result;
	ret->dropped = f->links[SERVER]->stats.dropped;
	ret->cookies_out = stats.tcp_cookies_out;
	ret->cookies_in = stats.tcp_cookies_in;
	ret->sockets = stats.tcp_sockets;
	ret->packets = pool.packets;
	ret->buffer_bytes = pool.buffer_bytes;
}
