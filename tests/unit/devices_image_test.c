/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening an image: what can be wrong with it and how people are told, its
 * size, its lock, the identity a guest sees; and the device it becomes.
 */
#include "devices_storage_fake.h"

#include <sys/stat.h>
#include <sys/wait.h>

/* Open @path as a disk; 0 or -errno, and the line in @err. */
static int try_open(const char *path, bool readonly, struct usb_dev **ret,
		    char *err)
{
	struct usb_dev *dev = (struct usb_dev *)&fake; /* must stay */
	int rc;

	err[0] = 0;
	rc = storage_open(path, readonly, USB_SPEED_HIGH, &dev, err, 256);
	if (rc != 0) {
		assert_ptr_equal(dev, &fake);
		assert_memory_equal(err, path, strlen(path)); /* SUBJECT: ... */
		assert_null(strchr(err, '\n'));
		return rc;
	}
	if (ret)
		*ret = dev;
	else
		dev->ops->free(dev);
	return 0;
}

static void each_bad_path_has_its_line(void **state)
{
	static const struct {
		const char *path;
		bool readonly;
		int rc;
		const char *says;
	} rows[] = {
		{"/tmp/vxhci-no-such", false, -ENOENT, "no such file"},
		{"/tmp/vxhci-no-such", true, -ENOENT, "truncate -s 1G"},
		{"/etc/passwd/x", false, -ENOTDIR, "check the path"},
		{"/tmp", false, -EISDIR, "is a directory"},
		{"/tmp", true, -EISDIR, "is a directory"},
		{"/dev/null", false, -EINVAL, "neither a file nor"},
		{"", false, -ENOENT, "no such file"},
	};
	char err[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			try_open(rows[i].path, rows[i].readonly, NULL, err),
			rows[i].rc);
		if (!strstr(err, rows[i].says))
			fail_msg("row %zu: %s", i, err);
	}
}

/* "/dev/fd/N" is what is open, as it is open; it stays the caller's. */
static void a_descriptor_is_a_file(void **state)
{
	char path[] = "/tmp/vxhci-image-XXXXXX", name[32], err[256];
	int fd = mkstemp(path), ro = open(path, O_RDONLY), next;
	struct usb_dev *dev;

	(void)state;
	assert_true(fd >= 0 && ro >= 0);
	assert_int_equal(ftruncate(fd, 65536), 0);
	unlink(path);
	next = dup(fd);
	close(next);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	assert_int_equal(try_open(name, false, &dev, err), 0);
	/* locked, as any other */
	snprintf(name, sizeof(name), "/dev/fd/%d", ro);
	assert_int_equal(try_open(name, true, NULL, err), -EBUSY);
	dev->ops->free(dev);
	assert_int_equal(try_open(name, false, NULL, err), -EACCES);
	assert_int_equal(try_open(name, true, NULL, err), 0);
	assert_int_equal(try_open("/dev/fd/99999", true, NULL, err), -ENOENT);
	assert_int_equal(try_open("/dev/fd/x", true, NULL, err), -ENOENT);
	assert_int_equal(try_open("/dev/fd/", true, NULL, err), -ENOENT);
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(dup(fd), next);
	close(next);
	close(ro);
	close(fd);
}

