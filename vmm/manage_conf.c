/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/manage_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/manage_conf_impl.h"

/* What is wrong with the value we are at. Returns -EINVAL. */
int conf_fail(struct conf *c, const char *fmt, ...)
{
	char what[400];
	int line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	where_find(c->text, c->at, c->depth, &line, &column);
	snprintf(c->err, c->errlen, "%s:%d:%d: %s", c->name, line, column,
		 what);
	return -EINVAL;
}

void conf_enter(struct conf *c, const char *key, size_t index)
{
	c->at[c->depth++] = (struct where_step){key, index};
}

static const char *type_text(json_type type)
{
	return type == JSON_STRING    ? "a string"
	       : type == JSON_INTEGER ? "an integer"
	       : type == JSON_TRUE    ? "true or false"
	       : type == JSON_OBJECT  ? "an object"
				      : "an array";
}

static bool type_fits(const json_t *v, json_type type)
{
	return type == JSON_NULL || json_typeof(v) == type ||
	       (type == JSON_TRUE && json_is_boolean(v));
}

int conf_members(struct conf *c, const json_t *obj, const struct member *list,
		 bool lenient, void *to)
{
	const struct member *m;
	const char *key;
	json_t *v;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		conf_enter(c, key, 0);
		for (m = list; m->name && strcmp(m->name, key) != 0; m++)
			;
		if (!m->name && lenient)
			r = 0;
		else if (!m->name)
			r = conf_fail(c,
				      "%.64s: unknown key: see "
				      "docs/manage.md",
				      key);
		else if (!type_fits(v, m->type))
			r = conf_fail(c, "%s: not %s: write one", key,
				      type_text(m->type));
		else
			r = m->take(c, v, to);
		if (r < 0)
			return r;
		c->depth--;
	}
	return 0;
}

int conf_text(struct conf *c, const json_t *v, char *to, size_t len,
	      const char *what)
{
	const char *s = json_string_value(v);

	if (!s[0] || strlen(s) >= len || strlen(s) != json_string_length(v))
		return conf_fail(c,
				 "%s: empty or too long: write 1 to %zu "
				 "bytes",
				 what, len - 1);
	for (const char *k = s; *k; k++)
		if ((unsigned char)*k < ' ' || *k == 0x7f)
			return conf_fail(c,
					 "%s: has a control character: "
					 "leave it out",
					 what);
	memcpy(to, s, strlen(s) + 1);
	return 0;
}

int conf_int(struct conf *c, const json_t *v, json_int_t min, json_int_t max,
	     const char *what, json_int_t *ret)
{
	*ret = json_integer_value(v);
	if (*ret >= min && *ret <= max)
		return 0;
	return conf_fail(c, "%s: out of range: write %lld to %lld", what,
			 (long long)min, (long long)max);
}

static int vm_slot(struct conf *c, const json_t *v, void *to)
{
	struct policy_vm *vm = to;

	return conf_text(c, v, vm->slot, sizeof(vm->slot), "slot");
}

static const struct member vm_members[] = {
	{"control", JSON_STRING, conf_control},
	{"slot", JSON_STRING, vm_slot},
	{"user", JSON_NULL, conf_user},
	{0},
};

static int take_vm(struct conf *c, const char *name, json_t *v)
{
	struct policy_vm *vm = &c->p.vms[c->p.nvms];
	int r;

	conf_enter(c, name, 0);
	if (!name[0] || strlen(name) >= sizeof(vm->name))
		return conf_fail(c,
				 "vms: a name of 1 to %zu bytes is needed: "
				 "choose another",
				 sizeof(vm->name) - 1);
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	if (!json_is_object(v))
		return conf_fail(c,
				 "%s: not an object: write {\"control\": "
				 "PATH}",
				 vm->name);
	r = conf_members(c, v, vm_members, false, vm);
	if (r < 0)
		return r;
	if (!vm->control[0])
		return conf_fail(c,
				 "%s: control is missing: name the socket of "
				 "its vxhci serve",
				 vm->name);
	for (unsigned i = 0; i < c->p.nvms; i++)
		if (strcmp(c->p.vms[i].control, vm->control) == 0 &&
		    strcmp(c->p.vms[i].slot, vm->slot) == 0)
			return conf_fail(c,
					 "%s: the same controller as %s: "
					 "give it its own",
					 vm->name, c->p.vms[i].name);
	c->p.nvms++;
	c->depth--;
	return 0;
}

