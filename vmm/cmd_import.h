/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_import.h - the USB devices that a VM has by another tool's file, as data:
 * between cmd_import.c, which prints them, and the readers. Pure.
 */
#ifndef VMM_CMD_IMPORT_H
#define VMM_CMD_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT_MAX_DEVS 64u
#define IMPORT_MAX_CTLS 8u

enum import_policy { IMPORT_OPTIONAL, IMPORT_REQUISITE, IMPORT_MANDATORY };

/* A device of the host; what is 0 or "" was not said */
struct import_dev {
	uint8_t bus, addr;
	char port[32];
	bool has_id;
	uint16_t vid, pid;
	unsigned controller, at; /* where it shall be; at 0: anywhere */
	enum import_policy policy;
	const char *reset; /* static: of reset=, or NULL */
	unsigned line;
};

struct import_ctl {
	bool there;
	unsigned usb2, usb3; /* ports */
};

struct import_vm {
	char name[64];
	struct import_ctl ctl[IMPORT_MAX_CTLS];
	struct import_dev dev[IMPORT_MAX_DEVS];
	unsigned ndevs;
};

/* Where a reader is, and what it says */
struct import {
	const char *file; /* borrowed: for messages */
	const char *p;    /* borrowed: what is left of the text */
	unsigned line;
	char *err;
	size_t errlen;
	struct import_vm *vm; /* borrowed */
};

/* "FILE:LINE: what is wrong: what to do"; returns -EINVAL */
int import_fail(struct import *i, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Decimal, or hexadecimal behind 0x; never octal. False: not one up to @max */
bool import_number(const char *s, unsigned max, unsigned *ret);
/* One more device, or NULL with an error said */
struct import_dev *import_add(struct import *i);
/* The file is xl.cfg(5)'s, or libvirt's XML. 0 or -EINVAL, said */
int import_xen(struct import *i);
int import_libvirt(struct import *i);

#endif
