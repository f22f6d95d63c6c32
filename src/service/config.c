#include "service/config_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/quantity.h"
#include "base/similar.h"

bool reader_fail(struct reader *r, struct place place, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(r->fault->text, sizeof(r->fault->text), format, arguments);
	va_end(arguments);
	r->fault->place = place;
	return false;
}

const char *reader_suggest(const char *word, const char *const *words)
{
	size_t limit = similar_limit(word);
	const char *best = NULL;

	for (; *words; words++) {
		const size_t d = similar_distance(word, *words, limit);

		if (d >= limit)
			continue;
		best = *words;
		limit = d;
	}
	return best;
}

/* All keys, or what resembles the wrong one. */
static bool fail_key(struct reader *r, const struct node *member, const struct key *keys,
		     const char *what)
{
	const char *names[32];
	size_t count = 0;

	for (; keys[count].name; count++) {
		check(count + 1 < array_length(names));
		names[count] = keys[count].name;
	}
	names[count] = NULL;
	const char *best = reader_suggest(member->key, names);

	if (best)
		return reader_fail(r, member->at_key, "%s has no '%.64s'; did you mean '%s'?", what,
				   member->key, best);
	char list[160] = "";
	size_t length = 0;

	for (size_t i = 0; i < count && length < sizeof(list); i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
					   i ? ", " : "", names[i]);
	return reader_fail(r, member->at_key, "%s has no '%.32s'; it has %s", what, member->key,
			   list);
}

bool reader_map(struct reader *r, const struct node *map, const struct key *keys, const char *what,
		void *into)
{
	if (map->kind != NODE_MAP)
		return reader_fail(r, map->place, "%s is a map, not %s", what,
				   node_kind_name(map->kind));
	for (const struct node *n = map->first; n; n = n->next) {
		const struct key *k = keys;

		while (k->name && strcmp(k->name, n->key) != 0)
			k++;
		if (!k->name)
			return fail_key(r, n, keys, what);
		if (!k->read(r, n, into))
			return false;
	}
	return true;
}

bool reader_text(struct reader *r, const struct node *value, const char **ret)
{
	if (value->kind != NODE_SCALAR)
		return reader_fail(r, value->place, "'%s' takes a single value, not %s",
				   value->key ? value->key : "it", node_kind_name(value->kind));
	if (value->text[0] == '\0')
		return reader_fail(r, value->place, "'%s' is empty",
				   value->key ? value->key : "it");
	*ret = value->text;
	return true;
}

bool reader_count(struct reader *r, const struct node *value, int64_t least, int64_t most,
		  int64_t *ret)
{
	const char *text = "";

	if (!reader_text(r, value, &text))
		return false;
	if (quantity_count(text, least, most, ret) == 0)
		return true;
	return reader_fail(r, value->place, "'%s' takes %lld to %lld, not '%.64s'", value->key,
			   (long long)least, (long long)most, text);
}

bool reader_time_ms(struct reader *r, const struct node *value, int64_t least_ms, int64_t *ret)
{
	const char *text = "";
	double ms = 0;

	if (!reader_text(r, value, &text))
		return false;
	const int error = quantity_time_ms(text, &ms);

	if (error == -EINVAL)
		return reader_fail(r, value->place,
				   "'%s' takes a time such as 20ms, 1.5s or 300us, not '%.64s'",
				   value->key, text);
	if (error || ms < (double)least_ms)
		return reader_fail(r, value->place, "'%s' takes %lldms to an hour, not '%.64s'",
				   value->key, (long long)least_ms, text);
	*ret = (int64_t)ms;
	return true;
}

bool reader_choice(struct reader *r, const struct node *value, const char *const *words,
		   unsigned *ret)
{
	const char *text = "";
	char list[160] = "";
	size_t length = 0;

	if (!reader_text(r, value, &text))
		return false;
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = i;
			return true;
		}
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
					   i ? (words[i + 1] ? ", " : " or ") : "", words[i]);
	}
	const char *best = reader_suggest(text, words);

	if (best)
		return reader_fail(r, value->place, "'%s' has no '%.64s'; did you mean '%s'?",
				   value->key, text, best);
	return reader_fail(r, value->place, "'%s' takes %s, not '%.64s'", value->key, list, text);
}

bool reader_path(struct reader *r, const struct node *value, const char **ret)
{
	struct arena *a = &r->config->arena;
	const char *text = "";

	if (!reader_text(r, value, &text))
		return false;
	if (text[0] == '/') {
		*ret = text;
	} else if (text[0] == '~' && (text[1] == '/' || text[1] == '\0')) {
		if (!r->who->home)
			return reader_fail(r, value->place,
					   "'~' means nothing here: HOME is unset");
		*ret = arena_format(a, "%s%s", r->who->home, text + 1);
	} else {
		*ret = arena_format(a, "%s/%s", r->who->directory, text);
	}
	return true;
}

