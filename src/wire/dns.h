/*
 * DNS messages (RFC 1035, 4; RFC 6891 for EDNS0), read by the checklist of RFC 9267: every length
 * is checked against what is there, compression pointers only ever go backwards, names are bounded
 * on the wire (255) and by label (63), and counts are not believed but tried.
 *
 *	    0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
 *	  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
 *	  |                      ID                       |
 *	  |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
 *	  |                    QDCOUNT                    |
 *	  |                    ANCOUNT                    |
 *	  |                    NSCOUNT                    |
 *	  |                    ARCOUNT                    |
 *	  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
 *
 *	  questions, then answers, authorities and additional records
 */
#pragma once

#include "base/cursor.h"
#include "reeve/address.h"

#define DNS_HEADER_LENGTH 12
#define DNS_NAME_MAX      255 /* bytes of a name, lengths and the root's 0 included */
#define DNS_LABEL_MAX     63
#define DNS_UDP_MAX       512 /* RFC 1035, 4.2.1, without EDNS0 */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_ANY = 255,
};

enum dns_class {
	DNS_IN = 1,
	DNS_CLASS_ANY = 255,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* needs EDNS0: its upper bits stand in the OPT record */
};

enum dns_flags {
	DNS_RESPONSE = 1 << 15,
	DNS_AUTHORITATIVE = 1 << 10,
	DNS_TRUNCATED = 1 << 9,
	DNS_RECURSION_DESIRED = 1 << 8,
	DNS_RECURSION_AVAILABLE = 1 << 7,
};

struct dns_header {
	uint16_t id, flags;
	uint16_t questions, answers, authorities, additionals;
};

static inline unsigned dns_opcode(uint16_t flags)
{
	return flags >> 11 & 15;
}

/* As on the wire, without compression: lengths and labels, ending in 0. */
struct dns_name {
	uint8_t length;
	uint8_t bytes[DNS_NAME_MAX];
};

struct dns_question {
	struct dns_name name;
	uint16_t type, class;
};

struct dns_record {
	struct dns_name name;
	uint16_t type, class;
	uint32_t ttl_s;
	const uint8_t *data; /* in the message */
	uint16_t data_length;
};

struct dns_reader {
	const uint8_t *message;
	struct cursor cursor;
};

/* Each reads the next thing of the message; false: it is malformed, and *ret is untouched. */
struct dns_reader dns_reader_over(const void *message, size_t length);
bool dns_read_header(struct dns_reader *r, struct dns_header *ret);
bool dns_read_name(struct dns_reader *r, struct dns_name *ret);
bool dns_read_question(struct dns_reader *r, struct dns_question *ret);
bool dns_read_record(struct dns_reader *r, struct dns_record *ret);

/* What a server needs of a query. */
struct dns_query {
	struct dns_header header;
	struct dns_question question;
	bool has_edns;
	uint8_t edns_version;
	uint16_t udp_size; /* of answers that the asker can take: 512 at least */
};

/* The outcomes, worst first. */
enum dns_verdict {
	DNS_IGNORE,    /* not even a header, or an answer: nothing may be said to that */
	DNS_MALFORMED, /* header good: answer FORMERR */
	DNS_QUERY,     /* whole */
};

enum dns_verdict dns_parse_query(const void *message, size_t length, struct dns_query *ret);

/* Writes behind `length`; once something did not fit it stays `overflowed` and writes no more. */
struct dns_writer {
	uint8_t *bytes;
	size_t size, length;
	bool overflowed;
};

void dns_write_header(struct dns_writer *w, const struct dns_header *h);
void dns_write_name(struct dns_writer *w, const struct dns_name *name);
void dns_write_question(struct dns_writer *w, const struct dns_question *q);
void dns_write_record(struct dns_writer *w, const struct dns_record *record);

/* "web", "web.example." Labels of 1..63 bytes. False when it is no name. */
bool dns_name_from_text(const char *text, struct dns_name *ret);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b); /* RFC 4343: any case */

/* The one label of a name that has just one; false for others, and for labels with a NUL. */
bool dns_name_single_label(const struct dns_name *name, char ret[DNS_LABEL_MAX + 1]);

/* 1.0.18.198.in-addr.arpa. (RFC 1035, 3.5): the whole address it asks for. */
bool dns_name_reverse(const struct dns_name *name, struct reeve_address *ret);
