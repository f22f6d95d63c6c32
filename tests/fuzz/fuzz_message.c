/*
 * What processes say to each other: messages of a supervisor's, several in a datagram, and
 * Varlink's, which end in a NUL byte, out of a stream that is cut anywhere. The first byte chooses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cursor.h"
#include "fuzz.h"
#include "guest/parcel.h"
#include "network/control_frame.h"

#define FRAME_MOST 6000

/* One behind another until something is none: it is cut short, or says that it is longer than the
 * datagram. */
static void fuzz_parcel(const uint8_t *bytes, size_t length)
{
	struct guest_message m;
	size_t taken;

	for (; (taken = parcel_next(bytes, length, &m)); bytes += taken, length -= taken)
		check(taken == sizeof(m) + m.data_length && taken <= length);
	if (length < sizeof(m))
		return;
	memcpy(&m, bytes, sizeof(m));
	check(m.data_length > length - sizeof(m));
}

/* Messages that waited for company, in the order in which they came, without data. */
static void fuzz_company(struct cursor *c)
{
	static struct parcel p;
	struct guest_message m = { 0 };
	unsigned count = 0;
	size_t at = 0;
	bool full = false;

	p.count = 0;
	while (!full && cursor_left(c) >= 4) {
		m = (struct guest_message){
			.type = cursor_u8(c),
			.socket = cursor_u8(c),
			.data_length = cursor_be16(c),
		};
		full = parcel_add(&p, &m);
		check(p.count == ++count && full == (count == PARCEL_MOST));
	}
	for (unsigned i = 0; i < count; i++) {
		const size_t taken =
			parcel_next((const uint8_t *)p.messages + at, count * sizeof(m) - at, &m);

		check(taken == sizeof(m) && m.data_length == 0);
		check(m.type == p.messages[i].type && m.socket == p.messages[i].socket);
		at += taken;
	}
	check(at == count * sizeof(m));
}

/* The next message by the obvious way: up to the next NUL. */
static void check_next(struct control_frame *f, const uint8_t *bytes, size_t fed, size_t *at)
{
	const uint8_t *const nul = fed > *at ? memchr(bytes + *at, 0, fed - *at) : NULL;
	size_t length = 0;

	check(control_frame_is_whole(f) == (nul != NULL));
	const char *const message = control_frame_next(f, &length);

	check(!message == !nul);
	if (!message)
		return;
	check(length == (size_t)(nul - bytes) - *at && !memcmp(message, bytes + *at, length));
	check(message[length] == '\0');
	*at += length + 1;
}

/* Each step: how much is fed, and how often the reader asks. */
static void fuzz_frames(struct cursor *c)
{
	const uint8_t steps = cursor_u8(c) % 16;
	const uint8_t *const plan = cursor_bytes(c, (size_t)steps * 2);
	const uint8_t *const bytes = c->at;
	const size_t length = cursor_left(c);
	struct control_frame f;
	size_t fed = 0, read = 0;

	if (!plan)
		return;
	control_frame_init(&f, FRAME_MOST);
	for (size_t i = 0; i < steps; i++) {
		char *room = NULL;
		const size_t most = control_frame_room(&f, &room);
		size_t part = (size_t)plan[2 * i] * 16;

		if (part > length - fed)
			part = length - fed;
		if (part > most)
			part = most;
		check(most > 0 || fed - read >= FRAME_MOST / 2);
		if (part > 0)
			memcpy(room, bytes + fed, part);
		control_frame_fill(&f, part);
		fed += part;
		for (unsigned k = plan[2 * i + 1] % 8; k > 0; k--)
			check_next(&f, bytes, fed, &read);
	}
	control_frame_deinit(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct cursor c = cursor_over(bytes, length);

	switch (cursor_u8(&c) % 3) {
	case 0:
		fuzz_parcel(c.at, cursor_left(&c));
		break;
	case 1:
		fuzz_company(&c);
		break;
	default:
		fuzz_frames(&c);
	}
	return 0;
}
