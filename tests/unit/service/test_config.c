/* Files of services: what they come to, and each thing that can be wrong with one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "service/config.h"

#include "cmocka_all.h"

static const struct config_reader reader = {
	.file = "reeve.yaml",
	.directory = "/srv/net",
	.home = "/somewhere/alice",
	.user = "alice",
	.uid = 1234,
};

static void read_good(const char *text, struct config *ret)
{
	struct fault fault;

	if (config_read(&reader, text, strlen(text), ret, &fault) < 0)
		fail_msg("%u:%u: %s", fault.place.line, fault.place.column, fault.text);
}

static void test_hosts(void **state)
{
	struct config c;

	(void)state;
	read_good("hosts:\n"
		  "  web: {ip: 198.18.0.7, well-known: granted}\n"
		  "  far: {impair: {loss: 5%, delay: 20.5ms, rate: 1mbit, down: true}}\n"
		  "  client:\n",
		  &c);
	const struct config_host *h = c.hosts;

	assert_int_equal(c.host_count, 3);
	assert_string_equal(h->name, "web");
	assert_string_equal(h->ip, "198.18.0.7");
	assert_string_equal(h->well_known, "granted");
	assert_false(h->is_impaired);
	h = h->next;
	assert_true(h->is_impaired);
	assert_true(h->impairment.loss == 0.05);
	assert_true(h->impairment.delay_ms == 20.5);
	assert_int_equal(h->impairment.rate, 1000000);
	assert_int_equal(h->impairment.seed, 1);
	assert_true(h->impairment.down);
	assert_string_equal(h->next->name, "client");
	assert_null(h->next->ip);
	assert_null(h->next->next);
	config_deinit(&c);
}

static void test_nothing(void **state)
{
	struct config c;

	(void)state;
	read_good("hosts:\nservices:\n  # web: {run: x}\n", &c);
	assert_int_equal(c.host_count, 0);
	assert_int_equal(c.service_count, 0);
	config_deinit(&c);
}

static void test_defaults(void **state)
{
	struct config c;

	(void)state;
	read_good("services: {a: {run: x}}", &c);
	const struct config_service *s = config_find_service(&c, "a");

	assert_non_null(s);
	assert_string_equal(s->host, "local");
	assert_non_null(config_find_host(&c, "local"));
	assert_int_equal(s->start, START_AT_ONCE);
	assert_string_equal(s->directory, "/srv/net");
	assert_int_equal(s->restart, RESTART_ON_FAILURE);
	assert_int_equal(s->restart_delay_ms, 100);
	assert_int_equal(s->rate, 256);
	assert_int_equal(s->grace_ms, 5000);
	assert_null(s->log);
	assert_null(s->environment[0]);
	assert_null(config_find_service(&c, "b"));
	config_deinit(&c);
	read_good("", &c);
	assert_null(c.services);
	config_deinit(&c);
}

static void test_service(void **state)
{
	struct config c;

	(void)state;
	read_good("services:\n"
		  "  web:\n"
		  "    host: www\n"
		  "    run: [nginx, -g, daemon off;]\n"
		  "    start: listening\n"
		  "    ports: [http, 8080, domain/udp, \"198.18.0.5:https\", "
		  "\"[2001:db8::1]:443/tcp\"]\n"
		  "    allow-port: 20,500-510\n"
		  "    environment: {A: b, EMPTY: ''}\n"
		  "    directory: ~/web\n"
		  "    user: alice\n"
		  "    restart: always\n"
		  "    restart-delay: 2s\n"
		  "    restart-limit: 3\n"
		  "    rate: 10\n"
		  "    grace: 1500ms\n"
		  "    log: logs/web.log\n"
		  "    log-size: 64\n",
		  &c);
	const struct config_service *s = c.services;

	assert_string_equal(s->run[2], "daemon off;");
	assert_null(s->run[3]);
	assert_int_equal(s->port_count, 5);
	assert_int_equal(s->ports[0].port, 80);
	assert_false(s->ports[0].is_udp);
	assert_string_equal(s->ports[0].label, "http");
	assert_int_equal(s->ports[0].place.line, 6);
	assert_int_equal(s->ports[0].place.column, 13);
	assert_int_equal(s->ports[1].port, 8080);
	assert_int_equal(s->ports[2].port, 53);
	assert_true(s->ports[2].is_udp);
	assert_int_equal(s->ports[3].port, 443);
	assert_true(s->ports[3].has_address);
	assert_string_equal(s->ports[3].label, "https");
	assert_true(s->ports[4].has_address);
	assert_true(port_grant_covers(&s->grant, 505));
	assert_string_equal(s->environment[1], "EMPTY=");
	assert_string_equal(s->directory, "/somewhere/alice/web");
	assert_int_equal(s->restart, RESTART_ALWAYS);
	assert_int_equal(s->restart_delay_ms, 2000);
	assert_int_equal(s->grace_ms, 1500);
	assert_string_equal(s->log, "/srv/net/logs/web.log");
	assert_int_equal(s->log_bytes, 65536);
	config_deinit(&c);
}

static void test_words(void **state)
{
	static const struct {
		const char *run;
		const char *words[6];
	} cases[] = {
		{ "a", { "a" } },
		{ "  a\t b\n c ", { "a", "b", "c" } },
		{ "nginx -g 'daemon off;'", { "nginx", "-g", "daemon off;" } },
		{ "sh -c \"echo \\\"x\\\" \\\\ \\n $HOME\"",
		  { "sh", "-c", "echo \"x\" \\ \\n $HOME" } },
		{ "a '' \"\" b", { "a", "", "", "b" } },
		{ "a\\ b c\\'d e\\", { "a b", "c'd", "e\\" } },
		{ "a'b c'd\"e f\"", { "ab cde f" } },
		{ "a#b 'c\\'", { "a#b", "c\\" } },
	};

	(void)state;
	for (size_t i = 0; i < array_length(cases); i++) {
		struct config c;
		char text[256], *out = text + sprintf(text, "services: {a: {run: '");

		for (const char *in = cases[i].run; *in; in++) {
			*out++ = *in;
			if (*in == '\'')
				*out++ = '\'';
			/* A line of YAML folds; a second newline keeps one. */
			if (*in == '\n')
				*out++ = '\n';
		}
		memcpy(out, "'}}", sizeof("'}}"));
		read_good(text, &c);
		size_t n = 0;

		for (; c.services->run[n]; n++)
			assert_string_equal(c.services->run[n], cases[i].words[n]);
		assert_null(cases[i].words[n]);
		config_deinit(&c);
	}
}