static void a_fifo_does_not_block(void **state)
{
	char path[] = "/tmp/vxhci-fifo-XXXXXX", err[256];

	(void)state;
	assert_true(mkstemp(path) >= 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(try_open(path, true, NULL, err), -EINVAL);
	assert_int_equal(try_open(path, false, NULL, err), -EINVAL);
	unlink(path);
}

static void sizes_are_whole_blocks(void **state)
{
	static const struct {
		uint64_t bytes, blocks;
		uint32_t tail;
		const char *says; /* of an error */
	} rows[] = {
		{0, 0, 0, "is empty: give it a size"},
		{511, 0, 0, "is smaller than one 512-byte block"},
		{512, 1, 0, NULL},
		{513, 1, 1, NULL},
		{1 << 20, 2048, 0, NULL},
		{(1 << 20) + 511, 2048, 511, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64], err[256];
		struct usb_dev *dev;
		int rc;

		make_image(path, sizeof(path), rows[i].bytes);
		rc = try_open(path, false, &dev, err);
		if (rows[i].says) {
			assert_int_equal(rc, -EINVAL);
			assert_non_null(strstr(err, rows[i].says));
		} else {
			struct storage *s = (struct storage *)dev;

			assert_int_equal(rc, 0);
			assert_int_equal(s->target.lu[0].img.blocks,
					 rows[i].blocks);
			fake.logs = 0;
			dev->ops->reset(dev);
			dev->ops->reset(dev); /* says so once */
			assert_int_equal(fake.logs, rows[i].tail != 0);
			dev->ops->free(dev);
		}
		unlink(path);
	}
}

/* What is behind the last whole block is neither seen nor written. */
static void the_tail_is_left_alone(void **state)
{
	uint8_t cdb[10], b[512] = {0}, now[100];
	struct disk k;
	struct stat st;

	(void)state;
	disk_open(&k, 4 * 512 + 100, false, true);
	cdb_rw10(cdb, 0x2a, 3, 1);
	disk_command(&k, cdb, 10, false, b, 512, (struct cut){0, 0, 0});
	assert_int_equal(disk_sense(&k), 0);
	cdb_rw10(cdb, 0x2a, 4, 1);
	disk_command(&k, cdb, 10, false, b, 512, (struct cut){0, 0, 0});
	assert_int_equal(disk_sense(&k), 0x52100);
	assert_int_equal(pread(k.fd, now, 100, 4 * 512), 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(now[i], disk_byte(4 * 512 + i));
	assert_int_equal(fstat(k.fd, &st), 0);
	assert_int_equal(st.st_size, 4 * 512 + 100);
	disk_close(&k);
}

/* In another process: its open of @path; 0 or -errno. */
static int open_elsewhere(const char *path, bool readonly)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		char err[256];
		struct usb_dev *dev;
		int rc = storage_open(path, readonly, USB_SPEED_FULL, &dev, err,
				      sizeof(err));

		_exit(rc == -EBUSY && !strstr(err, "in use by another") ? 99
									: -rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void one_writer_or_many_readers(void **state)
{
	static const struct {
		bool first_ro, second_ro;
		int rc;
	} rows[] = {{false, false, -EBUSY},
		    {false, true, -EBUSY},
		    {true, false, -EBUSY},
		    {true, true, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[64], err[256];
		struct usb_dev *dev;

		make_image(path, sizeof(path), 4096);
		assert_int_equal(try_open(path, rows[i].first_ro, &dev, err),
				 0);
		assert_int_equal(open_elsewhere(path, rows[i].second_ro),
				 rows[i].rc);
		/* nor twice in one process */
		assert_int_equal(try_open(path, rows[i].second_ro, NULL, err),
				 rows[i].rc);
		dev->ops->free(dev);
		assert_int_equal(open_elsewhere(path, rows[i].second_ro), 0);
		unlink(path);
	}
}

static void the_guest_knows_a_disk_again(void **state)
{
	char a[64], b[64], link_path[80], err[256], serial[3][17];
	const char *paths[3] = {a, link_path, b};

	(void)state;
	make_image(a, sizeof(a), 4096);
	make_image(b, sizeof(b), 4096);
	snprintf(link_path, sizeof(link_path), "%s.link", a);
	assert_int_equal(symlink(a, link_path), 0);
	for (int i = 0; i < 3; i++) {
		struct usb_dev *dev;

		assert_int_equal(try_open(paths[i], false, &dev, err), 0);
		memcpy(serial[i], ((struct storage *)dev)->target.lu[0].serial,
		       17);
		assert_int_equal(strlen(serial[i]), 16);
		assert_int_equal(strspn(serial[i], "0123456789ABCDEF"), 16);
		dev->ops->free(dev);
	}
	assert_string_equal(serial[0], serial[1]);
	assert_string_not_equal(serial[0], serial[2]);
	unlink(a);
	unlink(b);
	unlink(link_path);
}

static void each_speed_has_its_descriptors(void **state)
{
	static const struct {
		enum usb_speed speed;
		int len;
		uint16_t mps;
	} rows[] = {
		{USB_SPEED_FULL, 32, 64},     {USB_SPEED_HIGH, 85, 512},
		{USB_SPEED_SUPER, 121, 1024}, {USB_SPEED_LOW, 0, 0},
		{USB_SPEED_NONE, 0, 0},
	};
	char path[64], err[256];

	(void)state;
	make_image(path, sizeof(path), 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct usb_dev *dev;
		uint8_t c[128];
		int rc = storage_open(path, false, rows[i].speed, &dev, err,
				      sizeof(err));

		if (rows[i].len == 0) {
			assert_int_equal(rc, -EINVAL);
			assert_non_null(strstr(err, "use full, high or super"));
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(dev->speed, rows[i].speed);
		assert_memory_equal(dev->label, "storage=/tmp/", 13);
		assert_int_equal(fake_control(dev, 0x80, 6, 0x200, 0, c, 128),
				 rows[i].len);
		assert_int_equal(get_le16(c + 2), rows[i].len);
		assert_memory_equal(c + 9 + 5, "\x08\x06\x50", 3);
		assert_int_equal(get_le16(c + 18 + 4), rows[i].mps);
		if (rows[i].speed == USB_SPEED_SUPER)
			assert_memory_equal(c + 25, "\6\60\17\0\0\0", 6);
		dev->ops->free(dev);
	}
	unlink(path);
}

/* Data that is in the page cache needs no worker, and no copy of ours. */
static void cached_reads_stay_on_the_thread(void **state)
{
	uint8_t cdb[10], b[4096];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	cdb_rw10(cdb, 0x28, 0, 8);
	disk_command(&k, cdb, 10, true, b, 4096, (struct cut){0, 0, 0});
	if (!k.s->target.lu[0]
		     .img.nowait_read) { /* this file system cannot tell */
		assert_int_equal(fake.jobs, 1);
		disk_command(&k, cdb, 10, true, b, 4096, (struct cut){0, 0, 0});
		assert_int_equal(fake.jobs, 2);
	} else {
		assert_int_equal(fake.jobs, 0);
	}
	assert_int_equal(b[4095], disk_byte(4095));
	disk_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bad_path_has_its_line),
		cmocka_unit_test(a_descriptor_is_a_file),
		cmocka_unit_test(a_fifo_does_not_block),
		cmocka_unit_test(sizes_are_whole_blocks),
		cmocka_unit_test(the_tail_is_left_alone),
		cmocka_unit_test(one_writer_or_many_readers),
		cmocka_unit_test(the_guest_knows_a_disk_again),
		cmocka_unit_test(each_speed_has_its_descriptors),
		cmocka_unit_test(cached_reads_stay_on_the_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
