#include "stack/tcp/scoreboard.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "stack/tcp/sent_times.h"

#define FIRST_CAPACITY 8
#define SACKED_MAX     (SCOREBOARD_MAX - 64) /* entries, when another report comes */
#define DUP_THRESH     3                     /* RFC 6675, 2 */

void scoreboard_init(struct scoreboard *b)
{
	*b = (struct scoreboard){ 0 };
}

void scoreboard_clear(struct scoreboard *b)
{
	free(b->entries);
	b->entries = NULL;
	b->count = b->capacity = 0;
	b->sacked_bytes = 0;
	b->delivered = b->order;
}

static uint32_t score_length(const struct score *s)
{
	return seq_distance(s->start, s->end);
}

/* Room for two more entries: an insertion may split one that it falls into. */
static bool ensure_room(struct scoreboard *b)
{
	if (b->count + 2 <= b->capacity)
		return true;
	if (b->count + 2 > SCOREBOARD_MAX)
		return false;

	const unsigned doubled = b->capacity ? b->capacity * 2U : FIRST_CAPACITY;
	const unsigned capacity = doubled < SCOREBOARD_MAX ? doubled : SCOREBOARD_MAX;
	struct score *const entries = realloc(b->entries, capacity * sizeof(*entries));

	if (!entries)
		return false;
	b->entries = entries;
	b->capacity = (uint16_t)capacity;
	return true;
}

static void remove_entries(struct scoreboard *b, unsigned index, unsigned count)
{
	memmove(&b->entries[index], &b->entries[index + count],
		(b->count - index - count) * sizeof(b->entries[0]));
	b->count = (uint16_t)(b->count - count);
}

static void insert_entry(struct scoreboard *b, unsigned index, const struct score *s)
{
	memmove(&b->entries[index + 1], &b->entries[index],
		(b->count - index) * sizeof(b->entries[0]));
	b->entries[index] = *s;
	b->count++;
}

/* The first entry that ends behind `s`; b->count when there is none. */
static unsigned find_entry(const struct scoreboard *b, struct tcp_seq s)
{
	unsigned low = 0, high = b->count;

	while (low < high) {
		const unsigned middle = (low + high) / 2;

		if (seq_after(b->entries[middle].end, s))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void note_delivered(struct scoreboard *b, const struct score *s)
{
	if (!s->resent)
		return;

	const uint32_t order = s->order;

	if ((int32_t)((order - b->delivered) << 1) > 0)
		b->delivered = order;
}

/* Cuts [start, end) out of the entries. Returns where an entry for it belongs. */
static unsigned cut_out(struct scoreboard *b, struct tcp_seq start, struct tcp_seq end)
{
	unsigned i = find_entry(b, start);

	if (i < b->count && seq_before(b->entries[i].start, start)) {
		struct score *const left = &b->entries[i];

		if (seq_after(left->end, end)) {
			struct score right = *left;

			right.start = end;
			insert_entry(b, i + 1, &right);
		}
		b->entries[i].end = start;
		i++;
	}

	unsigned covered = 0;

	while (i + covered < b->count && seq_until(b->entries[i + covered].end, end))
		covered++;
	if (covered > 0)
		remove_entries(b, i, covered);
	if (i < b->count && seq_before(b->entries[i].start, end))
		b->entries[i].start = end;
	return i;
}

static void count_sacked(struct scoreboard *b)
{
	b->sacked_bytes = 0;
	for (unsigned i = 0; i < b->count; i++)
		if (!b->entries[i].resent)
			b->sacked_bytes += score_length(&b->entries[i]);
}

/* Joins the reported entry at `index` with reported neighbours that it touches. */
static void join(struct scoreboard *b, unsigned index)
{
	struct score *const s = &b->entries[index];

	if (index + 1U < b->count && !s[1].resent && seq_equal(s->end, s[1].start)) {
		s->end = s[1].end;
		remove_entries(b, index + 1, 1);
	}
	if (index > 0 && !s[-1].resent && seq_equal(s[-1].end, s->start)) {
		s[-1].end = s->end;
		remove_entries(b, index, 1);
	}
}

bool scoreboard_has_room(struct scoreboard *b)
{
	return ensure_room(b);
}

uint32_t scoreboard_sack(struct scoreboard *b, struct tcp_seq start, struct tcp_seq end)
{
	const uint32_t before = b->sacked_bytes;
	const unsigned at = find_entry(b, start);

	if (!seq_before(start, end))
		return 0;
	if (at < b->count && !b->entries[at].resent && seq_until(b->entries[at].start, start) &&
	    seq_until(end, b->entries[at].end))
		return 0;
	if (b->count >= SACKED_MAX || !ensure_room(b))
		return 0;
	for (unsigned i = at; i < b->count && seq_before(b->entries[i].start, end); i++)
		note_delivered(b, &b->entries[i]);

	const struct score entry = { .start = start, .end = end };
	const unsigned index = cut_out(b, start, end);

	insert_entry(b, index, &entry);
	join(b, index);
	count_sacked(b);
	return b->sacked_bytes - before;
}

void scoreboard_resent(struct scoreboard *b, const struct scoreboard_range *range,
		       struct tcp_seq next, uint32_t now_us)
{
	check(ensure_room(b));
	if (!seq_before(range->start, range->end))
		return;

	const unsigned index = cut_out(b, range->start, range->end);
	const struct score entry = {
		.start = range->start,
		.end = range->end,
		.mark = next,
		.at_us = now_us,
		.resent = 1,
		.order = ++b->order & 0x7fffffff,
	};
	struct score *const left = index > 0 ? &b->entries[index - 1] : NULL;

	/* When there are many, neighbours become one: as if both had been sent just now. */
	if (left && b->count > SCOREBOARD_MAX / 2 && left->resent &&
	    seq_equal(left->end, range->start) && seq_equal(left->mark, next)) {
		left->end = range->end;
		left->order = entry.order;
		left->at_us = now_us;
	} else {
		insert_entry(b, index, &entry);
	}
}

void scoreboard_ack(struct scoreboard *b, struct tcp_seq una)
{
	unsigned gone = 0;

	while (gone < b->count && seq_until(b->entries[gone].end, una))
		note_delivered(b, &b->entries[gone++]);
	if (gone == b->count) {
		scoreboard_clear(b);
		return;
	}
	if (gone > 0)
		remove_entries(b, 0, gone);
	if (seq_before(b->entries[0].start, una))
		b->entries[0].start = una;
	count_sacked(b);
}

void scoreboard_forget_resent(struct scoreboard *b)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < b->count; i++)
		if (!b->entries[i].resent)
			b->entries[kept++] = b->entries[i];
	b->count = (uint16_t)kept;
	b->delivered = b->order;
}

