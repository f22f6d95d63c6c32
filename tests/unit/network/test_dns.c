/*
 * DNS messages: what is written is read again as it was; no byte string makes the reader run over
 * an end, round in a circle, or answer what must not be answered (RFC 9267).
 */
#include "wire/dns.h"

#include "../base/cmocka_all.h"
#include "../base/seed.h"
#include "base/check.h"

static void random_name(struct random *random, struct dns_name *ret)
{
	struct dns_name name = { 0 };
	const unsigned labels = random_below(random, 6);

	for (unsigned i = 0; i < labels; i++) {
		const unsigned length = 1 + random_below(random, i == 0 ? DNS_LABEL_MAX : 30);

		name.bytes[name.length++] = (uint8_t)length;
		for (unsigned k = 0; k < length; k++)
			name.bytes[name.length++] = (uint8_t)random_u32(random);
	}
	name.bytes[name.length++] = 0;
	*ret = name;
}

static void assert_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	assert_int_equal(a->length, b->length);
	assert_memory_equal(a->bytes, b->bytes, a->length);
}

static struct dns_record random_record(struct random *random, uint8_t data[64])
{
	struct dns_record record = {
		.type = (uint16_t)random_u32(random),
		.class = (uint16_t)random_u32(random),
		.ttl_s = random_u32(random),
		.data = data,
		.data_length = (uint16_t)random_below(random, 65),
	};

	random_name(random, &record.name);
	for (unsigned i = 0; i < 64; i++)
		data[i] = (uint8_t)random_u32(random);
	return record;
}

static void test_identity(void **state)
{
	struct random random = seeded(1);

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		uint8_t bytes[2048], data[64];
		struct dns_writer w = { .bytes = bytes, .size = sizeof(bytes) };
		const struct dns_header h = { .id = (uint16_t)random_u32(&random),
					      .flags = (uint16_t)random_u32(&random),
					      .questions = 1,
					      .answers = 1,
					      .authorities = (uint16_t)random_u32(&random),
					      .additionals = (uint16_t)random_u32(&random) };
		struct dns_question q = { .type = (uint16_t)random_u32(&random),
					  .class = (uint16_t)random_u32(&random) };
		const struct dns_record record = random_record(&random, data);
		struct dns_header h2;
		struct dns_question q2;
		struct dns_record r2;

		random_name(&random, &q.name);
		dns_write_header(&w, &h);
		dns_write_question(&w, &q);
		dns_write_record(&w, &record);
		assert_false(w.overflowed);
		struct dns_reader r = dns_reader_over(bytes, w.length);

		assert_true(dns_read_header(&r, &h2));
		assert_memory_equal(&h, &h2, sizeof(h));
		assert_true(dns_read_question(&r, &q2));
		assert_name_equal(&q.name, &q2.name);
		assert_int_equal(q.type, q2.type);
		assert_int_equal(q.class, q2.class);
		assert_true(dns_read_record(&r, &r2));
		assert_name_equal(&record.name, &r2.name);
		assert_int_equal(record.ttl_s, r2.ttl_s);
		assert_int_equal(record.data_length, r2.data_length);
		assert_memory_equal(record.data, r2.data, r2.data_length);
		assert_int_equal(cursor_left(&r.cursor), 0);
	}
}

/* A query for web, with an EDNS record that takes 4096 bytes. */
static size_t make_query(void *bytes, size_t size)
{
	struct dns_writer w = { .bytes = bytes, .size = size };
	const struct dns_header h = {
		.id = 7, .flags = DNS_RECURSION_DESIRED, .questions = 1, .additionals = 1
	};
	struct dns_question q = { .type = DNS_A, .class = DNS_IN };
	const struct dns_record edns = { .name = { .length = 1 }, .type = DNS_OPT, .class = 4096 };

	assert_true(dns_name_from_text("web", &q.name));
	dns_write_header(&w, &h);
	dns_write_question(&w, &q);
	dns_write_record(&w, &edns);
	assert_false(w.overflowed);
	return w.length;
}

static void test_query(void **state)
{
	uint8_t bytes[512];
	const size_t length = make_query(bytes, sizeof(bytes));
	struct dns_query q;
	char label[DNS_LABEL_MAX + 1];

	(void)state;
	assert_int_equal(dns_parse_query(bytes, length, &q), DNS_QUERY);
	assert_true(q.has_edns);
	assert_int_equal(q.udp_size, 4096);
	assert_true(dns_name_single_label(&q.question.name, label));
	assert_string_equal(label, "web");
}

/* Cut at each byte: without a header nothing may be answered, with one it is malformed. The copy is
 * of just that size, so that the sanitizers see a step too far. */
