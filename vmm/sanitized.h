/* SPDX-License-Identifier: BSD-2-Clause */
/* sanitized.h - whether this is built with ASan or TSan, by gcc or by clang. */
#ifndef VXHCI_VMM_SANITIZED_H
#define VXHCI_VMM_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
