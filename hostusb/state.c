/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.c - what the worker does for a device: one job at a time. A job that
 * changes endpoints first ends what is in flight on them, holds what comes
 * meanwhile, and runs when they are empty.
 */
#include "hostusb/device.h"

#include <stdlib.h>
#include <string.h>

bool state_is_request(const struct usb_xfer *t)
{
	return (t->dev_data & HELD_REQUEST_MASK) != 0;
}

enum usb_status status_of_error(int r)
{
	switch (r) {
	case 0:
		return USB_OK;
	case LIBUSB_ERROR_NO_DEVICE:
		return USB_NODEV;
	case LIBUSB_ERROR_IO:
	case LIBUSB_ERROR_TIMEOUT:
	case LIBUSB_ERROR_INTERRUPTED:
	case LIBUSB_ERROR_OTHER:
		return USB_ERROR;
	default: /* refused, by the device or by its host: no such setting */
		return USB_STALL;
	}
}

static bool ep_empty(const struct host_ep *ep)
{
	return !ep->oldest && !(ep->isoch && isoch_busy(ep));
}

static bool eps_empty(const struct host_dev *hd, uint32_t mask)
{
	for (unsigned i = 0; !hd->lost && i < HOST_NEPS; i++)
		if ((mask & EP_BIT(i)) && !ep_empty(&hd->ep[i]))
			return false;
	return true;
}

/* The endpoints that interface @n has in any of its settings */
static uint32_t iface_eps(const struct host_dev *hd, unsigned n)
{
	uint32_t mask = 0;

	for (unsigned i = 0; hd->config && i < hd->config->neps; i++) {
		const struct config_ep *e = &hd->config->ep[i];

		if (e->iface == n)
			mask |= EP_BIT((e->ep & 0xfu) +
				       (e->ep & USB_DIR_IN ? 16 : 0));
	}
	return mask;
}

/*
 * Hold the endpoints of @mask, and take back what libusb has on those of
 * @drains; the job starts when they are empty.
 */
static void job_begin(struct host_dev *hd, enum job_kind kind, uint32_t mask,
		      uint32_t drains)
{
	hd->job.kind = kind;
	hd->state = DEV_DRAINS;
	hd->held = mask;
	hd->drains = drains;
	for (unsigned i = 0; i < HOST_NEPS; i++)
		if (drains & EP_BIT(i))
			ep_cut(&hd->ep[i], CUT_STATE);
}

/* The kernel dropped the streams of these endpoints with their setting. */
static void forget_streams(struct host_dev *hd, uint32_t mask)
{
	for (unsigned i = 0; i < HOST_NEPS; i++) {
		if (!(mask & EP_BIT(i)))
			continue;
		hd->ep[i].streams = 0;
		hd->ep[i].streams_free = false;
		hd->ep[i].streams_failed = false;
		hd->streams_due |= hd->ep[i].streams_wanted != 0;
	}
}

bool ep_wants_streams(const struct host_ep *ep)
{
	return ep->streams_wanted && !ep->streams && !ep->streams_failed &&
	       ep->desc && ep->desc->type == USB_BULK;
}

static void finish_xfer(struct host_dev *hd, int r)
{
	struct usb_xfer *t = hd->job_xfer;

	hd->job_xfer = NULL;
	if (t)
		usb_dev_complete(&hd->d, t, status_of_error(r), 0);
}

/* All of the configuration's settings are 0 again, and its toggles. */
static void settle_config(struct host_dev *hd)
{
	memset(hd->alt, 0, sizeof(hd->alt));
	forget_streams(hd, EP_ALL);
	host_dev_map_eps(hd);
	hd->pristine = true;
}

static void take_config(struct host_dev *hd)
{
	if (!hd->job.config)
		return;
	free(hd->config);
	hd->config = hd->job.config;
	hd->job.config = NULL;
	memset(hd->alt, 0, sizeof(hd->alt));
	forget_streams(hd, EP_ALL);
	host_dev_map_eps(hd);
}

static void done_set_config(struct host_dev *hd, const struct job *j)
{
	take_config(hd);
	hd->pristine = j->r == 0;
	if (j->r != 0)
		usb_dev_log(&hd->d, XHCI_LOG_WARN,
			    "configuration %u was not set: %s", j->value,
			    j->why[0] ? j->why : libusb_strerror(j->r));
	finish_xfer(hd, j->r);
}

