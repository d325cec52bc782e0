/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostusb/discover.h"

#define NDIRS 4u
#define MAX_NAME 128u
#define MAX_TRIES 16u

struct owner_claim {
	int fd;              /* owned; holds the lock */
	char path[PATH_MAX]; /* of the file */
};

/* Folder @n of those where owners leave their files, or false */
static bool folder(unsigned n, char *buf, size_t len)
{
	const char *dir = getenv("RUNTIME_DIRECTORY");
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int k = -1;

	switch (n) {
	case 0: /* several are parted by colons */
		if (dir && dir[0] == '/')
			k = snprintf(buf, len, "%.*s", (int)strcspn(dir, ":"),
				     dir);
		break;
	case 1:
		k = snprintf(buf, len, "%s",
			     access("/run", X_OK) == 0 ? "/run/vxhci"
						       : "/var/run/vxhci");
		break;
	case 2:
		if (xdg && xdg[0] == '/')
			k = snprintf(buf, len, "%s/vxhci", xdg);
		break;
	default:
		k = snprintf(buf, len, "/tmp/vxhci-%lu",
			     (unsigned long)geteuid());
	}
	return k > 0 && (size_t)k < len;
}

int owner_folder(unsigned n, char *buf, size_t len)
{
	if (n >= NDIRS)
		return -ENOENT;
	if (!folder(n, buf, len))
		buf[0] = '\0';
	return 0;
}

/*
 * Open folder @dir. Nobody but root and us may make files there: a claim in a
 * folder of somebody else's says nothing.
 */
static int open_folder(const char *dir)
{
	struct stat st;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && (!st.st_uid || st.st_uid == geteuid()) &&
	    !(st.st_mode & S_IWOTH))
		return fd;
	close(fd);
	return -EPERM;
}

static void lock_name(const struct usb_info *i, char *buf, size_t len)
{
	char name[32];

	snprintf(buf, len, "usb-%s.lock", usb_path_name(i, name, sizeof(name)));
}

#ifdef F_OFD_SETLK
/* Locks of the open file, as flock's, but which can be asked for. */
static bool try_lock(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &l) == 0;
}

static bool is_locked(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}
#else
static bool try_lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		return errno == EWOULDBLOCK;
	flock(fd, LOCK_UN);
	return false;
}
#endif

static void read_owner(int fd, char *who, size_t wholen)
{
	char buf[MAX_NAME];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	if (!wholen)
		return;
	discover_text(who, wholen, buf, n > 0 ? (size_t)n : 0);
	if (!who[0])
		snprintf(who, wholen, "another program");
}

static int write_owner(int fd, const char *owner)
{
	char line[MAX_NAME];
	size_t len;

	snprintf(line, sizeof(line) - 1, "%s", owner);
	len = strlen(line);
	line[len++] = '\n';
	if (ftruncate(fd, 0) != 0)
		return -errno;
	return pwrite(fd, line, len, 0) == (ssize_t)len ? 0 : -EIO;
}

bool owner_find(const struct usb_info *i, char *who, size_t wholen)
{
	char dir[PATH_MAX], name[64];
	bool found = false;

	lock_name(i, name, sizeof(name));
	for (unsigned n = 0; n < NDIRS && !found; n++) {
		int at, fd;

		if (!folder(n, dir, sizeof(dir)))
			continue;
		at = open_folder(dir);
		if (at < 0)
			continue;
		fd = openat(at, name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		close(at);
		if (fd < 0)
			continue;
		found = is_locked(fd);
		if (found)
			read_owner(fd, who, wholen);
		close(fd);
	}
	return found;
}

/* Is @fd still what is at @path? Its last owner may just have removed it. */
static bool is_current(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Lock the file at @path. Returns its descriptor, -EBUSY or -errno. */
static int lock_file(const char *path, char *who, size_t wholen)
{
	for (unsigned n = 0; n < MAX_TRIES; n++) {
		int fd = open(path,
			      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				      O_NONBLOCK,
			      0644);

		if (fd < 0)
			return -errno;
		if (!try_lock(fd)) {
			int err = errno;

			if (err == EAGAIN || err == EACCES ||
			    err == EWOULDBLOCK) {
				read_owner(fd, who, wholen);
				err = EBUSY;
			}
			close(fd);
			return -err;
		}
		if (is_current(fd, path))
			return fd;
		close(fd);
	}
	return -EAGAIN;
}

/* Claim in folder @dir, which is made if it is not there */
static int claim_in(const char *dir, const char *name, const char *owner,
		    char *who, size_t wholen, struct owner_claim *c)
{
	int at, err;

	if (snprintf(c->path, sizeof(c->path), "%s/%s", dir, name) >=
	    (int)sizeof(c->path))
		return -ENAMETOOLONG;
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return -errno;
	at = open_folder(dir);
	if (at < 0)
		return at;
	close(at);
	c->fd = lock_file(c->path, who, wholen);
	if (c->fd < 0)
		return c->fd;
	err = write_owner(c->fd, owner);
	if (err) {
		unlink(c->path);
		close(c->fd);
	}
	return err;
}

int owner_claim(const struct usb_info *i, const char *owner, char *who,
		size_t wholen, struct owner_claim **ret)
{
	char dir[PATH_MAX], name[64];
	struct owner_claim *c;
	int err = -EACCES;

	if (owner_find(i, who, wholen))
		return -EBUSY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	lock_name(i, name, sizeof(name));
	for (unsigned n = 0; n < NDIRS; n++) {
		if (!folder(n, dir, sizeof(dir)))
			continue;
		err = claim_in(dir, name, owner, who, wholen, c);
		if (!err) {
			*ret = c;
			return 0;
		}
		if (err == -EBUSY)
			break;
	}
	free(c);
	return err;
}

void owner_release(struct owner_claim *c)
{
	if (!c)
		return;
	if (is_current(c->fd, c->path))
		unlink(c->path);
	close(c->fd);
	free(c);
}
