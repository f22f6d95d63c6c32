/* What a script has written in words of its own: looked for where the stream has it. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "run.h"

struct written {
	struct written *next;
	uint16_t host_port;
	uint32_t position; /* in the stream, from 1 */
	size_t length;
	uint8_t bytes[];
};

void run_note_text(struct run *r, uint16_t host_port, uint32_t position, const char *text,
		   size_t length)
{
	struct written *const w = malloc(sizeof(*w) + length);

	check(w);
	*w = (struct written){ r->written, host_port, position, length };
	memcpy(w->bytes, text, length);
	r->written = w;
}

void run_forget_text(struct run *r)
{
	for (struct written *w = r->written, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	r->written = NULL;
}

bool run_is_content(const struct run *r, const struct flow *f, uint32_t position,
		    const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		const struct written *w = r->written;
		const uint32_t at = position + (uint32_t)i;

		while (w && (w->host_port != f->host_port || at - w->position >= w->length))
			w = w->next;
		if (w ? bytes[i] != w->bytes[at - w->position] : !flow_is_content(at, bytes + i, 1))
			return false;
	}
	return true;
}
