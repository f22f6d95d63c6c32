/* AddHost, RemoveHost, ListHosts, Impair. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link/impair.h"
#include "network/control_private.h"

#define MAX_DELAY_MS 60000.0
#define MAX_RATE     1e12
#define MAX_SEED     9007199254740992.0 /* what JSON's numbers hold exactly in every client */

/* How many frames may wait in an impaired link, each way. What does not fit is lost, as in a
 * router. */
#define IMPAIR_QUEUE 4096

static json_t *describe_impairment(const struct network_host *host)
{
	struct impair_settings s;

	if (!impair_get(host->impair, &s))
		return json_null();
	return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:b,s:I}", "loss", s.loss, "reorder",
			 s.reorder, "duplicate", s.duplicate, "corrupt", s.corrupt, "delay_ms",
			 (double)s.delay_ns / 1e6, "jitter_ms", (double)s.jitter_ns / 1e6, "rate",
			 (json_int_t)s.rate_bits, "down", s.down, "seed", (json_int_t)s.seed);
}

static json_t *describe_drops(const struct reeve_host_stats *stats)
{
	json_t *drops = json_object();

	for (unsigned i = 0; i < REEVE_DROP_COUNT; i++)
		if (stats->drops[i])
			json_object_set_new(drops, reeve_drop_name((enum reeve_drop)i),
					    json_integer((json_int_t)stats->drops[i]));
	return drops;
}

static json_t *describe_addresses(const struct network_host *host)
{
	json_t *addresses = json_array();
	struct reeve_prefix prefix;

	for (unsigned i = 0; reeve_host_address(host->stack, host->iface, i, &prefix) == 0; i++)
		json_array_append_new(addresses, control_address(&prefix.address));
	return addresses;
}

static json_t *describe_host(const struct network_host *host)
{
	const char *well_known = host->well_known == PORT_WELL_KNOWN_OWNER ? "owner" : "granted";
	const uint8_t *m = host->mac;
	struct reeve_host_stats stats;
	struct reeve_iface_info iface;
	json_t *object;
	char mac[18];

	reeve_host_stats(host->stack, &stats);
	if (reeve_host_iface(host->stack, host->iface, &iface) < 0)
		memset(&iface, 0, sizeof(iface));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	object = json_pack("{s:s,s:o,s:s,s:s,s:I,s:I,s:b}", "name", host->name, "addresses",
			   describe_addresses(host), "mac", mac, "well_known", well_known,
			   "programs", (json_int_t)host->programs, "sockets",
			   (json_int_t)stats.tcp_sockets + stats.udp_sockets + host->direct_count -
				   host->own_sockets,
			   "explicit", host->is_explicit);
	json_object_set_new(object, "packets_in", json_integer((json_int_t)iface.rx_packets));
	json_object_set_new(object, "packets_out", json_integer((json_int_t)iface.tx_packets));
	json_object_set_new(object, "bytes_in", json_integer((json_int_t)iface.rx_bytes));
	json_object_set_new(object, "bytes_out", json_integer((json_int_t)iface.tx_bytes));
	json_object_set_new(object, "retransmits", json_integer((json_int_t)stats.tcp_retransmits));
	json_object_set_new(object, "drops", describe_drops(&stats));
	json_object_set_new(object, "impairment", describe_impairment(host));
	return object;
}

static void list_hosts(struct control_call *call)
{
	const char *name = NULL;
	struct network_host *host;
	json_t *hosts;

	if (!control_string(call, "name", true, &name))
		return;
	host = name ? control_find_host(call, name) : host_first(call->network);
	if (name && !host)
		return;
	hosts = json_array();
	for (; host; host = name ? NULL : host_next(host))
		json_array_append_new(hosts, describe_host(host));
	control_reply(call->client, json_pack("{s:o}", "hosts", hosts), false);
}

static bool read_well_known(struct control_call *call, enum port_well_known *ret)
{
	const char *text = "owner";

	if (!control_string(call, "well_known", true, &text))
		return false;
	if (!strcmp(text, "owner")) {
		*ret = PORT_WELL_KNOWN_OWNER;
		return true;
	}
	if (!strcmp(text, "granted")) {
		*ret = PORT_WELL_KNOWN_GRANTED;
		return true;
	}
	control_invalid(call->client, "well_known");
	return false;
}

