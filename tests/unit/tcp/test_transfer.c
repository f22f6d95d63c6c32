/* Data both ways without loss: segments, windows, acknowledgments, Nagle, cork, urgent. */
#include "rig.h"

#include <errno.h>
#include <string.h>

static uint8_t bytes[200000];

static void open_passive(struct rig *r, struct peer *p, struct reeve_tcp **listener,
			 struct reeve_tcp **tcp, const struct peer_options *o)
{
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	rig_init(r);
	*listener = rig_listen(r, 5);
	*tcp = peer_accept(p, r, *listener, o);
	rig_events(r, *tcp);
}

static void close_all(struct rig *r, struct reeve_tcp *listener, struct reeve_tcp *tcp)
{
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(r);
}

/* Ten segments at first (RFC 6928), then twice as many a round trip. */
static void test_slow_start(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint32_t got = 0;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 100000), 100000);
	rig_collect(&r);
	assert_int_equal(r.count, 10);
	while (r.count > 0) {
		const struct rig_segment *const s = peer_take(&p);

		assert_int_equal(s->length, 1448);
		assert_memory_equal(s->payload, bytes + got, s->length);
		got += s->length;
	}
	rig_pass_ms(&r, 5);
	rig_discard(&r);
	peer_ack(&p);
	rig_collect(&r);
	assert_int_equal(r.count, 20);
	reeve_tcp_abort(tcp);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

/* Up to 64 KiB a packet where the link cuts, checksum left to it. */
static void test_large_segments(void **state)
{
	struct rig r = { .offloads = REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint32_t got = 0;
	unsigned packets = 0;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 200000), 200000);
	while (got < 200000) {
		const struct rig_segment *const s = peer_take(&p);

		assert_true(s->length <= 1448 || s->segment_size == 1448);
		assert_true(s->length % 1448 == 0 || got + s->length == 200000);
		assert_memory_equal(s->payload, bytes + got, s->length);
		got += s->length;
		packets++;
		peer_ack(&p);
	}
	assert_true(packets < 20);
	peer_ack(&p);
	assert_int_equal(reeve_tcp_unsent(tcp), 0);
	close_all(&r, listener, tcp);
}

/* As long as a packet may be and not longer: here a few whole segments fill 64 KiB exactly, and the
 * headers have to fit too. */
static void test_largest_packet(void **state)
{
	struct rig r = { .offloads = REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 };
	const struct peer_options options = {
		.timestamps = true, .sack = true, .mss = 1285 + 12, .window = 65535, .scale = 7
	};
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint32_t longest = 0;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &options);
	for (int round = 0; round < 3; round++) {
		uint32_t got = 0;

		assert_int_equal(reeve_tcp_write(tcp, bytes, 200000), 200000);
		while (got < 200000) {
			const struct rig_segment *const s = peer_take(&p);

			assert_true(s->length + 20 + TCP_HEADER_MIN + 12 <= UINT16_MAX);
			if (s->length > longest)
				longest = s->length;
			got += s->length;
			peer_ack(&p);
		}
	}
	assert_true(longest > 60000);
	close_all(&r, listener, tcp);
}

/* The link takes segments of the wire only: they are cut late, and each is whole. */
static void test_cut_late(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint32_t got = 0;
	unsigned frames = 0;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	const uint64_t before = rig_stats(&r).tcp_segments_out;

	assert_int_equal(reeve_tcp_write(tcp, bytes, 200000), 200000);
	while (got < 200000) {
		const struct rig_segment *const s = peer_take(&p);
		const bool last = got + s->length == 200000;

		assert_int_equal(s->segment_size, 0);
		assert_true(s->length == 1448 || last);
		assert_memory_equal(s->payload, bytes + got, s->length);
		assert_int_equal(s->h.flags & TCP_PSH, last ? TCP_PSH : 0);
		got += s->length;
		frames++;
		if (frames % 8 == 0)
			peer_ack(&p);
	}
	assert_int_equal(frames, 139);
	assert_int_equal(rig_stats(&r).tcp_segments_out - before, frames);
	assert_int_equal(rig_drops(&r, REEVE_DROP_LINK_QUEUE), 0);
	peer_ack(&p);
	assert_int_equal(reeve_tcp_unsent(tcp), 0);
	close_all(&r, listener, tcp);
}

