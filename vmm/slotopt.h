/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slotopt.h - the text of a slot option, `SLOT,xhci[,OPTION...]`, as data.
 *
 * Pure: no file, device or clock is touched, so that every rule can be tested
 * and the parser fuzzed. Work and memory are bounded by the text's length,
 * and that by SLOTOPT_MAX_TEXT.
 */
#ifndef VMM_SLOTOPT_H
#define VMM_SLOTOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/usb.h"
#include "emu/xhci.h"

#define SLOTOPT_MAX_TEXT 65536u /* bytes of one slot option */
#define SLOTOPT_MAX_SLOT 32u    /* bytes of SLOT, with the final 0 */
#define SLOTOPT_MAX_FILE 4096u  /* bytes of a FILE, with the final 0 */
#define SLOTOPT_MAX_PATH 7u     /* numbers in a port path, USB 2.0 §4.1.1 */
#define SLOTOPT_MAX_LUNS 8u     /* of a storage device */
#define SLOTOPT_MAX_DEVS XHCI_MAX_PORTS
#define SLOTOPT_MAX_PORTS 15u /* of one kind */

enum slot_kind {
	SLOT_ADDR, /* bus=,devaddr= */
	SLOT_PATH, /* bus=,port= */
	SLOT_ID,   /* id=[,serial=] */
	SLOT_TABLET,
	SLOT_KEYBOARD,
	SLOT_MOUSE,
	SLOT_AUDIO,
	SLOT_CAMERA,
	SLOT_STORAGE,
	SLOT_ZERO,
	SLOT_REPLAY,
	SLOT_NKINDS
};

/* What a guest's port reset does to a physical device. */
enum slot_reset { SLOT_RESET_DEVICE, SLOT_RESET_INITIAL, SLOT_RESET_NEVER };

/* A logical unit of storage, behind the first. */
struct slot_lun {
	const char *file; /* borrowed from the slotopt */
	bool readonly, removable;
	int fd1; /* as of the device */
};

/* One device of the option, in the order they were written. */
struct slot_dev {
	enum slot_kind kind;

	uint8_t bus;     /* SLOT_ADDR, SLOT_PATH */
	uint8_t devaddr; /* SLOT_ADDR: 1..127 */
	uint8_t path[SLOTOPT_MAX_PATH];
	uint8_t path_len;   /* SLOT_PATH: numbers in path[], from 1 */
	bool below;         /* SLOT_PATH: what hangs below it too (`.*`) */
	uint16_t vendor;    /* SLOT_ID */
	uint16_t product;   /* SLOT_ID */
	const char *serial; /* SLOT_ID: or NULL; borrowed from the slotopt */
	const char *file;   /* SLOT_STORAGE, SLOT_REPLAY; borrowed likewise */
	bool readonly;      /* SLOT_STORAGE */
	int fd1; /* borrowed, plus 1: .file is open; the text has none: 0 */
	bool removable; /* SLOT_STORAGE */
	uint8_t nluns;  /* SLOT_STORAGE: how many there are in lun[] */
	struct slot_lun lun[SLOTOPT_MAX_LUNS - 1];
	uint16_t dev_bus;     /* SLOT_REPLAY: dev=BUS.ADDRESS */
	uint8_t dev_addr;     /* 0: none is named */
	bool at_once;         /* SLOT_REPLAY: pace=none */
	uint8_t at;           /* port, 0: the first that fits */
	enum usb_speed speed; /* NONE: the device or the recording tells */
};

struct slotopt {
	const char *slot; /* as written; borrowed from `text` */
	uint8_t pci_bus;  /* 0..255, 0 where SLOT has none */
	uint8_t pci_dev;  /* 0..31 */
	uint8_t pci_fn;   /* 0..7, 0 where SLOT has none */
	uint8_t usb2;     /* ports, 1..15 */
	uint8_t usb3;     /* ports, 0..15 */
	uint16_t pci_vendor;
	uint16_t pci_device;
	enum slot_reset reset;
	unsigned ndevs;
	struct slot_dev dev[SLOTOPT_MAX_DEVS];
	char *text; /* owned: all strings are in it */
};

/*
 * slotopt_parse - @text as a slot option. On success *ret is filled in, and
 * freed with slotopt_free(). Otherwise -EINVAL (or -ENOMEM) with one line
 * "TOKEN: what is wrong: what to do" in @err, and *ret is untouched. @err may
 * be NULL when @errlen is 0.
 *
 * A built-in device without speed= gets one here: storage and zero the
 * fastest a free port has; audio and camera high speed; tablet, keyboard and mouse full speed, or super
 * speed in a USB 3 port that at= names.
 */
int slotopt_parse(const char *text, char *err, size_t errlen,
		  struct slotopt *ret);
void slotopt_free(struct slotopt *o);

/*
 * slotopt_parse_device - @text as one device, as an option has it:
 * "bus=1,port=2.3,at=5", with reset= if it is its own. @of says which ports
 * there are, and which reset= is meant without one. As above; *ret has the
 * one device, and no slot.
 */
int slotopt_parse_device(const char *text, const struct slotopt *of, char *err,
			 size_t errlen, struct slotopt *ret);

/* Would the two certainly want the same device or file? */
bool slot_dev_same_claim(const struct slot_dev *a, const struct slot_dev *b);

/* True for a device of the host, which may come and go. */
bool slot_dev_is_physical(const struct slot_dev *d);
/*
 * slot_dev_name - @d as the option names it ("storage=disk.img"), cut to fit
 * and with unprintable bytes as '?'. Returns @buf; @len is at least 1.
 */
const char *slot_dev_name(const struct slot_dev *d, char *buf, size_t len);

/*
 * Between slotopt.c, which reads, and slotopt_check.c, which has the rules
 * that need the whole option.
 */
struct slot_err {
	char *buf; /* borrowed; may be NULL when len is 0 */
	size_t len;
};
/* "TOKEN: " and the rest; returns -EINVAL. */
int slot_fail(const struct slot_err *e, const char *tok, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The rules over all devices; fills in the speeds left open. 0 or -EINVAL */
int slotopt_check(struct slotopt *o, const struct slot_err *e);

#endif
