/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices_uas_fake.h - a host that speaks USB Attached SCSI to the disk of
 * devices_storage_fake.h.
 */
#ifndef TESTS_DEVICES_UAS_FAKE_H
#define TESTS_DEVICES_UAS_FAKE_H

#include "devices_storage_fake.h"

/* What a status transfer of a driver has room for */
#define STATUS_ROOM 112u

static inline void uas_select(struct disk *k, uint16_t alt)
{
	assert_int_equal(
		fake_control(k->dev, 1, USB_REQ_SET_INTERFACE, alt, 0, NULL, 0),
		0);
}

/* A fresh disk of 2 MiB with UAS selected; many jobs may wait. */
static inline void uas_open(struct disk *k, enum usb_speed speed,
			    bool inline_io)
{
	disk_open_at(k, speed, DISK_BLOCKS * 512, false, inline_io);
	fake.many = true;
	uas_select(k, 1);
}

/* A transfer on a pipe for @tag: its stream, where there are streams */
static inline struct fake_xfer *uas_new(struct disk *k, uint8_t ep,
					uint16_t tag, const void *data,
					size_t len, size_t seg)
{
	struct fake_xfer *f = fake_xfer(ep, data, len, seg);

	if (k->s->uas.streams && ep != STORAGE_EP_COMMAND)
		f->x.stream = tag;
	return f;
}

static inline struct fake_xfer *uas_start(struct disk *k, uint8_t ep,
					  uint16_t tag, const void *data,
					  size_t len)
{
	struct fake_xfer *f = uas_new(k, ep, tag, data, len, 0);

	fake_submit(k->dev, f);
	return f;
}

static inline struct fake_xfer *start_status(struct disk *k, uint16_t tag)
{
	return uas_start(k, STORAGE_EP_STATUS, tag, NULL, STATUS_ROOM);
}

/* COMMAND IU */
static inline void put_command(uint8_t iu[32], uint16_t tag, const uint8_t *cdb,
			       size_t len)
{
	memset(iu, 0, 32);
	iu[0] = 1;
	put_be16(iu + 2, tag);
	iu[9] = disk_lun;
	memcpy(iu + 16, cdb, len);
}

static inline struct fake_xfer *start_command(struct disk *k, uint16_t tag,
					      const uint8_t *cdb, size_t len)
{
	uint8_t iu[32];

	put_command(iu, tag, cdb, len);
	return uas_start(k, STORAGE_EP_COMMAND, tag, iu, sizeof(iu));
}

/* READ(10) or WRITE(10) */
static inline struct fake_xfer *start_rw(struct disk *k, uint16_t tag,
					 uint8_t op, uint32_t lba,
					 uint16_t count)
{
	uint8_t cdb[10];

	cdb_rw10(cdb, op, lba, count);
	return start_command(k, tag, cdb, sizeof(cdb));
}

/* TASK MANAGEMENT IU */
static inline struct fake_xfer *start_task(struct disk *k, uint16_t tag,
					   uint8_t function, uint16_t task_tag)
{
	uint8_t iu[16] = {5};

	put_be16(iu + 2, tag);
	iu[4] = function;
	iu[9] = disk_lun;
	put_be16(iu + 6, task_tag);
	return uas_start(k, STORAGE_EP_COMMAND, tag, iu, sizeof(iu));
}

/* SENSE IU: status, and key << 16 | ASC << 8 | ASCQ */
static inline void expect_sense(struct fake_xfer *f, uint16_t tag,
				uint8_t status, uint32_t sense)
{
	assert_true(f->done);
	assert_int_equal(f->x.status, USB_OK);
	assert_int_equal(f->mem[0], 3);
	assert_int_equal(get_be16(f->mem + 2), tag);
	assert_int_equal(f->mem[6], status);
	assert_int_equal(get_be16(f->mem + 14), status == 2 ? 18 : 0);
	assert_int_equal(f->x.actual, status == 2 ? 34 : 16);
	if (status == 2) {
		const uint8_t *s = f->mem + 16;

		assert_int_equal(s[0] & 0x7f, 0x70);
		assert_int_equal((uint32_t)s[2] << 16 | get_be16(s + 12),
				 sense);
	}
	fake_xfer_free(f);
}