static void add_host(struct control_call *call)
{
	const char *name, *text = NULL;
	enum port_well_known well_known;
	enum host_failure failure;
	struct reeve_address address;
	struct network_host *host;

	if (!control_string(call, "name", false, &name) ||
	    !control_string(call, "address", true, &text) || !read_well_known(call, &well_known))
		return;
	if (text && reeve_address_parse(text, &address) < 0) {
		control_host_failure(call->client, HOST_ADDRESS_INVALID, name, text);
		return;
	}
	failure = host_add(call->network, name, text ? &address : NULL, &host);
	if (failure != HOST_OK) {
		control_host_failure(call->client, failure, name, text);
		return;
	}
	host->is_explicit = true;
	host->well_known = well_known;
	call->network->configured = true;
	control_reply(call->client, json_pack("{s:o}", "host", describe_host(host)), false);
}

static void remove_host(struct control_call *call)
{
	struct network_host *host;
	const char *name;

	if (!control_string(call, "name", false, &name))
		return;
	host = control_find_host(call, name);
	if (!host)
		return;
	if (host == host_gateway(call->network)) {
		control_refuse(call->client, "the gateway stays as long as the network");
		return;
	}
	if (host->programs > 0) {
		control_fail(call->client, "HostBusy",
			     json_pack("{s:s,s:I}", "name", host->name, "programs",
				       (json_int_t)host->programs));
		return;
	}
	control_host_removed(host);
	host_remove(host);
	control_reply(call->client, NULL, false);
}

static bool read_impairment(struct control_call *call, json_t *object, struct impair_settings *s)
{
	double delay_ms = 0, jitter_ms = 0, rate = 0, seed = 1;
	const json_t *down = json_object_get(object, "down");

	*s = (struct impair_settings){ .queue_packets = IMPAIR_QUEUE };
	if (!control_number(call, object, "loss", 1, &s->loss) ||
	    !control_number(call, object, "reorder", 1, &s->reorder) ||
	    !control_number(call, object, "duplicate", 1, &s->duplicate) ||
	    !control_number(call, object, "corrupt", 1, &s->corrupt) ||
	    !control_number(call, object, "delay_ms", MAX_DELAY_MS, &delay_ms) ||
	    !control_number(call, object, "jitter_ms", MAX_DELAY_MS, &jitter_ms) ||
	    !control_number(call, object, "rate", MAX_RATE, &rate) ||
	    !control_number(call, object, "seed", MAX_SEED, &seed))
		return false;
	if (down && !json_is_null(down) && !json_is_boolean(down)) {
		control_invalid(call->client, "down");
		return false;
	}
	s->delay_ns = (int64_t)(delay_ms * 1e6);
	s->jitter_ns = (int64_t)(jitter_ms * 1e6);
	s->rate_bits = (uint64_t)rate;
	s->seed = (uint64_t)seed;
	s->down = json_is_true(down);
	return true;
}

static void impair(struct control_call *call)
{
	json_t *object = json_object_get(call->parameters, "impairment");
	struct impair_settings settings;
	struct network_host *host;
	const char *name;

	if (!control_string(call, "host", false, &name))
		return;
	host = control_find_host(call, name);
	if (!host)
		return;
	if (!object || json_is_null(object)) {
		host_impair(host, NULL);
	} else if (!json_is_object(object)) {
		control_invalid(call->client, "impairment");
		return;
	} else {
		if (!read_impairment(call, object, &settings))
			return;
		host_impair(host, &settings);
		host->is_explicit = true;
		call->network->configured = true;
	}
	control_reply(call->client, json_pack("{s:o}", "impairment", describe_impairment(host)),
		      false);
}

const struct control_method control_host_methods[] = {
	{ "io.reeve.Network.ListHosts", list_hosts, true },
	{ "io.reeve.Network.AddHost", add_host },
	{ "io.reeve.Network.RemoveHost", remove_host },
	{ "io.reeve.Network.Impair", impair },
	{ NULL, NULL },
};