static void test_receive(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint8_t got[3000];
	struct iovec iov[4];

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	peer_send(&p, TCP_ACK, bytes, 1448);
	assert_int_equal(rig_events(&r, tcp), REEVE_READABLE);
	peer_send(&p, TCP_ACK | TCP_PSH, bytes + 1448, 1000);
	assert_int_equal(reeve_tcp_readable(tcp), 2448);
	assert_int_equal(reeve_tcp_peek(tcp, iov, 4), 2);
	assert_memory_equal(iov[0].iov_base, bytes, iov[0].iov_len);
	reeve_tcp_consume(tcp, 448);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), 2000);
	assert_memory_equal(got, bytes + 448, 2000);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), -EAGAIN);
	close_all(&r, listener, tcp);
}

/* At first at once; then each second full segment, or after 40 ms. */
static void test_delayed_ack(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	for (unsigned i = 0; i < TCP_QUICK_ACKS; i++) {
		peer_send(&p, TCP_ACK, bytes, 1448);
		assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);
	}
	for (unsigned i = 0; i < 5; i++) {
		peer_send(&p, TCP_ACK, bytes, 1448);
		rig_none(&r);
		peer_send(&p, TCP_ACK, bytes, 1448);
		assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);
	}
	peer_send(&p, TCP_ACK, bytes, 100);
	rig_pass_ms(&r, 39);
	rig_none(&r);
	rig_pass_ms(&r, 3);
	assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);
	rig_pass_ms(&r, 1000);
	rig_none(&r);
	/* Data carries it. */
	peer_send(&p, TCP_ACK, bytes, 100);
	assert_int_equal(reeve_tcp_write(tcp, "y", 1), 1);
	assert_int_equal(peer_take(&p)->h.acknowledgment, p.next);
	peer_ack(&p);
	rig_pass_ms(&r, 100);
	rig_none(&r);
	/* And the option makes it quick. */
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_QUICK_ACK, 1), 0);
	peer_send(&p, TCP_ACK, bytes, 1);
	assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);
	close_all(&r, listener, tcp);
}

static void test_nagle(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_write(tcp, "a", 1), 1);
	assert_int_equal(peer_take(&p)->length, 1);
	assert_int_equal(reeve_tcp_write(tcp, "b", 1), 1);
	assert_int_equal(reeve_tcp_write(tcp, "c", 1), 1);
	rig_none(&r);
	peer_ack(&p);
	assert_int_equal(peer_take(&p)->length, 2);
	/* A full segment does not wait, its rest does. */
	assert_int_equal(reeve_tcp_write(tcp, bytes, 2000), 2000);
	assert_int_equal(peer_take(&p)->length, 1448);
	rig_none(&r);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_NO_DELAY, 1), 0);
	assert_int_equal(peer_take(&p)->length, 552);
	assert_int_equal(reeve_tcp_write(tcp, "d", 1), 1);
	assert_int_equal(peer_take(&p)->length, 1);
	assert_int_equal(reeve_tcp_write(tcp, "e", 1), 1);
	assert_int_equal(peer_take(&p)->length, 1);
	close_all(&r, listener, tcp);
}

static void test_cork(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_CORK, 1), 0);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 1000), 1000);
	rig_none(&r);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 1000), 1000);
	assert_int_equal(peer_take(&p)->length, 1448);
	peer_ack(&p);
	rig_none(&r);
	rig_pass_ms(&r, 190);
	rig_none(&r);
	rig_pass_ms(&r, 20); /* no longer than 200 ms */
	assert_int_equal(peer_take(&p)->length, 552);
	peer_ack(&p);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 10), 10);
	rig_none(&r);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_CORK, 0), 0);
	assert_int_equal(peer_take(&p)->length, 10);
	close_all(&r, listener, tcp);
}