static void done_set_interface(struct host_dev *hd, const struct job *j)
{
	if (j->r == 0) {
		hd->alt[j->iface] = j->value;
		forget_streams(hd, iface_eps(hd, j->iface));
		host_dev_map_eps(hd);
	}
	hd->pristine = false;
	finish_xfer(hd, j->r);
}

static void done_reset(struct host_dev *hd, const struct job *j)
{
	if (j->r == 0) {
		hd->reset_done_once = true;
		settle_config(hd);
		return;
	}
	hd->used = true; /* the next one is wanted all the same */
	usb_dev_log(&hd->d, XHCI_LOG_WARN, "reset: %s",
		    j->r == LIBUSB_ERROR_NOT_FOUND
			    ? "the device has come back as another one"
			    : libusb_strerror(j->r));
	if (j->r == LIBUSB_ERROR_NOT_FOUND)
		host_dev_gone(hd);
}

static void done_alloc_streams(struct host_dev *hd, const struct job *j)
{
	struct host_ep *ep = host_dev_ep(hd, j->ep);

	/* fewer are no failure: a guest's arrays are a power of 2 */
	ep->streams = j->streams;
	ep->streams_failed = j->streams == 0;
	usb_dev_log(&hd->d, j->streams ? XHCI_LOG_DEBUG : XHCI_LOG_WARN,
		    "endpoint %02x: %u streams of the %u in the guest%s%s",
		    j->ep, j->streams, ep->streams_wanted, j->r ? ": " : "",
		    j->r ? libusb_strerror(j->r) : "");
}

static void dev_destroy(struct host_dev *hd)
{
	const struct host_dev_owner *owner = hd->owner;
	void *arg = hd->owner_arg;

	urb_free_all(hd);
	for (unsigned i = 0; i < HOST_NEPS; i++)
		isoch_free(&hd->ep[i]);
	libusb_unref_device(hd->dev);
	free(hd->config);
	free(hd);
	owner->closed(arg);
}

static void done_open(struct host_dev *hd, const struct job *j)
{
	hd->handle = j->handle;
	take_config(hd);
	hd->owner->opened(hd->owner_arg, j->r, j->why);
}

/* The controller's thread: what the job came to */
static void state_done(struct pm_work *w)
{
	struct job *j =
		(struct job *)(void *)((char *)w - offsetof(struct job, work));
	struct host_dev *hd =
		(struct host_dev *)(void *)((char *)j -
					    offsetof(struct host_dev, job));

	hd->state = DEV_IDLE;
	hd->held = 0;
	switch (j->kind) {
	case JOB_OPEN:
		done_open(hd, j);
		return; /* hd may not be there any more */
	case JOB_GIVE_BACK:
		dev_destroy(hd);
		return;
	case JOB_SET_CONFIG:
		done_set_config(hd, j);
		break;
	case JOB_SET_INTERFACE:
		done_set_interface(hd, j);
		break;
	case JOB_CLEAR_HALT:
		finish_xfer(hd, j->r);
		break;
	case JOB_RESET:
		done_reset(hd, j);
		break;
	case JOB_ALLOC_STREAMS:
		done_alloc_streams(hd, j);
		break;
	case JOB_FREE_STREAMS:
		host_dev_ep(hd, j->ep)->streams = 0;
		break;
	}
	if (j->r == LIBUSB_ERROR_NO_DEVICE)
		host_dev_gone(hd);
	host_dev_pump(hd);
}

static void state_work(struct pm_work *w)
{
	job_run((struct job *)(void *)((char *)w - offsetof(struct job, work)));
}

/*
 * The thread is there since JOB_OPEN, so only that one can fail here; it is
 * then as if the worker had said so.
 */
static int job_start(struct host_dev *hd)
{
	struct job *j = &hd->job;
	int r;

	hd->state = DEV_WORKS;
	j->handle = hd->handle;
	j->work.run = state_work;
	j->work.done = state_done;
	r = pm_work_submit(hd->pm, &j->work);
	if (r != 0)
		hd->state = DEV_IDLE;
	return r;
}

int host_dev_open(struct host_dev *hd, libusb_device_handle *handle, int fd)
{
	hd->handle = handle;
	hd->job.fd = fd;
	hd->job.kind = JOB_OPEN;
	return job_start(hd);
}

