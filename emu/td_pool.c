/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * td_pool.c - the controller's TDs: allocated as they are first needed, kept
 * for the next, limited in number and in the TRB records they hold.
 */
#include <stdlib.h>

#include "emu/core.h"

#define FIRST_CAP 16u

struct xhci_td *td_get(struct xhci *x)
{
	struct xhci_td *td = x->td_free;

	if (td) {
		x->td_free = td->next;
		ACCOUNT(td->state == TD_FREE, "a TD in the pool is in use");
	} else {
		if (x->ntds >= MAX_TDS)
			return NULL;
		td = calloc(1, sizeof(*td));
		if (!td)
			return NULL;
		x->ntds++;
		x->stats.pool_allocs++;
	}
	td->next = td->prev = NULL;
	td->skip = td->edtla = 0;
	td->state = TD_GATHERING;
	return td;
}

void td_begin(struct xhci_td *td, struct xhci_epq *q)
{
	td->q = q;
	td->nelem = td->nseg = 0;
	td->cc = CC_INVALID;
	td->cancelled = td->has_io = td->control = td->isoch = false;
	td->xfer = (struct usb_xfer){0};
}

void td_drop_holds(struct xhci *x, struct xhci_td *td)
{
	for (uint32_t i = 0; i < td->nseg; i++)
		if (td->seg[i].hold) {
			x->ops->mem_drop(x->host, td->seg[i].hold);
			ACCOUNT_DO(x->account.holds--;)
		}
	td->nseg = 0;
}

void td_put(struct xhci *x, struct xhci_td *td)
{
	ACCOUNT(td->state != TD_FLYING, "a TD ends while a device has it");
	ACCOUNT(td->state != TD_FREE, "a TD ends twice");
	td_drop_holds(x, td);
	td->state = TD_FREE;
	td->next = x->td_free;
	x->td_free = td;
}

static void td_trim(struct xhci *x, struct xhci_td *td)
{
	x->nelems -= td->cap_elem;
	free(td->elem);
	free(td->seg);
	td->elem = NULL;
	td->seg = NULL;
	td->cap_elem = td->cap_seg = 0;
}

/* Room for more records: from those that lie unused, when at the limit. */
static bool elems_reserve(struct xhci *x, uint32_t more)
{
	if (x->nelems + more <= MAX_ELEMS)
		return true;
	for (struct xhci_td *td = x->td_free; td; td = td->next)
		td_trim(x, td);
	return x->nelems + more <= MAX_ELEMS;
}

static COLD bool elems_grow(struct xhci *x, struct xhci_td *td)
{
	uint32_t cap = td->cap_elem ? td->cap_elem * 2 : FIRST_CAP;
	struct td_elem *e;

	if (!elems_reserve(x, cap - td->cap_elem))
		return false;
	e = realloc(td->elem, cap * sizeof(*e));
	if (!e)
		return false;
	x->nelems += cap - td->cap_elem;
	x->stats.pool_allocs++;
	td->elem = e;
	td->cap_elem = cap;
	return true;
}

struct td_elem *td_add_elem(struct xhci *x, struct xhci_td *td)
{
	if (td->nelem == td->cap_elem && !elems_grow(x, td))
		return NULL;
	return &td->elem[td->nelem++];
}

static COLD bool segs_grow(struct xhci *x, struct xhci_td *td)
{
	uint32_t cap = td->cap_seg ? td->cap_seg * 2 : FIRST_CAP;
	struct usb_seg *s = realloc(td->seg, cap * sizeof(*s));

	if (!s)
		return false;
	x->stats.pool_allocs++;
	td->seg = s;
	td->cap_seg = cap;
	return true;
}

struct usb_seg *td_add_seg(struct xhci *x, struct xhci_td *td)
{
	if (td->nseg == td->cap_seg && !segs_grow(x, td))
		return NULL;
	return &td->seg[td->nseg++];
}

void td_pool_free(struct xhci *x)
{
	struct xhci_td *td, *next;

	for (td = x->td_free; td; td = next) {
		next = td->next;
		td_trim(x, td);
		free(td);
	}
	x->td_free = NULL;
}
