/*
 * libreeve in 150 lines: two hosts joined by nothing but a loop, in virtual time. One listens on
 * port 80, the other connects, asks and reads the answer.
 *
 *	cc two_hosts.c $(pkg-config --cflags --libs reeve)
 */
#include <reeve/reeve.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct machine {
	const char *name;
	struct reeve_host *host;
	unsigned iface;
	struct reeve_tcp *listener, *connection;
};

static struct reeve_time now = { 0 };

static void need(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "two_hosts: %s failed\n", what);
		exit(1);
	}
}

static void start(struct machine *m, struct reeve_pool *pool, uint8_t number)
{
	/* A real embedder takes the seed from getrandom(2). */
	const struct reeve_host_config config = { .pool = pool,
						  .seed = { number },
						  .max_sockets = 100 };
	const struct reeve_iface_config link = {
		.name = "eth0", .mac = { 2, 0, 0, 0, 0, number }, .mtu = 1500, .queue_packets = 100
	};
	const struct reeve_prefix address = {
		.address = reeve_address_from_ipv4(0xc6120000u + number), /* 198.18.0.number */
		.length = 16,
	};

	m->host = reeve_host_new(&config, now);
	need(m->host != NULL, "reeve_host_new");
	need(reeve_host_add_iface(m->host, &link, &m->iface) == 0, "reeve_host_add_iface");
	need(reeve_host_add_address(m->host, m->iface, &address) == 0, "reeve_host_add_address");
}

static void say(struct machine *m, const char *text)
{
	need(reeve_tcp_write(m->connection, text, strlen(text)) == (int64_t)strlen(text), "write");
}

/* False at the end of what the other says. */
static bool hear(const struct machine *m)
{
	char text[200];
	const int64_t length = reeve_tcp_read(m->connection, text, sizeof(text));

	if (length <= 0)
		return false;
	printf("%5.1f ms  %s hears: %.*s\n", (double)now.ns / 1e6, m->name, (int)length, text);
	return true;
}

static void handle(struct machine *m, const struct reeve_event *event)
{
	if (event->what & REEVE_ACCEPTABLE) {
		m->connection = reeve_tcp_accept(m->listener, NULL);
		printf("%5.1f ms  %s has accepted\n", (double)now.ns / 1e6, m->name);
	}
	if (event->what & REEVE_CONNECTED) {
		printf("%5.1f ms  %s is connected\n", (double)now.ns / 1e6, m->name);
		say(m, "Who is there?");
	}
	if (event->what & REEVE_READABLE && m->connection && hear(m) && m->listener) {
		say(m, "A portreeve.");
		reeve_tcp_shutdown(m->connection);
	}
	if (event->what & REEVE_PEER_CLOSED && m->connection) {
		reeve_tcp_close(m->connection);
		m->connection = NULL;
	}
}

/* Whatever the host has to say, to us and to the other. True if there was anything. */
static bool turn(struct machine *m, struct machine *other)
{
	struct reeve_event event;
	struct reeve_packet *packet;
	unsigned iface;
	bool busy = false;

	for (; reeve_host_next_event(m->host, &event); busy = true)
		handle(m, &event);
	for (; (packet = reeve_host_output(m->host, now, &iface)); busy = true)
		reeve_host_input(other->host, other->iface, packet, now);
	return busy;
}

int main(void)
{
	const struct reeve_pool_config limits = { .max_packets = 1000,
						  .max_buffer_bytes = 16 << 20 };
	struct reeve_pool *pool = reeve_pool_new(&limits);
	struct machine server = { .name = "server" }, client = { .name = "client" };
	const struct reeve_sockaddr any = { .address = reeve_any_ipv4, .port = 80 };
	const struct reeve_sockaddr web = { .address = reeve_address_from_ipv4(0xc6120001u),
					    .port = 80 };

	need(pool != NULL, "reeve_pool_new");
	start(&server, pool, 1);
	start(&client, pool, 2);
	server.listener = reeve_tcp_new(server.host, REEVE_IPV4, NULL);
	need(reeve_tcp_bind(server.listener, &any) == 0, "reeve_tcp_bind");
	need(reeve_tcp_listen(server.listener, 16) == 0, "reeve_tcp_listen");
	client.connection = reeve_tcp_new(client.host, REEVE_IPV4, NULL);
	need(reeve_tcp_connect(client.connection, &web, now) == 0, "reeve_tcp_connect");

	bool ended = false;

	while (!ended) {
		while (turn(&server, &client) || turn(&client, &server))
			;
		ended = !server.connection && !client.connection;
		/* Nothing is left to do now: let time pass until something is. */
		now = reeve_time_min(reeve_host_deadline(server.host),
				     reeve_host_deadline(client.host));
		if (reeve_time_is_never(now))
			break;
		reeve_host_tick(server.host, now);
		reeve_host_tick(client.host, now);
	}
	reeve_host_free(server.host);
	reeve_host_free(client.host);
	reeve_pool_free(pool);
	return ended ? 0 : 1;
}
