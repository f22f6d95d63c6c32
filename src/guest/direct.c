/* Owns the direct connections of the tree's programs. */
#include "guest/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/peer.h"
#include "guest/supervisor.h"

#define MARK      "reeve/d"
#define MOMENT_MS 10
#define KNOWN_MS  1000

/* So many ports rest, from when their program has closed, as the other may hold its end still. */
#define RESTING 256
#define SURPLUS (2 * RESTING)

static_assert(sizeof(struct direct_name) <= sizeof(((struct sockaddr_un *)0)->sun_path),
	      "it is a socket's name");

void direct_init(struct direct *d)
{
	list_init(&d->young);
	timer_init(&d->timer, SUPERVISOR_TIMER_DIRECT);
}

static struct direct_place *find_place(struct direct *d, const struct reeve_sockaddr *to)
{
	for (unsigned i = 0; i < d->place_count; i++)
		if (reeve_sockaddr_equal(&d->places[i].to, to))
			return &d->places[i];
	return NULL;
}

/* The one that was taken first gives way. */
static struct direct_place *add_place(struct direct *d, const struct reeve_sockaddr *to)
{
	struct direct_place *place = find_place(d, to);

	if (place)
		return place;
	if (d->place_count < DIRECT_PLACES)
		place = &d->places[d->place_count++];
	else
		place = &d->places[d->next_place++ % DIRECT_PLACES];
	place->to = *to;
	return place;
}

void direct_forget(struct direct *d)
{
	d->place_count = d->next_place = 0;
	d->has_all_ports = false;
}

static void give_port(struct direct *d, uint16_t port)
{
	d->ports[(d->first + d->count++) % DIRECT_PORTS] = port;
}

static uint16_t take_port(struct direct *d)
{
	const uint16_t port = d->ports[d->first % DIRECT_PORTS];

	d->first++;
	d->count--;
	return port;
}

static bool wants_ports(const struct direct *d)
{
	return d->count <= RESTING && !d->has_all_ports;
}

/* In the place of who asked and has ended: one that waits for the same. */
static void let_another_go_on(const struct direct *d, const struct guest_socket *socket)
{
	list_for_each(node, &socket->calls) {
		struct call *c = list_entry(node, struct call, waiting);

		if (c->trapped.number != SYS_connect)
			continue;
		c->retry = d->then;
		return;
	}
}

static void found(struct supervisor *s, struct request *r, const struct guest_message *answer,
		  const uint8_t *data)
{
	struct guest_socket *socket = socket_by_number(&s->sockets, r->socket);
	struct direct *d = &s->direct;
	struct guest_found f = { .count = 0 };

	if (answer->error == 0 && answer->data_length == sizeof(f))
		memcpy(&f, data, sizeof(f)); /* or nothing, which is no place */
	d->has_all_ports |= f.wanted > 0 && f.count == 0;
	if (r->socket == 0)
		d->is_topped_up = false;
	for (uint32_t i = 0; i < f.count && i < GUEST_PORTS_MAX && d->leased < DIRECT_PORTS;
	     i++, d->leased++)
		give_port(d, f.ports[i]);
	if (!socket)
		return;
	struct direct_place *place = add_place(d, &socket->remote);

	place->source = f.source;
	memcpy(place->file, f.file, sizeof(place->file));
	socket->is_asked = false;
	socket->state = SOCKET_FRESH;
	if (!r->call)
		let_another_go_on(d, socket);
	call_retry_all(s, socket);
}

static struct guest_message find_message(const struct direct *d, const struct reeve_sockaddr *to)
{
	return (struct guest_message){
		.type = GUEST_FIND,
		.remote = *to,
		.value = wants_ports(d) ? GUEST_PORTS_MAX : 0,
	};
}

int direct_ask(struct supervisor *s, struct call *c, const struct reeve_sockaddr *to,
	       call_retry *then)
{
	struct guest_message m = find_message(&s->direct, to);

	m.socket = c->socket->number;
	const int r = call_ask(s, c, &m, NULL, found);

	if (r < 0)
		return r;
	c->retry = s->direct.then = then;
	c->socket->remote = *to;
	c->socket->state = SOCKET_CONNECTING;
	c->socket->is_asked = true;
	return 0;
}

/* More ports, for which nobody waits. */
static void top_up(struct supervisor *s, const struct reeve_sockaddr *to)
{
	struct guest_message m = find_message(&s->direct, to);

	if (!s->direct.is_topped_up && channel_request(s, &m, NULL, found))
		s->direct.is_topped_up = true;
}

static socklen_t name_length(void)
{
	return offsetof(struct sockaddr_un, sun_path) + sizeof(struct direct_name);
}

static int name_end(struct supervisor *s, const struct guest_socket *socket, int fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct direct_name name;

	memset(&name, 0, sizeof(name));
	memcpy(name.mark, MARK, sizeof(name.mark));
	name.pid = (uint32_t)s->rendezvous.pid;
	name.serial = s->direct.serial++;
	name.local = socket->remote;
	name.remote = socket->local;
	memcpy(un.sun_path, &name, sizeof(name));
	return bind(fd, (const struct sockaddr *)&un, name_length()) < 0 ? -errno : 0;
}

