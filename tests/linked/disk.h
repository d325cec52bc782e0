/* SPDX-License-Identifier: BSD-2-Clause */
/* disk.h - the test's disks, for C and for the boot sector; in sectors. */
#ifndef TESTS_LINKED_DISK_H
#define TESTS_LINKED_DISK_H

#define DISK_SECTORS 4096
#define DISK_FROM 64    /* what is copied, */
#define DISK_COPY 512   /* so many, */
#define DISK_OWN 1024   /* and where to: of this disk */
#define DISK_OTHER 2048 /* and of the other */
#define CHUNK 64        /* an INT 13h */
#define BUFFER 0x2000   /* segment */

/* Offsets in the boot sector: what it is to do beside its own disk */
#define BOOT_TWO_DISKS 500
#define BOOT_TYPING 501

#endif
