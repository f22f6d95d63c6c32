/*
 * A YAML document (https://yaml.org/spec/1.1) as a tree in which each node knows where it was
 * written, so that whoever makes sense of it can say where it makes none. Read by libyaml.
 *
 * Only what a file of settings needs: scalars are text, whatever they look like; there are no
 * anchors, aliases or tags, so a tree is as large as its text says; a map's keys are scalars and
 * differ. Text, depth and number of nodes are bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/arena.h"

#define DOCUMENT_TEXT_MOST  (256u << 10)
#define DOCUMENT_DEPTH_MOST 16
#define DOCUMENT_NODES_MOST 8192

/* Both from 1; 0: nowhere in particular. */
struct place {
	unsigned line, column;
};

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_kind kind;
	struct place place;
	const char *text; /* of a scalar */
	bool is_plain;    /* written without quotes */
	const char *key;  /* of a map's member */
	struct place at_key;
	struct node *first; /* members of a list or map, in their order */
	struct node *next;
	size_t count; /* of members */
};

#define FAULT_TEXT 256

/* What is wrong with a file, and where. */
struct fault {
	struct place place;
	char text[FAULT_TEXT];
};

/* The root of the document, or NULL and *fault filled in. An empty text is an empty map. The arena
 * owns the tree. */
const struct node *document_read(const char *text, size_t length, struct arena *a,
				 struct fault *fault);

/* "a list": for "X where a list was expected". */
const char *node_kind_name(enum node_kind kind);
