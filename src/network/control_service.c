/* org.varlink.service, and the network's own state. */
#include <string.h>
#include <unistd.h>

#include "network/control_private.h"
#include "network/guest.h"
#include "network/interfaces.h"
#include "network/lifetime.h"

static void get_info(struct control_call *call)
{
	control_reply(call->client,
		      json_pack("{s:s,s:s,s:s,s:s,s:[s,s]}", "vendor", "Reeve", "product", "reeve",
				"version", REEVE_VERSION, "url", "", "interfaces",
				"org.varlink.service", "io.reeve.Network"),
		      false);
}

static void get_interface_description(struct control_call *call)
{
	const char *name;

	if (!control_string(call, "interface", false, &name))
		return;
	for (const struct interface *i = interfaces; i->name; i++) {
		if (strcmp(i->name, name) != 0)
			continue;
		control_reply(call->client, json_pack("{s:s}", "description", i->description),
			      false);
		return;
	}
	control_fail(call->client, "org.varlink.service.InterfaceNotFound",
		     json_pack("{s:s}", "interface", name));
}

const struct control_method control_service_methods[] = {
	{ "org.varlink.service.GetInfo", get_info, true },
	{ "org.varlink.service.GetInterfaceDescription", get_interface_description, true },
	{ NULL, NULL },
};

static void get_network(struct control_call *call)
{
	const struct network *n = call->network;
	const int64_t uptime = reeve_time_since(network_now(n), n->started) / REEVE_NS_PER_MS;

	control_reply(call->client,
		      json_pack("{s:s,s:s,s:i,s:s,s:b,s:I,s:I,s:I}", "name", n->name, "version",
				REEVE_VERSION, "pid", (int)getpid(), "prefix", "198.18.0.0/16",
				"keep", n->keep || n->configured, "programs",
				(json_int_t)guest_session_count(n->guests), "hosts",
				(json_int_t)host_count(n), "uptime_ms", (json_int_t)uptime),
		      false);
}

static void set_keep(struct control_call *call)
{
	bool keep;

	if (!control_bool(call, "keep", &keep))
		return;
	call->network->keep = keep;
	control_reply(call->client, NULL, false);
}

static void down(struct control_call *call)
{
	int64_t grace_ms = LIFETIME_GRACE_MS;

	if (json_object_get(call->parameters, "grace_ms") &&
	    !control_integer(call, "grace_ms", 0, LIFETIME_GRACE_MOST_MS, &grace_ms))
		return;
	if (call->network->lifetime)
		lifetime_down_for(call->network->lifetime, grace_ms, call->client);
	else
		control_reply(call->client, json_pack("{s:i}", "programs", 0), false);
}

const struct control_method control_network_methods[] = {
	{ "io.reeve.Network.GetNetwork", get_network, true },
	{ "io.reeve.Network.SetKeep", set_keep },
	{ "io.reeve.Network.Down", down, true },
	{ NULL, NULL },
};
