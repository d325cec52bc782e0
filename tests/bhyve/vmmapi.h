/* SPDX-License-Identifier: BSD-2-Clause */
/* vmmapi.h - of FreeBSD's header of this name, what vmm/bhyve/ uses. */
#ifndef TESTS_BHYVE_VMMAPI_H
#define TESTS_BHYVE_VMMAPI_H

#include <stddef.h>

struct vmctx;

size_t vm_get_lowmem_size(struct vmctx *ctx);
size_t vm_get_highmem_size(struct vmctx *ctx);

#endif
