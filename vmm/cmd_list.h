/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_list.h - how `vxhci list` writes what it found. The JSON is documented
 * in vxhci(8): members are added, never changed.
 */
#ifndef VMM_CMD_LIST_H
#define VMM_CMD_LIST_H

#include <jansson.h>
#include <stdio.h>

#include "hostusb/discover.h"

/* A table: a line a device, and one below it with the reason if there is one */
void list_table(FILE *f, const struct discover_entry *list, size_t n);

/* An array with an object for each device, or NULL: out of memory */
json_t *list_json(const struct discover_entry *list, size_t n);

#endif
