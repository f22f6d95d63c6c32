#include "network/links.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"
#include "link/tap.h"
#include "network/log.h"

#define FRAMES_A_STEP 64

/* From the switch to the TAP. What the kernel does not take at once is the TAP's to count. */
static void link_work(struct station *station)
{
	struct network_link *l = container_of(station, struct network_link, station);
	const struct reeve_time now = network_now(station->network);
	struct reeve_packet *p;

	for (unsigned i = 0; i < FRAMES_A_STEP; i++) {
		p = link_receive(station->link, now);
		if (!p) {
			station_wait(station, REEVE_NEVER);
			return;
		}
		link_send(l->outer, p, now);
	}
	station_activate(station);
}

/* From the TAP to the switch. What is not read now, the loop tells again. */
static void link_ready(struct loop_source *source, uint32_t events)
{
	struct network_link *l = container_of(source, struct network_link, source);
	const struct reeve_time now = network_now(l->station.network);
	struct reeve_packet *p;

	for (unsigned i = 0; i < FRAMES_A_STEP && (p = link_receive(l->outer, now)); i++)
		link_send(l->station.link, p, now);
	if (events & (EPOLLERR | EPOLLHUP)) {
		log_line("link '%s': its device is gone", l->name);
		links_remove(l);
	}
}

struct network_link *links_find(const struct network *n, const char *name)
{
	list_for_each(node, &n->links) {
		struct network_link *l = list_entry(node, struct network_link, node);

		if (!strcmp(l->name, name))
			return l;
	}
	return NULL;
}

static unsigned count(const struct network *n)
{
	unsigned links = 0;

	list_for_each(node, &n->links)
		links++;
	return links;
}

static bool is_tap(int fd)
{
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	return ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_TAP);
}

static int check_tap(const struct network *n, const char *name, uint32_t mtu, int fd)
{
	if (name[0] == '\0' || strlen(name) >= LINK_NAME_LENGTH)
		return -EINVAL;
	if (links_find(n, name))
		return -EEXIST;
	if (count(n) >= NETWORK_MAX_LINKS)
		return -ENOSPC;
	if (mtu < 576 || mtu > 65535 || !is_tap(fd))
		return -EINVAL;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int links_add_tap(struct network *n, const char *name, uint32_t mtu, bool offload, int fd_take)
{
	const struct tap_config config = { .fd = fd_take, .mtu = mtu, .offload = offload };
	struct network_link *l;
	int r = check_tap(n, name, mtu, fd_take);

	if (r < 0) {
		close(fd_take);
		return r;
	}
	l = calloc(1, sizeof(*l));
	if (!l) {
		close(fd_take);
		return -ENOMEM;
	}
	l->outer = tap_new(&config, n->pool);
	if (!l->outer) {
		close(fd_take);
		free(l);
		return -ENOMEM;
	}
	r = station_init(&l->station, n, l->outer->offloads, link_work);
	if (r < 0) {
		link_free(l->outer);
		free(l);
		return r;
	}
	strncpy(l->name, name, sizeof(l->name) - 1);
	l->offload = offload;
	loop_source_init(&l->source, link_ready);
	list_init(&l->node);
	list_append(&n->links, &l->node);
	r = loop_add(n->loop, &l->source, tap_fd(l->outer), EPOLLIN);
	if (r < 0)
		links_remove(l);
	return r;
}

void links_remove(struct network_link *link)
{
	loop_remove(link->station.network->loop, &link->source);
	list_remove(&link->node);
	station_deinit(&link->station);
	link_free(link->outer);
	free(link);
}

void links_free_all(struct network *n)
{
	list_for_each_safe(node, &n->links)
		links_remove(list_entry(node, struct network_link, node));
}
