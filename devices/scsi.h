/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi.h - a SCSI disk (SPC-4, SBC-3) over a raw image, free of any transport:
 * a command is begun, says what data it means to move and what must happen
 * after that, and ends in a status with sense data.
 *
 * Nothing here blocks or touches a transfer: the transport moves the data and
 * runs the jobs. One struct scsi_lu serves any number of commands at a time.
 */
#ifndef DEVICES_SCSI_H
#define DEVICES_SCSI_H

#include "devices/image.h"

#define SCSI_CDB_MAX 16u
#define SCSI_BUF (8u + 16u * IMAGE_RANGES) /* UNMAP's parameter list */

#define SCSI_SENSE_LEN 18u

#define SCSI_GOOD 0x00u
#define SCSI_CHECK_CONDITION 0x02u
#define SCSI_TASK_SET_FULL 0x28u

/* Sense keys, SPC-4 table 56 */
#define SENSE_NONE 0x0u
#define SENSE_NOT_READY 0x2u
#define SENSE_MEDIUM_ERROR 0x3u
#define SENSE_HARDWARE_ERROR 0x4u
#define SENSE_ILLEGAL_REQUEST 0x5u
#define SENSE_UNIT_ATTENTION 0x6u
#define SENSE_DATA_PROTECT 0x7u
#define SENSE_ABORTED_COMMAND 0xbu
#define SENSE_MISCOMPARE 0xeu

/* Additional sense code and qualifier, SPC-4 annex F.2 */
#define ASC_WRITE_ERROR 0x0c00u
#define ASC_UNRECOVERED_READ 0x1100u
#define ASC_PARAM_LIST_LENGTH 0x1a00u
#define ASC_MISCOMPARE 0x1d00u
#define ASC_INVALID_OPCODE 0x2000u
#define ASC_LBA_OUT_OF_RANGE 0x2100u
#define ASC_INVALID_FIELD_CDB 0x2400u
#define ASC_INVALID_FIELD_PARAM 0x2600u
#define ASC_WRITE_PROTECTED 0x2700u
#define ASC_SPACE_ALLOC_FAILED 0x2707u
#define ASC_MEDIUM_CHANGED 0x2800u
#define ASC_SAVING_NOT_SUPPORTED 0x3900u
#define ASC_NO_MEDIUM 0x3a00u
#define ASC_OVERLAPPED_COMMANDS 0x4e00u
#define ASC_REMOVAL_PREVENTED 0x5302u

#define SCSI_LUNS 8u

struct scsi_sense {
	uint8_t key;
	uint16_t asc;    /* ASC << 8 | ASCQ */
	bool info_valid; /* info is the block where it went wrong */
	uint64_t info;
};

struct scsi_target;

/* A logical unit. Embedded in the target. */
struct scsi_lu {
	const struct scsi_target *target; /* borrowed: what it is a part of */
	struct image img;   /* owned; its fd is -1 while there is no medium */
	bool removable;     /* the medium can change */
	bool ejected;       /* the guest did: as if there were none */
	bool prevented;     /* the guest does not want it removed */
	uint16_t attention; /* UNIT ATTENTION owed, its ASC; 0: none */
	char serial[17];    /* 16 hexadecimal digits */
	uint64_t id;        /* the same as a number */
	bool wce;           /* write cache enabled, MODE SELECT page 08h */
	struct scsi_sense sense; /* of the last command, for REQUEST SENSE */
};

/* The device: its logical units, by number. Embedded in it. */
struct scsi_target {
	struct scsi_lu lu[SCSI_LUNS];
	unsigned nluns;
	/*
	 * Jobs with the worker whose commands were aborted or reset away. They
	 * cannot be recalled: no command begins before they are over, so that
	 * none of them writes over what came after it. @settled (may be NULL)
	 * is called when that is so.
	 */
	unsigned stale;
	void (*settled)(struct scsi_target *target);
};

