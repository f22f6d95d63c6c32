/* Variables: a map of them, and files with a line for each. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/config_private.h"

#define FILE_BYTES_MOST (64u << 10)

static bool is_name(const char *name, size_t length)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return length > 0 && strspn(name, letters) > 0 && strspn(name, allowed) >= length;
}

/* A later one takes the place of an earlier one of the same name. */
static bool set(struct environment *e, char *entry)
{
	const size_t length = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < e->count; i++) {
		if (strncmp(e->entries[i], entry, length) == 0) {
			e->entries[i] = entry;
			return true;
		}
	}
	if (e->count == CONFIG_WORDS_MOST)
		return false;
	e->entries[e->count++] = entry;
	return true;
}

bool reader_environment(struct reader *r, const struct node *value, struct environment *e)
{
	if (value->kind != NODE_MAP)
		return reader_fail(r, value->place, "'environment' is a map of variables, not %s",
				   node_kind_name(value->kind));
	for (const struct node *n = value->first; n; n = n->next) {
		if (!is_name(n->key, strlen(n->key)))
			return reader_fail(r, n->at_key, "'%.64s' cannot be a variable's name",
					   n->key);
		if (n->kind != NODE_SCALAR)
			return reader_fail(r, n->place, "a variable's value is a text, not %s",
					   node_kind_name(n->kind));
		if (!set(e, arena_format(&r->config->arena, "%s=%s", n->key, n->text)))
			return reader_fail(r, n->at_key, "there are more than %d variables",
					   CONFIG_WORDS_MOST);
	}
	return true;
}

/* "NAME=value", its value perhaps as a whole in quotes. NULL: it is not that. */
static char *read_line(struct arena *a, char *line)
{
	char *equals = strchr(line, '=');

	if (!equals || !is_name(line, (size_t)(equals - line)))
		return NULL;
	char *value = equals + 1;
	const size_t length = strlen(value);

	*equals = '\0';
	if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
		value[length - 1] = '\0';
		value++;
	}
	return arena_format(a, "%s=%s", line, value);
}

static bool read_lines(struct reader *r, const struct node *value, char *text,
		       struct environment *e)
{
	unsigned number = 0;

	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (*line == '\0' || *line == '#')
			continue;
		char *entry = read_line(&r->config->arena, line);

		if (!entry)
			return reader_fail(r, value->place, "%.128s:%u: this is not NAME=value",
					   value->text, number);
		if (!set(e, entry))
			return reader_fail(r, value->place,
					   "%.128s:%u: there are more than %d variables",
					   value->text, number, CONFIG_WORDS_MOST);
	}
	return true;
}

/* 0 and the text, to be freed; or an errno, EFBIG if it is too large. Nothing but a file: a FIFO
 * would wait for somebody. */
static int read_file(const char *path, char **ret, size_t *ret_length)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = fd >= 0 ? malloc(FILE_BYTES_MOST + 1) : NULL;
	struct stat st;
	int error = fd < 0 ? errno : 0;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		error = EINVAL;
	const ssize_t n = text && !error ? read(fd, text, FILE_BYTES_MOST + 1) : 0;

	if (n < 0)
		error = errno;
	if (n > (ssize_t)FILE_BYTES_MOST)
		error = EFBIG;
	if (fd >= 0)
		close(fd);
	if (error || !text) {
		free(text);
		return error ? error : ENOMEM;
	}
	text[n] = '\0';
	*ret = text;
	*ret_length = (size_t)n;
	return 0;
}

bool reader_environment_file(struct reader *r, const struct node *value, struct environment *e)
{
	const char *path = "";
	char *text = NULL;
	size_t length = 0;

	if (!reader_path(r, value, &path))
		return false;
	const int error = read_file(path, &text, &length);

	if (error == EFBIG)
		return reader_fail(r, value->place, "%.128s: it is larger than %u KiB", value->text,
				   FILE_BYTES_MOST >> 10);
	if (error)
		return reader_fail(r, value->place, "%.128s: %s", value->text,
				   error == EINVAL ? "it is not a file" : strerror(error));
	const bool is_read = memchr(text, '\0', length)
				     ? reader_fail(r, value->place,
						   "%.128s: it holds a NUL character", value->text)
				     : read_lines(r, value, text, e);

	free(text);
	return is_read;
}
