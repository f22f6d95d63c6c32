/* DNS messages: the reader stays within them, and what it reads is written again the same. */
#include <string.h>

#include "base/check.h"
#include "wire/dns.h"

#include "fuzz.h"

static void check_name(const struct dns_name *name)
{
	struct reeve_address address;
	char label[DNS_LABEL_MAX + 1];
	size_t at = 0;

	check(name->length >= 1);
	while (name->bytes[at]) {
		check(name->bytes[at] <= DNS_LABEL_MAX);
		at += 1u + name->bytes[at];
		check(at < name->length);
	}
	check(at + 1 == name->length);
	check(dns_name_equal(name, name));
	if (dns_name_single_label(name, label))
		check(strlen(label) + 2 == name->length);
	(void)dns_name_reverse(name, &address);
}

/* Without compression a name is longer, but it means the same. */
static void check_again(const struct dns_record *record)
{
	uint8_t bytes[DNS_NAME_MAX + 10 + 65535];
	struct dns_writer w = { .bytes = bytes, .size = sizeof(bytes) };
	struct dns_record again;

	dns_write_record(&w, record);
	check(!w.overflowed);
	struct dns_reader r = dns_reader_over(bytes, w.length);

	check(dns_read_record(&r, &again) && cursor_left(&r.cursor) == 0);
	check(again.name.length == record->name.length);
	check(!memcmp(again.name.bytes, record->name.bytes, again.name.length));
	check(again.type == record->type && again.class == record->class);
	check(again.ttl_s == record->ttl_s && again.data_length == record->data_length);
	check(again.data_length == 0 || !memcmp(again.data, record->data, again.data_length));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct dns_reader r = dns_reader_over(bytes, length);
	struct dns_query query;
	struct dns_header h;
	struct dns_question question;
	struct dns_record record;

	if (dns_parse_query(bytes, length, &query) == DNS_QUERY) {
		check_name(&query.question.name);
		check(query.udp_size >= DNS_UDP_MAX);
	}
	if (!dns_read_header(&r, &h))
		return 0;
	for (unsigned i = 0; i < h.questions && dns_read_question(&r, &question); i++)
		check_name(&question.name);
	while (dns_read_record(&r, &record)) {
		check_name(&record.name);
		check_again(&record);
	}
	return 0;
}
