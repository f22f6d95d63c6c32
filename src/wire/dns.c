#include "wire/dns.h"

#define POINTER_MASK 0xc0
#define RECORD_FIXED 10 /* type, class, TTL, data length */

struct dns_reader dns_reader_over(const void *message, size_t length)
{
	return (struct dns_reader){ .message = message, .cursor = cursor_over(message, length) };
}

bool dns_read_header(struct dns_reader *r, struct dns_header *ret)
{
	struct cursor *c = &r->cursor;
	const struct dns_header h = {
		.id = cursor_be16(c),
		.flags = cursor_be16(c),
		.questions = cursor_be16(c),
		.answers = cursor_be16(c),
		.authorities = cursor_be16(c),
		.additionals = cursor_be16(c),
	};

	if (!cursor_ok(c))
		return false;
	*ret = h;
	return true;
}

/* One label, its length read already. */
static bool read_label(struct cursor *c, uint8_t length, struct dns_name *name)
{
	const uint8_t *bytes = cursor_bytes(c, length);

	/* With its length and the root's 0, that comes behind it. */
	if (!bytes || (size_t)name->length + 1 + length + 1 > DNS_NAME_MAX)
		return false;
	name->bytes[name->length++] = length;
	memcpy(name->bytes + name->length, bytes, length);
	name->length = (uint8_t)(name->length + length);
	return true;
}

/*
 * RFC 1035, 4.1.4; RFC 9267, 2 and 3. A pointer must point to before where this run of labels
 * began, so each jump goes strictly backwards and the number of jumps is bounded by that.
 */
bool dns_read_name(struct dns_reader *r, struct dns_name *ret)
{
	struct cursor at = r->cursor;
	const uint8_t *run = at.at; /* where the present run of labels began */
	struct dns_name name = { 0 };
	bool jumped = false;

	for (;;) {
		const uint8_t length = cursor_u8(&at);

		if (!cursor_ok(&at))
			return false;
		if (length == 0)
			break;
		if ((length & POINTER_MASK) == POINTER_MASK) {
			const size_t offset = (size_t)(length & 0x3f) << 8 | cursor_u8(&at);

			if (!cursor_ok(&at) || offset < DNS_HEADER_LENGTH ||
			    offset >= (size_t)(run - r->message))
				return false;
			if (!jumped)
				r->cursor.at = at.at;
			jumped = true;
			run = at.at = r->message + offset;
		} else if (length > DNS_LABEL_MAX || !read_label(&at, length, &name)) {
			return false;
		}
	}
	if (!jumped)
		r->cursor.at = at.at;
	name.bytes[name.length++] = 0;
	*ret = name;
	return true;
}

bool dns_read_question(struct dns_reader *r, struct dns_question *ret)
{
	struct dns_question q;

	if (!dns_read_name(r, &q.name))
		return false;
	q.type = cursor_be16(&r->cursor);
	q.class = cursor_be16(&r->cursor);
	if (!cursor_ok(&r->cursor))
		return false;
	*ret = q;
	return true;
}

bool dns_read_record(struct dns_reader *r, struct dns_record *ret)
{
	struct cursor *c = &r->cursor;
	struct dns_record record;

	if (!dns_read_name(r, &record.name))
		return false;
	record.type = cursor_be16(c);
	record.class = cursor_be16(c);
	record.ttl_s = cursor_be32(c);
	record.data_length = cursor_be16(c);
	record.data = cursor_bytes(c, record.data_length);
	if (!cursor_ok(c))
		return false;
	*ret = record;
	return true;
}

/* RFC 6891, 6.1: at most one, of the root's name, anywhere among the additional records. */
static bool take_edns(struct dns_query *q, const struct dns_record *record)
{
	if (q->has_edns || record->name.length != 1)
		return false;
	q->has_edns = true;
	q->edns_version = (uint8_t)(record->ttl_s >> 16);
	if (record->class > q->udp_size)
		q->udp_size = record->class;
	return true;
}

enum dns_verdict dns_parse_query(const void *message, size_t length, struct dns_query *ret)
{
	struct dns_reader r = dns_reader_over(message, length);
	struct dns_query q = { .udp_size = DNS_UDP_MAX };
	struct dns_record record;

	if (!dns_read_header(&r, &q.header) || (q.header.flags & DNS_RESPONSE))
		return DNS_IGNORE;
	*ret = q;
	if (q.header.questions != 1 || !dns_read_question(&r, &q.question))
		return DNS_MALFORMED;
	const unsigned others = (unsigned)q.header.answers + q.header.authorities;

