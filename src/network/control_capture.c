/* Capture: the call lasts as long as the capture does. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "network/control_private.h"
#include "network/recording.h"

struct capture_call {
	struct control_session session;
	struct control_client *client;
	struct recording *recording;
	bool more;
};

static json_t *interfaces_of(const struct recording *r)
{
	json_t *names = json_array();
	const char *name;

	for (unsigned i = 0; (name = recording_interface(r, i)); i++)
		json_array_append_new(names, json_string(name));
	return json_pack("{s:o}", "interfaces", names);
}

static void client_gone(struct control_session *session)
{
	struct capture_call *c = (struct capture_call *)(void *)session;

	recording_free(c->recording);
	free(c);
}

static void recording_ended(void *user)
{
	struct capture_call *c = user;
	struct control_client *client = c->client;

	free(c);
	client->session = NULL;
	control_reply(client, json_pack("{s:[]}", "interfaces"), false);
	control_end(client);
}

static void capture(struct control_call *call)
{
	const char *name = NULL;
	struct network_host *host = NULL;
	struct capture_call *c;
	int fd, r;

	if (!control_string(call, "host", true, &name))
		return;
	if (name) {
		host = control_find_host(call, name);
		if (!host)
			return;
	}
	fd = control_take_fd(call);
	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		control_no_memory(call->client, "Capture");
		return;
	}
	r = recording_new(call->network, host, fd, &c->recording);
	if (r < 0) {
		free(c);
		control_errno(call->client, "Capture", r);
		return;
	}
	c->session.end = client_gone;
	c->client = call->client;
	call->client->session = &c->session;
	recording_on_end(c->recording, recording_ended, c);
	if (call->client->more)
		control_reply(call->client, interfaces_of(c->recording), true);
}

const struct control_method control_capture_methods[] = {
	{ "io.reeve.Network.Capture", capture },
	{ NULL, NULL },
};
