/* Owns the copy of the host's interfaces. */
#include "guest/interfaces.h"

#include <errno.h>
#include <string.h>

#include "guest/supervisor.h"

void interfaces_take(struct interfaces *i, const void *records, uint32_t count)
{
	i->count = count < GUEST_INTERFACES_MAX ? count : GUEST_INTERFACES_MAX;
	memcpy(i->list, records, i->count * sizeof(i->list[0]));
	for (uint32_t n = 0; n < i->count; n++) {
		i->list[n].name[sizeof(i->list[n].name) - 1] = '\0';
		if (i->list[n].address_count > 8)
			i->list[n].address_count = 8;
	}
}

static void refreshed(struct supervisor *s, struct request *r, const struct guest_message *answer,
		      const uint8_t *data)
{
	(void)r;
	if (answer->error == 0)
		interfaces_take(&s->interfaces, data,
				answer->data_length / (uint32_t)sizeof(struct guest_interface));
}

int interfaces_refresh(struct supervisor *s)
{
	struct guest_message m = { .type = GUEST_INTERFACES };

	return channel_request(s, &m, NULL, refreshed) ? 0 : -ENOMEM;
}

const struct guest_interface *interfaces_by_name(const struct interfaces *i, const char *name)
{
	for (uint32_t n = 0; n < i->count; n++)
		if (strncmp(i->list[n].name, name, sizeof(i->list[n].name)) == 0)
			return &i->list[n];
	return NULL;
}

const struct guest_interface *interfaces_by_index(const struct interfaces *i, uint32_t index)
{
	for (uint32_t n = 0; n < i->count; n++)
		if (i->list[n].index == index)
			return &i->list[n];
	return NULL;
}
