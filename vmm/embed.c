/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed.c - libvxhci's functions: one mutex, then the part that knows.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emu/account.h"
#include "vmm/record.h"

#define DESTROY_POLL_NS 10000000 /* wait for a transfer's end, 10 ms */
#define DESTROY_WARN_POLLS 100u  /* about a second: say who is waited for */

_Static_assert(VXHCI_VECTORS == PCI_MSIX_VECTORS, "vectors of the function");
_Static_assert(VXHCI_BAR0_SIZE == PCI_BAR0_SIZE, "size of BAR 0");
_Static_assert(VXHCI_CFG_SIZE == PCI_CFG_SIZE, "size of configuration space");
_Static_assert(XHCI_MMIO_SIZE <= PCI_MSIX_TABLE, "registers end at the table");
_Static_assert((int)VXHCI_LOG_ERROR == (int)XHCI_LOG_ERROR &&
		       (int)VXHCI_LOG_DEBUG == (int)XHCI_LOG_DEBUG,
	       "levels are passed on as they are");

void embed_enter(struct vxhci *v)
{
	pthread_mutex_lock(&v->lock);
	v->copied_at_enter = usb_copied_bytes();
}

void embed_leave(struct vxhci *v)
{
	if (atomic_load_explicit(&v->dma.lost, memory_order_relaxed) &&
	    atomic_exchange(&v->dma.lost, false))
		xhci_mem_lost(v->x);
	v->copied += usb_copied_bytes() - v->copied_at_enter;
	pthread_mutex_unlock(&v->lock);
}

bool embed_run_slices(struct vxhci *v)
{
	bool more = true;

	for (unsigned i = 0; more && i < DISPATCH_ROUNDS; i++) {
		v->kicked = false;
		more = pmapper_run(v->pm);
		/*
		 * What failed is known to the controller before it submits
		 * again: nothing overtakes a transfer that halts its endpoint.
		 */
		if (!more)
			more = xhci_run(v->x);
		more = v->kicked || more;
	}
	ACCOUNT(pmapper_held(v->pm) == xhci_in_flight(v->x),
		"%s: %u transfers are in flight, devices have %u", v->opt.slot,
		xhci_in_flight(v->x), pmapper_held(v->pm));
	return more;
}

void embed_wait(struct vxhci *v)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += DESTROY_POLL_NS;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	pthread_mutex_lock(&v->wake_lock);
	while (!v->woken)
		if (pthread_cond_timedwait(&v->wake_cond, &v->wake_lock, &ts) !=
		    0)
			break;
	v->woken = false;
	pthread_mutex_unlock(&v->wake_lock);
}

/* Out with the devices, until none of them holds anything. */
static void unplug_devices(struct vxhci *v)
{
	unsigned polls = 0;

	if (v->usb)
		hostusb_stop(v->usb);
	pmapper_detach_all(v->pm);
	xhci_reset(v->x);
	for (;;) {
		bool more = v->usb && hostusb_run(v->usb, true);

		more = embed_run_slices(v) || more;

		if (xhci_in_flight(v->x) == 0 && !pmapper_busy(v->pm))
			return;
		if (more)
			continue;
		if (++polls == DESTROY_WARN_POLLS)
			embed_log(v, XHCI_LOG_WARN,
				  "a device does not end its transfers: still "
				  "waiting for it");
		embed_wait(v);
	}
}

static int init_locks(struct vxhci *v)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r != 0)
		return -r;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&v->wake_cond, &attr);
	pthread_condattr_destroy(&attr);
	if (r != 0)
		return -r;
	r = pthread_mutex_init(&v->wake_lock, NULL);
	if (r != 0)
		goto free_cond;
	r = pthread_mutex_init(&v->lock, NULL);
	if (r != 0)
		goto free_wake_lock;
	r = pthread_mutex_init(&v->plug_lock, NULL);
	if (r != 0)
		goto free_lock;
	return 0;
free_lock:
	pthread_mutex_destroy(&v->lock);
free_wake_lock:
	pthread_mutex_destroy(&v->wake_lock);
free_cond:
	pthread_cond_destroy(&v->wake_cond);
	return -r;
}

static void free_locks(struct vxhci *v)
{
	pthread_mutex_destroy(&v->plug_lock);
	pthread_mutex_destroy(&v->lock);
	pthread_mutex_destroy(&v->wake_lock);
	pthread_cond_destroy(&v->wake_cond);
}

