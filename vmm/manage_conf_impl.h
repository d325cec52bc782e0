/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_conf_impl.h - between manage_conf.c (the file, VMs), manage_rules.c and
 * manage_match.c (what a rule asks of a device). Nobody else's business.
 */
#ifndef VMM_MANAGE_CONF_IMPL_H
#define VMM_MANAGE_CONF_IMPL_H

#include <jansson.h>

#include "vmm/manage_where.h"
#include "vmm/policy.h"

#define MAX_STEPS 4u

/* One reading of a file */
struct conf {
	const char *name, *text; /* borrowed */
	char *err;
	size_t errlen;
	struct where_step at[MAX_STEPS]; /* where we are */
	unsigned depth;
	bool strict; /* sockets, too: for a person who asks */
	struct policy p;
};

/* A member of an object: its name, its type, and what to do with it */
struct member {
	const char *name;
	json_type type; /* JSON_NULL: the function looks itself */
	int (*take)(struct conf *c, const json_t *v, void *to);
};

/* What is wrong with the value we are at. Returns -EINVAL. */
int conf_fail(struct conf *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* @v, a string, without control characters, to @to of @len bytes. 0 or -EINVAL */
int conf_text(struct conf *c, const json_t *v, char *to, size_t len,
	      const char *what);
/* @v, an integer, in its range. 0 or -EINVAL */
int conf_int(struct conf *c, const json_t *v, json_int_t min, json_int_t max,
	     const char *what, json_int_t *ret);
/* What follows is about member @key, or element @index where that is NULL. */
void conf_enter(struct conf *c, const char *key, size_t index);
/*
 * Every member of @obj by the row of @list that has its name, for @to; others
 * are wrong unless @lenient. 0 or -errno
 */
int conf_members(struct conf *c, const json_t *obj, const struct member *list,
		 bool lenient, void *to);
/* manage_rules.c: "rules". 0 or -errno */
int conf_rules(struct conf *c, json_t *rules);
/* One VM's name or an array of them, to rule->vm. 0 or -EINVAL */
int conf_give(struct conf *c, const json_t *v, struct policy_rule *rule);
/* All of the file, the caller's to free(); or NULL and -errno */
char *conf_read(const char *file, int *ret_err);
/* manage_manifest.c: "manifest", more rules. 0 or -errno */
int conf_manifest(struct conf *c, const json_t *obj);
/* manage_socket.c: "control" and "user" of a VM. 0 or -errno */
int conf_control(struct conf *c, const json_t *v, void *vm);
int conf_user(struct conf *c, const json_t *v, void *vm);
/* The members of "match", for a struct policy_match */
extern const struct member match_members[];

#endif