/* A queue that is full has the ordinary way wait, and not the supervisor. */
static int connect_at_once(int fd, int flags, const char *file)
{
	if (!(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	const int r = rendezvous_connect(fd, file);

	if (!(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, flags);
	return r;
}

/* 0, and a port is taken for the socket. */
static int name_socket(struct supervisor *s, struct guest_socket *socket, int fd,
		       const struct direct_place *place)
{
	struct direct *d = &s->direct;

	socket->lease = take_port(d);
	socket->local = (struct reeve_sockaddr){ .address = place->source, .port = socket->lease };
	socket->remote = place->to;
	return name_end(s, socket, fd);
}

int direct_join(struct supervisor *s, struct guest_socket *socket, int fd, int flags,
		const struct reeve_sockaddr *to)
{
	struct direct *d = &s->direct;
	struct direct_place *place = find_place(d, to);

	if (!place)
		return -EAGAIN;
	if (!place->file[0])
		return -ENOENT;
	if (!d->count)
		direct_tell(s); /* and look whose have been closed */
	if (!d->count)
		return d->has_all_ports ? -EADDRNOTAVAIL : -EAGAIN;
	if (wants_ports(d))
		top_up(s, to);
	int r = name_socket(s, socket, fd, place);
	const bool is_named = r == 0; /* it may have a name of before */

	if (is_named)
		r = connect_at_once(fd, flags, place->file);
	if (r == 0) {
		socket->is_direct = socket->is_bound = true;
		direct_begin(s, socket);
		return 0;
	}
	give_port(d, socket->lease);
	socket->lease = 0;
	socket->local.port = 0;
	if (is_named && r != -EAGAIN)
		direct_forget(d);
	return -ENOENT;
}

void direct_return_ports(struct supervisor *s)
{
	struct direct *d = &s->direct;
	uint16_t ports[GUEST_PORTS_MAX];

	while (d->count > SURPLUS && d->count > d->leased / 2) {
		const struct guest_message m = { .type = GUEST_RETURN,
						 .data_length = sizeof(ports) };

		for (unsigned i = 0; i < GUEST_PORTS_MAX; i++)
			ports[i] = take_port(d);
		d->leased -= GUEST_PORTS_MAX;
		channel_send(s, &m, ports, -1);
	}
	d->has_all_ports = false;
}

bool direct_is_name(const struct sockaddr_un *name, socklen_t length)
{
	return length == name_length() && name->sun_path[0] == '\0' &&
	       memcmp(name->sun_path + 1, MARK, sizeof(MARK) - 1) == 0;
}

static void turn_away(struct guest_socket *listener, pid_t pid)
{
	if (listener->early_fd < 0 || listener->early_joiner != pid)
		return;
	close(listener->early_fd);
	listener->early_fd = -1;
}

/* Others may wait for the same, or to ask for another. */
static void vouched(struct supervisor *s, struct request *r, const struct guest_message *answer,
		    const uint8_t *data)
{
	struct direct *d = &s->direct;
	const pid_t pid = d->asked;

	(void)r;
	(void)data;
	d->asked = 0;
	if (answer->error == 0)
		d->known[d->next_known++ % DIRECT_KNOWN] =
			(struct direct_known){ pid, reeve_time_add_ms(s->now, KNOWN_MS) };
	list_for_each_safe(node, &s->listeners.all) {
		struct guest_socket *listener = list_entry(node, struct guest_socket, listening);

		if (answer->error)
			turn_away(listener, pid);
		call_retry_all(s, listener);
	}
}

int direct_is_known(struct supervisor *s, pid_t pid)
{
	struct direct *d = &s->direct;
	struct guest_message m = { .type = GUEST_VOUCH, .value = pid };

	if (pid == s->rendezvous.pid)
		return 1;
	for (unsigned i = 0; i < DIRECT_KNOWN; i++)
		if (d->known[i].pid == pid && reeve_time_before(s->now, d->known[i].until))
			return 1;
	if (s->channel.is_lost)
		return 0;
	if (d->asked)
		return -EAGAIN;
	if (!channel_request(s, &m, NULL, vouched))
		return 0;
	d->asked = pid;
	return -EAGAIN;
}

struct guest_socket *direct_accepted(struct supervisor *s, const struct guest_socket *listener,
				     int fd)
{
	struct sockaddr_un un;
	socklen_t length = sizeof(un);
	struct direct_name name;

	if (getpeername(fd, (struct sockaddr *)&un, &length) < 0)
		return NULL;
	memcpy(&name, un.sun_path, sizeof(name));
	struct guest_socket *socket = peer_new_accepted(s, listener, &name.local, &name.remote);

	if (socket)
		socket->is_direct = true;
	return socket;
}

void direct_begin(struct supervisor *s, struct guest_socket *socket)
{
	list_append(&s->direct.young, &socket->young);
	if (!timer_is_armed(&s->direct.timer))
		timer_arm(&s->timers, &s->direct.timer, reeve_time_add_ms(s->now, MOMENT_MS));
}

void direct_end(struct supervisor *s, struct guest_socket *socket)
{
	list_remove(&socket->young);
	if (socket->is_told)
		peer_tell_later(s, socket, GUEST_CLOSE);
	if (socket->lease)
		give_port(&s->direct, socket->lease);
	socket->lease = 0;
	socket->is_told = socket->is_direct = false;
}

static void tell(struct supervisor *s, struct guest_socket *socket)
{
	struct guest_message m = peer_message(socket, GUEST_JOINED, -1);

	m.local = socket->local;
	m.remote = socket->remote;
	channel_send_later(s, &m);
	socket->is_told = true;
	list_remove(&socket->young);
}

void direct_tell(struct supervisor *s)
{
	struct list *const young = &s->direct.young;
	const uint64_t looks = s->liveness.looks;

	while (!list_is_empty(young)) {
		struct guest_socket *socket =
			list_entry(list_first(young), struct guest_socket, young);

		/* A look finds the others of its set, too. */
		if (socket->seen <= looks)
			liveness_look_at(s, socket);
		if (list_first(young) == &socket->young)
			tell(s, socket);
	}
}
