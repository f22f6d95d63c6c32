/*
 * The range of ports to choose from (see ephemeral.h).
 *
 * Theory of operation. A set starts as a list of up to EPHEMERAL_SPARSE ports, so that an idle host
 * costs next to nothing, and becomes a bitmap of the range with a count of free ports for each
 * group of 512: the first word is the one that `first` lies in, and bits of ports that are not
 * covered are 1 from the start and belong to no count.
 *
 *	group_free[g] = zero bits in words[8g .. 8g+7]
 *	sum of group_free = ports covered - members
 *
 * A choice first draws ports from the whole range (accepted with the first draw nearly always while
 * less than half is taken), then draws by rank from the free ports of the fuller of the two sets
 * (exact when the other set has none of those), and last counts the free ports of both sets word
 * by word. Each stage accepts every candidate with the same probability, so the outcome is uniform
 * whatever stage it comes from; and each stage looks at a bounded number of words, so the cost
 * doesn't depend on how many ports are left.
 */
#include "port/ephemeral.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "port/registry.h"

#define GROUP_WORDS 8
#define MAX_WORDS   1024
#define DRAWS       8

static_assert(MAX_WORDS * 64 == 65536, "a bitmap holds every port");

static uint32_t word_of(const struct ephemeral *e, uint16_t port)
{
	return (uint32_t)(port >> 6) - (uint32_t)(e->first >> 6);
}

static uint64_t bit_of(uint16_t port)
{
	return UINT64_C(1) << (port & 63);
}

static uint16_t port_at(const struct ephemeral *e, uint32_t word, uint32_t bit)
{
	return (uint16_t)(((uint32_t)(e->first >> 6) + word) * 64 + bit);
}

static uint32_t group_count(const struct ephemeral *e)
{
	return (e->words + GROUP_WORDS - 1) / GROUP_WORDS;
}

/* Counts in pairs, nibbles and bytes, and sums the bytes by a multiplication. Without the
 * processor's own instruction the compiler's builtin would be a call into its library. */
