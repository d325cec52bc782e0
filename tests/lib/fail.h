/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail.h - calls of the system that fail, once, one after the other: memory,
 * descriptors, mappings, files, sockets, threads. The project's objects are
 * linked with such calls renamed (tests/lib/fail.syms, fail_*_test.c), the
 * test's own are not, so that only what is under test fails.
 */
#ifndef TESTS_LIB_FAIL_H
#define TESTS_LIB_FAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Calls that are made for each message: few of them fail, the first ones all. */
#define FAIL_FIRST 6u
enum fail_often {
	FAIL_recvmsg,
	FAIL_sendmsg,
	FAIL_recv,
	FAIL_send,
	FAIL_ppoll,
	FAIL_OFTEN
};

struct fail_state {
	atomic_uint calls; /* that could fail, since fail_arm() */
	atomic_uint at;    /* the one that does; 0: none */
	atomic_uint often[FAIL_OFTEN];
	atomic_bool quiet;        /* none of those fails */
	atomic_long live;         /* allocations that were not freed */
	const char *_Atomic name; /* of the call that failed; NULL: none did */
};

/* Where it is kept; memory shared with a child, or NULL for its own. */
void fail_use(struct fail_state *s);
/* The @at-th call from now on fails; 0: none. */
void fail_arm(unsigned at);
/* Do calls that are made for each message fail? They do, unless told not to. */
void fail_messages(bool on);
/* None fails any more; what happened stays known. */
void fail_stop(void);
/* The name of the call that failed since, or NULL. */
const char *fail_happened(void);
/* Allocations that were not freed. */
long fail_live(void);
/* What jansson allocates is counted. It fails never: there it would abort. */
void fail_json(void);

/*
 * fail_each - do @scene(@arg) again and again, while the 1st, 2nd, 3rd... call
 * fails, until one comes to its end before. The scene takes what happens and
 * says with what is left behind whether that was right; fail_stop() in it is
 * for what has to work then. Returns the number of calls that failed.
 */
unsigned fail_each(void (*scene)(void *arg), void *arg);

#endif
