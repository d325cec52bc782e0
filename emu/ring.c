/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - reading a transfer or command ring, xHCI 1.2 §4.9.2.
 *
 * One TRB a call, Links included: the caller counts them (LINK_LIMIT), since
 * only it knows what a Link in its place means.
 */
#include "emu/core.h"

enum ring_result ring_next(struct xhci *x, struct xhci_ring *r,
			   struct xhci_trb *ret_trb, uint64_t *ret_gpa)
{
	int rc;

	*ret_gpa = r->deq;
	rc = mem_read_trb(x, r->deq, r->ccs, ret_trb);
	if (rc <= 0)
		return rc < 0 ? RING_FAULT : RING_EMPTY;
	if (TRB_TYPE(ret_trb->control) == TRB_LINK) {
		r->deq = ret_trb->param & ~(uint64_t)(TRB_SIZE - 1);
		if (ret_trb->control & TRB_TC)
			r->ccs = !r->ccs;
	} else {
		r->deq += TRB_SIZE;
	}
	return RING_TRB;
}
