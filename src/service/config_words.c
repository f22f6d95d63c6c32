/*
 * A command: a list of words, or one text that is cut into words at white space. Quotes ('...' as
 * it is, "..." with \" and \\) and backslashes keep it together, as in a shell; nothing else means
 * anything: no variables, no patterns.
 */
#include <string.h>

#include "service/config_private.h"

struct words {
	char *list[CONFIG_WORDS_MOST + 1];
	size_t count;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool add_word(struct reader *r, struct place place, struct words *w, char *word)
{
	if (w->count == CONFIG_WORDS_MOST)
		return reader_fail(r, place, "a command has at most %d words", CONFIG_WORDS_MOST);
	w->list[w->count++] = word;
	return true;
}

/* Behind the quote that ends it; NULL without one. `out` gets what is in it. */
static const char *quoted(const char *at, char **out)
{
	const char quote = *at++;

	for (; *at && *at != quote; at++) {
		if (quote == '"' && *at == '\\' && (at[1] == '"' || at[1] == '\\'))
			at++;
		*(*out)++ = *at;
	}
	return *at ? at + 1 : NULL;
}

static bool split(struct reader *r, const struct node *value, struct words *w)
{
	const char *at = value->text;
	/* No word is longer than the text, and all together are not with the spaces between. */
	char *out = arena_allocate(&r->config->arena, strlen(at) + 1);

	for (;;) {
		while (is_space(*at))
			at++;
		if (!*at)
			return true;
		char *word = out;

		while (at && *at && !is_space(*at)) {
			if (*at == '\'' || *at == '"') {
				at = quoted(at, &out);
				continue;
			}
			at += *at == '\\' && at[1];
			*out++ = *at++;
		}
		if (!at)
			return reader_fail(r, value->place, "a quote is not closed in '%.64s'",
					   value->text);
		/* What ended the word is behind it, and so there is room. */
		const bool more = *at != '\0';

		*out++ = '\0';
		at += more;
		if (!add_word(r, value->place, w, word))
			return false;
	}
}

bool reader_words(struct reader *r, const struct node *value, char ***ret)
{
	struct arena *a = &r->config->arena;
	struct words *w = arena_allocate(a, sizeof(*w));
	const char *text = "";

	if (value->kind == NODE_SCALAR && (!reader_text(r, value, &text) || !split(r, value, w)))
		return false;
	if (value->kind == NODE_MAP)
		return reader_fail(r, value->place, "'run' takes a command, not a map");
	for (const struct node *n = value->first; n; n = n->next) {
		if (n->kind != NODE_SCALAR)
			return reader_fail(r, n->place, "a word of a command is a text, not %s",
					   node_kind_name(n->kind));
		if (!add_word(r, n->place, w, arena_copy(a, n->text, strlen(n->text))))
			return false;
	}
	if (w->count == 0 || w->list[0][0] == '\0')
		return reader_fail(r, value->place, "'run' names no program");
	*ret = w->list;
	return true;
}