/* What DNS takes as a label (RFC 1035, 2.3.1; RFC 1123, 2.1), and what therefore fits everywhere:
 * in names of files, on screens. */
bool reader_check_name(struct reader *r, const char *name, struct place place, const char *what)
{
	const size_t length = strlen(name);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

	if (length > 0 && length < CONFIG_NAME_LENGTH && strspn(name, allowed) == length &&
	    strcspn(name, letters) < length && name[0] != '-' && name[length - 1] != '-')
		return true;
	return reader_fail(r, place,
			   "'%.64s' cannot be the name of %s: up to 63 letters, digits and '-', "
			   "at least one letter, no '-' at the ends",
			   name, what);
}

static bool read_ratio(struct reader *r, const struct node *value, double *ret)
{
	const char *text = "";

	if (!reader_text(r, value, &text))
		return false;
	if (quantity_ratio(text, ret) == 0)
		return true;
	return reader_fail(r, value->place,
			   "'%s' takes a percentage such as 5%%, or a number from 0 to 1, not "
			   "'%.64s'",
			   value->key, text);
}

static bool read_loss(struct reader *r, const struct node *v, void *into)
{
	return read_ratio(r, v, &((struct config_impairment *)into)->loss);
}

static bool read_reorder(struct reader *r, const struct node *v, void *into)
{
	return read_ratio(r, v, &((struct config_impairment *)into)->reorder);
}

static bool read_duplicate(struct reader *r, const struct node *v, void *into)
{
	return read_ratio(r, v, &((struct config_impairment *)into)->duplicate);
}

static bool read_corrupt(struct reader *r, const struct node *v, void *into)
{
	return read_ratio(r, v, &((struct config_impairment *)into)->corrupt);
}

static bool read_fine_time(struct reader *r, const struct node *value, double *ret)
{
	int64_t whole;

	/* For what it says of a wrong one; a delay may be less than a millisecond. */
	return reader_time_ms(r, value, 0, &whole) && quantity_time_ms(value->text, ret) == 0;
}

static bool read_delay(struct reader *r, const struct node *v, void *into)
{
	return read_fine_time(r, v, &((struct config_impairment *)into)->delay_ms);
}

static bool read_jitter(struct reader *r, const struct node *v, void *into)
{
	return read_fine_time(r, v, &((struct config_impairment *)into)->jitter_ms);
}

static bool read_link_rate(struct reader *r, const struct node *value, void *into)
{
	struct config_impairment *i = into;
	const char *text = "";

	if (!reader_text(r, value, &text))
		return false;
	if (quantity_rate(text, &i->rate) == 0)
		return true;
	return reader_fail(r, value->place,
			   "'rate' takes a rate such as 50mbit, 1gbit or 64kbit, not '%.64s'",
			   text);
}

static bool read_seed(struct reader *r, const struct node *value, void *into)
{
	/* What every JSON reader holds exactly. */
	return reader_count(r, value, 0, INT64_C(1) << 53,
			    &((struct config_impairment *)into)->seed);
}

static bool read_down(struct reader *r, const struct node *value, void *into)
{
	static const char *const words[] = { "false", "true", NULL };
	unsigned chosen = 0;

	if (!reader_choice(r, value, words, &chosen))
		return false;
	((struct config_impairment *)into)->down = chosen == 1;
	return true;
}

static bool read_impair(struct reader *r, const struct node *value, void *into)
{
	static const struct key keys[] = {
		{ "loss", read_loss },           { "delay", read_delay },
		{ "jitter", read_jitter },       { "reorder", read_reorder },
		{ "duplicate", read_duplicate }, { "corrupt", read_corrupt },
		{ "rate", read_link_rate },      { "down", read_down },
		{ "seed", read_seed },           { NULL, NULL },
	};
	struct config_host *host = into;

	host->is_impaired = true;
	host->impairment.seed = 1;
	return reader_map(r, value, keys, "'impair'", &host->impairment);
}

static bool read_ip(struct reader *r, const struct node *value, void *into)
{
	struct config_host *host = into;
	struct reeve_address address;

	if (!reader_text(r, value, &host->ip))
		return false;
	host->at_ip = value->place;
	if (reeve_address_parse(host->ip, &address) == 0)
		return true;
	return reader_fail(r, value->place, "'ip' takes an address, not '%.64s'", host->ip);
}

static bool read_well_known(struct reader *r, const struct node *value, void *into)
{
	static const char *const words[] = { "owner", "granted", NULL };
	unsigned chosen = 0;

	if (!reader_choice(r, value, words, &chosen))
		return false;
	((struct config_host *)into)->well_known = words[chosen];
	return true;
}

static struct config_host *add_host(struct reader *r, const char *name, struct place place)
{
	struct config *c = r->config;
	struct config_host **last = &c->hosts;

