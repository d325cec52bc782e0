/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * docs/control.schema.json: what a `vxhci serve` really answers and tells is as
 * it says, and nothing is left out of it. The keywords that it uses are
 * understood here, any other is a failure.
 */
#include "vfu_run.h"

#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SCHEMA "docs/control.schema.json"
#define WAIT_S 30

static json_t *schema;

/* Is @v as @s says? What is wrong is in @why. Members that @s lacks are wrong. */
static bool fits(const json_t *s, const json_t *v, char *why);

static bool wrong(char *why, const char *what, const json_t *v)
{
	char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

	snprintf(why, 300, "%s: %.200s", what, text ? text : "?");
	free(text);
	return false;
}

static bool type_is(const char *type, const json_t *v)
{
	static const struct {
		const char *name;
		json_type type;
	} types[] = {{"object", JSON_OBJECT},
		     {"array", JSON_ARRAY},
		     {"string", JSON_STRING},
		     {"integer", JSON_INTEGER},
		     {"null", JSON_NULL}};

	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(v);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, type) == 0)
			return json_typeof(v) == types[i].type;
	fail_msg("%s: no type", type);
	return false;
}

static bool check_type(const json_t *s, const json_t *v, char *why)
{
	json_t *one;
	size_t i;

	if (json_is_string(s))
		return type_is(json_string_value(s), v) ||
		       wrong(why, json_string_value(s), v);
	json_array_foreach(s, i, one)
	{
		if (type_is(json_string_value(one), v))
			return true;
	}
	return wrong(why, "type", v);
}

static bool check_ref(const json_t *s, const json_t *v, char *why)
{
	const char *to = json_string_value(s);
	const json_t *def;

	assert_memory_equal(to, "#/$defs/", 8);
	def = json_object_get(json_object_get(schema, "$defs"), to + 8);
	if (!def)
		fail_msg("%s: nothing there", to);
	return fits(def, v, why);
}

static bool check_properties(const json_t *s, const json_t *v, char *why)
{
	const char *key;
	json_t *val;

	json_object_foreach((json_t *)(uintptr_t)v, key, val)
	{
		const json_t *p = json_object_get(s, key);

		if (!p)
			return wrong(why, "is not in the document", v);
		if (!fits(p, val, why))
			return false;
	}
	return true;
}

static bool check_list(const char *word, const json_t *s, const json_t *v,
		       char *why)
{
	json_t *one;
	size_t i;

	if (strcmp(word, "items") == 0) {
		json_array_foreach(v, i, one)
		{
			if (!fits(s, one, why))
				return false;
		}
		return true;
	}
	json_array_foreach(s, i, one)
	{
		bool ok = strcmp(word, "enum") == 0 ? json_equal(one, v)
			  : strcmp(word, "anyOf") == 0
				  ? fits(one, v, why)
				  : json_object_get(
					    v, json_string_value(one)) != NULL;

		if (strcmp(word, "required") == 0 && !ok)
			return wrong(why, json_string_value(one), v);
		if (strcmp(word, "required") != 0 && ok)
			return true;
	}
	return strcmp(word, "required") == 0 || wrong(why, word, v);
}

static bool fits(const json_t *s, const json_t *v, char *why)
{
	const char *word;
	json_t *k;
	bool ok = true;

	json_object_foreach((json_t *)(uintptr_t)s, word, k)
	{
		if (!ok)
			return false;
		if (strcmp(word, "type") == 0)
			ok = check_type(k, v, why);
		else if (strcmp(word, "$ref") == 0)
			ok = check_ref(k, v, why);
		else if (strcmp(word, "properties") == 0)
			ok = !json_is_object(v) || check_properties(k, v, why);
		else if (strcmp(word, "minimum") == 0)
			ok = !json_is_integer(v) ||
			     json_integer_value(v) >= json_integer_value(k) ||
			     wrong(why, word, v);
		else if (strcmp(word, "maximum") == 0)
			ok = !json_is_integer(v) ||
			     json_integer_value(v) <= json_integer_value(k) ||
			     wrong(why, word, v);
		else if (strcmp(word, "enum") == 0 ||
			 strcmp(word, "anyOf") == 0 ||
			 strcmp(word, "items") == 0 ||
			 strcmp(word, "required") == 0)
			ok = check_list(word, k, v, why);
		else if (strcmp(word, "description") != 0)
			fail_msg("%s: not understood here", word);
	}
	return ok;
}

static bool is(const char *def, const json_t *v, char *why)
{
	const json_t *s =
		json_object_get(json_object_get(schema, "$defs"), def);

	if (!s)
		fail_msg("%s: not in " SCHEMA, def);
	return fits(s, v, why);
}

static void must_be(const char *def, const json_t *v)
{
	char why[300] = "";

	if (!is(def, v, why))
		fail_msg("%s: %s", def, why);
}

/* A client of a `vxhci serve` */
static FILE *in;
static int out = -1;
static unsigned events;
static json_t *seen; /* owned: the last device of each event */

static json_t *next(void)
{
	char *line = NULL;
	size_t size = 0;
	const char *name;
	json_t *msg;

	if (getline(&line, &size, in) <= 0)
		fail_msg("no answer");
	msg = json_loads(line, 0, NULL);
	assert_non_null(msg);
	free(line);
	must_be("message", msg);
	name = json_string_value(json_object_get(msg, "event"));
	if (name) {
		json_t *dev =
			json_object_get(json_object_get(msg, "data"), "device");

		events++;
		json_object_set_new(seen, name,
				    dev ? json_incref(dev) : json_null());
	}
	return msg;
}

