/*
 * What a command prints on stdout: tables in aligned columns, and JSON. Colour, and lines cut to
 * the width of the screen, only on a terminal (and no colour with NO_COLOR set).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum style {
	STYLE_PLAIN,
	STYLE_HEAD,
	STYLE_GOOD,
	STYLE_FAINT,
};

/* The sequences before and after a text; empty where there is no colour. */
const char *style_on(enum style style);
const char *style_off(enum style style);

struct column {
	const char *title;
	bool right; /* numbers */
};

struct table;

/* `columns` must outlive the table. Out of memory ends the program, here as in all of output. */
struct table *table_new(const struct column *columns, size_t count);
struct table *table_free(struct table *t);

/* The next cell, row by row; the text is copied. A NULL or empty text is shown as "-". */
void table_add(struct table *t, const char *text);
__attribute__((format(printf, 2, 3))) void table_addf(struct table *t, const char *format, ...);

/* A member of a reply's object: a whole number, or one shortened by output_scaled(). */
void table_add_integer(struct table *t, const json_t *object, const char *key);
void table_add_scaled(struct table *t, const json_t *object, const char *key);

/* Header and rows; the header alone when there is no row. */
void table_print(const struct table *t);

/* Indented, with a newline at the end. */
void json_print(const json_t *value);

/* One line: for streams of objects. */
void json_print_line(const json_t *value);

/* What is printed goes out now. 0; or the exit status after a complaint. */
int output_flush(void);
/* The exit status: this one, or that of what cannot be written. */
int output_finish(int status);

/* "1234567" as "1.2M": at most five letters. */
const char *output_scaled(double value, char text[16]);