const struct score *scoreboard_next(const struct scoreboard *b, struct tcp_seq start,
				    struct tcp_seq end, unsigned *cursor)
{
	if (*cursor == 0)
		*cursor = find_entry(b, start);
	if (*cursor >= b->count || !seq_before(b->entries[*cursor].start, end))
		return NULL;
	return &b->entries[(*cursor)++];
}

bool scoreboard_is_sacked(const struct scoreboard *b, struct tcp_seq s)
{
	const unsigned i = find_entry(b, s);

	return i < b->count && !b->entries[i].resent && seq_until(b->entries[i].start, s);
}

struct tcp_seq scoreboard_lost_edge(const struct scoreboard *b, struct tcp_seq una, uint32_t mss)
{
	uint32_t bytes = 0;
	unsigned ranges = 0;

	for (unsigned i = b->count; i-- > 0;) {
		const struct score *const s = &b->entries[i];

		if (s->resent)
			continue;
		bytes += score_length(s);
		ranges++;
		if (ranges >= DUP_THRESH || bytes > (DUP_THRESH - 1) * mss)
			return seq_max(s->start, una);
	}
	return una;
}

/* RFC 8985, 6.2: something that was sent later has arrived, and long enough ago. Without that, as
 * long as nothing is known of reordering: three later ones have arrived, or enough new data. */
static bool is_lost_again(const struct scoreboard *b, const struct score *s,
			  const struct scoreboard_view *v)
{
	if (v->first_lost && seq_until(s->start, v->una))
		return true;
	if (v->has_rack && !us_before(v->expired_us, s->at_us) &&
	    (us_before(s->at_us, v->rack_us) ||
	     (s->at_us == v->rack_us && seq_before(s->end, v->rack_end))))
		return true;
	if (seq_equal(v->sack_edge, v->una))
		return false;

	const int32_t later = (int32_t)((b->delivered - s->order) << 1) >> 1;

	return later >= DUP_THRESH || seq_until(s->mark, v->sack_edge);
}

uint32_t scoreboard_pipe(const struct scoreboard *b, const struct scoreboard_view *v)
{
	/* What is not lost counts unless it is reported; what is lost, if it was sent again. */
	uint32_t pipe = seq_distance(seq_min(v->lost, v->next), v->next);

	for (unsigned i = 0; i < b->count; i++) {
		const struct score *const s = &b->entries[i];
		const struct tcp_seq beyond = seq_max(s->start, v->lost);

		if (!s->resent && seq_before(beyond, s->end))
			pipe -= seq_distance(beyond, s->end);
		else if (s->resent && seq_before(s->start, v->lost) && !is_lost_again(b, s, v))
			pipe += seq_distance(s->start, seq_min(s->end, v->lost));
	}
	return pipe;
}

bool scoreboard_next_lost(const struct scoreboard *b, const struct scoreboard_view *v,
			  struct scoreboard_range *ret)
{
	struct tcp_seq at = v->una;

	for (unsigned i = 0; i < b->count && seq_before(at, v->lost); i++) {
		const struct score *const s = &b->entries[i];

		if (seq_before(at, s->start)) {
			*ret = (struct scoreboard_range){ at, seq_min(s->start, v->lost) };
			return true;
		}
		if (s->resent && is_lost_again(b, s, v)) {
			*ret = (struct scoreboard_range){ at, seq_min(s->end, v->lost) };
			return true;
		}
		at = s->end;
	}
	if (!seq_before(at, v->lost))
		return false;
	*ret = (struct scoreboard_range){ at, v->lost };
	return true;
}

bool scoreboard_next_late(const struct scoreboard *b, const struct scoreboard_view *now,
			  const struct scoreboard_view *later, struct scoreboard_range *ret)
{
	struct tcp_seq at = seq_max(later->una, now->lost);

	for (unsigned i = find_entry(b, later->una); i < b->count; i++) {
		const struct score *const s = &b->entries[i];

		if (!seq_before(s->start, later->lost))
			break;
		if (seq_before(at, s->start)) {
			*ret = (struct scoreboard_range){ at, s->start };
			return true;
		}
		if (s->resent && is_lost_again(b, s, later) &&
		    !(seq_before(s->start, now->lost) && is_lost_again(b, s, now))) {
			*ret = (struct scoreboard_range){ s->start, seq_min(s->end, later->lost) };
			return true;
		}
		at = seq_max(at, s->end);
	}
	if (!seq_before(at, later->lost))
		return false;
	*ret = (struct scoreboard_range){ at, later->lost };
	return true;
}