/* The controller, the mapper and the devices of v->opt. */
static int build(struct vxhci *v, struct vxhci_record *rec, char *err,
		 size_t errlen)
{
	const struct xhci_config cfg = {.usb2_ports = v->opt.usb2,
					.usb3_ports = v->opt.usb3};
	int r = xhci_create(&cfg, &embed_xhci_ops, v, &v->x);

	if (r < 0)
		goto failed;
	if (rec != NULL)
		r = record_stream_add(rec, v->x, &cfg, v->opt.slot, &v->rec);
	if (r < 0)
		goto free_xhci;
	r = pmapper_create(v->x, &embed_pmapper_ops, v, &v->pm);
	if (r < 0)
		goto free_xhci;
	embed_pci_init(v);
	r = embed_plug_devices(v, err, errlen);
	if (r == 0 && v->rec != NULL)
		record_stream_live(v->rec);
	if (r == 0)
		return 0;
	unplug_devices(v);
	hostusb_destroy(v->usb);
	while (v->devs != NULL)
		embed_dev_drop(v, v->devs);
	pmapper_destroy(v->pm);
	xhci_destroy(v->x);
	return r;
free_xhci:
	xhci_destroy(v->x);
failed:
	snprintf(err, errlen, "%s,xhci: no controller: out of memory",
		 v->opt.slot);
	return r;
}

int embed_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, struct vxhci_record *rec,
		 struct hostusb_share *share, char *errbuf, size_t errlen,
		 struct vxhci **ret_v)
{
	struct vxhci *v = calloc(1, sizeof(*v));
	int r;

	if (v == NULL) {
		snprintf(errbuf, errlen, "xhci: out of memory: try again");
		return -ENOMEM;
	}
	v->ops = *ops;
	v->opaque = opaque;
	v->share = share;
	v->quiet = true;
	v->timer_at = v->told_at = UINT64_MAX;
	r = slotopt_parse(slot_option, errbuf, errlen, &v->opt);
	if (r < 0)
		goto free_v;
	r = init_locks(v);
	if (r < 0) {
		snprintf(errbuf, errlen, "%s,xhci: no mutex: try again",
			 v->opt.slot);
		goto free_opt;
	}
	if (ops->wake == NULL)
		r = embed_thread_create(v, &v->own);
	if (r < 0) {
		snprintf(errbuf, errlen,
			 "%s,xhci: no event loop: %s: try again", v->opt.slot,
			 strerror(-r));
		goto free_lock;
	}
	dma_init(&v->dma, embed_mem_released, v);
	embed_enter(v);
	r = build(v, rec, errbuf, errlen);
	v->quiet = false;
	embed_leave(v);
	if (r < 0)
		goto free_thread;
	*ret_v = v;
	embed_wake(v); /* for what was left undone in here */
	return 0;
free_thread:
	embed_thread_free(v->own);
free_lock:
	free_locks(v);
free_opt:
	slotopt_free(&v->opt);
free_v:
	free(v);
	return r;
}

int vxhci_create_recorded(const char *slot_option, const struct vxhci_ops *ops,
			  void *opaque, struct vxhci_record *rec, char *errbuf,
			  size_t errlen, struct vxhci **ret_v)
{
	return embed_create(slot_option, ops, opaque, rec, NULL, errbuf, errlen,
			    ret_v);
}

int vxhci_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, char *errbuf, size_t errlen,
		 struct vxhci **ret_v)
{
	return vxhci_create_recorded(slot_option, ops, opaque, NULL, errbuf,
				     errlen, ret_v);
}

void vxhci_destroy(struct vxhci *v)
{
	if (v == NULL)
		return;
	vxhci_stop(v);
	embed_enter(v);
	v->quiet = true;
	if (v->stopped) /* its guest's memory may be used elsewhere */
		xhci_set_bus_master(v->x, false);
	unplug_devices(v);
	hostusb_destroy(v->usb);
	while (v->devs != NULL)
		embed_dev_drop(v, v->devs);
	pmapper_destroy(v->pm);
	xhci_destroy(v->x);
	if (v->rec != NULL)
		record_stream_end(v->rec);
	ACCOUNT(dma_holds(&v->dma) == 0,
		"%s: %u holds on guest memory are left", v->opt.slot,
		dma_holds(&v->dma));
	dma_fini(&v->dma);
	embed_leave(v);
	embed_thread_free(v->own);
	free_locks(v);
	slotopt_free(&v->opt);
	free(v);
}

const char *vxhci_slot(const struct vxhci *v)
{
	return v->opt.slot;
}

int vxhci_port_over_current(struct vxhci *v, unsigned port, bool on)
{
	int r;

	embed_enter(v);
	r = xhci_port_fault(v->x, port,
			    on ? XHCI_FAULT_OVER_CURRENT
			       : XHCI_FAULT_NO_OVER_CURRENT);
	embed_leave(v);
	return r;
}

uint64_t vxhci_bar_read(struct vxhci *v, uint32_t off, unsigned size)
{
	uint64_t val;

	embed_enter(v);
	if (pci_bar_off(&v->pci)) /* an unsupported request reads as ones */
		val = size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
	else if (off < PCI_MSIX_TABLE)
		val = xhci_mmio_read(v->x, off, size);
	else
		val = pci_msix_read(&v->pci, off, size);
	embed_leave(v);
	return val;
}

