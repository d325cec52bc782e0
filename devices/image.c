/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.c - opening a raw disk image: what can be wrong with it, its size, and
 * the lock that keeps a second writer away.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/image.h"

/* One line for people, after the path; 0 ends the table. */
static const struct open_error {
	int error;
	const char *text;
} open_errors[] = {
	{ENOENT, "no such file: check the path, or make one with"
		 " 'truncate -s 1G FILE'"},
	{ENOTDIR, "no such file: check the path"},
	{EISDIR, "is a directory: name a raw image file"},
	{EROFS, "is on a read-only file system: add readonly"},
	{ETXTBSY, "is being executed: add readonly"},
	{EMFILE, "too many open files: raise the limit (ulimit -n)"},
	{0, NULL},
};

static void explain_open(const char *path, bool readonly, int error, char *err,
			 size_t errlen)
{
	const struct open_error *e = open_errors;

	while (e->error != 0 && e->error != error)
		e++;
	if (e->error != 0)
		snprintf(err, errlen, "%s: %s", path, e->text);
	else if ((error == EACCES || error == EPERM) && readonly)
		snprintf(err, errlen,
			 "%s: not readable for this user: give it access",
			 path);
	else if (error == EACCES || error == EPERM)
		snprintf(err, errlen,
			 "%s: not readable and writable for this user:"
			 " give it access, or add readonly",
			 path);
	else
		snprintf(err, errlen, "%s: %s: check the file", path,
			 strerror(error));
}

/*
 * An open file description lock: it belongs to this open of the file, conflicts
 * with those that QEMU takes, and ends with the process. File systems without
 * locks are used without.
 */
static int lock_image(int fd, bool readonly)
{
	int rc;
#ifdef F_OFD_SETLK
	struct flock fl = {
		.l_type = readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	rc = fcntl(fd, F_OFD_SETLK, &fl);
#else
	rc = flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB);
#endif
	if (rc == 0 || (errno != EAGAIN && errno != EACCES))
		return 0;
	return -EBUSY;
}

/* KEEP_SIZE and behind the end of the file: nothing changes. */
static bool probe_discard(const struct image *img, off_t size)
{
#ifdef FALLOC_FL_PUNCH_HOLE
	return !img->readonly &&
	       fallocate(img->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 size, IMAGE_BLOCK) == 0;
#else
	(void)img;
	(void)size;
	return false;
#endif
}

static int check_image(struct image *img, const char *path, char *err,
		       size_t errlen)
{
	struct stat st;
	off_t size;

	if (fstat(img->fd, &st) != 0) {
		int error = errno;

		explain_open(path, img->readonly, error, err, errlen);
		return -error;
	}
	if (S_ISDIR(st.st_mode)) {
		explain_open(path, img->readonly, EISDIR, err, errlen);
		return -EISDIR;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		snprintf(err, errlen,
			 "%s: is neither a file nor a block device:"
			 " name a raw image file",
			 path);
		return -EINVAL;
	}
	size = S_ISREG(st.st_mode) ? st.st_size : lseek(img->fd, 0, SEEK_END);
	if (size < (off_t)IMAGE_BLOCK) {
		snprintf(err, errlen,
			 "%s: %s: give it a size, as 'truncate -s 1G FILE'"
			 " does",
			 path,
			 size <= 0 ? "is empty"
				   : "is smaller than one 512-byte block");
		return -EINVAL;
	}
	img->blocks = (uint64_t)size / IMAGE_BLOCK;
	img->tail = (uint32_t)((uint64_t)size % IMAGE_BLOCK);
	if (lock_image(img->fd, img->readonly) != 0) {
		snprintf(err, errlen, "%s: is in use by another process: %s",
			 path,
			 img->readonly
				 ? "end the one that writes it"
				 : "end that one, or add readonly to both");
		return -EBUSY;
	}
	img->can_discard = S_ISREG(st.st_mode) && probe_discard(img, size);
	return 0;
}

/* "/dev/fd/N": what is open already, whatever this process may open now */
static int open_again(const char *number, bool readonly)
{
	char *end;
	long n = strtol(number, &end, 10);
	int flags = -1;

	if (end != number && !*end && n >= 0 && n <= INT_MAX)
		flags = fcntl((int)n, F_GETFL);
	if (flags < 0)
		errno = ENOENT;
	else if ((flags & O_ACCMODE) == O_WRONLY ||
		 (!readonly && (flags & O_ACCMODE) != O_RDWR))
		errno = EACCES;
	else
		return fcntl((int)n, F_DUPFD_CLOEXEC, 0);
	return -1;
}

static int open_path(const char *path, bool readonly)
{
	/* O_NONBLOCK: opening a FIFO or a tape must not wait */
	int flags = O_CLOEXEC | O_NONBLOCK | (readonly ? O_RDONLY : O_RDWR);

	if (strncmp(path, "/dev/fd/", 8) == 0)
		return open_again(path + 8, readonly);
	return open(path, flags);
}

int image_open(const char *path, bool readonly, struct image *ret_img,
	       char *err, size_t errlen)
{
	struct image img = {.readonly = readonly,
			    .nowait_read = true,
			    .nowait_write = true};
	int rc;

	img.fd = open_path(path, readonly);
	if (img.fd < 0) {
		rc = -errno;
		explain_open(path, readonly, -rc, err, errlen);
		return rc;
	}
	rc = check_image(&img, path, err, errlen);
	if (rc != 0) {
		close(img.fd);
		return rc;
	}
	*ret_img = img;
	return 0;
}

/* Whoever handed a descriptor over may have it open still. */
static void unlock_image(int fd)
{
#ifdef F_OFD_SETLK
	struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	fcntl(fd, F_OFD_SETLK, &fl);
#else
	flock(fd, LOCK_UN);
#endif
}

void image_close(struct image *img)
{
	unlock_image(img->fd);
	close(img->fd);
	img->fd = -1;
}
