/* The members of a reply's objects, as the interface file has them: what is missing is zero. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

static inline const char *field_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)); /* or NULL */
}

static inline long long field_integer(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static inline double field_real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static inline bool field_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