void vxhci_bar_write(struct vxhci *v, uint32_t off, unsigned size, uint64_t val)
{
	embed_enter(v);
	if (pci_bar_off(&v->pci))
		; /* D3hot: nobody is at home */
	else if (off < PCI_MSIX_TABLE)
		xhci_mmio_write(v->x, off, size, val);
	else
		pci_msix_write(&v->pci, off, size, val);
	embed_leave(v);
}

uint32_t vxhci_cfg_read(struct vxhci *v, uint32_t off, unsigned size)
{
	uint32_t val;

	embed_enter(v);
	val = pci_cfg_read(&v->pci, off, size);
	embed_leave(v);
	return val;
}

void vxhci_cfg_write(struct vxhci *v, uint32_t off, unsigned size, uint32_t val)
{
	embed_enter(v);
	pci_cfg_write(&v->pci, off, size, val);
	embed_leave(v);
}

void vxhci_msix_external(struct vxhci *v, bool on)
{
	embed_enter(v);
	pci_msix_external(&v->pci, on);
	embed_leave(v);
}

int vxhci_msix_entry(struct vxhci *v, unsigned vector, uint64_t *ret_addr,
		     uint32_t *ret_data, bool *ret_masked)
{
	int r;

	embed_enter(v);
	r = pci_msix_entry(&v->pci, vector, ret_addr, ret_data, ret_masked);
	embed_leave(v);
	return r;
}

void vxhci_reset(struct vxhci *v)
{
	embed_enter(v);
	xhci_reset(v->x);
	pci_reset(&v->pci);
	embed_leave(v);
}

int vxhci_mem_map(struct vxhci *v, uint64_t gpa, uint64_t len, void *ptr,
		  bool writable, void *cookie)
{
	int r;

	embed_enter(v);
	r = dma_map(&v->dma, gpa, len, ptr, writable, cookie);
	embed_leave(v);
	return r;
}

int vxhci_mem_unmap(struct vxhci *v, uint64_t gpa, uint64_t len)
{
	int r;

	embed_enter(v);
	r = dma_unmap(&v->dma, gpa, len);
	embed_leave(v);
	return r;
}

bool vxhci_mem_fault(const void *addr)
{
	return dma_guard_fault(addr);
}

void vxhci_mem_unmap_all(struct vxhci *v)
{
	embed_enter(v);
	dma_unmap_all(&v->dma);
	embed_leave(v);
}

uint64_t embed_next_timer(const struct vxhci *v)
{
	uint64_t dev_at = pmapper_deadline(v->pm);

	return dev_at < v->timer_at ? dev_at : v->timer_at;
}

/* The clock is not read where nothing is waited for. */
static void run_timers(struct vxhci *v)
{
	uint64_t now;

	if (embed_next_timer(v) == UINT64_MAX)
		return;
	now = embed_now_ns(v);
	if (now >= v->timer_at) {
		v->timer_at = UINT64_MAX;
		xhci_timer(v->x);
	}
	if (now >= pmapper_deadline(v->pm))
		pmapper_timer(v->pm, now);
}

bool embed_work(struct vxhci *v, bool usb_ready)
{
	bool more;

	run_timers(v);
	more = v->usb && hostusb_run(v->usb, usb_ready);
	more = embed_run_slices(v) || more;
	if (v->usb && hostusb_run_cut(v->usb))
		more = embed_run_slices(v) || more;
	return more;
}

void vxhci_dispatch(struct vxhci *v, uint64_t *ret_timeout_ns)
{
	uint64_t now, at, timeout = UINT64_MAX;
	bool more;

	embed_enter(v);
	if (v->stopped) { /* there is no time */
		embed_leave(v);
		*ret_timeout_ns = UINT64_MAX;
		return;
	}
	v->quiet = true;
	more = embed_work(v, v->usb && atomic_exchange(&v->usb_ready, false));
	v->quiet = false;
	at = v->told_at = embed_next_timer(v);
	if (v->usb)
		timeout = hostusb_timeout_ns(v->usb);
	if (more) {
		timeout = 0;
	} else if (at != UINT64_MAX) {
		now = embed_now_ns(v);
		now = at > now ? at - now : 0;
		timeout = now < timeout ? now : timeout;
	}
	embed_leave(v);
	*ret_timeout_ns = timeout;
}

void vxhci_fd_ready(struct vxhci *v)
{
	atomic_store(&v->usb_ready, true);
}

void vxhci_get_stats(struct vxhci *v, struct vxhci_stats *ret)
{
	const struct xhci_stats *s;

	embed_enter(v);
	s = xhci_stats(v->x);
	*ret = (struct vxhci_stats){
		.transfers = s->tds,
		.bytes = s->bytes,
		.errors = s->errors,
		.commands = s->commands,
		.events = s->events,
		.interrupts = s->interrupts,
		.port_resets = s->port_resets,
		.trb_reads = s->trb_reads,
		.trb_peeks = s->trb_peeks,
		.copied_bytes = v->copied,
		.allocs = s->pool_allocs,
		.in_flight = xhci_in_flight(v->x),
		.bytes_in_flight = xhci_bytes_in_flight(v->x),
	};
	embed_leave(v);
}
