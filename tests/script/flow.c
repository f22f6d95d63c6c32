/* Numbers of a script and of the wire. */
#include "flow.h"

void flow_note_timestamp(struct flow *f, uint32_t script, uint32_t wire)
{
	if (!f->has_timestamp) {
		f->has_timestamp = true;
		f->first_script = script;
		f->first_wire = wire;
	}
	f->script[f->pairs % FLOW_TIMESTAMPS] = script;
	f->wire[f->pairs % FLOW_TIMESTAMPS] = wire;
	f->pairs++;
}

uint32_t flow_wire_timestamp(const struct flow *f, uint32_t script)
{
	const unsigned kept = f->pairs < FLOW_TIMESTAMPS ? f->pairs : FLOW_TIMESTAMPS;

	for (unsigned i = 1; i <= kept; i++) {
		const unsigned at = (f->pairs - i) % FLOW_TIMESTAMPS;

		if (f->script[at] == script)
			return f->wire[at];
	}
	return f->has_timestamp ? script - f->first_script + f->first_wire : script;
}

static uint8_t content(uint32_t position)
{
	return (uint8_t)((position * UINT32_C(2654435761)) >> 24);
}

void flow_content(uint32_t position, uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = content(position + (uint32_t)i);
}

bool flow_is_content(uint32_t position, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != content(position + (uint32_t)i))
			return false;
	return true;
}