static void test_truncated(void **state)
{
	uint8_t bytes[512];
	const size_t length = make_query(bytes, sizeof(bytes));
	struct dns_query q;

	(void)state;
	for (size_t n = 0; n < length; n++) {
		uint8_t *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy + 1, bytes, n);
		assert_int_equal(dns_parse_query(copy + 1, n, &q),
				 n < DNS_HEADER_LENGTH ? DNS_IGNORE : DNS_MALFORMED);
		free(copy);
	}
}

/* An answer is not answered, or two servers would talk for ever. */
static void test_answer_is_ignored(void **state)
{
	uint8_t bytes[512];
	const size_t length = make_query(bytes, sizeof(bytes));
	struct dns_query q;

	(void)state;
	bytes[2] |= 0x80;
	assert_int_equal(dns_parse_query(bytes, length, &q), DNS_IGNORE);
}

static bool read_name_at(const uint8_t *bytes, size_t length, size_t at, struct dns_name *ret)
{
	struct dns_reader r = dns_reader_over(bytes, length);

	assert_non_null(cursor_bytes(&r.cursor, at));
	return dns_read_name(&r, ret);
}

/* RFC 9267, 2: pointers to themselves, forward, in a ring, and into the header. */
static void test_compression(void **state)
{
	uint8_t m[64] = { 0 };
	struct dns_name name;

	(void)state;
	m[12] = 0xc0;
	m[13] = 12;
	assert_false(read_name_at(m, sizeof(m), 12, &name));
	m[13] = 20;
	assert_false(read_name_at(m, sizeof(m), 12, &name));
	m[12] = 0xc0;
	m[13] = 14;
	m[14] = 0xc0;
	m[15] = 12;
	assert_false(read_name_at(m, sizeof(m), 14, &name));
	m[13] = 4;
	assert_false(read_name_at(m, sizeof(m), 12, &name));
	/* A label in front of a pointer to that label. */
	m[12] = 1;
	m[13] = 'a';
	m[14] = 0xc0;
	m[15] = 12;
	assert_false(read_name_at(m, sizeof(m), 12, &name));
	/* A good one: "b" and then what stands at 12. */
	static const uint8_t good[] = { 1, 'a', 0, 1, 'b', 0xc0, 12 };

	memcpy(m + 12, good, sizeof(good));
	assert_true(read_name_at(m, sizeof(m), 15, &name));
	assert_int_equal(name.length, 5);
	assert_memory_equal(name.bytes, "\1b\1a", 5);
	/* The reserved kinds of labels, and a pointer of one byte. */
	m[12] = 0x40;
	assert_false(read_name_at(m, sizeof(m), 12, &name));
	m[12] = 0x80;
	assert_false(read_name_at(m, sizeof(m), 12, &name));
	m[63] = 0xc0;
	assert_false(read_name_at(m, sizeof(m), 63, &name));
}

/* A name of 255 bytes is the longest; one of 256 is none, however it is made up. */
static void test_longest_name(void **state)
{
	uint8_t m[400];
	struct dns_name name;
	size_t at = DNS_HEADER_LENGTH;

	(void)state;
	memset(m, 'x', sizeof(m));
	for (unsigned i = 0; i < 3; i++, at += 64)
		m[at] = 63;
	m[at] = 61;
	m[at + 62] = 0;
	assert_true(read_name_at(m, sizeof(m), DNS_HEADER_LENGTH, &name));
	assert_int_equal(name.length, 255);
	m[at] = 62;
	m[at + 62] = 'x';
	m[at + 63] = 0;
	assert_false(read_name_at(m, sizeof(m), DNS_HEADER_LENGTH, &name));
	/* 1 + 1 bytes, and then a pointer to 255. */
	m[at] = 61;
	m[at + 62] = 0;
	memcpy(m + 300, "\1y\xc0\x0c", 4);
	assert_false(read_name_at(m, sizeof(m), 300, &name));
}

/* Pointers by the hundred, each to the one before: bounded work and a good name. */
static void test_pointer_chain(void **state)
{
	static uint8_t m[16384];
	struct dns_name name;
	size_t at = DNS_HEADER_LENGTH + 2;

	(void)state;
	m[DNS_HEADER_LENGTH] = 0;
	for (size_t target = DNS_HEADER_LENGTH; at + 2 < sizeof(m); target = at, at += 2) {
		m[at] = (uint8_t)(0xc0 | target >> 8);
		m[at + 1] = (uint8_t)target;
	}
	assert_true(read_name_at(m, sizeof(m), at - 2, &name));
	assert_int_equal(name.length, 1);
}