/* The window closes with what is not read, opens with what is, and never moves back. */
static void test_receive_window(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint32_t edge = 0, window = 0;

	(void)state;
	rig_init(&r);
	listener = rig_listen(&r, 5);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_RECEIVE_BUFFER, 20000), 0);
	tcp = peer_accept(&p, &r, listener, &peer_modern);
	edge = p.next + 20000;
	for (;;) {
		const uint32_t room = edge - p.next;
		const uint32_t length = room < 1448 ? room : 1448;

		if (length == 0)
			break;
		peer_send(&p, TCP_ACK, bytes, length);
		rig_pass_ms(&r, 50);

		const struct rig_segment *const s = rig_take(&r);

		window = s->h.window;
		assert_int_equal(s->h.acknowledgment, p.next);
		assert_true((int32_t)(s->h.acknowledgment + window - edge) >= 0);
		edge = s->h.acknowledgment + window;
		rig_discard(&r);
	}
	assert_int_equal(window, 0);
	/* Beyond the window: answered, not taken. */
	peer_send(&p, TCP_ACK, bytes, 1);
	p.next--;
	assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_SEQUENCE), 1);
	/* A few bytes read open nothing (silly window); a segment's worth does. */
	reeve_tcp_consume(tcp, 100);
	rig_none(&r);
	reeve_tcp_consume(tcp, 1348);
	assert_int_equal(rig_take(&r)->h.window, 1448);
	reeve_tcp_consume(tcp, 1448);
	assert_int_equal(rig_take(&r)->h.window, 2896);
	reeve_tcp_consume(tcp, 100);
	rig_none(&r);
	close_all(&r, listener, tcp);
}

/* Only as much as the peer's window takes; small openings are not used (silly window). */
static void test_send_window(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	const struct peer_options small = { .no_scale = true, .mss = 1460, .window = 4000 };

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &small);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 20000), 20000);
	assert_int_equal(peer_take(&p)->length, 1460);
	assert_int_equal(peer_take(&p)->length, 1460);
	rig_none(&r); /* 1,080 are left */
	p.window = 1000;
	peer_ack(&p);
	rig_none(&r);
	p.window = 3000;
	peer_ack(&p);
	assert_int_equal(peer_take(&p)->length, 1460);
	assert_int_equal(peer_take(&p)->length, 1460);
	rig_none(&r);
	/* An older segment does not change the window. */
	struct tcp_header h = peer_header(&p, TCP_ACK);

	h.sequence -= 1;
	h.window = 60000;
	peer_send_h(&p, &h, NULL, 0);
	rig_discard(&r);
	struct reeve_tcp_info info;

	reeve_tcp_info(tcp, &info);
	assert_int_equal(info.send_window, 3000);
	close_all(&r, listener, tcp);
}

static void test_out_of_order(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint8_t got[10000];

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);

	const uint32_t base = p.next;
	struct rig_segment *s;

	p.next = base + 2000;
	peer_send(&p, TCP_ACK, bytes + 2000, 1000);
	s = rig_take(&r);
	assert_int_equal(s->h.acknowledgment, base);
	assert_int_equal(s->h.options.sack_count, 1);
	assert_int_equal(s->h.options.sack[0].start, base + 2000);
	assert_int_equal(s->h.options.sack[0].end, base + 3000);
	p.next = base + 4000;
	peer_send(&p, TCP_ACK, bytes + 4000, 1000);
	s = rig_take(&r);
	assert_int_equal(s->h.options.sack_count, 2); /* the newest first */
	assert_int_equal(s->h.options.sack[0].start, base + 4000);
	assert_int_equal(s->h.options.sack[1].start, base + 2000);
	/* Twice the same: D-SACK (RFC 2883). */
	p.next = base + 4000;
	peer_send(&p, TCP_ACK, bytes + 4000, 1000);
	s = rig_take(&r);
	assert_int_equal(s->h.options.sack[0].start, base + 4000);
	assert_int_equal(s->h.options.sack[0].end, base + 5000);
	assert_int_equal(s->h.options.sack_count, 3);
	p.next = base;
	peer_send(&p, TCP_ACK, bytes, 2000);
	s = rig_take(&r);
	assert_int_equal(s->h.acknowledgment, base + 3000);
	assert_int_equal(s->h.options.sack_count, 1);
	p.next = base + 2500; /* overlaps both sides */
	peer_send(&p, TCP_ACK, bytes + 2500, 2000);
	s = rig_take(&r);
	assert_int_equal(s->h.acknowledgment, base + 5000);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), 5000);
	assert_memory_equal(got, bytes, 5000);
	close_all(&r, listener, tcp);
}

