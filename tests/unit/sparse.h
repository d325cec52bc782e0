/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that try thousands of cases try each in a plain build, and every nth
 * one under a sanitizer, where a case costs ten times as much.
 */
#ifndef VXHCI_TESTS_UNIT_SPARSE_H
#define VXHCI_TESTS_UNIT_SPARSE_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARSE(n) (n)
#else
#define SPARSE(n) 1u
#endif

#endif
