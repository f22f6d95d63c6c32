/* poll() and epoll. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "call.h"

/* Starts the call's own clock, milliseconds; below 0: for ever. True when it has run out. */
static bool has_timed_out(struct call *c, int64_t timeout_ms)
{
	if (!c->has_started && timeout_ms >= 0)
		c->timeout = reeve_time_add_ms(c->begin, timeout_ms);
	return !reeve_time_before(c->run->world.now, c->timeout);
}

static struct handle *socket_at(struct run *r, int64_t fd)
{
	struct handle *const h = fd >= 0 && fd < RUN_HANDLES ? &r->handles[fd] : NULL;

	return h && (h->kind == HANDLE_STREAM || h->kind == HANDLE_DATAGRAM) ? h : NULL;
}

static uint32_t poll_one(const struct call *c, const struct script_value *v)
{
	const struct script_value *const fd = script_field(v, "fd");
	const struct script_value *const events = script_field(v, "events");

	if (!fd || !events) {
		script_fault(c->run->fault, v->place, "poll() needs {fd=..., events=...} here");
		return 0;
	}

	struct handle *const h = socket_at(c->run, call_value(c, fd));

	if (!h)
		return POLLNVAL;
	return handle_poll(h) & ((uint32_t)call_value(c, events) | POLLERR | POLLHUP);
}

static bool try_poll(struct call *c, int64_t *ret)
{
	const struct script_value *const list = call_argument(c, 0);
	int64_t ready = 0;

	if (list->kind != VALUE_LIST || list->count != call_integer(c, 1))
		return call_fault(c, list, ret, "a list with that many elements is needed");
	for (const struct script_value *v = list->first; v; v = v->next)
		ready += poll_one(c, v) != 0;
	*ret = ready;
	if (ready == 0 && !has_timed_out(c, call_integer(c, 2)))
		return c->run->fault->is_set;
	for (const struct script_value *v = list->first; v; v = v->next) {
		const struct script_value *const expected = script_field(v, "revents");

		if (!expected)
			return call_fault(c, v, ret, "revents is needed here");
		call_compare_integer(c, expected, poll_one(c, v), "revents");
	}
	return true;
}

static bool try_epoll_create(struct call *c, int64_t *ret)
{
	(void)call_new_handle(c, HANDLE_EPOLL, ret);
	return true;
}

static struct epoll_item *find_item(struct handle *h, int64_t fd)
{
	for (unsigned i = 0; i < EPOLL_ITEMS; i++)
		if (h->items[i].is_used && h->items[i].fd == fd)
			return &h->items[i];
	return NULL;
}

static struct epoll_item *free_item(struct handle *h)
{
	for (unsigned i = 0; i < EPOLL_ITEMS; i++)
		if (!h->items[i].is_used)
			return &h->items[i];
	return NULL;
}

/* The data that goes with an event, under whichever name. */
static const struct script_value *data_of(const struct script_value *v)
{
	static const char *const names[] = { "fd", "u32", "u64", "ptr" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (script_field(v, names[i]))
			return script_field(v, names[i]);
	return NULL;
}

static bool set_item(struct call *c, struct epoll_item *item, const struct handle *h, int64_t *ret)
{
	const struct script_value *const v = call_argument(c, 3);
	const struct script_value *const events = script_field(v, "events");
	const struct script_value *const data = data_of(v);

	if (!events || !data)
		return call_fault(c, v, ret, "{events=..., fd=...} is needed here");
	*item = (struct epoll_item){
		.is_used = true,
		.fd = (int)call_integer(c, 2),
		.events = (uint32_t)call_value(c, events),
		.data = (uint64_t)call_value(c, data),
		.seen = h->edges - 1, /* what is true already is told once */
	};
	*ret = 0;
	return true;
}

static bool try_epoll_ctl(struct call *c, int64_t *ret)
{
	const int64_t operation = call_integer(c, 1), fd = call_integer(c, 2);
	struct handle *const set = call_handle(c, HANDLE_EPOLL, ret);
	const struct handle *const h = socket_at(c->run, fd);

	if (!set)
		return true;
	*ret = -EBADF;
	if (!h)
		return true;

	struct epoll_item *item = find_item(set, fd);

	if (operation == EPOLL_CTL_ADD) {
		*ret = -EEXIST;
		if (item)
			return true;
		item = free_item(set);
		if (!item)
			return call_fault(c, NULL, ret, "more than %d sockets", EPOLL_ITEMS);
		return set_item(c, item, h, ret);
	}
	*ret = -ENOENT;
	if (!item)
		return true;
	if (operation == EPOLL_CTL_MOD)
		return set_item(c, item, h, ret);
	if (operation != EPOLL_CTL_DEL)
		return call_fault(c, call_argument(c, 1), ret, "unknown operation");
	item->is_used = false;
	*ret = 0;
	return true;
}

/* What epoll_wait() would tell of it now. */
static uint32_t item_ready(struct run *r, const struct epoll_item *item)
{
	struct handle *const h = item->is_used ? socket_at(r, item->fd) : NULL;

	if (!h || item->events == 0 || (item->events & EPOLLET && item->seen == h->edges))
		return 0;
	return handle_poll(h) & (item->events | EPOLLERR | EPOLLHUP);
}

static const struct script_value *expected_event(const struct script_value *v, unsigned index)
{
	if (v->kind == VALUE_STRUCT)
		return index == 0 && v->count > 0 ? v : NULL;
	if (v->kind != VALUE_LIST)
		return NULL;
	v = v->first;
	while (v && index-- > 0)
		v = v->next;
	return v;
}

static void tell(const struct call *c, struct epoll_item *item, uint32_t ready, unsigned index)
{
	const struct script_value *const v = expected_event(call_argument(c, 1), index);

	if (!v && !call_is_any(c, 1))
		script_fault(c->run->fault, c->event->place,
			     "epoll_wait(): event %u (0x%x of descriptor %d) was not expected",
			     index + 1, ready, item->fd);

	const struct script_value *const events = v ? script_field(v, "events") : NULL;
	const struct script_value *const data = v ? data_of(v) : NULL;

	if (events)
		call_compare_integer(c, events, ready, "events");
	if (data)
		call_compare_integer(c, data, (int64_t)item->data, "data");
	item->seen = socket_at(c->run, item->fd)->edges;
	if (item->events & EPOLLONESHOT)
		item->events = 0;
}

static bool try_epoll_wait(struct call *c, int64_t *ret)
{
	const int64_t most = call_integer(c, 2), timeout_ms = call_integer(c, 3);
	struct handle *const set = call_handle(c, HANDLE_EPOLL, ret);
	unsigned told = 0;

	if (!set)
		return true;
	*ret = -EINVAL;
	if (most <= 0)
		return true;
	for (unsigned i = 0; i < EPOLL_ITEMS && told < (uint64_t)most; i++) {
		const uint32_t ready = item_ready(c->run, &set->items[i]);

		if (ready)
			tell(c, &set->items[i], ready, told++);
	}
	*ret = told;
	return told > 0 || has_timed_out(c, timeout_ms);
}

const struct call_kind call_wait_kinds[] = {
	{ "poll", 3, 3, try_poll },
	{ "epoll_create", 1, 1, try_epoll_create },
	{ "epoll_create1", 1, 1, try_epoll_create },
	{ "epoll_ctl", 4, 4, try_epoll_ctl },
	{ "epoll_wait", 4, 4, try_epoll_wait },
	{ 0 },
};
