/* SPDX-License-Identifier: BSD-2-Clause */
/* bhyvegc.h - of bhyve's header of this name, what vmm/bhyve/ uses. */
#ifndef TESTS_BHYVE_BHYVEGC_H
#define TESTS_BHYVE_BHYVEGC_H

struct bhyvegc_image {
	int vgamode;
	int width;
	int height;
};

#endif
