/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdrv_record.h - any test that runs the driver can record its controllers:
 * with VXHCI_TEST_RECORD=FOLDER in the environment each leaves a file there
 * that `vxhci replay` must find no difference in.
 */
#ifndef TESTS_LIB_GDRV_RECORD_H
#define TESTS_LIB_GDRV_RECORD_H

#include "vmm/record.h"

/* A new recording, or NULL: none is wanted. Ends the program if it fails. */
struct vxhci_record *gdrv_record_open(void);
/* The file that gdrv_record_open() makes next in this process. */
void gdrv_record_name(char *buf, size_t len);

#endif