static void test_duplicate_is_reported(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);

	const uint32_t base = p.next;

	peer_send(&p, TCP_ACK, bytes, 1000);
	rig_discard(&r);
	p.next = base;
	peer_send(&p, TCP_ACK, bytes, 1000);

	const struct rig_segment *const s = rig_take(&r);

	assert_int_equal(s->h.acknowledgment, base + 1000);
	assert_int_equal(s->h.options.sack_count, 1);
	assert_int_equal(s->h.options.sack[0].start, base);
	assert_int_equal(s->h.options.sack[0].end, base + 1000);
	assert_int_equal(rig_drops(&r, REEVE_DROP_TCP_DUPLICATE), 1);
	assert_int_equal(reeve_tcp_readable(tcp), 1000);
	close_all(&r, listener, tcp);
}

/* Those that come at once are reported one by one: RFC 2883, 4. */
static void test_each_duplicate_is_reported(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);

	const uint32_t base = p.next;

	peer_send(&p, TCP_ACK, bytes, 3000);
	rig_discard(&r);
	r.holds = true;
	for (uint32_t i = 0; i < 3; i++) {
		p.next = base + i * 1000;
		peer_send(&p, TCP_ACK, bytes, 500);
	}
	r.holds = false;
	rig_collect(&r);
	for (uint32_t i = 0; i < 3; i++) {
		const struct rig_segment *const s = rig_take(&r);

		assert_int_equal(s->h.acknowledgment, base + 3000);
		assert_int_equal(s->h.options.sack_count, 1);
		assert_int_equal(s->h.options.sack[0].start, base + i * 1000);
		assert_int_equal(s->h.options.sack[0].end, base + i * 1000 + 500);
	}
	rig_none(&r);
	p.next = base + 3000;
	close_all(&r, listener, tcp);
}

/* Hazard 12: the pointer is only a mark, wherever it points. */
/* A buffer that becomes smaller takes nothing back of what was offered (RFC 9293, 3.8.6). */
static void test_window_is_not_taken_back(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;

	(void)state;
	rig_init(&r);
	listener = rig_listen(&r, 5);
	assert_int_equal(reeve_tcp_set(listener, REEVE_TCP_RECEIVE_BUFFER, 20000), 0);
	tcp = peer_accept(&p, &r, listener, &peer_modern);

	const uint32_t edge = p.next + 20000;

	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_RECEIVE_BUFFER, 4096), 0);
	for (unsigned i = 0; i < 20; i++) {
		peer_send(&p, TCP_ACK, bytes, 1000);
		rig_pass_ms(&r, 50);
		const struct rig_segment *const s = rig_take(&r);

		assert_int_equal(s->h.acknowledgment + s->h.window, edge);
		rig_discard(&r);
	}
	assert_int_equal(reeve_tcp_readable(tcp), 20000);
	close_all(&r, listener, tcp);
}