static void test_environment_file(void **state)
{
	char path[] = "/tmp/reeve-test-XXXXXX", text[256];
	const int fd = mkstemp(path);
	struct config c;
	static const char content[] =
		"# comment\n\nA=file\r\n  B=\"two words\"\nC='x\nD==\nB=again";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, sizeof(content) - 1), sizeof(content) - 1);
	close(fd);
	snprintf(text, sizeof(text),
		 "services: {a: {run: x, environment: {A: own}, environment-file: %s}}", path);
	read_good(text, &c);
	char **e = c.services->environment;

	assert_string_equal(e[0], "A=file");
	assert_string_equal(e[1], "B=again");
	assert_string_equal(e[2], "C='x");
	assert_string_equal(e[3], "D==");
	assert_string_equal(e[4], "A=own"); /* the later of two is what counts */
	assert_null(e[5]);
	config_deinit(&c);
	unlink(path);
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *says;
} faults[] = {
	{ "[]", 1, 1, "the file is a map, not a list" },
	{ "web: {}", 1, 1, "the file has no 'web'; it has hosts, services" },
	{ "host: {}", 1, 1, "the file has no 'host'; did you mean 'hosts'?" },
	{ "hosts: [a]", 1, 8, "'hosts' is a map of hosts by name, not a list" },
	{ "hosts: {a: b}", 1, 12, "a host is a map, not a single value" },
	{ "hosts: {a: {ip: x}}", 1, 17, "'ip' takes an address, not 'x'" },
	{ "hosts: {a: {ip: [x]}}", 1, 17, "'ip' takes a single value, not a list" },
	{ "hosts: {a: {address: x}}", 1, 13,
	  "a host has no 'address'; it has ip, well-known, impair" },
	{ "hosts: {a: {well-known: grant}}", 1, 25,
	  "'well-known' has no 'grant'; did you mean 'granted'?" },
	{ "hosts: {a: {impair: {loss: 101%}}}", 1, 28,
	  "'loss' takes a percentage such as 5%, or a number from 0 to 1, not '101%'" },
	{ "hosts: {a: {impair: {delay: 2h}}}", 1, 29,
	  "'delay' takes a time such as 20ms, 1.5s or 300us, not '2h'" },
	{ "hosts: {a: {impair: {down: yes}}}", 1, 28, "'down' takes false or true, not 'yes'" },
	{ "hosts: {-a: }", 1, 9,
	  "'-a' cannot be the name of a host: up to 63 letters, digits and '-', at least one "
	  "letter, no '-' at the ends" },
	{ "services: {../a: }", 1, 12,
	  "'../a' cannot be the name of a service: up to 63 letters, digits and '-', at least "
	  "one letter, no '-' at the ends" },
	{ "services: {a: {}}", 1, 12, "service 'a' has no 'run': which program?" },
	{ "services: {a: {run: ''}}", 1, 21, "'run' is empty" },
	{ "services: {a: {run: ' '}}", 1, 21, "'run' names no program" },
	{ "services: {a: {run: []}}", 1, 21, "'run' names no program" },
	{ "services: {a: {run: [[x]]}}", 1, 22, "a word of a command is a text, not a list" },
	{ "services: {a: {run: {x: y}}}", 1, 21, "'run' takes a command, not a map" },
	{ "services: {a: {run: \"x 'y\"}}", 1, 21, "a quote is not closed in 'x 'y'" },
	{ "services:\n  a:\n    run: x\n    start: no-wait\n", 4, 12,
	  "'start' has no 'no-wait'; did you mean 'nowait'?" },
	{ "services: {a: {run: x, start: soon}}", 1, 31,
	  "'start' takes at-once, listening, on-demand, wait or nowait, not 'soon'" },
	{ "services: {a: {run: x, start: nowait}}", 1, 31, "'start: nowait' needs 'ports'" },
	{ "services: {a: {run: x, ports: {}}}", 1, 31, "'ports' is a list, not a map" },
	{ "services: {a: {run: x, ports: htpp}}", 1, 31,
	  "IANA knows no service 'htpp'; did you mean 'http'?" },
	{ "services: {a: {run: x, ports: qqqqqqqqq}}", 1, 31,
	  "'qqqqqqqqq' is neither a port from 1 to 65535 nor a service that IANA knows; 'reeve "
	  "services' finds them" },
	{ "services: {a: {run: x, ports: [80, 0]}}", 1, 36, "a port is 1 to 65535, not '0'" },
	{ "services: {a: {run: x, ports: 65536}}", 1, 31, "a port is 1 to 65535, not '65536'" },
	{ "services: {a: {run: x, ports: 80/sctp}}", 1, 31,
	  "a protocol is tcp or udp, not 'sctp'" },
	{ "services: {a: {run: x, ports: 'x:80'}}", 1, 31,
	  "'x' is no address; a port is [ADDRESS:]PORT[/PROTOCOL]" },
	{ "services: {a: {run: x, ports: '2001:db8::1:80'}}", 1, 31,
	  "'2001:db8::1': an IPv6 address before a port stands in brackets, \"[2001:db8::1]:80\"" },
	{ "services: {a: {run: x, host: 'b c'}}", 1, 30,
	  "'b c' cannot be the name of a host: up to 63 letters, digits and '-', at least one "
	  "letter, no '-' at the ends" },
	{ "services: {a: {run: x, ports: whois}}", 1, 31,
	  "'whois' is nicname (43) and whoispp (63): which?" },
	{ "services: {a: {run: x, ports: whoispp/udp, user: bob}}", 1, 50,
	  "services run as you, 'alice', and as nobody else; let 'bob' call 'reeve up'" },
	{ "services: {a: {run: x, ports: [80, http]}}", 1, 36,
	  "port http of 'a' is that of 'a' in line 1" },
	{ "services:\n  a: {run: x, ports: 80}\n  b: {run: x, ports: '198.18.0.5:http'}\n", 3, 22,
	  "port 198.18.0.5:http of 'b' is that of 'a' in line 2" },
	{ "services: {a: {run: x, ports: [1, 2], start: wait}}", 1, 35,
	  "with 'start: wait' there is one port; 'on-demand' takes more" },
	{ "services: {a: {run: x, ports: tftp/udp, start: nowait}}", 1, 31,
	  "UDP has no connections to give away one by one: 'start: wait'" },
	{ "services: {a: {run: x, instances: 2}}", 1, 35,
	  "'instances' goes with 'start: nowait'; this is one program" },
	{ "services: {a: {run: x, ports: 79, start: nowait, restart: always}}", 1, 59,
	  "with 'start: nowait' whoever comes starts the program again; 'restart' goes with "
	  "at-once and listening" },
	{ "services: {a: {run: x, restart-delay: 1ms}}", 1, 39,
	  "'restart-delay' takes 10ms to an hour, not '1ms'" },
	{ "services: {a: {run: x, rate: 0}}", 1, 30, "'rate' takes 1 to 1000000, not '0'" },
	{ "services: {a: {run: x, allow-port: 80-}}", 1, 36,
	  "'allow-port' takes up to 64 ranges of ports such as 80,443,8000-8100, not '80-'" },
	{ "services: {a: {run: x, environment: {1A: b}}}", 1, 38,
	  "'1A' cannot be a variable's name" },
	{ "services: {a: {run: x, environment: {A: [b]}}}", 1, 41,
	  "a variable's value is a text, not a list" },
	{ "services: {a: {run: x, environment: b}}", 1, 37,
	  "'environment' is a map of variables, not a single value" },
	{ "services: {a: {run: x, environment-file: nowhere}}", 1, 42,
	  "nowhere: No such file or directory" },
	{ "services: {a: {run: x, environment-file: /dev/null}}", 1, 42,
	  "/dev/null: it is not a file" },
	{ "services: {a: {run: x, environment-file: [/proc/self/stat]}}", 1, 43,
	  "/proc/self/stat:1: this is not NAME=value" },
};

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_length(faults); i++) {
		struct config c;
		struct fault fault = { .text = "nothing" };

		if (config_read(&reader, faults[i].text, strlen(faults[i].text), &c, &fault) == 0)
			fail_msg("accepted: %s", faults[i].text);
		assert_string_equal(fault.text, faults[i].says);
		assert_int_equal(fault.place.line, faults[i].line);
		assert_int_equal(fault.place.column, faults[i].column);
	}
}

