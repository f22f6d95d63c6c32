/*
 * Tables and JSON on stdout. A table keeps its cells until it is printed, as the columns' widths
 * depend on all of them. Texts from elsewhere (names of programs) lose their control characters
 * here, so that they cannot steer a terminal.
 */
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/field.h"
#include "cli/say.h"

struct table {
	const struct column *columns;
	size_t column_count;
	char **cells;
	size_t cell_count, cell_room;
};

static bool use_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

const char *style_on(enum style style)
{
	if (style == STYLE_PLAIN || !use_colour())
		return "";
	return style == STYLE_HEAD ? "\033[1m" : style == STYLE_GOOD ? "\033[32m" : "\033[2m";
}

const char *style_off(enum style style)
{
	return style == STYLE_PLAIN || !use_colour() ? "" : "\033[0m";
}

static _Noreturn void out_of_memory(void)
{
	exit(say_fail(EX_OSERR, "out of memory"));
}

struct table *table_new(const struct column *columns, size_t count)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		out_of_memory();
	t->columns = columns;
	t->column_count = count;
	return t;
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->cell_count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
	return NULL;
}

/* Takes the text. */
static void add_cell(struct table *t, char *text_take)
{
	if (!text_take)
		out_of_memory();
	for (char *c = text_take; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	if (t->cell_count == t->cell_room) {
		const size_t room = t->cell_room ? 2 * t->cell_room : 64;
		char **cells = reallocarray(t->cells, room, sizeof(*cells));

		if (!cells)
			out_of_memory();
		t->cells = cells;
		t->cell_room = room;
	}
	t->cells[t->cell_count++] = text_take;
}

void table_add(struct table *t, const char *text)
{
	add_cell(t, strdup(text && *text ? text : "-"));
}

void table_addf(struct table *t, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	add_cell(t, text);
}

void table_add_integer(struct table *t, const json_t *object, const char *key)
{
	table_addf(t, "%lld", field_integer(object, key));
}

void table_add_scaled(struct table *t, const json_t *object, const char *key)
{
	char text[16];

	table_add(t, output_scaled(field_real(object, key), text));
}

/* Columns of the terminal; no end elsewhere. */
static size_t screen_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return SIZE_MAX;
	return size.ws_col;
}

/* Letters, not bytes: UTF-8 continues with 10xxxxxx. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t width = text_width(t->columns[column].title);

	for (size_t i = column; i < t->cell_count; i += t->column_count) {
		const size_t cell = text_width(t->cells[i]);

		width = cell > width ? cell : width;
	}
	return width;
}

/* How many bytes of the text fill `width` columns. */
static int bytes_of(const char *text, size_t width)
{
	const char *at = text;

	for (; *at; at++) {
		if (((unsigned char)*at & 0xc0) != 0x80 && width-- == 0)
			break;
	}
	return (int)(at - text);
}

/* One cell of a row that has `left` columns of the screen left; gives what is left then. */
static size_t print_cell(const struct table *t, size_t column, const char *text, size_t width,
			 size_t left)
{
	const bool last = column + 1 == t->column_count;
	const size_t own = text_width(text), shown = own < left ? own : left;
	const int pad = width > own ? (int)(width - own) : 0;

	if (t->columns[column].right)
		printf("%*s%.*s", pad, "", bytes_of(text, shown), text);
	else
		printf("%.*s%*s", bytes_of(text, shown), text, last ? 0 : pad, "");
	if (!last)
		fputs("  ", stdout);
	const size_t used = width + 2;

	return left > used ? left - used : 0;
}

static enum style style_of(const char *text)
{
	return strcmp(text, "LISTEN") == 0 ? STYLE_GOOD
	       : strcmp(text, "-") == 0    ? STYLE_FAINT
					   : STYLE_PLAIN;
}

void table_print(const struct table *t)
{
	const size_t screen = screen_width();
	size_t widths[32], left = screen;

	for (size_t c = 0; c < t->column_count; c++)
		widths[c] = column_width(t, c);
	fputs(style_on(STYLE_HEAD), stdout);
	for (size_t c = 0; c < t->column_count; c++)
		left = print_cell(t, c, t->columns[c].title, widths[c], left);
	fputs(style_off(STYLE_HEAD), stdout);
	putchar('\n');
	for (size_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count) {
		left = screen;
		for (size_t c = 0; c < t->column_count; c++) {
			const char *text = t->cells[i + c];
			const enum style style = style_of(text);

			fputs(style_on(style), stdout);
			left = print_cell(t, c, text, widths[c], left);
			fputs(style_off(style), stdout);
		}
		putchar('\n');
	}
}

void json_print(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

void json_print_line(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
	putchar('\n');
}

int output_flush(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EX_OK;
	const int error = errno; /* 0: of an earlier part */

	clearerr(stdout);
	if (error == EPIPE) /* whoever read has seen enough */
		return EX_IOERR;
	return say_fail(EX_IOERR, "cannot write the output%s%s", error ? ": " : "",
			error ? strerror(error) : "");
}

int output_finish(int status)
{
	const int flushed = output_flush();

	return status ? status : flushed;
}

const char *output_scaled(double value, char text[16])
{
	static const char units[] = " kMGTPE";
	size_t i = 0;

	while (value >= 999.5 && units[i + 1]) {
		value /= 1000;
		i++;
	}
	if (i == 0)
		snprintf(text, 16, "%.0f", value);
	else
		snprintf(text, 16, "%.*f%c", value < 9.95 ? 1 : 0, value, units[i]);
	return text;
}