/* Carry it out; what it returned is as the document has it under its name */
static json_t *call(const char *name, const char *args)
{
	json_t *msg, *ret;

	dprintf(out, "{\"execute\":\"%s\",\"arguments\":%s}\n", name, args);
	for (;;) {
		msg = next();
		ret = json_object_get(msg, "return");
		if (json_object_get(msg, "error"))
			fail_msg("%s: %s", name, json_dumps(msg, 0));
		if (ret)
			break;
		json_decref(msg);
	}
	must_be(name, ret);
	json_incref(ret);
	json_decref(msg);
	return ret;
}

/* Events may come before the answer to what led to them. */
static void wait_for(const char *event)
{
	while (!json_object_get(seen, event))
		json_decref(next());
}

/* Owned: the answer, an error */
static json_t *refused(const char *line)
{
	json_t *msg;

	dprintf(out, "%s\n", line);
	while (!json_object_get(msg = next(), "error"))
		json_decref(msg);
	must_be("error", msg);
	return msg;
}

/* One that failed leaves its slot with the answer, and not a little later. */
static void add_what_fails(const char *dir)
{
	char line[300];

	snprintf(line, sizeof(line),
		 "{\"execute\":\"controller-add\",\"arguments\":{\"slot\":"
		 "\"29,xhci,storage=%s/none\",\"socket\":\"%s/x\"}}",
		 dir, dir);
	for (unsigned i = 0; i < 100; i++) {
		json_t *msg = refused(line);

		assert_string_equal(
			json_string_value(json_object_get(
				json_object_get(msg, "error"), "class")),
			"NotFound");
		json_decref(msg);
	}
}

static void connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = WAIT_S};

	strcpy(sa.sun_path, path);
	out = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
		setsockopt(out, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(connect(out, (void *)&sa, sizeof(sa)), 0);
	in = fdopen(dup(out), "r");
	assert_non_null(in);
}

static void what_serve_answers_is_as_written(void **state)
{
	char dir[] = "/tmp/vxhci-schema-XXXXXX", text[1000], args[200];
	static const char *const names[] = {"list", "query-commands",
					    "query-version"};
	char why[300];
	struct run r;
	json_t *v;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text),
		 "serve --socket %s/v -s 30,xhci,zero,keyboard --control %s/c "
		 "--ready-fd 9",
		 dir, dir);
	run_start(&r, text, NULL, NULL);
	assert_true(run_is_ready(&r));
	snprintf(text, sizeof(text), "%s/c", dir);
	connect_to(text);
	json_decref(call("status", "{}"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_decref(call(names[i], "{}"));
	json_decref(call("attach", "{\"device\":\"zero,at=3\"}"));
	wait_for("DEVICE_ATTACHED");
	json_decref(call("attach", "{\"device\":\"bus=250,port=1\"}"));
	v = call("status", "{}");
	snprintf(args, sizeof(args), "{\"port\":3}");
	json_decref(call("detach", args));
	wait_for("DEVICE_DETACHED");
	must_be("device", json_object_get(seen, "DEVICE_DETACHED"));
	json_decref(call("input", "{\"events\":[{\"type\":\"key\",\"key\":"
				  "\"a\",\"down\":true}]}"));
	snprintf(args, sizeof(args),
		 "{\"slot\":\"31,xhci\",\"socket\":\"%s/w\"}", dir);
	json_decref(call("controller-add", args));
	json_decref(call("controller-remove", "{\"slot\":\"31\"}"));
	wait_for("CONTROLLER_REMOVED");
	add_what_fails(dir);
	json_decref(refused("{"));
	json_decref(refused("{\"execute\":\"fly\",\"id\":[1]}"));
	json_decref(refused("{\"execute\":\"detach\",\"arguments\":"
			    "{\"port\":7,\"slot\":\"30\"}}"));
	assert_true(events >= 4);

	/* the document is not such that it takes anything */
	json_object_set_new(v, "more", json_true());
	assert_false(is("status", v, why));
	json_object_del(v, "more");
	must_be("status", v);
	json_object_set_new(v, "pid", json_string("1"));
	assert_false(is("status", v, why));
	json_object_set_new(v, "pid", json_integer(0));
	assert_false(is("status", v, why));
	json_object_del(v, "pid");
	assert_false(is("status", v, why));
	json_decref(v);

	fclose(in);
	close(out);
	kill(r.pid, SIGTERM);
	assert_int_equal(run_end(&r), 0);
	rmdir(dir);
}

static void what_list_writes_is_as_written(void **state)
{
	json_t *v = json_load_file("fixtures/umockdev/list.json", 0, NULL);

	(void)state;
	assert_non_null(v);
	assert_true(json_array_size(v) > 3);
	must_be("list", v);
	json_decref(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_serve_answers_is_as_written),
		cmocka_unit_test(what_list_writes_is_as_written),
	};
	int failed;

	schema = json_load_file(SCHEMA, 0, NULL);
	seen = json_object();
	if (!schema || !seen)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(schema);
	json_decref(seen);
	return failed;
}