static void test_same_program(void **state)
{
	static const char *const others[] = {
		"{a: {run: [x, z], ports: 80}}",
		"{a: {run: [x], ports: 80}}",
		"{a: {run: [x, y], ports: 81}}",
		"{a: {run: [x, y], ports: 80/udp}}",
		"{a: {run: [x, y], ports: [80, 81]}}",
		"{a: {run: [x, y], ports: http}}",
		"{a: {run: [x, y], ports: '198.18.0.4:80'}}",
		"{a: {run: [x, y], ports: '[::]:80'}}",
		"{a: {run: [x, y], ports: 80, start: listening}}",
		"{a: {run: [x, y], ports: 80, environment: {A: b}}}",
		"{a: {run: [x, y], ports: 80, directory: /}}",
		"{a: {run: [x, y], ports: 80, host: b}}",
	};
	struct config c, same;

	(void)state;
	read_good("services: {a: {run: [x, y], ports: 80}}", &c);
	read_good("services: {a: {run: x y, ports: 80, rate: 1, restart: no, log: l}}", &same);
	assert_true(config_is_same_program(c.services, same.services));
	config_deinit(&same);
	for (size_t i = 0; i < array_length(others); i++) {
		struct config other;
		char text[256];

		snprintf(text, sizeof(text), "services: %s", others[i]);
		read_good(text, &other);
		assert_false(config_is_same_program(c.services, other.services));
		config_deinit(&other);
	}
	config_deinit(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),    cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_service),
		cmocka_unit_test(test_words),    cmocka_unit_test(test_environment_file),
		cmocka_unit_test(test_faults),   cmocka_unit_test(test_same_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
