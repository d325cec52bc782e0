/* SPDX-License-Identifier: BSD-2-Clause */
/* vmm_snapshot.h - of FreeBSD's header of this name, what vmm/bhyve/ uses. */
#ifndef TESTS_BHYVE_MACHINE_VMM_SNAPSHOT_H
#define TESTS_BHYVE_MACHINE_VMM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

enum vm_snapshot_op { VM_SNAPSHOT_SAVE, VM_SNAPSHOT_RESTORE };

struct vm_snapshot_buffer {
	uint8_t *const buf_start;
	const size_t buf_size;
	uint8_t *buf;
	size_t buf_rem;
};

struct vm_snapshot_meta {
	void *dev_data;
	const char *dev_name;
	struct vm_snapshot_buffer buffer;
	enum vm_snapshot_op op;
};

/* 0, or an errno that is positive */
int vm_snapshot_buf(void *data, size_t data_size,
		    struct vm_snapshot_meta *meta);

#endif
