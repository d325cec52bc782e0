/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_landlock.c - which files can be opened: none; with physical devices
 * what sysfs and udev say about them, and the files that lock them; with
 * captures of several files, their folder; with a control socket those of
 * the sockets, to make more, and what --files names.
 */
#include "vmm/serve_walls.h"

#include <errno.h>

#if defined(__linux__) && __has_include(<linux/landlock.h>)

#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostusb/owner.h"

#define FS(x) LANDLOCK_ACCESS_FS_##x
#define READ_RIGHTS (FS(READ_FILE) | FS(READ_DIR))
#define FOLDER_RIGHTS \
	(READ_RIGHTS | FS(WRITE_FILE) | FS(MAKE_REG) | FS(REMOVE_FILE))

#define TRUNCATE_RIGHT (UINT64_C(1) << 14)
static const uint64_t folder_rights[] = {
	[FOLDER_SOCKETS] = FS(MAKE_SOCK) | FS(REMOVE_FILE),
	[FOLDER_FILES] =
		READ_RIGHTS | FS(WRITE_FILE) | FS(MAKE_SOCK) | FS(REMOVE_FILE),
	[FOLDER_CAPTURES] = FOLDER_RIGHTS | TRUNCATE_RIGHT,
};

/* Everything its version knows: what is not named later is forbidden. */
static uint64_t handled(long abi)
{
	uint64_t rights = (FS(MAKE_SYM) << 1) - 1;

	if (abi >= 2)
		rights |= UINT64_C(1) << 13; /* REFER */
	if (abi >= 3)
		rights |= TRUNCATE_RIGHT;
	return rights;
}

/* A path that is not there needs no rule. */
static int allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	int fd = open(path, O_PATH | O_CLOEXEC), err = 0;

	if (fd < 0)
		return 0;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		    &rule, 0) != 0)
		err = -errno;
	close(fd);
	return err;
}

static int allow_devices(int ruleset, uint64_t may)
{
	static const char *const hwdb[] = {"/etc/udev/hwdb.bin",
					   "/usr/lib/udev/hwdb.bin",
					   "/lib/udev/hwdb.bin"};
	char dir[PATH_MAX];
	/* their nodes are opened by the watcher, hostusb/watcher.h */
	int err = allow(ruleset, "/sys", READ_RIGHTS);

	if (!err)
		err = allow(ruleset, "/run/udev", READ_RIGHTS);
	/* the names of vendors and products, for `list` */
	for (size_t i = 0; !err && i < sizeof(hwdb) / sizeof(hwdb[0]); i++)
		err = allow(ruleset, hwdb[i], FS(READ_FILE));
	for (unsigned n = 0; !err && owner_folder(n, dir, sizeof(dir)) >= 0;
	     n++) {
		if (!dir[0])
			continue;
		if (mkdir(dir, 0755) != 0 && errno != EEXIST)
			continue;
		err = allow(ruleset, dir,
			    FOLDER_RIGHTS | (may & TRUNCATE_RIGHT));
	}
	return err;
}

int walls_ruleset(const struct walls_opts *o)
{
	struct landlock_ruleset_attr attr = {0};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION);
	int fd, err = 0;

	if (abi < 0)
		return -errno;
	attr.handled_access_fs = handled(abi);
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr,
			  sizeof(attr.handled_access_fs), 0);
	if (fd < 0)
		return -errno;
	if (o->devices)
		err = allow_devices(fd, attr.handled_access_fs);
	for (unsigned i = 0; !err && i < o->nfolders; i++)
		err = allow(fd, o->folders[i].path,
			    folder_rights[o->folders[i].may] &
				    attr.handled_access_fs);
	if (!err)
		return fd;
	close(fd);
	return err;
}

#else

int walls_ruleset(const struct walls_opts *o)
{
	(void)o;
	return -ENOSYS;
}

#endif