static void test_urgent_in(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint8_t got[100];

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_urgent_offset(tcp), -1);

	struct tcp_header h = peer_header(&p, TCP_ACK | TCP_URG);

	h.urgent = 0; /* nothing */
	peer_send_h(&p, &h, NULL, 0);
	assert_int_equal(reeve_tcp_urgent_offset(tcp), -1);
	peer_send(&p, TCP_ACK, "1234", 4);
	h = peer_header(&p, TCP_ACK | TCP_URG); /* nothing, though there is something to read */
	peer_send_h(&p, &h, NULL, 0);
	assert_int_equal(reeve_tcp_urgent_offset(tcp), -1);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), 4);
	h = peer_header(&p, TCP_ACK | TCP_URG); /* within what was read long ago */
	h.sequence -= 4;
	h.urgent = 2;
	peer_send_h(&p, &h, "12345", 5);
	p.next++;
	assert_int_equal(reeve_tcp_urgent_offset(tcp), -1);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), 1);
	rig_discard(&r);
	h = peer_header(&p, TCP_ACK | TCP_URG);
	h.urgent = 5;
	peer_send_h(&p, &h, "abcdefgh", 8);
	p.next += 8;
	assert_true(rig_events(&r, tcp) & REEVE_URGENT);
	assert_int_equal(reeve_tcp_urgent_offset(tcp), 5);
	h = peer_header(&p, TCP_ACK | TCP_URG); /* far beyond the segment */
	h.urgent = 65535;
	peer_send_h(&p, &h, "ij", 2);
	p.next += 2;
	assert_int_equal(reeve_tcp_urgent_offset(tcp), 8 + 65535);
	h = peer_header(&p, TCP_ACK | TCP_URG); /* and back: it only moves on */
	h.urgent = 1;
	peer_send_h(&p, &h, "k", 1);
	p.next += 1;
	assert_int_equal(reeve_tcp_urgent_offset(tcp), 8 + 65535);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), 11);
	assert_memory_equal(got, "abcdefghijk", 11);
	assert_int_equal(reeve_tcp_urgent_offset(tcp), 65535 - 3);
	close_all(&r, listener, tcp);
}

static void test_urgent_out(void **state)
{
	struct rig r = { .offloads = REEVE_OFFLOAD_CHECKSUM | REEVE_OFFLOAD_TCP4 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	struct rig_segment *s;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	reeve_tcp_mark_urgent(tcp); /* nothing to mark */
	rig_none(&r);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 3000), 3000);
	reeve_tcp_mark_urgent(tcp);
	s = peer_take(&p);
	assert_true(s->h.flags & TCP_URG);
	assert_int_equal(s->h.urgent, 3000);
	assert_int_equal(s->length, 1448); /* in pieces the pointer would be wrong */
	s = peer_take(&p);
	assert_int_equal(s->h.urgent, 3000 - 1448);
	s = peer_take(&p);
	assert_int_equal(s->h.urgent, 3000 - 2896);
	peer_ack(&p);
	assert_int_equal(reeve_tcp_write(tcp, "x", 1), 1);
	assert_false(peer_take(&p)->h.flags & TCP_URG);
	close_all(&r, listener, tcp);
}

/* WRITABLE comes after a write that was cut short, and not else. */
static void test_writable(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	int64_t total = 0, n;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_set(tcp, REEVE_TCP_SEND_BUFFER, 30000), 0);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 1000), 1000);
	peer_take(&p);
	peer_ack(&p);
	assert_int_equal(rig_events(&r, tcp), 0);
	while ((n = reeve_tcp_write(tcp, bytes, 7000)) > 0)
		total += n;
	assert_int_equal(n, 0);
	assert_int_equal(total, 30000);
	assert_int_equal(reeve_tcp_unsent(tcp), 30000);
	rig_collect(&r);
	while (r.count > 0)
		peer_take(&p);
	peer_ack(&p);
	assert_int_equal(rig_events(&r, tcp), REEVE_WRITABLE);
	assert_true(reeve_tcp_write(tcp, bytes, 7000) > 0);
	close_all(&r, listener, tcp);
}

/* No copy: what is sent lies where it was written. */
static void test_reserve(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	struct iovec iov[2];
	size_t count;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	count = reeve_tcp_reserve(tcp, 5, iov, 2);
	assert_true(count >= 1 && iov[0].iov_len >= 5);
	memcpy(iov[0].iov_base, "hello", 5);
	reeve_tcp_commit(tcp, 5);
	assert_memory_equal(peer_take(&p)->payload, "hello", 5);
	count = reeve_tcp_reserve(tcp, 70000, iov, 2);
	assert_int_equal(count, 2);
	reeve_tcp_commit(tcp, 0);
	rig_none(&r);
	assert_int_equal(reeve_tcp_reserve(tcp, 10, iov, 0), 0);
	close_all(&r, listener, tcp);
}

