/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that try thousands of cases try each in a plain build, and every nth
 * one under a sanitizer, where a case costs ten times as much.
 */
#ifndef VXHCI_TESTS_UNIT_SPARSE_H
#define VXHCI_TESTS_UNIT_SPARSE_H

#include "vmm/sanitized.h"

#define SPARSE(n) (SANITIZED ? (n) : 1u)

#endif