static int take_vms(struct conf *c, json_t *vms)
{
	const char *name;
	json_t *v;
	int r;

	conf_enter(c, "vms", 0);
	if (!json_is_object(vms))
		return conf_fail(c, "vms: missing, or not an object: write "
				    "{\"NAME\": {\"control\": PATH}}");
	if (json_object_size(vms) > POLICY_MAX_VMS)
		return conf_fail(c, "vms: more than %u: leave some out",
				 POLICY_MAX_VMS);
	c->p.vms = calloc(json_object_size(vms) + 1, sizeof(*c->p.vms));
	if (!c->p.vms)
		return -ENOMEM;
	json_object_foreach(vms, name, v)
	{
		r = take_vm(c, name, v);
		if (r < 0)
			return r;
	}
	c->depth--;
	return 0;
}

/* Of the rules @nfile are the file's own. */
static int check_ties(struct conf *c, unsigned nfile)
{
	unsigned a = 0, b = 0;
	int r = policy_check(&c->p, &a, &b);

	if (r != -EEXIST)
		return r;
	conf_enter(c, b < nfile ? "rules" : "manifest", 0);
	conf_enter(c, NULL, b); /* leads nowhere in a manifest */
	return conf_fail(c,
			 "%s: one device may match this and %s, which wants "
			 "something else: give one of them a higher "
			 "priority",
			 c->p.rules[b].name, c->p.rules[a].name);
}

static int take_root(struct conf *c, json_t *root)
{
	const json_t *manifest = json_object_get(root, "manifest");
	const char *key;
	unsigned nfile;
	json_t *v;
	int r;

	if (!json_is_object(root))
		return conf_fail(c, "not an object: see docs/manage.md");
	json_object_foreach(root, key, v)
	{
		if (strcmp(key, "vms") == 0 || strcmp(key, "rules") == 0 ||
		    v == manifest)
			continue;
		conf_enter(c, key, 0);
		return conf_fail(c,
				 "%.64s: unknown key: write vms, rules and "
				 "manifest",
				 key);
	}
	r = take_vms(c, json_object_get(root, "vms"));
	if (r == 0 && (!manifest || json_object_get(root, "rules")))
		r = conf_rules(c, json_object_get(root, "rules"));
	nfile = c->p.nrules;
	if (r == 0 && manifest)
		r = conf_manifest(c, manifest);
	return r == 0 ? check_ties(c, nfile) : r;
}

/* An error is one line, whatever names are in it. */
static void one_line(char *err, size_t errlen)
{
	for (size_t i = 0; i < errlen && err[i]; i++)
		if ((unsigned char)err[i] < ' ' || err[i] == 0x7f)
			err[i] = '?';
}

static int parse(struct conf *c, struct policy *ret)
{
	json_error_t e;
	json_t *root = json_loads(c->text, JSON_REJECT_DUPLICATES, &e);
	int r = -EINVAL;

	if (!root) {
		snprintf(c->err, c->errlen, "%s:%d:%d: %s: correct the JSON",
			 c->name, e.line, e.column, e.text);
		one_line(c->err, c->errlen);
		return r;
	}
	r = take_root(c, root);
	json_decref(root);
	if (r == -ENOMEM)
		snprintf(c->err, c->errlen, "%s: out of memory: try again",
			 c->name);
	if (r < 0) {
		one_line(c->err, c->errlen);
		policy_free(&c->p);
	} else {
		*ret = c->p;
	}
	return r;
}

int conf_parse(const char *name, const char *text, char *err, size_t errlen,
	       struct policy *ret)
{
	struct conf c = {
		.name = name, .text = text, .err = err, .errlen = errlen};

	return parse(&c, ret);
}

char *conf_read(const char *file, int *ret_err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *buf = fd < 0 ? NULL : malloc(CONF_MAX_BYTES + 1);
	size_t len = 0;
	ssize_t n = 0;

	*ret_err = fd < 0 ? -errno : -ENOMEM;
	while (buf && len < CONF_MAX_BYTES &&
	       (n = read(fd, buf + len, CONF_MAX_BYTES - len)) > 0)
		len += (size_t)n;
	if (buf && (n < 0 || len == CONF_MAX_BYTES)) {
		*ret_err = n < 0 ? -errno : -EFBIG;
		free(buf);
		buf = NULL;
	}
	if (fd >= 0)
		close(fd);
	if (buf)
		buf[len] = '\0';
	return buf;
}

static int load(const char *file, bool strict, char *err, size_t errlen,
		struct policy *ret)
{
	struct conf c = {
		.name = file, .err = err, .errlen = errlen, .strict = strict};
	int r;
	char *text = conf_read(file, &r);

	if (!text) {
		snprintf(err, errlen,
			 "%s: cannot be read: %s: see whether it "
			 "is there",
			 file, strerror(-r));
		return r;
	}
	c.text = text;
	r = parse(&c, ret);
	free(text);
	return r;
}

int conf_load(const char *file, char *err, size_t errlen, struct policy *ret)
{
	return load(file, false, err, errlen, ret);
}

int conf_check(const char *file, char *err, size_t errlen, struct policy *ret)
{
	return load(file, true, err, errlen, ret);
}
