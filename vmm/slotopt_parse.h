/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slotopt_parse.h - between slotopt.c, which cuts the text into options, and
 * slotopt_keys.c, which has a function for each key. Nobody else's business.
 */
#ifndef VMM_SLOTOPT_PARSE_H
#define VMM_SLOTOPT_PARSE_H

#include "vmm/slotopt.h"

enum slot_key {
	K_BUS,
	K_DEVADDR,
	K_PORT,
	K_ID,
	K_SERIAL,
	K_TABLET,
	K_KEYBOARD,
	K_MOUSE,
	K_AUDIO,
	K_CAMERA,
	K_STORAGE,
	K_READONLY,
	K_REMOVABLE,
	K_LUN,
	K_ZERO,
	K_REPLAY,
	K_DEV,
	K_PACE,
	K_USB2,
	K_USB3,
	K_AT,
	K_SPEED,
	K_PCI,
	K_RESET,
	K_NKEYS
};

/* The state of one parse. */
struct parse {
	struct slotopt o;     /* being built */
	struct slot_err err;  /* where complaints go */
	char *next;           /* rest of o.text; NULL: none */
	struct slot_dev *dev; /* the device options apply to, or NULL */
	const char *tok;      /* the token at hand, whole */
	uint32_t dev_keys;    /* keys seen for dev, a bit an enum slot_key */
	uint32_t ctl_keys;    /* keys seen for the controller */
	bool lone;            /* a device alone: the controller is there */
};

struct key {
	const char *name;
	const char *example; /* its value in advice; NULL: it takes none */
	bool begins;         /* begins another device */
	bool controller;     /* is of the controller, not of a device */
	int (*take)(struct parse *p, const char *val);
};

extern const struct key slot_keys[K_NKEYS];

/*
 * slot_number - @s..@end as a number of @base, at most @max. Returns 0,
 * -EINVAL (not a number) or -ERANGE.
 */
int slot_number(const char *s, const char *end, unsigned base, unsigned max,
		unsigned *ret);
/* The device at hand is whole: nothing it needs is missing. 0 or -EINVAL */
int slot_end_device(struct parse *p);
/* Another device begins. 0 or -EINVAL */
int slot_begin_device(struct parse *p);

#endif
