/*
 * Looks at what programs still hold. No call of a program says that it closes: of a stream its end does,
 * and of other sockets their supervisor finds out, now and then. Whoever wants to know what there is now
 * has all of them look first, and waits a moment for it.
 */
#include "network/guest_private.h"

/* One whose supervisor is busy, or stopped, is taken for what is known of it. */
#define LOOK_MS 200

static void end_soon(struct guest_look *look, int64_t ms)
{
	loop_timer_arm(look->loop, &look->timer, reeve_time_add_ms(loop_now(look->loop), ms));
}

static void is_over(struct loop_timer *timer)
{
	struct guest_look *look = container_of(timer, struct guest_look, timer);

	guest_look_cancel(look);
	look->done(look);
}

static struct guest_session *find_unasked(const struct guest_server *s,
					  const struct guest_look *look)
{
	list_for_each(node, &s->sessions) {
		struct guest_session *session = list_entry(node, struct guest_session, node);

		if (session->host && (!look->host || look->host == session->host) &&
		    session->asked < look->number)
			return session;
	}
	return NULL;
}

void guest_look_begin(struct guest_server *s, struct guest_look *look,
		      const struct network_host *host, guest_look_done *done)
{
	const struct guest_message m = { .type = GUEST_LOOK, .value = (int64_t)++s->looks };
	struct guest_session *session;

	*look = (struct guest_look){
		.loop = s->network->loop, .host = host, .number = s->looks, .done = done
	};
	list_append(&s->looking, &look->node);
	loop_timer_init(&look->timer, is_over);
	/* Each time from the first, as one that can't be asked ends, and others may with it. */
	while ((session = find_unasked(s, look))) {
		session->asked = look->number;
		look->left++;
		guest_send(session, &m, NULL, 0);
	}
	end_soon(look, look->left ? LOOK_MS : 0);
}

void guest_look_cancel(struct guest_look *look)
{
	list_remove(&look->node);
	loop_timer_disarm(look->loop, &look->timer);
}

void guest_look_deinit(struct guest_server *s)
{
	list_for_each_safe(node, &s->looking)
		guest_look_cancel(list_entry(node, struct guest_look, node));
}

void guest_looked(struct guest_session *session, uint64_t number)
{
	const uint64_t before = session->looked;

	if (number <= before)
		return;
	session->looked = number > session->asked ? session->asked : number;
	list_for_each(node, &session->server->looking) {
		struct guest_look *look = list_entry(node, struct guest_look, node);

		if (look->number > before && look->number <= session->looked &&
		    (!look->host || look->host == session->host) && --look->left == 0)
			end_soon(look, 0);
	}
}