/* The data a command moves. IN: REPLY, READ. OUT: PARAM, WRITE, COMPARE. */
enum scsi_data {
	SCSI_DATA_NONE,
	SCSI_DATA_REPLY,   /* buf[0..len) to the host */
	SCSI_DATA_READ,    /* image bytes [off, off+len) to the host */
	SCSI_DATA_PARAM,   /* host to buf[0..len); then scsi_param() */
	SCSI_DATA_WRITE,   /* host to image bytes [off, off+len) */
	SCSI_DATA_COMPARE, /* host against image bytes [off, off+len) */
};

struct scsi_cmd {
	uint8_t cdb[SCSI_CDB_MAX];
	enum scsi_data data;
	uint64_t len; /* bytes; 0 with SCSI_DATA_NONE only */
	uint64_t off; /* bytes from the start of the image */
	/* the job between the data and the status, for scsi_fill_job() */
	enum image_op then;
	uint64_t then_off, then_len; /* bytes */
	uint8_t status;
	struct scsi_sense sense;
	uint8_t buf[SCSI_BUF];
};

/*
 * scsi_open - the disk over the image at @path, see image_open(). The serial
 * number is made from the file's full path: the same at each start.
 */
int scsi_open(const char *path, bool readonly, struct scsi_lu *ret_lu,
	      char *err, size_t errlen);
void scsi_close(struct scsi_lu *lu);
/* Forget the sense data and what the guest changed: a reset. */
void scsi_reset(struct scsi_lu *lu);
/* There is a medium, and it is not ejected. */
bool scsi_has_medium(const struct scsi_lu *lu);
/*
 * scsi_change - @img (NULL: none), now the unit's, in place of the medium, which
 * is the caller's in *ret_old (its fd is -1 if there was none). No job and no
 * command of the unit is under way.
 */
void scsi_change(struct scsi_lu *lu, const struct image *img,
		 struct image *ret_old);

/*
 * scsi_begin - take @cdb (@len bytes, 1..16) and say in @c what is to be done.
 * A command that is wrong has status CHECK CONDITION and no data.
 */
void scsi_begin(struct scsi_lu *lu, struct scsi_cmd *c, const uint8_t *cdb,
		size_t len);
/* End @c with CHECK CONDITION and no data. */
void scsi_fail(struct scsi_cmd *c, uint8_t key, uint16_t asc);
/* The parameter list is complete in c->buf: check it and carry it out. */
void scsi_param(struct scsi_lu *lu, struct scsi_cmd *c);
/* Prepare @job for c->then, which is not IMAGE_NONE. */
void scsi_fill_job(const struct scsi_lu *lu, const struct scsi_cmd *c,
		   struct image_job *job);
/*
 * scsi_io_failed - a job of @c ended with @error (-errno) at image byte @off:
 * choose status and sense. Nothing more is to be done for the command.
 */
void scsi_io_failed(struct scsi_cmd *c, enum image_op op, int error,
		    uint64_t off);
/* The status goes to the host: keep the sense data for REQUEST SENSE. */
void scsi_end(struct scsi_lu *lu, const struct scsi_cmd *c);

/*
 * scsi_put_sense - @s as fixed format sense data in @b, which has room for
 * SCSI_SENSE_LEN bytes, the number that is returned.
 */
size_t scsi_put_sense(const struct scsi_sense *s, uint8_t *b);
/*
 * scsi_snap.c: what is to be known of a unit, and of a command of it, where a
 * guest moves; see usb_dev_ops.snap. The medium is what it was: -ENOTSUP.
 */
struct snap;
void scsi_snap_lu(struct scsi_lu *lu, struct snap *s);
void scsi_snap_cmd(const struct scsi_lu *lu, struct scsi_cmd *c,
		   struct snap *s);

/* One of target->stale is over. */
void scsi_job_settled(struct scsi_target *target);

/* True where the data of @c moves to the host. */
static inline bool scsi_is_in(const struct scsi_cmd *c)
{
	return c->data == SCSI_DATA_REPLY || c->data == SCSI_DATA_READ;
}

#endif
