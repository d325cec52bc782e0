/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/trace_impl.h"

/* A record of the capture: a transfer begins, or ends. */
struct mark {
	uint32_t no;
	bool end;
	const struct capture_xfer *x;
};

bool trace_fail(struct trace *t, const struct capture_xfer *x, const char *fmt,
		...)
{
	static const char *const types[] = {"control", "isochronous", "bulk",
					    "interrupt"};
	int n = 0;
	va_list ap;

	if (t->failed)
		return false;
	t->failed = true;
	if (x)
		n = snprintf(t->why, t->len,
			     "%s transfer %02x of record %u: ", types[x->type],
			     x->type ? x->ep : x->setup.request,
			     x->end_no ? x->end_no : x->begin_no);
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < t->len)
		vsnprintf(t->why + n, t->len - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

int trace_open(const char *path, const char *option, struct replay *r,
	       char *why, size_t len)
{
	struct replay_opt o = {.path = path};
	const char *dev = strstr(option, "dev=");
	unsigned bus, addr;
	int rc;

	memset(r, 0, sizeof(*r));
	if (dev && sscanf(dev, "dev=%u.%u", &bus, &addr) == 2) {
		o.bus = (uint16_t)bus;
		o.addr = (uint8_t)addr;
	}
	rc = capture_open(path, &r->c, why, len);
	if (rc == 0)
		rc = replay_choose(r, &o, why, len);
	if (rc == 0)
		rc = replay_script(r);
	return rc;
}

void trace_close(struct replay *r)
{
	replay_script_free(r);
	replay_desc_free(&r->desc);
	capture_free(r->c);
}

/* Everything of the device that a guest can do again */
static bool is_ours(const struct trace *t, const struct capture_xfer *x)
{
	return x->dev == t->r.capture_dev &&
	       (x->type != USB_CONTROL || x->has_setup);
}

static int by_record(const void *a, const void *b)
{
	const struct mark *m = a, *n = b;

	if (m->no != n->no)
		return m->no < n->no ? -1 : 1;
	if (m->x != n->x)
		return m->x < n->x ? -1 : 1;
	return m->end - n->end;
}

static struct mark *make_marks(struct trace *t, uint32_t *ret_n)
{
	const struct capture *c = t->r.c;
	struct mark *m = calloc(2u * c->nxfers, sizeof(*m));
	uint32_t n = 0;

	if (!m)
		abort();
	for (uint32_t i = 0; i < c->nxfers; i++) {
		const struct capture_xfer *x = &c->xfers[i];

		if (!is_ours(t, x))
			continue;
		/* those that had begun before: in their order, first of all */
		m[n++] = (struct mark){x->begin_no, false, x};
		if (x->end != CAPTURE_OPEN)
			m[n++] = (struct mark){x->end_no, true, x};
		if (x->stream > t->max_stream[trace_dci(x)])
			t->max_stream[trace_dci(x)] = x->stream;
	}
	qsort(m, n, sizeof(*m), by_record);
	*ret_n = n;
	return m;
}

static int connect_guest(struct trace *t, struct vxhci_pcap **ret_pcap)
{
	char option[4608];
	int rc;

	snprintf(option, sizeof(option), "30,xhci,replay=%s%s%s", t->o->path,
		 t->o->option, t->o->recorded_pace ? "" : ",pace=none");
	guestmem_init(&t->gm);
	guestmem_add(&t->gm, 0x100000, 64u << 20);
	rc = gdrv_vx_init_virtual(&t->e, &t->gm, option);
	if (rc == 0 && t->o->pcap)
		rc = vxhci_pcap_open(t->o->pcap, NULL, NULL, t->why, t->len,
				     ret_pcap);
	if (rc == 0 && *ret_pcap)
		rc = vxhci_pcap_add(*ret_pcap, t->e.v);
	if (rc == 0)
		rc = gdrv_init(&t->d, &gdrv_vx_bus, &t->e, &t->gm, NULL);
	if (rc == 0)
		rc = gdrv_start(&t->d);
	if (rc < 0)
		return rc;
	t->port = gdrv_port_find(&t->d, 0);
	t->v = gdrv_open(&t->d, t->port);
	return t->v ? 0 : -ENODEV;
}

static void drive(struct trace *t)
{
	uint32_t n;
	struct mark *m = make_marks(t, &n);

	for (uint32_t i = 0; i < n && !t->failed; i++) {
		const struct capture_xfer *x = m[i].x;

		if (!t->unplugged && !m[i].end)
			trace_submit(t, x);
		else if (!t->unplugged)
			trace_complete(t, x);
		else if (m[i].end && x->end == CAPTURE_ENDED)
			trace_fail(t, x, "the device is gone too early");
	}
	free(m);
	for (struct trace_urb *u = t->urbs; u; u = u->next) {
		t->st->open++;
		if (!t->unplugged && u->ntds && u->left == 0)
			trace_fail(t, u->x, "has an end, which it had not");
	}
}

static void clean_up(struct trace *t, struct vxhci_pcap *pcap)
{
	while (t->urbs)
		trace_urb_free(t, t->urbs);
	if (!gdrv_ok(&t->d))
		trace_fail(t, NULL, "the driver: %s", t->d.err);
	gdrv_vx_fini(&t->e);
	vxhci_pcap_close(pcap);
	if (t->d.bus)
		gdrv_fini(&t->d);
	guestmem_fini(&t->gm);
}

enum trace_verdict trace_run(const struct trace_opt *o, char *why, size_t len,
			     struct trace_stats *ret)
{
	struct trace *t = calloc(1, sizeof(*t));
	struct vxhci_pcap *pcap = NULL;
	enum trace_verdict v;

	if (!t)
		abort();
	memset(ret, 0, sizeof(*ret));
	t->o = o;
	t->st = ret;
	t->why = why;
	t->len = len;
	if (trace_open(o->path, o->option, &t->r, why, len) < 0) {
		trace_close(&t->r);
		free(t);
		return TRACE_REFUSED;
	}
	if (connect_guest(t, &pcap) < 0)
		trace_fail(t, NULL, "no device: %s%s", t->e.err, t->d.err);
	else
		drive(t);
	ret->virtual_ns = t->e.now;
	clean_up(t, pcap);
	v = t->failed ? TRACE_DIFFERS : TRACE_SAME;
	trace_close(&t->r);
	free(t);
	return v;
}