/* A path that is narrower than the interface; from RFC 1191, and hazard 15's bounds. */
static void test_path_mtu(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct reeve_tcp *listener, *tcp;
	uint32_t first;

	(void)state;
	open_passive(&r, &p, &listener, &tcp, &peer_modern);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 2896), 2896);
	first = p.expected;
	assert_int_equal(peer_take(&p)->length, 1448);
	assert_int_equal(peer_take(&p)->length, 1448);
	/* Not about what is in flight; too large; none at all: nothing changes. */
	rig_icmp(&p, 3, 4, 1000, first - 1);
	rig_icmp(&p, 3, 4, 1000, p.expected);
	rig_icmp(&p, 3, 4, 9000, first);
	rig_none(&r);
	p.expected = first;
	rig_icmp(&p, 3, 4, 1000, first);
	assert_int_equal(peer_take(&p)->length, 948);
	rig_discard(&r);
	/* Tiny: never below the floor (CVE-2019-11479). */
	rig_icmp(&p, 3, 4, 68, first);
	struct reeve_tcp_info info;

	reeve_tcp_info(tcp, &info);
	assert_int_equal(info.send_mss, TCP_PMTU_MIN - 52);
	assert_int_equal(reeve_tcp_state(tcp), REEVE_TCP_ESTABLISHED);
	close_all(&r, listener, tcp);
}

/* Hazard 19: both directions run over 2^32, each in the middle of its data. */
static void test_wrap(void **state)
{
	struct rig r = { 0 };
	struct peer p = { 0 };
	struct peer_options o = peer_modern;
	struct reeve_tcp *listener, *tcp;
	uint8_t got[4000];
	uint32_t sent = 0;

	(void)state;
	rig_init(&r);
	listener = rig_listen(&r, 5);
	/* The host's number moves by one each 64 ns: so it can be had. */
	tcp = peer_accept(&p, &r, listener, &o);
	reeve_tcp_abort(tcp);
	rig_discard(&r);
	r.now.ns += (int64_t)(UINT32_C(0xfffffff0) - p.host_iss) * 64;
	reeve_host_tick(r.host, r.now);
	rig_discard(&r);
	o.iss = 0xfffffff8;
	tcp = peer_accept(&p, &r, listener, &o);
	assert_in_range(p.host_iss, 0xffffffe0, 0xffffffff);
	p.next += 1000;
	peer_send(&p, TCP_ACK, bytes + 1000, 1000);
	assert_int_equal(rig_take(&r)->h.options.sack_count, 1);
	p.next -= 2000;
	peer_send(&p, TCP_ACK, bytes, 1000);
	p.next += 1000;
	assert_int_equal(rig_take(&r)->h.acknowledgment, p.next);
	assert_int_equal(reeve_tcp_read(tcp, got, sizeof(got)), 2000);
	assert_memory_equal(got, bytes, 2000);
	assert_int_equal(reeve_tcp_write(tcp, bytes, 10000), 10000);
	while (sent < 10000) {
		const struct rig_segment *const s = peer_take(&p);

		assert_memory_equal(s->payload, bytes + sent, s->length);
		sent += s->length;
		peer_ack(&p);
	}
	assert_int_equal(reeve_tcp_unsent(tcp), 0);
	peer_send(&p, TCP_FIN | TCP_ACK, NULL, 0);
	assert_int_equal(reeve_tcp_read(tcp, got, 1), 0);
	reeve_tcp_close(tcp);
	rig_take(&r);
	assert_true(rig_take(&r)->h.flags & TCP_FIN);
	p.expected++;
	peer_ack(&p);
	assert_int_equal(rig_stats(&r).tcp_sockets, 1);
	reeve_tcp_close(listener);
	rig_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_large_segments),
		cmocka_unit_test(test_largest_packet),
		cmocka_unit_test(test_cut_late),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_delayed_ack),
		cmocka_unit_test(test_nagle),
		cmocka_unit_test(test_cork),
		cmocka_unit_test(test_receive_window),
		cmocka_unit_test(test_send_window),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_duplicate_is_reported),
		cmocka_unit_test(test_each_duplicate_is_reported),
		cmocka_unit_test(test_window_is_not_taken_back),
		cmocka_unit_test(test_urgent_in),
		cmocka_unit_test(test_urgent_out),
		cmocka_unit_test(test_writable),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
