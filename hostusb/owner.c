/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/owner.h"

#include <dirent.h>
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
#define SYSTEM_DIR 1u  /* of those: root made it, whosever it is */
#define SHARED_DIRS 2u /* the first ones: folders of users are in them */
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
 * Open folder @name of @at. Nobody but root, us and user @uid may make files
 * there: a claim in a folder of anybody else's says nothing.
 */
static int open_folder(int at, const char *name, uid_t uid)
{
	struct stat st;
	int fd = openat(at, name,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 &&
	    (!st.st_uid || st.st_uid == geteuid() || st.st_uid == uid) &&
	    !(st.st_mode & S_IWOTH))
		return fd;
	close(fd);
	return -EPERM;
}

/* Open the @n-th folder. Where only root can make it root knows whose it is. */
static int open_base(unsigned n, const char *dir)
{
	struct stat st;
	uid_t uid = geteuid();

	if (n == SYSTEM_DIR && lstat(dir, &st) == 0)
		uid = st.st_uid;
	return open_folder(AT_FDCWD, dir, uid);
}

/* "1000": the folder of that user, or false */
static bool is_user(const char *name, uid_t *ret_uid)
{
	unsigned long n;
	char *end;

	if (name[0] < '0' || name[0] > '9')
		return false;
	n = strtoul(name, &end, 10);
	*ret_uid = (uid_t)n;
	return !*end && *ret_uid == n;
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

static bool same_file(int fd, const struct stat *st)
{
	struct stat s;

	return st && fstat(fd, &s) == 0 && s.st_dev == st->st_dev &&
	       s.st_ino == st->st_ino;
}

/* Is file @name of folder @at locked? @mine, if not NULL, does not count. */
static bool find_at(int at, const char *name, const struct stat *mine,
		    char *who, size_t wholen)
{
	int fd = openat(at, name,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool found;

	if (fd < 0)
		return false;
	found = !same_file(fd, mine) && is_locked(fd);
	if (found)
		read_owner(fd, who, wholen);
	close(fd);
	return found;
}

/* The same in the folders of users in @at, which is closed */
static bool find_below(int at, const char *name, const struct stat *mine,
		       char *who, size_t wholen)
{
	DIR *d = fdopendir(at);
	bool found = false;
	struct dirent *e;
	uid_t uid;

	if (!d) {
		close(at);
		return false;
	}
	while (!found && (e = readdir(d))) {
		int fd;

		if (!is_user(e->d_name, &uid))
			continue;
		fd = open_folder(at, e->d_name, uid);
		if (fd < 0)
			continue;
		found = find_at(fd, name, mine, who, wholen);
		close(fd);
	}
	closedir(d);
	return found;
}

static bool find_other(const struct usb_info *i, const struct stat *mine,
		       char *who, size_t wholen)
{
	char dir[PATH_MAX], name[64];
	bool found = false;

	lock_name(i, name, sizeof(name));
	for (unsigned n = 0; n < NDIRS && !found; n++) {
		int at;

		if (!folder(n, dir, sizeof(dir)))
			continue;
		at = open_base(n, dir);
		if (at < 0)
			continue;
		found = find_at(at, name, mine, who, wholen);
		if (!found && n < SHARED_DIRS)
			found = find_below(at, name, mine, who, wholen);
		else
			close(at);
	}
	return found;
}

bool owner_find(const struct usb_info *i, char *who, size_t wholen)
{
	return find_other(i, NULL, who, wholen);
}

/*
 * Is @fd still what is at @path, and there only? Its last owner may just have
 * removed it; who has the folder may have put another file there.
 */
static bool is_current(int fd, const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_nlink == 1 && same_file(fd, &st);
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

/* Claim in folder @dir */
static int claim_in(const char *dir, const char *name, const char *owner,
		    char *who, size_t wholen, struct owner_claim *c)
{
	int err;

	if (snprintf(c->path, sizeof(c->path), "%s/%s", dir, name) >=
	    (int)sizeof(c->path))
		return -ENAMETOOLONG;
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

/* Claim in the @n-th folder, which is made, or in our own in it. */
static int claim_nth(unsigned n, const char *name, const char *owner, char *who,
		     size_t wholen, struct owner_claim *c)
{
	char dir[PATH_MAX], own[PATH_MAX + 16];
	int at, err;

	if (!folder(n, dir, sizeof(dir)))
		return -ENOENT;
	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return -errno;
	at = open_base(n, dir);
	if (at < 0)
		return at;
	close(at);
	err = claim_in(dir, name, owner, who, wholen, c);
	if (!err || err == -EBUSY || n >= SHARED_DIRS)
		return err;
	snprintf(own, sizeof(own), "%s/%lu", dir, (unsigned long)geteuid());
	at = open_folder(AT_FDCWD, own, geteuid());
	if (at < 0)
		return err;
	close(at);
	return claim_in(own, name, owner, who, wholen, c);
}

int owner_claim(const struct usb_info *i, const char *owner, char *who,
		size_t wholen, struct owner_claim **ret)
{
	struct owner_claim *c;
	int err = -EACCES, e;
	struct stat mine;
	char name[64];

	if (owner_find(i, who, wholen))
		return -EBUSY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	lock_name(i, name, sizeof(name));
	for (unsigned n = 0; n < NDIRS && err && err != -EBUSY; n++) {
		e = claim_nth(n, name, owner, who, wholen, c);
		err = e == -ENOENT ? err : e;
	}
	if (err) {
		free(c);
		return err;
	}
	/* who did the same in another folder meanwhile sees this, or is seen */
	if (fstat(c->fd, &mine) == 0 && find_other(i, &mine, who, wholen)) {
		owner_release(c);
		return -EBUSY;
	}
	*ret = c;
	return 0;
}

int owner_user_folder(uid_t uid, gid_t gid)
{
	char dir[PATH_MAX], own[PATH_MAX + 16];
	int at, fd, err = 0;

	for (unsigned n = 0; n < SHARED_DIRS; n++) {
		if (!folder(n, dir, sizeof(dir)))
			continue;
		if (mkdir(dir, 0755) != 0 && errno != EEXIST)
			return -errno;
		at = open_base(n, dir);
		if (at < 0)
			return at;
		snprintf(own, sizeof(own), "%lu", (unsigned long)uid);
		if (mkdirat(at, own, 0755) != 0 && errno != EEXIST)
			err = -errno;
		fd = err ? -1 : open_folder(at, own, uid);
		if (fd >= 0) {
			err = fchown(fd, uid, gid) == 0 ? 0 : -errno;
			close(fd);
		} else if (!err) {
			err = fd;
		}
		close(at);
		return err;
	}
	return -ENOENT;
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
