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

/* What came from a script may hold anything. */
static void make_printable(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* The first one stays. */
static void set_fault(struct script_fault *f, bool is_refusal, struct script_place place,
		      const char *format, va_list arguments)
{
	if (f->is_set)
		return;
	f->is_set = true;
	f->is_refusal = is_refusal;
	f->place = place;
	vsnprintf(f->text, sizeof(f->text), format, arguments);
	make_printable(f->text);
}

void script_fault(struct script_fault *f, struct script_place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_fault(f, false, place, format, arguments);
	va_end(arguments);
}

void script_refuse(struct script_fault *f, struct script_place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_fault(f, true, place, format, arguments);
	va_end(arguments);
}

static const char *copy_text(struct script *s, const char *text, size_t length)
{
	char *const copy = script_allocate(s, length + 1);

	memcpy(copy, text, length);
	return copy;
}

void script_note(struct script *s, struct script_place place, const char *format, ...)
{
	struct script_note **last = &s->notes;
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	make_printable(text);
	for (; *last; last = &(*last)->next)
		if (strcmp((*last)->text, text) == 0)
			return;
	*last = script_allocate(s, sizeof(**last));
	(*last)->place = place;
	(*last)->text = copy_text(s, text, strlen(text));
}

bool script_define(struct script *s, const char *text)
{
	const char *const value = strchr(text, '=');
	struct script_define *const d = script_allocate(s, sizeof(*d));

	if (!value || value == text)
		return false;

	d->name = copy_text(s, text, (size_t)(value - text));
	d->value = copy_text(s, value + 1, strlen(value + 1));
	d->next = s->defines;
	s->defines = d;
	return true;
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
