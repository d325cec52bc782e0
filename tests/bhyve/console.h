/* SPDX-License-Identifier: BSD-2-Clause */
/* console.h - of bhyve's header of this name, what vmm/bhyve/ uses. */
#ifndef TESTS_BHYVE_CONSOLE_H
#define TESTS_BHYVE_CONSOLE_H

#include <stdint.h>

typedef void (*ptr_event_func_t)(uint8_t mask, int x, int y, void *arg);

struct bhyvegc_image *console_get_image(void);
void console_ptr_register(ptr_event_func_t event_cb, void *arg, int pri);

#endif
