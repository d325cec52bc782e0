/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.h - exactly once: what must be so whatever a guest or a device does,
 * since nobody but us could break it. Compiled in with VXHCI_ACCOUNT, which
 * builds with a sanitizer and for the fuzzers have (`make ACCOUNT=1` for
 * others): a violation says what it is and aborts. Without it nothing is
 * looked at, and nothing is kept.
 *
 * Each transfer that a device takes comes back once, with the bytes it was
 * lent; a TD is with one owner at a time; each hold on guest memory is
 * dropped; at the end of a controller nothing is left with anybody.
 */
#ifndef EMU_ACCOUNT_H
#define EMU_ACCOUNT_H

#ifdef VXHCI_ACCOUNT
#define ACCOUNT_ON 1
_Noreturn void account_violation(const char *where, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* ACCOUNT(what must be so, "%s is not", ...) */
#define ACCOUNT(is_so, ...)                                       \
	do {                                                      \
		if (!(is_so))                                     \
			account_violation(__FILE__, __VA_ARGS__); \
	} while (0)
/* What is done for its sake alone */
#define ACCOUNT_DO(...) __VA_ARGS__
#else
#define ACCOUNT_ON 0
#define ACCOUNT(is_so, ...) ((void)0)
#define ACCOUNT_DO(...)
#endif

#endif