/* The next request that is a job. It leaves the queue for hd->job_xfer. */
static void begin_request(struct host_dev *hd, struct usb_xfer *t)
{
	enum usb_state_req req = (enum usb_state_req)(
		(t->dev_data & HELD_REQUEST_MASK) - HELD_REQUEST(0));
	const struct usb_setup *s = &t->setup;
	uint32_t eps = EP_BIT(0);

	held_remove(&hd->ep[0], t);
	hd->job_xfer = t;
	switch (req) {
	case USB_SET_CONFIG:
		hd->job.value = s->value & 0xffu;
		if (hd->pristine && hd->job.value == hd->job.taken.config_now) {
			finish_xfer(hd, 0); /* nothing would change */
			host_dev_pump(hd);
			return;
		}
		job_begin(hd, JOB_SET_CONFIG, EP_ALL, EP_ALL);
		return;
	case USB_SET_INTERFACE:
		if (s->index >= CONFIG_MAX_IFACES || s->value > UINT8_MAX)
			break;
		hd->job.iface = (uint8_t)s->index;
		hd->job.value = (uint8_t)s->value;
		eps |= iface_eps(hd, s->index);
		job_begin(hd, JOB_SET_INTERFACE, eps, eps);
		return;
	case USB_CLEAR_HALT:
		hd->job.ep = s->index & (USB_DIR_IN | 0xfu);
		eps |= EP_BIT(host_dev_ep(hd, hd->job.ep)->index);
		/* what is in flight there stays: it may never end by itself */
		job_begin(hd, JOB_CLEAR_HALT, eps, EP_BIT(0));
		return;
	}
	finish_xfer(hd, LIBUSB_ERROR_INVALID_PARAM);
	host_dev_pump(hd);
}

/*
 * Streams to be had or given back; one endpoint at a time. Meanwhile all wait,
 * as the transfers of several endpoints belong together (UAS 1.0 §4: status
 * and data are asked for before the command is sent).
 */
static void begin_streams(struct host_dev *hd)
{
	hd->streams_due = false;
	for (unsigned i = 0; i < HOST_NEPS; i++) {
		struct host_ep *ep = &hd->ep[i];
		bool off = ep->streams_free;

		if (!off && !ep_wants_streams(ep))
			continue;
		ep->streams_free = false;
		hd->streams_due = true; /* look again afterwards */
		hd->job.ep = (uint8_t)((i & 0xfu) | (i >= 16 ? USB_DIR_IN : 0));
		hd->job.streams = ep->streams_wanted;
		job_begin(hd, off ? JOB_FREE_STREAMS : JOB_ALLOC_STREAMS,
			  EP_ALL, EP_BIT(i));
		return;
	}
}

/* Choose what is due, in the order of what makes the rest pointless. */
static void begin_next(struct host_dev *hd)
{
	struct usb_xfer *t = hd->ep[0].held_head;

	if (hd->closing) {
		hd->job.reset = !hd->gone && hd->used &&
				hd->reset != HOSTUSB_RESET_NEVER;
		job_begin(hd, JOB_GIVE_BACK, EP_ALL, EP_ALL);
	} else if (hd->gone) {
		return;
	} else if (hd->reset_wanted) {
		hd->reset_wanted = false;
		hd->used = false;
		job_begin(hd, JOB_RESET, EP_ALL, EP_ALL);
	} else if (t && state_is_request(t) && ep_empty(&hd->ep[0])) {
		begin_request(hd, t);
	} else if (hd->streams_due) {
		begin_streams(hd);
	}
}

void state_advance(struct host_dev *hd)
{
	if (hd->state == DEV_IDLE)
		begin_next(hd);
	if (hd->state != DEV_DRAINS || !eps_empty(hd, hd->drains))
		return;
	if (hd->job.kind == JOB_GIVE_BACK && !hd->handle)
		dev_destroy(hd);
	else
		job_start(hd);
}

void state_gone(struct host_dev *hd)
{
	if (hd->state == DEV_DRAINS && hd->job.kind != JOB_GIVE_BACK) {
		hd->state = DEV_IDLE;
		hd->held = 0;
		finish_xfer(hd, LIBUSB_ERROR_NO_DEVICE);
	}
}