static void test_counts_are_not_believed(void **state)
{
	uint8_t bytes[512];
	const size_t length = make_query(bytes, sizeof(bytes));
	struct dns_query q;

	(void)state;
	store_be16(bytes + 10, 65535);
	assert_int_equal(dns_parse_query(bytes, length, &q), DNS_MALFORMED);
	store_be16(bytes + 10, 1);
	store_be16(bytes + 6, 65535);
	assert_int_equal(dns_parse_query(bytes, length, &q), DNS_MALFORMED);
	store_be16(bytes + 6, 0);
	store_be16(bytes + 4, 2);
	assert_int_equal(dns_parse_query(bytes, length, &q), DNS_MALFORMED);
	/* A data length behind the message's end. */
	store_be16(bytes + 4, 1);
	store_be16(bytes + length - 2, 1);
	assert_int_equal(dns_parse_query(bytes, length, &q), DNS_MALFORMED);
}

static void test_random_bytes(void **state)
{
	struct random random = seeded(2);
	uint8_t query[512];
	const size_t whole = make_query(query, sizeof(query));

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		const size_t length = random_below(&random, (uint32_t)whole + 20);
		uint8_t *copy = malloc(length + 1);
		struct dns_query q;

		assert_non_null(copy);
		for (size_t i = 0; i < length; i++)
			copy[i] = i < whole ? query[i] : (uint8_t)random_u32(&random);
		for (unsigned flips = random_below(&random, 8); length && flips; flips--)
			copy[random_below(&random, (uint32_t)length)] =
				(uint8_t)random_u32(&random);
		if (dns_parse_query(copy, length, &q) == DNS_QUERY)
			assert_in_range(q.question.name.length, 1, DNS_NAME_MAX);
		free(copy);
	}
}

static void test_overflow(void **state)
{
	uint8_t bytes[512];
	const size_t whole = make_query(bytes, sizeof(bytes));

	(void)state;
	for (size_t size = 0; size < whole; size++) {
		uint8_t small[512];
		struct dns_writer w = { .bytes = small, .size = size };
		struct dns_question q = { .type = DNS_A, .class = DNS_IN };

		memset(small, 0xee, sizeof(small));
		assert_true(dns_name_from_text("web", &q.name));
		dns_write_header(&w, &(struct dns_header){ .id = 1 });
		dns_write_question(&w, &q);
		dns_write_record(&w, &(struct dns_record){ .name = { .length = 1 } });
		assert_true(w.overflowed);
		assert_in_range(w.length, 0, size);
		for (size_t i = size; i < sizeof(small); i++)
			assert_int_equal(small[i], 0xee);
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = { ".", "..", "a..b", ".a" };
	struct dns_name a, b;
	struct reeve_address address;
	char label[DNS_LABEL_MAX + 1], text[REEVE_ADDRESS_TEXT], longest[65];

	(void)state;
	for (size_t i = 0; i < array_length(bad); i++)
		assert_false(dns_name_from_text(bad[i], &a));
	memset(longest, 'a', 64);
	longest[64] = '\0';
	assert_false(dns_name_from_text(longest, &a));
	assert_true(dns_name_from_text(longest + 1, &a));
	assert_true(dns_name_single_label(&a, label));
	assert_true(dns_name_from_text("Web.Example.", &a));
	assert_true(dns_name_from_text("wEB.example", &b));
	assert_true(dns_name_equal(&a, &b));
	assert_false(dns_name_single_label(&a, label));
	assert_true(dns_name_from_text("2.0.18.198.in-addr.ARPA", &a));
	assert_true(dns_name_reverse(&a, &address));
	assert_string_equal(reeve_address_format(&address, text), "198.18.0.2");
	static const char *const not_reverse[] = {
		"0.18.198.in-addr.arpa",     "256.0.18.198.in-addr.arpa",
		"02.0.18.198.in-addr.arpa",  "2.0.18.198.in-addr.arpa.web",
		"1.2.0.18.198.in-addr.arpa", "2.0.18.198.ip6.arpa",
		"x.0.18.198.in-addr.arpa",   "web"
	};

	for (size_t i = 0; i < array_length(not_reverse); i++) {
		assert_true(dns_name_from_text(not_reverse[i], &a));
		assert_false(dns_name_reverse(&a, &address));
	}
	/* A NUL within a label is no end of the name. */
	memcpy(a.bytes, "\4we\0b", 6);
	a.length = 6;
	assert_false(dns_name_single_label(&a, label));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_answer_is_ignored),
		cmocka_unit_test(test_compression),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_pointer_chain),
		cmocka_unit_test(test_counts_are_not_believed),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
