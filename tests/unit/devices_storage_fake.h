/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices_storage_fake.h - a disk over a temporary image, and a host that
 * sends it commands over the Bulk-Only Transport.
 */
#ifndef TESTS_DEVICES_STORAGE_FAKE_H
#define TESTS_DEVICES_STORAGE_FAKE_H

#include <fcntl.h>
#include <unistd.h>

#include "devices/bytes.h"
#include "devices/storage_impl.h"
#include "devices_fake.h"

#define DISK_BLOCKS 4096u /* 2 MiB */

struct disk {
	char path[64];
	struct usb_dev *dev;
	struct storage *s; /* the same */
	int fd;            /* the test's own look at the image */
};

/* What each byte of a fresh image is. */
static inline uint8_t disk_byte(uint64_t off)
{
	return (uint8_t)(off / 512 * 7 + off % 251 + 1);
}

static inline void make_image(char *path, size_t size, uint64_t bytes)
{
	uint8_t *buf = malloc(bytes ? bytes : 1);
	int fd;

	snprintf(path, size, "/tmp/vxhci-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (uint64_t i = 0; i < bytes; i++)
		buf[i] = disk_byte(i);
	assert_int_equal(write(fd, buf, bytes), bytes);
	close(fd);
	free(buf);
}

static inline void disk_configure(struct disk *k)
{
	k->dev->ops->reset(k->dev);
	assert_int_equal(fake_control(k->dev, 0, USB_REQ_SET_CONFIGURATION, 1,
				      0, NULL, 0),
			 0);
}

/* @inline_io false: every access to the image goes through the worker. */
static inline void disk_open_at(struct disk *k, enum usb_speed speed,
				uint64_t bytes, bool readonly, bool inline_io)
{
	char err[256] = "";

	memset(&fake, 0, sizeof(fake));
	make_image(k->path, sizeof(k->path), bytes);
	if (storage_open(k->path, readonly, speed, &k->dev, err, sizeof(err)) !=
	    0)
		fail_msg("%s", err);
	k->s = (struct storage *)k->dev;
	k->fd = open(k->path, O_RDWR);
	assert_true(k->fd >= 0);
	if (!inline_io)
		k->s->target.lu[0].img.nowait_read =
			k->s->target.lu[0].img.nowait_write = false;
	k->dev->pm = (struct pmapper *)&fake; /* never looked into */
	disk_configure(k);
}

static inline void disk_open(struct disk *k, uint64_t bytes, bool readonly,
			     bool inline_io)
{
	disk_open_at(k, USB_SPEED_HIGH, bytes, readonly, inline_io);
}

static inline void disk_close(struct disk *k)
{
	k->dev->ops->free(k->dev);
	fake_work();
	close(k->fd);
	unlink(k->path);
}

/* The logical unit that commands are for */
static uint8_t disk_lun;

/* A CBW, BOT §5.1 */
static inline struct fake_xfer *cbw_xfer(uint32_t tag, uint32_t host_len,
					 bool in, const uint8_t *cdb,
					 size_t len)
{
	uint8_t b[31] = {'U', 'S', 'B', 'C'};

	put_le32(b + 4, tag);
	put_le32(b + 8, host_len);
	b[12] = in ? 0x80 : 0;
	b[13] = disk_lun;
	b[14] = (uint8_t)len;
	memcpy(b + 15, cdb, len);
	return fake_xfer(STORAGE_EP_OUT, b, sizeof(b), 0);
}

struct csw {
	uint8_t status;
	uint32_t tag, residue;
};

/* The CSW transfer @f is done, and well formed. */
static inline struct csw csw_of(struct fake_xfer *f)
{
	struct csw c;

	assert_true(f->done);
	assert_int_equal(f->x.status, USB_OK);
	assert_int_equal(f->x.actual, 13);
	assert_memory_equal(f->mem, "USBS", 4);
	c.tag = get_le32(f->mem + 4);
	c.residue = get_le32(f->mem + 8);
	c.status = f->mem[12];
	return c;
}

/* How the host cuts a data phase up. */
struct cut {
	size_t xfer; /* bytes a transfer, 0: all in one */
	size_t seg;  /* bytes a segment, 0: one */
	bool ahead;  /* all transfers queued at once, CSW first of all */
};

/*
 * One command, from CBW to CSW; @data of @len bytes is sent or filled. Every
 * transfer must end well and full: that is what padding promises.
 */
static inline struct csw disk_command(struct disk *k, const uint8_t *cdb,
				      size_t cdb_len, bool in, void *data,
				      uint32_t len, struct cut cut)
{
	size_t piece = cut.xfer ? cut.xfer : len;
	size_t n = len ? (len + piece - 1) / piece : 0;
	struct fake_xfer **t = calloc(n + 1, sizeof(void *));
	struct fake_xfer *cmd = cbw_xfer(0x1234, len, in, cdb, cdb_len);
	struct fake_xfer *st;
	struct csw c;

	assert_non_null(t);
	if (!cut.ahead || !in)
		fake_submit(k->dev, cmd);
	for (size_t i = 0; i < n; i++) {
		size_t off = i * piece;
		size_t k2 = len - off < piece ? len - off : piece;

		t[i] = fake_xfer(in ? STORAGE_EP_IN : STORAGE_EP_OUT,
				 in ? NULL : (uint8_t *)data + off, k2,
				 cut.seg);
		fake_submit(k->dev, t[i]);
		if (!cut.ahead)
			fake_work();
	}
	st = fake_xfer(STORAGE_EP_IN, NULL, 13, 0);
	fake_submit(k->dev, st);
	if (cut.ahead && in)
		fake_submit(k->dev, cmd);
	fake_work();
	for (size_t i = 0; i < n; i++) {
		assert_true(t[i]->done);
		assert_int_equal(t[i]->x.status, USB_OK);
		assert_int_equal(t[i]->x.actual, t[i]->x.length);
		if (in)
			memcpy((uint8_t *)data + i * piece, t[i]->mem,
			       t[i]->x.length);
		fake_xfer_free(t[i]);
	}
	assert_true(cmd->done);
	c = csw_of(st);
	assert_int_equal(c.tag, 0x1234);
	fake_xfer_free(st);
	fake_xfer_free(cmd);
	free(t);
	return c;
}

/* REQUEST SENSE: key << 16 | ASC << 8 | ASCQ */
static inline uint32_t disk_sense(struct disk *k)
{
	static const uint8_t cdb[6] = {0x03, 0, 0, 0, 18, 0};
	uint8_t b[18];
	struct csw c =
		disk_command(k, cdb, 6, true, b, 18, (struct cut){0, 0, 0});

	assert_int_equal(c.status, 0);
	assert_int_equal(b[0] & 0x7f, 0x70);
	return (uint32_t)(b[2] & 15) << 16 | (uint32_t)b[12] << 8 | b[13];
}

/* READ(10) or WRITE(10) */
static inline void cdb_rw10(uint8_t *cdb, uint8_t op, uint32_t lba,
			    uint16_t count)
{
	memset(cdb, 0, 10);
	cdb[0] = op;
	put_be32(cdb + 2, lba);
	put_be16(cdb + 7, count);
}

static inline int clear_halt(struct disk *k, uint8_t ep)
{
	return fake_control(k->dev, 2, USB_REQ_CLEAR_FEATURE, 0, ep, NULL, 0);
}

static inline unsigned halt_status(struct disk *k, uint8_t ep)
{
	uint8_t b[2];

	assert_int_equal(
		fake_control(k->dev, 0x82, USB_REQ_GET_STATUS, 0, ep, b, 2), 2);
	return b[0];
}

static inline int mass_storage_reset(struct disk *k)
{
	return fake_control(k->dev, 0x21, 0xff, 0, 0, NULL, 0);
}

static inline void recover(struct disk *k)
{
	assert_int_equal(mass_storage_reset(k), 0);
	assert_int_equal(clear_halt(k, STORAGE_EP_IN), 0);
	assert_int_equal(clear_halt(k, STORAGE_EP_OUT), 0);
}

/* The disk does what it is told: a block is written and read again. */
static inline void check_works(struct disk *k)
{
	uint8_t cdb[10], b[512], c[512];

	memset(b, 0x3c, sizeof(b));
	cdb_rw10(cdb, 0x2a, 4000, 1);
	assert_int_equal(
		disk_command(k, cdb, 10, false, b, 512, (struct cut){0, 0, 0})
			.status,
		0);
	cdb_rw10(cdb, 0x28, 4000, 1);
	assert_int_equal(
		disk_command(k, cdb, 10, true, c, 512, (struct cut){0, 0, 0})
			.status,
		0);
	assert_memory_equal(b, c, 512);
}

static inline struct fake_xfer *start(struct disk *k, uint8_t ep,
				      const void *data, size_t len)
{
	struct fake_xfer *f = fake_xfer(ep, data, len, 0);

	fake_submit(k->dev, f);
	return f;
}

static inline struct fake_xfer *start_cbw(struct disk *k, uint8_t op,
					  uint32_t lba, uint16_t blocks)
{
	uint8_t cdb[10];
	struct fake_xfer *f;

	cdb_rw10(cdb, op, lba, blocks);
	f = cbw_xfer(9, blocks * 512u, op == 0x28, cdb, 10);
	fake_submit(k->dev, f);
	return f;
}

static inline void expect(struct fake_xfer *f, enum usb_status status,
			  uint32_t actual)
{
	assert_true(f->done);
	assert_int_equal(f->x.status, status);
	assert_int_equal(f->x.actual, actual);
	fake_xfer_free(f);
}

#endif
