/*
 * Inside the reading of a file of services: the walk over a map with a table of its keys, and the
 * values that occur in several places.
 */
#pragma once

#include "service/config.h"

struct reader {
	const struct config_reader *who;
	struct config *config;
	struct fault *fault;
};

/* One key of a map; `into` is what the map describes. */
struct key {
	const char *name; /* NULL ends a table */
	bool (*read)(struct reader *r, const struct node *value, void *into);
};

/* False, with the fault told: everything here that returns bool. */
__attribute__((format(printf, 3, 4))) bool reader_fail(struct reader *r, struct place place,
						       const char *format, ...);

/* Each member of `map` by its key. `what` is "a service", for what it says of unknown keys. */
bool reader_map(struct reader *r, const struct node *map, const struct key *keys, const char *what,
		void *into);

bool reader_text(struct reader *r, const struct node *value, const char **ret);
bool reader_count(struct reader *r, const struct node *value, int64_t least, int64_t most,
		  int64_t *ret);
bool reader_time_ms(struct reader *r, const struct node *value, int64_t least_ms, int64_t *ret);
/* One of `words`, which end with NULL: its index. */
bool reader_choice(struct reader *r, const struct node *value, const char *const *words,
		   unsigned *ret);
/* Absolute: relative to the file's directory, or with `~` the user's. */
bool reader_path(struct reader *r, const struct node *value, const char **ret);

/* Whether hosts and services may be called so. `what` is "a host". */
bool reader_check_name(struct reader *r, const char *name, struct place place, const char *what);

/* The word of the table that resembles `word` most; NULL if none does. */
const char *reader_suggest(const char *word, const char *const *words);

/* config_service.c */
bool reader_service(struct reader *r, const struct node *value, struct config_service *s);

/* config_port.c */
bool reader_port(struct reader *r, const struct node *value, struct config_port *ret);

/* config_words.c: a command as a list, or as one text with quotes. */
bool reader_words(struct reader *r, const struct node *value, char ***ret);

/* config_environment.c */
struct environment {
	char *entries[CONFIG_WORDS_MOST + 1];
	size_t count;
};

bool reader_environment(struct reader *r, const struct node *value, struct environment *e);
bool reader_environment_file(struct reader *r, const struct node *value, struct environment *e);