	for (unsigned i = 0; i < others; i++)
		if (!dns_read_record(&r, &record))
			return DNS_MALFORMED;
	for (unsigned i = 0; i < q.header.additionals; i++) {
		if (!dns_read_record(&r, &record))
			return DNS_MALFORMED;
		if (record.type == DNS_OPT && !take_edns(&q, &record))
			return DNS_MALFORMED;
	}
	*ret = q;
	return DNS_QUERY;
}

static uint8_t *grow(struct dns_writer *w, size_t length)
{
	uint8_t *at = w->bytes + w->length;

	if (w->overflowed || w->size - w->length < length) {
		w->overflowed = true;
		return NULL;
	}
	w->length += length;
	return at;
}

void dns_write_header(struct dns_writer *w, const struct dns_header *h)
{
	uint8_t *at = grow(w, DNS_HEADER_LENGTH);

	if (!at)
		return;
	store_be16(at, h->id);
	store_be16(at + 2, h->flags);
	store_be16(at + 4, h->questions);
	store_be16(at + 6, h->answers);
	store_be16(at + 8, h->authorities);
	store_be16(at + 10, h->additionals);
}

void dns_write_name(struct dns_writer *w, const struct dns_name *name)
{
	uint8_t *at = grow(w, name->length);

	if (at)
		memcpy(at, name->bytes, name->length);
}

void dns_write_question(struct dns_writer *w, const struct dns_question *q)
{
	uint8_t *at;

	dns_write_name(w, &q->name);
	at = grow(w, 4);
	if (!at)
		return;
	store_be16(at, q->type);
	store_be16(at + 2, q->class);
}

void dns_write_record(struct dns_writer *w, const struct dns_record *record)
{
	uint8_t *at;

	dns_write_name(w, &record->name);
	at = grow(w, (size_t)RECORD_FIXED + record->data_length);
	if (!at)
		return;
	store_be16(at, record->type);
	store_be16(at + 2, record->class);
	store_be32(at + 4, record->ttl_s);
	store_be16(at + 8, record->data_length);
	if (record->data_length)
		memcpy(at + RECORD_FIXED, record->data, record->data_length);
}

bool dns_name_from_text(const char *text, struct dns_name *ret)
{
	struct dns_name name = { 0 };

	while (*text) {
		const size_t length = strcspn(text, ".");

		if (length == 0 || length > DNS_LABEL_MAX ||
		    name.length + 1 + length + 1 > DNS_NAME_MAX)
			return false;
		name.bytes[name.length++] = (uint8_t)length;
		memcpy(name.bytes + name.length, text, length);
		name.length = (uint8_t)(name.length + length);
		text += length;
		if (*text == '.')
			text++;
	}
	name.bytes[name.length++] = 0;
	*ret = name;
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Lengths are below 'A', so they can be folded with the rest. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	if (a->length != b->length)
		return false;
	for (size_t i = 0; i < a->length; i++)
		if (lower(a->bytes[i]) != lower(b->bytes[i]))
			return false;
	return true;
}

bool dns_name_single_label(const struct dns_name *name, char ret[DNS_LABEL_MAX + 1])
{
	const size_t length = name->bytes[0];

	if (length == 0 || name->length != length + 2 || memchr(name->bytes + 1, 0, length))
		return false;
	memcpy(ret, name->bytes + 1, length);
	ret[length] = '\0';
	return true;
}

/* "0".."255", as RFC 1035, 3.5 has it: no leading zeroes. */
static bool read_octet(const uint8_t *label, uint8_t *ret)
{
	const uint8_t length = label[0];
	unsigned value = 0;

	if (length == 0 || length > 3 || (length > 1 && label[1] == '0'))
		return false;
	for (unsigned i = 1; i <= length; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		value = value * 10 + (label[i] - '0');
	}
	*ret = (uint8_t)value;
	return value <= 255;
}

bool dns_name_reverse(const struct dns_name *name, struct reeve_address *ret)
{
	const uint8_t *at = name->bytes;
	struct dns_name rest = { 0 }, suffix;
	uint32_t number = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t octet;

		if (!read_octet(at, &octet))
			return false;
		number |= (uint32_t)octet << (8 * i);
		at += 1 + at[0];
	}
	rest.length = (uint8_t)(name->length - (at - name->bytes));
	memcpy(rest.bytes, at, rest.length);
	if (!dns_name_from_text("in-addr.arpa", &suffix) || !dns_name_equal(&rest, &suffix))
		return false;
	*ret = reeve_address_from_ipv4(number);
	return true;
}
