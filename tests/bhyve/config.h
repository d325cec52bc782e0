/* SPDX-License-Identifier: BSD-2-Clause */
/* config.h - of bhyve's header of this name, what vmm/bhyve/ uses. */
#ifndef TESTS_BHYVE_CONFIG_H
#define TESTS_BHYVE_CONFIG_H

typedef struct nvlist nvlist_t; /* FreeBSD's <sys/nv.h> */

const char *get_config_value_node(const nvlist_t *parent, const char *name);
void set_config_value_node(nvlist_t *parent, const char *name,
			   const char *value);

#endif
