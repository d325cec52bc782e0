/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_socket.c - a VM in the file of `vxhci manage`: its socket, and whose
 * process has to be behind it.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/manage_conf_impl.h"

/* What can never be a VM's socket; that it is not there yet is no mistake. */
static int look_at(struct conf *c, const char *path)
{
	char dir[sizeof(((struct policy_vm *)0)->control)];
	struct stat st;
	int err = stat(path, &st) < 0 ? errno : 0;

	if (err == 0 && !S_ISSOCK(st.st_mode))
		return conf_fail(c,
				 "control: %s: not a socket: name that of the "
				 "VM's vxhci serve",
				 path);
	if (err == ENOTDIR || err == EACCES || err == ELOOP)
		return conf_fail(c, "control: %s: %s: no VM can be there", path,
				 strerror(err));
	if (err == 0 || !c->strict)
		return 0;
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	if (dir[0] && stat(dir, &st) < 0)
		return conf_fail(c, "control: %s: %s: make that folder", dir,
				 strerror(errno));
	return 0;
}

int conf_control(struct conf *c, const json_t *v, void *to)
{
	struct policy_vm *vm = to;
	int r;

	if (json_string_value(v)[0] != '/')
		return conf_fail(c, "control: no absolute path: begin it with "
				    "/");
	r = conf_text(c, v, vm->control, sizeof(vm->control), "control");
	return r == 0 ? look_at(c, vm->control) : r;
}

int conf_user(struct conf *c, const json_t *v, void *to)
{
	const char *name = json_string_value(v);
	struct policy_vm *vm = to;
	struct passwd *pw;
	char *end;
	unsigned long n;

	vm->has_user = true;
	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_integer_value(v) < UINT32_MAX) {
		vm->uid = (uid_t)json_integer_value(v);
		return 0;
	}
	if (!name || !name[0])
		return conf_fail(c, "user: neither a name nor a number: write "
				    "one");
	pw = getpwnam(name);
	if (pw) {
		vm->uid = pw->pw_uid;
		return 0;
	}
	n = strtoul(name, &end, 10);
	if (name[0] < '0' || name[0] > '9' || *end || n >= UINT32_MAX)
		return conf_fail(c, "user: %.64s: no such user: see passwd(5)",
				 name);
	vm->uid = (uid_t)n;
	return 0;
}