static uint32_t ones(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* The bits of a word that stand for no port that may be chosen. */
static uint64_t outside(const struct ephemeral *e, uint32_t word)
{
	uint64_t bits = e->avoided ? e->avoided[word] : 0;

	if (word == 0)
		bits |= bit_of(e->first) - 1;
	if (word == e->words - 1)
		bits |= ~(bit_of(e->last) | (bit_of(e->last) - 1));
	return bits;
}

int ephemeral_init(struct ephemeral *e, uint16_t first, uint16_t last, const uint8_t seed[32])
{
	if (first < 1024 || last < first)
		return -EINVAL;
	*e = (struct ephemeral){ .first = first, .last = last };
	e->words = word_of(e, last) + 1;
	e->count = (uint32_t)last - first + 1;
	random_init(&e->random, seed);
	return 0;
}

int ephemeral_avoid_registered(struct ephemeral *e, bool udp)
{
	uint64_t *avoided = calloc(e->words, sizeof(*avoided));
	uint32_t count = 0;

	if (!avoided)
		return -ENOMEM;
	for (uint32_t port = e->first; port <= e->last; port++) {
		const uint16_t p = (uint16_t)port;

		if (registry_service_name(p, udp ? REGISTRY_UDP : REGISTRY_TCP))
			avoided[word_of(e, p)] |= bit_of(p);
		else
			count++;
	}
	if (!count) {
		free(avoided);
		return -EINVAL;
	}
	e->avoided = avoided;
	e->count = count;
	return 0;
}

void ephemeral_deinit(struct ephemeral *e)
{
	free(e->avoided);
	e->avoided = NULL;
}

bool ephemeral_covers(const struct ephemeral *e, uint16_t port)
{
	if (port < e->first || port > e->last)
		return false;
	return !e->avoided || !(e->avoided[word_of(e, port)] & bit_of(port));
}

void ephemeral_set_init(struct ephemeral_set *s)
{
	*s = (struct ephemeral_set){ 0 };
}

void ephemeral_set_deinit(struct ephemeral_set *s)
{
	free(s->ports);
	free(s->words);
	ephemeral_set_init(s);
}

static void mark(struct ephemeral_set *s, const struct ephemeral *e, uint16_t port)
{
	const uint32_t word = word_of(e, port);

	s->words[word] |= bit_of(port);
	s->group_free[word / GROUP_WORDS]--;
}

static int become_bitmap(struct ephemeral_set *s, const struct ephemeral *e)
{
	struct ephemeral_set bitmap = { .count = s->count };

	bitmap.words = malloc(e->words * sizeof(*bitmap.words));
	bitmap.group_free = calloc(group_count(e), sizeof(*bitmap.group_free));
	if (!bitmap.words || !bitmap.group_free) {
		ephemeral_set_deinit(&bitmap);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < e->words; i++) {
		bitmap.words[i] = outside(e, i);
		bitmap.group_free[i / GROUP_WORDS] += (uint16_t)ones(~bitmap.words[i]);
	}
	for (uint32_t i = 0; i < s->count; i++)
		mark(&bitmap, e, s->ports[i]);
	free(s->ports);
	*s = bitmap;
	return 0;
}

int ephemeral_set_reserve(struct ephemeral_set *s, const struct ephemeral *e)
{
	const int r = s->words ? 0 : become_bitmap(s, e);

	if (!r)
		s->reserved = true;
	return r;
}

int ephemeral_set_add(struct ephemeral_set *s, const struct ephemeral *e, uint16_t port)
{
	check(ephemeral_covers(e, port));
	if (!s->words && s->count == s->room) {
		if (s->room == EPHEMERAL_SPARSE) {
			if (become_bitmap(s, e))
				return -ENOMEM;
		} else {
			const uint16_t room = s->room ? (uint16_t)(s->room * 2) : 4;
			uint16_t *ports = realloc(s->ports, room * sizeof(*ports));

			if (!ports)
				return -ENOMEM;
			s->ports = ports;
			s->room = room;
		}
	}
	if (s->words)
		mark(s, e, port);
	else
		s->ports[s->count] = port;
	s->count++;
	return 0;
}

/* Back to a list when few are left; without memory for it, the bitmap serves as well. */
static void thin_out(struct ephemeral_set *s, const struct ephemeral *e)
{
	if (s->reserved || s->count > EPHEMERAL_SPARSE / 4)
		return;

	struct ephemeral_set list = { .room = EPHEMERAL_SPARSE / 2 };

	list.ports = malloc(list.room * sizeof(*list.ports));
	if (!list.ports)
		return;
	for (uint32_t i = 0; i < e->words; i++) {
		uint64_t members = s->words[i] & ~outside(e, i);

		for (; members; members &= members - 1)
			list.ports[list.count++] =
				port_at(e, i, (uint32_t)__builtin_ctzll(members));
	}
	ephemeral_set_deinit(s);
	*s = list;
}

void ephemeral_set_remove(struct ephemeral_set *s, const struct ephemeral *e, uint16_t port)
{
	check(ephemeral_set_has(s, e, port));
	s->count--;
	if (!s->words) {
		uint32_t i = 0;

		while (s->ports[i] != port)
			i++;
		s->ports[i] = s->ports[s->count];
		return;
	}

	const uint32_t word = word_of(e, port);

	s->words[word] &= ~bit_of(port);
	s->group_free[word / GROUP_WORDS]++;
	thin_out(s, e);
}

bool ephemeral_set_has(const struct ephemeral_set *s, const struct ephemeral *e, uint16_t port)
{
	if (s->words)
		return s->words[word_of(e, port)] & bit_of(port);
	for (uint32_t i = 0; i < s->count; i++) {
		if (s->ports[i] == port)
			return true;
	}
	return false;
}

/* The bit of rank `rank`, from 0, among the ones. */
static uint32_t select_bit(uint64_t ones_of, uint32_t rank)
{
	while (rank--)
		ones_of &= ones_of - 1;
	return (uint32_t)__builtin_ctzll(ones_of);
}

/* The free port of this rank. */
static uint16_t select_free(struct ephemeral *e, const struct ephemeral_set *s, uint32_t rank)
{
	uint32_t group = 0;

	for (; rank >= s->group_free[group]; group++)
		rank -= s->group_free[group];

	uint32_t word = group * GROUP_WORDS;

	for (; rank >= ones(~s->words[word]); word++)
		rank -= ones(~s->words[word]);
	e->steps += group + word % GROUP_WORDS + 2;
	return port_at(e, word, select_bit(~s->words[word], rank));
}

static void exclude(const struct ephemeral_set *s, const struct ephemeral *e, uint64_t *candidates)
{
	for (uint32_t i = 0; s->words && i < e->words; i++)
		candidates[i] &= ~s->words[i];
	for (uint32_t i = 0; !s->words && i < s->count; i++)
		candidates[word_of(e, s->ports[i])] &= ~bit_of(s->ports[i]);
}

static void intersect(const struct ephemeral_set *s, const struct ephemeral *e,
		      uint64_t *candidates)
{
	uint64_t members[MAX_WORDS] = { 0 };

	for (uint32_t i = 0; !s->words && i < s->count; i++)
		members[word_of(e, s->ports[i])] |= bit_of(s->ports[i]);
	for (uint32_t i = 0; i < e->words; i++)
		candidates[i] &= s->words ? s->words[i] : members[i];
}

/* Counts every candidate: exact, and the same cost at any fill. */
static uint16_t choose_counting(struct ephemeral *e, const struct ephemeral_set *a,
				const struct ephemeral_set *b, const struct ephemeral_set *within)
{
	uint64_t candidates[MAX_WORDS] = { 0 };
	uint32_t count = 0;

	for (uint32_t i = 0; i < e->words; i++)
		candidates[i] = ~outside(e, i);
	exclude(a, e, candidates);
	if (b)
		exclude(b, e, candidates);
	if (within)
		intersect(within, e, candidates);
	for (uint32_t i = 0; i < e->words; i++)
		count += ones(candidates[i]);
	e->steps += (uint64_t)e->words * 2;
	if (!count)
		return 0;

	uint32_t rank = random_below(&e->random, count);
	uint32_t word = 0;

	for (; rank >= ones(candidates[word]); word++)
		rank -= ones(candidates[word]);
	return port_at(e, word, select_bit(candidates[word], rank));
}

static uint16_t draw(struct ephemeral *e)
{
	e->steps++;
	return (uint16_t)(e->first + random_below(&e->random, (uint32_t)e->last - e->first + 1));
}

static bool is_candidate(const struct ephemeral *e, uint16_t port, const struct ephemeral_set *a,
			 const struct ephemeral_set *b, const struct ephemeral_set *within)
{
	return ephemeral_covers(e, port) && !ephemeral_set_has(a, e, port) &&
	       !(b && ephemeral_set_has(b, e, port)) &&
	       !(within && !ephemeral_set_has(within, e, port));
}

uint16_t ephemeral_choose(struct ephemeral *e, const struct ephemeral_set *a,
			  const struct ephemeral_set *b, const struct ephemeral_set *within)
{
	const struct ephemeral_set *fuller = b && b->count > a->count ? b : a;
	const uint32_t free = e->count - fuller->count;
	uint16_t port;

	if (!free)
		return 0;
	for (unsigned i = 0; i < DRAWS && (free >= e->count / 2 || !fuller->words); i++) {
		port = draw(e);
		if (is_candidate(e, port, a, b, within))
			return port;
	}
	for (unsigned i = 0; i < DRAWS && fuller->words; i++) {
		port = select_free(e, fuller, random_below(&e->random, free));
		if (is_candidate(e, port, a, b, within))
			return port;
	}
	return choose_counting(e, a, b, within);
}
