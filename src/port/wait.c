/*
 * TIME-WAITs (see wait.h).
 *
 * Theory of operation. Buckets are chains through the records, and grow by linear hashing (Litwin,
 * 1980): with n buckets a hash belongs to h mod 2^k, 2^k being the least power of two that is not
 * less than n, or, if there is no such bucket yet, to h mod 2^(k-1). So one more bucket, number n,
 * takes what is its own out of one other, n - 2^(k-1), and no call ever looks at more than two.
 * There are between a half and one as many buckets as records. Their heads come in chunks of 4 KiB;
 * without memory for one the chains just become longer.
 *
 * The list of all in order of their end is doubly linked, so that a record's neighbour tells its
 * number: it need not be kept.
 */
#include "port/wait.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "port/demux.h"

#define CHUNK        1024 /* heads in one */
#define CHAIN_LENGTH 2    /* records a bucket, when there is to be one more */

static_assert(sizeof(struct port_wait) == 40, "there are a million of them");

static uint64_t hash_names(const struct waits *t, const void *addresses, size_t length,
			   uint16_t local_port, uint16_t remote_port)
{
	uint8_t bytes[36];

	memcpy(bytes, addresses, length);
	memcpy(bytes + length, &local_port, 2);
	memcpy(bytes + length + 2, &remote_port, 2);
	return hash_bytes(&t->key, bytes, length + 4);
}

static uint64_t hash_wait(const struct waits *t, const struct port_wait *w)
{
	return w->is_ipv6 ? hash_names(t, w->ipv6, sizeof(*w->ipv6), w->local_port, w->remote_port)
			  : hash_names(t, &w->ipv4, sizeof(w->ipv4), w->local_port, w->remote_port);
}

void waits_init(struct waits *t, const struct hash_key *key, size_t record_size)
{
	*t = (struct waits){ .key = *key };
	records_init(&t->records, record_size);
	slab_init(&t->pairs, sizeof(struct port_wait_pair));
}

static void free_heads(struct waits *t)
{
	for (uint32_t i = 0; i < t->chunk_room; i++)
		free(t->heads[i]);
	free(t->heads);
	t->heads = NULL;
	t->chunk_room = 0;
	t->bucket_count = 0;
}

void waits_deinit(struct waits *t)
{
	check(t->count == 0);
	free_heads(t);
	records_deinit(&t->records);
	slab_deinit(&t->pairs);
}

struct port_wait *waits_at(const struct waits *t, uint32_t number)
{
	return number ? records_at(&t->records, number) : NULL;
}

uint32_t waits_number(const struct waits *t, const struct port_wait *w)
{
	return w->older ? waits_at(t, w->older)->newer : t->oldest;
}

/* Buckets */

static uint32_t *head_at(const struct waits *t, uint32_t bucket)
{
	return &t->heads[bucket / CHUNK][bucket % CHUNK];
}

/* 2^k - 1, for the least 2^k that is not less than `buckets`. */
static uint32_t mask_for(uint32_t buckets)
{
	return buckets > 1 ? UINT32_MAX >> __builtin_clz(buckets - 1) : 0;
}

static uint32_t bucket_of(const struct waits *t, uint64_t hash)
{
	const uint32_t mask = mask_for(t->bucket_count);
	const uint32_t bucket = (uint32_t)hash & mask;

	return bucket < t->bucket_count ? bucket : bucket & mask >> 1;
}

/* The place of the pointers to chunks is copied when it is full, eight bytes for 1024 heads. */
static int make_chunk(struct waits *t, uint32_t chunk)
{
	if (chunk >= t->chunk_room) {
		const uint32_t room = t->chunk_room ? t->chunk_room * 2 : 4;
		uint32_t **const heads = realloc(t->heads, room * sizeof(*heads));

		if (!heads)
			return -ENOMEM;
		for (uint32_t i = t->chunk_room; i < room; i++)
			heads[i] = NULL;
		t->heads = heads;
		t->chunk_room = room;
	}
	if (!t->heads[chunk])
		t->heads[chunk] = calloc(CHUNK, sizeof(**t->heads));
	return t->heads[chunk] ? 0 : -ENOMEM;
}

static void chain(struct waits *t, uint32_t bucket, uint32_t number)
{
	uint32_t *const head = head_at(t, bucket);

	waits_at(t, number)->next = *head;
	*head = number;
}

/* The chain of the bucket that has had what is now the last one's is distributed anew. */
static int add_bucket(struct waits *t)
{
	const uint32_t fresh = t->bucket_count;

	if (make_chunk(t, fresh / CHUNK))
		return -ENOMEM;
	t->bucket_count++;
	if (fresh == 0)
		return 0;

	uint32_t *const head = head_at(t, fresh & mask_for(t->bucket_count) >> 1);
	uint32_t number = *head;

	*head = 0;
	while (number) {
		struct port_wait *const w = waits_at(t, number);
		const uint32_t next = w->next;

		chain(t, bucket_of(t, hash_wait(t, w)), number);
		number = next;
	}
	return 0;
}

/* The last bucket's chain goes back to where it has come from. */
static void remove_bucket(struct waits *t)
{
	const uint32_t last = t->bucket_count - 1;
	const uint32_t to = last & mask_for(t->bucket_count) >> 1;
	uint32_t number = *head_at(t, last);

	*head_at(t, last) = 0;
	t->bucket_count--;
	while (number) {
		const uint32_t next = waits_at(t, number)->next;

		chain(t, to, number);
		number = next;
	}
	if (last % CHUNK == 0) {
		free(t->heads[last / CHUNK]);
		t->heads[last / CHUNK] = NULL;
	}
}

