#include "network/host.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "link/capture.h"
#include "link/impair.h"
#include "network/dns.h"
#include "network/gateway.h"
#include "network/log.h"
#include "network/managers.h"
#include "network/recording.h"

#define NAME_BUCKETS   65536
#define ADDRESSES      65536
#define PACKETS_A_STEP 64
#define OWNERS_A_STEP  16

struct host_table {
	struct list all; /* without the gateway */
	uint32_t count;
	uint32_t next_address; /* low 16 bits to try first */
	struct network_host *gateway;
	struct network_host *by_address[ADDRESSES]; /* by the low 16 bits */
	struct network_host *by_name[NAME_BUCKETS];
};

struct host_table *host_table_new(void)
{
	struct host_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	list_init(&table->all);
	table->next_address = (NETWORK_GATEWAY & 0xffff) + 1;
	return table;
}

struct host_table *host_table_free(struct network *n)
{
	struct host_table *table = n->hosts;

	list_for_each_safe(node, &table->all)
		host_remove(list_entry(node, struct network_host, node));
	if (table->gateway)
		host_remove(table->gateway);
	free(table);
	return NULL;
}

static char lower(char c)
{
	return (char)tolower((unsigned char)c);
}

const char *host_name_fault(const char *name)
{
	const size_t length = strnlen(name, HOST_NAME_LENGTH);
	bool has_letter = false;

	if (length == 0)
		return "it is empty";
	if (length == HOST_NAME_LENGTH)
		return "it is longer than 63 characters";
	if (name[0] == '-' || name[length - 1] == '-')
		return "it begins or ends with '-'";
	for (size_t i = 0; i < length; i++) {
		const char c = lower(name[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return "it has a character other than letters, digits and '-'";
		has_letter |= c >= 'a' && c <= 'z';
	}
	if (!has_letter)
		return "it has no letter, so it looks like a number";
	/* RFC 6761, 6.3: every resolver answers this one by itself. */
	if (!strcasecmp(name, "localhost"))
		return "it means the host itself, on every host";
	return NULL;
}

const char *host_address_fault(const struct reeve_address *address)
{
	uint32_t number;

	if (!reeve_address_is_ipv4(address))
		return "it is not an IPv4 address";
	number = reeve_address_to_ipv4(address);
	if ((number & 0xffff0000) != NETWORK_ADDRESS)
		return "it is outside of 198.18.0.0/16";
	if (number == NETWORK_ADDRESS || number == (NETWORK_ADDRESS | 0xffff))
		return "it is the network's own";
	return NULL;
}

static uint32_t name_bucket(const struct network *n, const char *name)
{
	char folded[HOST_NAME_LENGTH];
	size_t length = 0;

	while (length < HOST_NAME_LENGTH && name[length]) {
		folded[length] = lower(name[length]);
		length++;
	}
	return (uint32_t)(hash_bytes(&n->key, folded, length) % NAME_BUCKETS);
}

struct network_host *host_by_name(const struct network *n, const char *name)
{
	struct network_host *host = n->hosts->by_name[name_bucket(n, name)];

	while (host && strcasecmp(host->name, name) != 0)
		host = host->next_by_name;
	return host;
}

struct network_host *host_by_address(const struct network *n, const struct reeve_address *address)
{
	uint32_t number;

	if (!reeve_address_is_ipv4(address))
		return NULL;
	number = reeve_address_to_ipv4(address);
	if ((number & 0xffff0000) != NETWORK_ADDRESS)
		return NULL;
	return n->hosts->by_address[number & 0xffff];
}

struct network_host *host_gateway(const struct network *n)
{
	return n->hosts->gateway;
}

uint32_t host_count(const struct network *n)
{
	return n->hosts->count;
}

static struct network_host *host_at(const struct network *n, struct list *node)
{
	return node == &n->hosts->all ? NULL : list_entry(node, struct network_host, node);
}

struct network_host *host_first(const struct network *n)
{
	return host_at(n, n->hosts->all.next);
}

struct network_host *host_next(const struct network_host *host)
{
	return host_at(host->station.network, host->node.next);
}

/* Round robin, as a host that has just gone may still be known to others by its address. The
 * caller has made sure that one is free. */
static uint32_t choose_address(struct host_table *table)
{
	uint32_t low = table->next_address;

	while (low == 0 || low == 0xffff || table->by_address[low])
		low = (low + 1) & 0xffff;
	table->next_address = (low + 1) & 0xffff;
	return NETWORK_ADDRESS | low;
}

/* Lets the sockets' owners know. False if there was nothing. */
static bool tell_owners(struct network_host *host)
{
	struct reeve_event event;
	bool told = false;

	while (reeve_host_next_event(host->stack, &event)) {
		struct socket_owner *owner = event.user;

		if (owner)
			owner->ops->event(owner, &event);
		told = true;
	}
	return told;
}

/* To the owners that have asked for it; who asks again has it in the next round, when what was
 * written in this one has gone out. False if there were none. */
static bool give_turns(struct network_host *host)
{
	unsigned turns = OWNERS_A_STEP;
	struct list end, *node;
	bool given = false;

	list_append(&host->resume, &end);
	while (turns-- && (node = list_pop(&host->resume)) != &end) {
		struct socket_owner *owner = list_entry(node, struct socket_owner, resume);

		owner->ops->resume(owner);
		given = true;
	}
	list_remove(&end);
	return given;
}

static bool is_forgotten(const struct network_host *host)
{
	return !host->is_explicit && host->holders == 0 && reeve_host_lingering(host->stack) == 0;
}

/* Addresses are the network's to give, and a host keeps its own (RFC 5227, 2.4 (c)); but whoever
 * has joined a link to the network should know. Said once a host: what comes by a link is not to
 * fill the log. */
static void tell_conflict(struct network_host *host)
{
	struct reeve_address_info info;
	char address[REEVE_ADDRESS_TEXT];

	if (host->has_conflict || reeve_host_address_info(host->stack, &host->address, &info) < 0 ||
	    info.conflicts == 0)
		return;
	const uint8_t *const mac = info.conflict_mac;

	host->has_conflict = true;
	log_line("host '%s': station %02x:%02x:%02x:%02x:%02x:%02x has its address %s too",
		 host->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		 reeve_address_format(&host->address, address));
}

/* One round: what has come in, what its owners make of it, what goes out. What went round inside,
 * by the loopback interface, is told in the next. */
static void host_work(struct station *station)
{
	struct network_host *host = container_of(station, struct network_host, station);
	const struct reeve_time now = network_now(station->network);
	struct reeve_packet *arrived[PACKETS_A_STEP], *p;
	unsigned in = 0, out = 0, iface;
	bool told;

	while (in < PACKETS_A_STEP && (arrived[in] = link_receive(station->link, now)))
		in++;
	if (in > 0) {
		reeve_host_input_many(host->stack, host->iface, arrived, in, now);
		tell_conflict(host);
	}
	reeve_host_tick(host->stack, now);
	told = tell_owners(host);
	while (out < PACKETS_A_STEP && (p = reeve_host_output(host->stack, now, &iface))) {
		link_send(station->link, p, now);
		out++;
	}
	told |= give_turns(host);
	if (told || in == PACKETS_A_STEP || out > 0 || tell_owners(host))
		station_activate(station);
	else if (is_forgotten(host))
		host_remove(host);
	else
		station_wait(station, reeve_host_deadline(host->stack));
}

static int make_stack(struct network_host *host, struct network *n)
{
	struct reeve_host_config config = {
		.pool = n->pool,
		.max_sockets = NETWORK_MAX_SOCKETS,
		.any_address = reeve_address_to_ipv4(&host->address) == NETWORK_GATEWAY,
	};
	struct reeve_iface_config iface = {
		.name = "eth0",
		.mtu = NETWORK_MTU,
		.offloads = host->station.link->offloads,
		.queue_packets = NETWORK_QUEUE_PACKETS,
	};
	const struct reeve_prefix own = { host->address, NETWORK_PREFIX_LENGTH };
	const struct reeve_prefix everywhere = { reeve_any_ipv4, 0 };
	const struct reeve_address gateway = reeve_address_from_ipv4(NETWORK_GATEWAY);
	int r;

	for (size_t i = 0; i < sizeof(config.seed); i += 8) {
		const uint64_t word = random_u64(&n->random);

		memcpy(config.seed + i, &word, 8);
	}
	host->stack = reeve_host_new(&config, network_now(n));
	if (!host->stack)
		return -ENOMEM;
	memcpy(iface.mac, host->mac, sizeof(iface.mac));
	r = reeve_host_add_iface(host->stack, &iface, &host->iface);
	/* Nobody is told of a new host: an address here always has the same MAC address, and said to
	 * each of n hosts, a network of n would take n^2 frames to come up. */
	if (r == 0)
		r = reeve_host_claim_address(host->stack, host->iface, &own, REEVE_ADDRESS_QUIET);
	if (r == 0 && !config.any_address)
		r = reeve_host_add_route(host->stack, &everywhere, &gateway, host->iface);
	return r;
}

/* The port, and round it impairment and capture. */
static int make_link(struct network_host *host, struct network *n)
{
	struct link *wrapped;
	int r = station_init(&host->station, n,
			     REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 | REEVE_OFFLOAD_TCP6,
			     host_work);

	if (r < 0)
		return r;
	wrapped = impair_new(host->station.link);
	if (!wrapped)
		goto no_memory;
	host->impair = wrapped;
	host->station.link = wrapped;
	wrapped = capture_link_new(wrapped, host->name);
	if (!wrapped)
		goto no_memory;
	host->capture = wrapped;
	host->station.link = wrapped;
	return 0;
no_memory:
	station_deinit(&host->station);
	return -ENOMEM;
}

static struct network_host *make_host(struct network *n, const char *name, uint32_t number)
{
	struct network_host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	strncpy(host->name, name, sizeof(host->name) - 1);
	host->address = reeve_address_from_ipv4(number);
	/* Locally administered; the same for the same address, so that what others remember of
	 * an address that has been given away again stays true. */
	host->mac[0] = 0x02;
	host->mac[1] = 0x52;
	store_be32(host->mac + 2, number);
	host->well_known = PORT_WELL_KNOWN_OWNER;
	list_init(&host->resume);
	list_init(&host->node);
	list_init(&host->resolvers);
	list_init(&host->direct);
	if (make_link(host, n) < 0) {
		free(host);
		return NULL;
	}
	if (make_stack(host, n) < 0) {
		host->stack = reeve_host_free(host->stack);
		station_deinit(&host->station);
		free(host);
		return NULL;
	}
	return host;
}

static void insert(struct network *n, struct network_host *host, uint32_t number)
{
	struct host_table *table = n->hosts;
	const uint32_t bucket = name_bucket(n, host->name);

	host->next_by_name = table->by_name[bucket];
	table->by_name[bucket] = host;
	table->by_address[number & 0xffff] = host;
	if (number == NETWORK_GATEWAY) {
		table->gateway = host;
		return;
	}
	list_append(&table->all, &host->node);
	table->count++;
}

enum host_failure host_add(struct network *n, const char *name, const struct reeve_address *address,
			   struct network_host **ret)
{
	struct host_table *table = n->hosts;
	struct network_host *host;
	uint32_t number;

	if (host_name_fault(name))
		return HOST_NAME_INVALID;
	if (host_by_name(n, name))
		return HOST_NAME_TAKEN;
	if (address && host_address_fault(address))
		return HOST_ADDRESS_INVALID;
	if (address && host_by_address(n, address))
		return HOST_ADDRESS_TAKEN;
	if (table->count >= n->max_hosts)
		return HOST_NETWORK_FULL;
	number = address ? reeve_address_to_ipv4(address) : choose_address(table);
	host = make_host(n, name, number);
	if (!host)
		return HOST_NO_MEMORY;
	insert(n, host, number);
	if (number == NETWORK_GATEWAY ? gateway_open(host) < 0 : dns_open_resolvers(host) < 0) {
		host_remove(host);
		return HOST_NO_MEMORY;
	}
	recording_host_added(host);
	host_activate(host);
	*ret = host;
	return HOST_OK;
}

void host_remove(struct network_host *host)
{
	struct network *n = host->station.network;
	struct host_table *table = n->hosts;
	struct network_host **at = &table->by_name[name_bucket(n, host->name)];

	while (*at != host)
		at = &(*at)->next_by_name;
	*at = host->next_by_name;
	table->by_address[reeve_address_to_ipv4(&host->address) & 0xffff] = NULL;
	if (table->gateway == host)
		table->gateway = NULL;
	else
		table->count--;
	list_remove(&host->node);
	managers_host_removed(host);
	recording_host_removed(host);
	dns_close(host);
	host->stack = reeve_host_free(host->stack);
	free(host->past);
	station_deinit(&host->station);
	free(host);
}

void host_activate(struct network_host *host)
{
	station_activate(&host->station);
}

void host_hold(struct network_host *host)
{
	host->holders++;
}

void host_release(struct network_host *host)
{
	check(host->holders > 0);
	host->holders--;
	host_activate(host);
}

void host_impair(struct network_host *host, const struct impair_settings *settings)
{
	impair_set(host->impair, settings, network_now(host->station.network));
	reeve_host_set_offloads(host->stack, host->iface, host->impair->offloads);
	host_activate(host);
}

void socket_owner_init(struct socket_owner *owner, const struct socket_owner_ops *ops,
		       struct network_host *host)
{
	*owner = (struct socket_owner){ .ops = ops, .host = host };
	list_init(&owner->resume);
}

void socket_owner_resume(struct socket_owner *owner)
{
	if (!list_is_linked(&owner->resume))
		list_append(&owner->host->resume, &owner->resume);
	host_activate(owner->host);
}

void socket_owner_deinit(struct socket_owner *owner)
{
	list_remove(&owner->resume);
}