	if (++c->host_count > CONFIG_HOSTS_MOST) {
		reader_fail(r, place, "there are more than %d hosts", CONFIG_HOSTS_MOST);
		return NULL;
	}
	while (*last)
		last = &(*last)->next;
	*last = arena_allocate(&c->arena, sizeof(**last));
	**last = (struct config_host){ .name = name, .place = place };
	return *last;
}

/* `web:` alone is a host with nothing to say of it; `services:` alone, where all are commented out,
 * has none. */
static bool is_nothing(const struct node *value)
{
	return value->kind == NODE_SCALAR && value->is_plain && value->text[0] == '\0';
}

static bool read_hosts(struct reader *r, const struct node *value, void *into)
{
	static const struct key keys[] = {
		{ "ip", read_ip },
		{ "well-known", read_well_known },
		{ "impair", read_impair },
		{ NULL, NULL },
	};

	(void)into;
	if (is_nothing(value))
		return true;
	if (value->kind != NODE_MAP)
		return reader_fail(r, value->place, "'hosts' is a map of hosts by name, not %s",
				   node_kind_name(value->kind));
	for (const struct node *n = value->first; n; n = n->next) {
		struct config_host *host = NULL;

		if (reader_check_name(r, n->key, n->at_key, "a host"))
			host = add_host(r, n->key, n->at_key);
		if (!host || (!is_nothing(n) && !reader_map(r, n, keys, "a host", host)))
			return false;
	}
	return true;
}

static bool read_services(struct reader *r, const struct node *value, void *into)
{
	struct config *c = r->config;
	struct config_service **last = &c->services;

	(void)into;
	if (is_nothing(value))
		return true;
	if (value->kind != NODE_MAP)
		return reader_fail(r, value->place,
				   "'services' is a map of services by name, not %s",
				   node_kind_name(value->kind));
	for (const struct node *n = value->first; n; n = n->next) {
		if (!reader_check_name(r, n->key, n->at_key, "a service"))
			return false;
		if (++c->service_count > CONFIG_SERVICES_MOST)
			return reader_fail(r, n->at_key, "there are more than %d services",
					   CONFIG_SERVICES_MOST);
		*last = arena_allocate(&c->arena, sizeof(**last));
		**last = (struct config_service){ .name = n->key, .place = n->at_key };
		if (!reader_service(r, n, *last))
			return false;
		last = &(*last)->next;
	}
	return true;
}

const struct config_host *config_find_host(const struct config *c, const char *name)
{
	const struct config_host *h = c->hosts;

	while (h && strcmp(h->name, name) != 0)
		h = h->next;
	return h;
}

const struct config_service *config_find_service(const struct config *c, const char *name)
{
	const struct config_service *s = c->services;

	while (s && strcmp(s->name, name) != 0)
		s = s->next;
	return s;
}

/* Where two services want the same port of a host, one of them never works. */
static bool check_port(struct reader *r, const struct config_service *s,
		       const struct config_port *p, const struct config_service *other)
{
	for (size_t i = 0; i < other->port_count; i++) {
		const struct config_port *o = &other->ports[i];

		if (o == p)
			break; /* of the same service, those behind it look back themselves */
		if (o->port != p->port || o->is_udp != p->is_udp ||
		    (o->has_address && p->has_address &&
		     !reeve_address_equal(&o->address, &p->address)))
			continue;
		return reader_fail(r, p->place, "port %s of '%s' is that of '%s' in line %u",
				   p->text, s->name, other->name, o->place.line);
	}
	return true;
}

static bool check_services(struct reader *r)
{
	for (struct config_service *s = r->config->services; s; s = s->next) {
		if (!config_find_host(r->config, s->host) && !add_host(r, s->host, s->place))
			return false;
		for (size_t i = 0; i < s->port_count; i++)
			for (const struct config_service *o = r->config->services; o;
			     o = o == s ? NULL : o->next)
				if (strcmp(o->host, s->host) == 0 &&
				    !check_port(r, s, &s->ports[i], o))
					return false;
	}
	return true;
}

int config_read(const struct config_reader *reader, const char *text, size_t length,
		struct config *ret, struct fault *fault)
{
	static const struct key keys[] = {
		{ "hosts", read_hosts },
		{ "services", read_services },
		{ NULL, NULL },
	};
	struct config c = { .file = NULL };
	struct reader r = { .who = reader, .config = &c, .fault = fault };

	arena_init(&c.arena);
	c.file = arena_copy(&c.arena, reader->file, strlen(reader->file));
	const struct node *root = document_read(text, length, &c.arena, fault);

	if (root && reader_map(&r, root, keys, "the file", NULL) && check_services(&r)) {
		*ret = c;
		return 0;
	}
	arena_deinit(&c.arena);
	return -EINVAL;
}

void config_deinit(struct config *c)
{
	arena_deinit(&c->arena);
	*c = (struct config){ .file = NULL };
}