static inline void expect_good(struct fake_xfer *f, uint16_t tag)
{
	expect_sense(f, tag, 0, 0);
}

/* RESPONSE IU */
static inline void expect_response(struct fake_xfer *f, uint16_t tag,
				   uint8_t code)
{
	assert_true(f->done);
	assert_int_equal(f->x.status, USB_OK);
	assert_int_equal(f->x.actual, 8);
	assert_int_equal(f->mem[0], 4);
	assert_int_equal(get_be16(f->mem + 2), tag);
	assert_int_equal(f->mem[7], code);
	fake_xfer_free(f);
}

/* READ READY IU (6) or WRITE READY IU (7) */
static inline void expect_ready(struct fake_xfer *f, uint16_t tag, uint8_t id)
{
	uint8_t iu[4] = {id, 0, (uint8_t)(tag >> 8), (uint8_t)tag};

	assert_true(f->done);
	assert_memory_equal(f->mem, iu, 4);
	expect(f, USB_OK, 4);
}

/* Not done: take it back. */
static inline void take_back(struct disk *k, struct fake_xfer *f)
{
	assert_false(f->done);
	k->dev->ops->cancel(k->dev, &f->x);
	expect(f, USB_CANCELLED, 0);
}

/*
 * One command from start to end, as a host does it that plays by the rules.
 * Data that moves in is checked against the image at byte @off, unless that is
 * negative. Returns the status.
 */
static inline uint8_t uas_command(struct disk *k, uint16_t tag,
				  const uint8_t *cdb, bool in, void *data,
				  uint32_t len, int64_t off)
{
	bool streams = k->s->uas.streams;
	uint8_t ep = in ? STORAGE_EP_IN : STORAGE_EP_OUT, status;
	struct fake_xfer *st = start_status(k, tag), *x = NULL, *c;

	if (streams && len)
		x = uas_start(k, ep, tag, in ? NULL : data, len);
	c = start_command(k, tag, cdb, 16);
	expect(c, USB_OK, 32);
	fake_work();
	if (!streams && st->done && st->mem[0] >= 6) {
		expect_ready(st, tag, in ? 6 : 7);
		st = start_status(k, tag);
		x = uas_start(k, ep, tag, in ? NULL : data, len);
		fake_work();
	}
	assert_true(st->done);
	status = st->mem[6];
	expect_sense(st, tag, status,
		     get_be16(st->mem + 28) | (uint32_t)st->mem[18] << 16);
	if (x) {
		if (in)
			memcpy(data, x->mem, x->x.actual);
		for (uint32_t i = 0; in && off >= 0 && i < x->x.actual; i++)
			assert_int_equal(x->mem[i],
					 disk_byte((uint64_t)off + i));
		assert_int_equal(x->x.status, USB_OK);
		fake_xfer_free(x);
	}
	return status;
}

/* The disk does what it is told: a block is written and read again. */
static inline void uas_check_works(struct disk *k)
{
	uint8_t cdb[16] = {0}, b[512], c[512] = {0};

	memset(b, 0x3d, sizeof(b));
	cdb_rw10(cdb, 0x2a, 4001, 1);
	assert_int_equal(uas_command(k, 3, cdb, false, b, 512, -1), 0);
	cdb_rw10(cdb, 0x28, 4001, 1);
	assert_int_equal(uas_command(k, 3, cdb, true, c, 512, -1), 0);
	assert_memory_equal(b, c, 512);
}

static const enum usb_speed uas_speeds[] = {USB_SPEED_HIGH, USB_SPEED_SUPER};

#endif
