/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c - streams of a bulk endpoint, xHCI 1.2 §4.12, §6.2.4: which
 * transfer ring a stream id means. A stream context is read once, when the
 * stream is first used after the endpoint was configured; from then on its
 * dequeue pointer is the controller's, which writes it back.
 */
#include <errno.h>
#include <stdlib.h>

#include "emu/core.h"

#define SCTX_SIZE 16u
#define SCT(dw0) (((dw0) >> 1) & 7u)
#define SCT_SECONDARY_TR 0u
#define SCT_PRIMARY_TR 1u
#define SSA_MAX 256u
#define MAX_STREAMS 4096u /* stream rings in use, a controller */

static uint32_t primary_size(const struct xhci_ep *ep)
{
	return 2u << EP_CTX_MAXPSTREAMS(ep->ctx[0]);
}

static bool linear(const struct xhci_ep *ep)
{
	return ep->ctx[0] & EP_CTX_LSA;
}

int stream_init(struct xhci_ep *ep)
{
	uint32_t n = primary_size(ep);

	if (!linear(ep))
		n *= SSA_MAX;
	ep->stream = calloc(n, sizeof(*ep->stream));
	if (!ep->stream)
		return -ENOMEM;
	ep->nstreams = n;
	return 0;
}

void stream_free(struct xhci_ep *ep)
{
	struct xhci_epq *q, *next;

	for (q = ep->q.sib; q; q = next) {
		next = q->sib;
		ep->slot->x->nstreams--;
		free(q);
	}
	ep->q.sib = NULL;
	free(ep->stream);
	ep->stream = NULL;
}

static uint64_t sctx_deq(const uint32_t dw[2])
{
	return (dw[0] & ~(SCTX_SIZE - 1)) | (uint64_t)dw[1] << 32;
}

/* Find the context of @id: CC_SUCCESS, and the context and where it is */
static enum cc stream_lookup(struct xhci_ep *ep, unsigned id, uint32_t dw[2],
			     uint64_t *ret_gpa)
{
	struct xhci *x = ep->slot->x;
	uint32_t n = primary_size(ep);
	uint32_t first = linear(ep) ? id : id % n, second = id / n;
	uint64_t array = ep->q.deq.deq;

	*ret_gpa = array + (uint64_t)first * SCTX_SIZE;
	if (mem_read_ctx(x, *ret_gpa, dw, 2) != 0)
		return CC_INVALID_STREAM_TYPE;
	if (linear(ep)) /* 0 is what FreeBSD writes there */
		return SCT(dw[0]) <= SCT_PRIMARY_TR ? CC_SUCCESS
						    : CC_INVALID_STREAM_TYPE;
	if (SCT(dw[0]) == SCT_SECONDARY_TR)
		return CC_INVALID_STREAM_TYPE;
	if (SCT(dw[0]) == SCT_PRIMARY_TR)
		return second == 0 ? CC_SUCCESS : CC_INVALID_STREAM_ID;
	/* SCT 2..7: a secondary array of 8..256 contexts */
	if (second == 0 || second >= 2u << SCT(dw[0]))
		return CC_INVALID_STREAM_ID;
	*ret_gpa = sctx_deq(dw) + (uint64_t)second * SCTX_SIZE;
	if (mem_read_ctx(x, *ret_gpa, dw, 2) != 0 ||
	    SCT(dw[0]) != SCT_SECONDARY_TR)
		return CC_INVALID_STREAM_TYPE;
	return CC_SUCCESS;
}

struct xhci_epq *stream_add(struct xhci_ep *ep, unsigned id)
{
	struct xhci *x = ep->slot->x;
	struct xhci_epq *q = NULL;

	if (x->nstreams < MAX_STREAMS)
		q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	x->nstreams++;
	q->ep = ep;
	q->stream = (uint16_t)id;
	q->sib = ep->q.sib;
	ep->q.sib = q;
	ep->stream[id] = q;
	return q;
}

struct xhci_epq *stream_queue(struct xhci_ep *ep, unsigned id, enum cc *ret_cc)
{
	struct xhci_epq *q;
	uint32_t dw[2];
	uint64_t gpa;

	if (id == 0 || id >= ep->nstreams) {
		*ret_cc = CC_INVALID_STREAM_ID;
		return NULL;
	}
	if (ep->stream[id])
		return ep->stream[id];
	*ret_cc = stream_lookup(ep, id, dw, &gpa);
	if (*ret_cc != CC_SUCCESS)
		return NULL;
	*ret_cc = CC_RESOURCE_ERROR;
	q = stream_add(ep, id);
	if (!q)
		return NULL;
	q->sct = (uint8_t)SCT(dw[0]);
	q->sctx = gpa;
	q->deq.deq = sctx_deq(dw);
	q->deq.ccs = dw[0] & EP_CTX_DCS;
	q->fetch = q->deq;
	return q;
}

void stream_write_ctx(struct xhci_ep *ep)
{
	for (const struct xhci_epq *q = ep->q.sib; q; q = q->sib) {
		uint32_t dw[2] = {(uint32_t)q->deq.deq | (uint32_t)q->sct << 1 |
					  (q->deq.ccs ? EP_CTX_DCS : 0),
				  (uint32_t)(q->deq.deq >> 32)};

		if (mem_write_ctx(ep->slot->x, q->sctx, dw, 2) != 0)
			xhci_fail_hse(ep->slot->x,
				      "stream context not in guest memory");
	}
}
