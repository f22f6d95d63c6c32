/* AddTap, ListLinks, RemoveLink. */
#include <errno.h>

#include "network/control_private.h"
#include "network/links.h"

static void add_tap(struct control_call *call)
{
	const char *name;
	int64_t mtu;
	bool offload;
	int fd, r;

	if (!control_string(call, "name", false, &name) ||
	    !control_integer(call, "mtu", 576, 65535, &mtu) ||
	    !control_bool(call, "offload", &offload))
		return;
	fd = control_take_fd(call);
	if (fd < 0)
		return;
	r = links_add_tap(call->network, name, (uint32_t)mtu, offload, fd);
	if (r == -EEXIST) {
		control_fail(call->client, "LinkExists", json_pack("{s:s}", "name", name));
	} else if (r < 0) {
		control_errno(call->client, "AddTap", r);
	} else {
		call->network->configured = true;
		control_reply(call->client, NULL, false);
	}
}

static void list_links(struct control_call *call)
{
	json_t *links = json_array();

	list_for_each(node, &call->network->links) {
		const struct network_link *l = list_entry(node, struct network_link, node);
		const struct link_stats *s = &l->outer->stats;

		json_array_append_new(
			links, json_pack("{s:s,s:s,s:I,s:b,s:I,s:I,s:I,s:I,s:I}", "name", l->name,
					 "kind", "tap", "mtu", (json_int_t)l->outer->mtu, "offload",
					 l->offload, "packets_in", (json_int_t)s->received_packets,
					 "packets_out", (json_int_t)s->sent_packets, "bytes_in",
					 (json_int_t)s->received_bytes, "bytes_out",
					 (json_int_t)s->sent_bytes, "dropped",
					 (json_int_t)s->dropped + l->station.link->stats.dropped));
	}
	control_reply(call->client, json_pack("{s:o}", "links", links), false);
}

static void remove_link(struct control_call *call)
{
	struct network_link *l;
	const char *name;

	if (!control_string(call, "name", false, &name))
		return;
	l = links_find(call->network, name);
	if (!l) {
		control_fail(call->client, "NoSuchLink", json_pack("{s:s}", "name", name));
		return;
	}
	links_remove(l);
	control_reply(call->client, NULL, false);
}

const struct control_method control_link_methods[] = {
	{ "io.reeve.Network.AddTap", add_tap },
	{ "io.reeve.Network.ListLinks", list_links, true },
	{ "io.reeve.Network.RemoveLink", remove_link },
	{ NULL, NULL },
};
