/* Owns what most tests of a connection begin and end with. */
#include "scene.h"

void scene_begin(struct scene *s, const struct peer_options *o)
{
	rig_init(&s->r);
	s->listener = rig_listen(&s->r, 5);
	s->tcp = peer_accept(&s->p, &s->r, s->listener, o);
}

void scene_end(struct scene *s)
{
	reeve_tcp_abort(s->tcp);
	reeve_tcp_close(s->listener);
	rig_deinit(&s->r);
}

struct reeve_tcp_info scene_info(const struct scene *s)
{
	struct reeve_tcp_info info;

	reeve_tcp_info(s->tcp, &info);
	return info;
}

void scene_warm_up(struct scene *s)
{
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(reeve_tcp_write(s->tcp, "w", 1), 1);
		peer_take(&s->p);
		rig_pass_ms(&s->r, 20);
		s->p.ts += 20;
		peer_ack(&s->p);
	}
}

void scene_report(struct scene *s, uint32_t ack, uint32_t from, uint32_t to)
{
	struct tcp_header h = peer_header(&s->p, TCP_ACK);

	h.acknowledgment = ack;
	if (to != 0) {
		h.options.sack_count = 1;
		h.options.sack[0] = (struct tcp_sack_block){ from, to };
	}
	peer_send_h(&s->p, &h, NULL, 0);
}
