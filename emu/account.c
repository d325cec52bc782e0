/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.c - the controller's part of account.h.
 */
#include "emu/core.h"

#ifdef VXHCI_ACCOUNT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void account_violation(const char *where, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vxhci: account: %s: ", where);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void account_ring(const struct xhci_epq *q)
{
	uint32_t n = 0, lent = 0;
	const struct xhci_td *prev = NULL;

	for (const struct xhci_td *td = q->head; td; td = td->next) {
		ACCOUNT(td->state != TD_FREE, "a TD on a ring is free");
		ACCOUNT(td->q == q && td->prev == prev,
			"a TD is on a ring that is not its own");
		if (td->state == TD_FLYING)
			lent += td->xfer.length;
		prev = td;
		n++;
	}
	ACCOUNT(q->tail == prev, "a ring's last TD is not its last");
	ACCOUNT(n == q->ntds, "a ring has %u TDs and counts %u", n, q->ntds);
	ACCOUNT(lent == q->bytes_flight,
		"a ring has lent %u bytes and counts %u", lent,
		q->bytes_flight);
}

void account_end(const struct xhci *x)
{
	const struct xhci_account *a = &x->account;
	uint32_t n = 0, elems = 0;

	for (const struct xhci_td *td = x->td_free; td; td = td->next) {
		ACCOUNT(td->state == TD_FREE, "a TD in the pool is in use");
		elems += td->cap_elem;
		n++;
	}
	ACCOUNT(a->taken == a->returned,
		"%llu transfers were taken by devices, %llu came back",
		(unsigned long long)a->taken, (unsigned long long)a->returned);
	ACCOUNT(x->bytes_flight == 0, "%llu bytes are in flight at the end",
		(unsigned long long)x->bytes_flight);
	ACCOUNT(a->bytes_taken == a->bytes_returned,
		"%llu bytes were lent to devices, %llu came back",
		(unsigned long long)a->bytes_taken,
		(unsigned long long)a->bytes_returned);
	ACCOUNT(n == x->ntds, "%u TDs were made, %u are left at the end",
		x->ntds, n);
	ACCOUNT(elems == x->nelems, "%u records of TRBs were made, %u are left",
		x->nelems, elems);
	ACCOUNT(a->holds == 0, "%lld holds on guest memory are left",
		(long long)a->holds);
}
#endif