static void unchain(struct waits *t, const struct port_wait *w, uint32_t number)
{
	uint32_t *link = head_at(t, bucket_of(t, hash_wait(t, w)));

	while (*link != number)
		link = &waits_at(t, *link)->next;
	*link = w->next;
}

/* The list of all */

static void append(struct waits *t, struct port_wait *w, uint32_t number, struct reeve_time now)
{
	w->since = wait_tick_after(now);
	w->older = t->newest;
	w->newer = 0;
	if (t->newest)
		waits_at(t, t->newest)->newer = number;
	else
		t->oldest = number;
	t->newest = number;
}

static void unlink_wait(struct waits *t, const struct port_wait *w)
{
	if (w->older)
		waits_at(t, w->older)->newer = w->newer;
	else
		t->oldest = w->newer;
	if (w->newer)
		waits_at(t, w->newer)->older = w->older;
	else
		t->newest = w->older;
}

/* Records and their names */

static int set_name(struct waits *t, struct port_wait *w, const struct port_flow *f)
{
	w->local_port = f->local_port;
	w->remote_port = f->remote_port;
	w->is_ipv6 = !reeve_address_is_ipv4(&f->local_address) ||
		     !reeve_address_is_ipv4(&f->remote_address);
	if (!w->is_ipv6) {
		memcpy(w->ipv4.local, f->local_address.bytes + 12, 4);
		memcpy(w->ipv4.remote, f->remote_address.bytes + 12, 4);
		return 0;
	}
	w->ipv6 = slab_new(&t->pairs);
	if (!w->ipv6)
		return -ENOMEM;
	w->ipv6->local = f->local_address;
	w->ipv6->remote = f->remote_address;
	return 0;
}

struct port_flow waits_name(const struct port_wait *w)
{
	struct port_flow f = { .local_port = w->local_port, .remote_port = w->remote_port };

	if (w->is_ipv6) {
		f.local_address = w->ipv6->local;
		f.remote_address = w->ipv6->remote;
		return f;
	}
	f.local_address = reeve_any_ipv4;
	f.remote_address = reeve_any_ipv4;
	memcpy(f.local_address.bytes + 12, w->ipv4.local, 4);
	memcpy(f.remote_address.bytes + 12, w->ipv4.remote, 4);
	return f;
}

struct port_wait *waits_add(struct waits *t, const struct port_flow *f, struct reeve_time now)
{
	if (t->count >= t->bucket_count * CHAIN_LENGTH && add_bucket(t) && t->bucket_count == 0)
		return NULL;

	const uint32_t number = records_new(&t->records);
	struct port_wait *const w = waits_at(t, number);

	if (!w)
		return NULL;
	if (set_name(t, w, f)) {
		records_free(&t->records, number);
		return NULL;
	}
	chain(t, bucket_of(t, hash_wait(t, w)), number);
	append(t, w, number, now);
	t->count++;
	return w;
}

void waits_remove(struct waits *t, struct port_wait *w)
{
	const uint32_t number = waits_number(t, w);

	unchain(t, w, number);
	unlink_wait(t, w);
	if (w->is_ipv6)
		slab_free(&t->pairs, w->ipv6);
	records_free(&t->records, number);
	/* The smallest stays, for those who come and go one at a time. */
	if (--t->count == 0 && t->bucket_count > 1)
		free_heads(t);
	else if (t->count < t->bucket_count && t->bucket_count > 1)
		remove_bucket(t);
}

void waits_renew(struct waits *t, struct port_wait *w, struct reeve_time now)
{
	const uint32_t number = waits_number(t, w);

	unlink_wait(t, w);
	append(t, w, number, now);
}

static bool has_name(const struct port_wait *w, const struct reeve_sockaddr *local,
		     const struct reeve_sockaddr *remote)
{
	if (w->local_port != local->port || w->remote_port != remote->port)
		return false;

	const struct port_flow f = waits_name(w);

	return reeve_address_equal(&f.local_address, &local->address) &&
	       reeve_address_equal(&f.remote_address, &remote->address);
}

struct port_wait *waits_find(const struct waits *t, const struct reeve_sockaddr *local,
			     const struct reeve_sockaddr *remote)
{
	const bool is_ipv4 =
		reeve_address_is_ipv4(&local->address) && reeve_address_is_ipv4(&remote->address);
	const size_t from = is_ipv4 ? 12 : 0, length = 16 - from;
	uint8_t addresses[32];

	if (!t->count)
		return NULL;
	memcpy(addresses, local->address.bytes + from, length);
	memcpy(addresses + length, remote->address.bytes + from, length);

	const uint64_t hash = hash_names(t, addresses, 2 * length, local->port, remote->port);
	struct port_wait *w = waits_at(t, *head_at(t, bucket_of(t, hash)));

	while (w && !has_name(w, local, remote))
		w = waits_at(t, w->next);
	return w;
}

/* The cursor's upper half says how many of the bucket's chain were given already. */
struct port_wait *waits_walk(const struct waits *t, uint64_t *cursor)
{
	uint32_t bucket = (uint32_t)*cursor;
	uint64_t depth = *cursor >> 32;

	for (; bucket < t->bucket_count; bucket++, depth = 0) {
		struct port_wait *w = waits_at(t, *head_at(t, bucket));

		for (uint64_t i = 0; w && i < depth; i++)
			w = waits_at(t, w->next);
		if (!w)
			continue;
		*cursor = (depth + 1) << 32 | bucket;
		return w;
	}
	*cursor = bucket;
	return NULL;
}
