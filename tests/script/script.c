/* What a script consists of. */
#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct block {
	struct block *next;
	max_align_t bytes[];
};

void *script_allocate(struct script *s, size_t size)
{
	struct block *const block = calloc(1, sizeof(*block) + size);

	check(block);
	block->next = s->memory;
	s->memory = block;
	return block->bytes;
}

struct script *script_free(struct script *s)
{
	if (!s)
		return NULL;
	for (struct block *b = s->memory, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(s);
	return NULL;
}

void script_fault(struct script_fault *f, struct script_place place, const char *format, ...)
{
	va_list arguments;

	if (f->is_set)
		return;
	f->is_set = true;
	f->place = place;
	va_start(arguments, format);
	vsnprintf(f->text, sizeof(f->text), format, arguments);
	va_end(arguments);
	/* What came from a script may hold anything. */
	for (char *c = f->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

const struct script_value *script_field(const struct script_value *value, const char *name)
{
	if (value->kind != VALUE_STRUCT)
		return NULL;
	for (const struct script_value *v = value->first; v; v = v->next)
		if (v->name && strcmp(v->name, name) == 0)
			return v;
	return NULL;
}
