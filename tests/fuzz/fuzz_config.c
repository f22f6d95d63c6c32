/* Files of services: whatever the text is, it is read or refused with one line and a place. */
#include <string.h>

#include "base/check.h"
#include "service/config.h"

#include "fuzz.h"

static void check_service(const struct config *c, const struct config_service *s)
{
	check(config_find_service(c, s->name) == s);
	check(config_find_host(c, s->host));
	check(s->run[0] && s->run[0][0]);
	check(s->port_count <= CONFIG_PORTS_MOST);
	for (size_t i = 0; i < s->port_count; i++)
		check(s->ports[i].port > 0 && s->ports[i].place.line > 0);
	check(!config_has_sockets(s) || s->port_count > 0);
	check(s->directory[0] == '/');
	check(s->instances >= 1 && s->rate >= 1 && s->restart_delay_ms >= 10);
	for (char **e = s->environment; *e; e++)
		check(strchr(*e, '='));
	check(config_is_same_program(s, s));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const struct config_reader reader = { .file = "f", .directory = "/d", .user = "u" };
	struct config c;
	struct fault fault;

	if (config_read(&reader, (const char *)bytes, length, &c, &fault) < 0) {
		check(fault.text[0] != '\0');
		check(strnlen(fault.text, sizeof(fault.text)) < sizeof(fault.text));
		return 0;
	}
	size_t count = 0;

	for (const struct config_service *s = c.services; s; s = s->next, count++)
		check_service(&c, s);
	check(count == c.service_count && count <= CONFIG_SERVICES_MOST);
	config_deinit(&c);
	return 0;
}
