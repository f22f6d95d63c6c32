/*
 * Events of libyaml become nodes. The open lists and maps are a stack of bounded depth, so nothing
 * here recurses.
 */
#include "service/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/check.h"

struct reading {
	struct arena *arena;
	struct fault *fault;
	struct node *root;
	struct node *open[DOCUMENT_DEPTH_MOST]; /* lists and maps that have not ended */
	struct node *last[DOCUMENT_DEPTH_MOST]; /* the last member of each */
	size_t depth;
	size_t nodes;
	const char *key; /* of the member that comes next; NULL: in a map, the key comes next */
	struct place at_key;
};

const char *node_kind_name(enum node_kind kind)
{
	static const char *const names[] = {
		[NODE_SCALAR] = "a single value",
		[NODE_LIST] = "a list",
		[NODE_MAP] = "a map",
	};

	return names[kind];
}

static struct place place_of(yaml_mark_t mark)
{
	return (struct place){ (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

__attribute__((format(printf, 3, 4))) static bool fail(struct reading *r, struct place place,
						       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(r->fault->text, sizeof(r->fault->text), format, arguments);
	va_end(arguments);
	r->fault->place = place;
	return false;
}

static bool is_key_expected(const struct reading *r)
{
	return r->depth > 0 && r->open[r->depth - 1]->kind == NODE_MAP && !r->key;
}

static bool take_key(struct reading *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	for (const struct node *n = r->open[r->depth - 1]->first; n; n = n->next)
		if (strcmp(n->key, text) == 0)
			return fail(r, place_of(event->start_mark),
				    "'%.64s' is here a second time; the first is in line %u", text,
				    n->at_key.line);
	r->key = arena_copy(r->arena, text, strlen(text));
	r->at_key = place_of(event->start_mark);
	return true;
}

/* Puts a node where it belongs; NULL when there are too many. */
static struct node *add(struct reading *r, enum node_kind kind, struct place place)
{
	if (++r->nodes > DOCUMENT_NODES_MOST) {
		fail(r, place, "this is more than a file of services may hold");
		return NULL;
	}
	struct node *n = arena_allocate(r->arena, sizeof(*n));

	*n = (struct node){ .kind = kind, .place = place, .key = r->key, .at_key = r->at_key };
	r->key = NULL;
	if (r->depth == 0) {
		r->root = n;
		return n;
	}
	const size_t i = r->depth - 1;

	if (r->last[i])
		r->last[i]->next = n;
	else
		r->open[i]->first = n;
	r->last[i] = n;
	r->open[i]->count++;
	return n;
}

static bool take_scalar(struct reading *r, const yaml_event_t *event)
{
	const struct place place = place_of(event->start_mark);
	const char *text = (const char *)event->data.scalar.value;

	if (strlen(text) != event->data.scalar.length)
		return fail(r, place, "a NUL character cannot be part of a value");
	if (is_key_expected(r))
		return take_key(r, event);
	struct node *n = add(r, NODE_SCALAR, place);

	if (!n)
		return false;
	n->text = arena_copy(r->arena, text, event->data.scalar.length);
	n->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return true;
}

static bool begin(struct reading *r, enum node_kind kind, const yaml_event_t *event)
{
	const struct place place = place_of(event->start_mark);

	if (is_key_expected(r))
		return fail(r, place, "%s cannot be a key", node_kind_name(kind));
	if (r->depth == DOCUMENT_DEPTH_MOST)
		return fail(r, place, "this is nested too deeply");
	struct node *n = add(r, kind, place);

	if (!n)
		return false;
	r->open[r->depth] = n;
	r->last[r->depth++] = NULL;
	return true;
}

/* Anchors and tags, of whichever event may have them. */
static bool is_adorned(const yaml_event_t *event, const char **ret_what)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	*ret_what = anchor ? "anchors (&)" : "tags (!)";
	return anchor || tag;
}

static bool take_event(struct reading *r, const yaml_event_t *event)
{
	const char *what;

	if (is_adorned(event, &what))
		return fail(r, place_of(event->start_mark), "%s are not used here", what);
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return begin(r, NODE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return begin(r, NODE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return true;
	case YAML_ALIAS_EVENT:
		return fail(r, place_of(event->start_mark), "aliases (*) are not used here");
	case YAML_DOCUMENT_START_EVENT:
		if (r->root)
			return fail(r, place_of(event->start_mark),
				    "a second document begins here; there may be one");
		return true;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return true;
	}
	return true;
}

/* What the reader says has an offset in bytes, not a mark. */
static struct place place_at(const char *text, size_t length, size_t offset)
{
	struct place p = { 1, 1 };

	for (size_t i = 0; i < offset && i < length; i++) {
		const bool is_newline = text[i] == '\n';

		p.line += is_newline;
		/* Of a character in UTF-8, the first byte counts. */
		p.column = is_newline ? 1 : p.column + ((text[i] & 0xc0) != 0x80);
	}
	return p;
}

/* The library counts letters, not bytes. */
static char letter_at(const char *text, size_t length, size_t index)
{
	for (size_t i = 0; i < length; i++)
		if ((text[i] & 0xc0) != 0x80 && index-- == 0)
			return text[i];
	return '\0';
}

static bool complain(struct reading *r, const yaml_parser_t *parser, const char *text,
		     size_t length)
{
	if (parser->error == YAML_READER_ERROR)
		return fail(r, place_at(text, length, parser->problem_offset), "%s",
			    parser->problem);
	if (parser->error == YAML_MEMORY_ERROR)
		return fail(r, (struct place){ 0 }, "out of memory");
	/* The library does not name it, and it cannot be seen. */
	if (parser->error == YAML_SCANNER_ERROR &&
	    letter_at(text, length, parser->problem_mark.index) == '\t')
		return fail(r, place_of(parser->problem_mark),
			    "a tab cannot be here; lines are indented by spaces");
	return fail(r, place_of(parser->problem_mark), "%s",
		    parser->problem ? parser->problem : "this is not YAML");
}

static bool read_all(struct reading *r, yaml_parser_t *parser, const char *text, size_t length)
{
	for (bool ended = false; !ended;) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event))
			return complain(r, parser, text, length);
		ended = event.type == YAML_STREAM_END_EVENT;
		const bool taken = take_event(r, &event);

		yaml_event_delete(&event);
		if (!taken)
			return false;
	}
	return true;
}

const struct node *document_read(const char *text, size_t length, struct arena *a,
				 struct fault *fault)
{
	struct reading r = { .arena = a, .fault = fault };
	yaml_parser_t parser;

	*fault = (struct fault){ 0 };
	if (length > DOCUMENT_TEXT_MOST) {
		fail(&r, (struct place){ 0 }, "it is larger than %u KiB", DOCUMENT_TEXT_MOST >> 10);
		return NULL;
	}
	if (!yaml_parser_initialize(&parser)) {
		fail(&r, (struct place){ 0 }, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	const bool is_read = read_all(&r, &parser, text, length);

	yaml_parser_delete(&parser);
	if (!is_read)
		return NULL;
	if (!r.root)
		r.root = add(&r, NODE_MAP, (struct place){ 1, 1 });
	/* Nothing behind "---" says as much as an empty file. */
	if (r.root->kind == NODE_SCALAR && r.root->is_plain && r.root->text[0] == '\0')
		r.root->kind = NODE_MAP;
	return r.root;
}
