/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/gdrv_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned made; /* recordings, by this process */

void gdrv_record_name(char *buf, size_t len)
{
	const char *dir = getenv("VXHCI_TEST_RECORD");
	const char *prog = strrchr(program_invocation_name, '/');

	snprintf(buf, len, "%s/%s-%04u.vxrec", dir ? dir : ".",
		 prog ? prog + 1 : program_invocation_name, made);
}

struct vxhci_record *gdrv_record_open(void)
{
	struct vxhci_record *r = NULL;
	char name[512], err[600] = "";

	if (!getenv("VXHCI_TEST_RECORD"))
		return NULL;
	gdrv_record_name(name, sizeof(name));
	made++;
	if (vxhci_record_open(name, NULL, NULL, err, sizeof(err), &r)) {
		fprintf(stderr, "VXHCI_TEST_RECORD: %s\n", err);
		exit(1);
	}
	return r;
}
