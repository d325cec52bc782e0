/* SPDX-License-Identifier: BSD-2-Clause */
/* debug.h - of bhyve's header of this name, what vmm/bhyve/ uses. */
#ifndef TESTS_BHYVE_DEBUG_H
#define TESTS_BHYVE_DEBUG_H

void bhyve_eprintln(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define EPRINTLN(...) bhyve_eprintln(__VA_ARGS__)

#endif
