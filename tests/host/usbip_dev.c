/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usbip_dev.c - a USB device in a program: it hands one end of a socket pair to
 * the kernel's vhci_hcd and answers as the other end (USB/IP protocol v1.1.1,
 * linux/Documentation/usb/usbip_protocol.rst). For the kernel it is a device like any
 * other, with isochronous and interrupt endpoints, paced at 1 ms a packet.
 *
 *   usbip_dev full|high|super PORT - until killed
 *
 * Alternate setting 1: source and sink of zeros, for usbtest. 2: isoc_pattern.h,
 * with lost packets, and each 40th transfer answered 30 ms late.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/host/isoc_pattern.h"
#include "tests/host/usbip_desc.h"

#define ATTACH "/sys/devices/platform/vhci_hcd.0/attach"

#define CMD_SUBMIT 1u
#define CMD_UNLINK 2u
#define RET_SUBMIT 3u
#define RET_UNLINK 4u
#define DIR_IN 1u

#define MAX_DATA (1u << 20)
#define MAX_PACKETS 1024u
#define MAX_URBS 1024u
#define LATE_EACH 40u
#define LATE_US 30000u

/* All in network order on the wire */
struct header {
	uint32_t command, seqnum, devid, direction, ep;
	union {
		struct {
			uint32_t flags, length, start_frame, packets, interval;
			uint8_t setup[8];
		} submit;
		struct {
			uint32_t status, actual, start_frame, packets, errors;
			uint8_t pad[8];
		} ret;
		struct {
			uint32_t seqnum; /* or the status of the answer */
			uint32_t pad[6];
		} unlink;
	} u;
};

struct packet {
	uint32_t offset, length, actual, status;
};

struct urb {
	struct header h;
	uint64_t due; /* us; 0: free */
	uint64_t order;
	uint8_t *data;
	uint32_t data_len;
	struct packet *packets;
};

struct dev {
	int fd;
	enum speed speed;
	unsigned alt;
	uint64_t order;
	uint64_t next[4][2]; /* when an endpoint's next transfer may begin */
	uint64_t last[4][2]; /* when its last one ends */
	uint32_t sent, got;  /* packets, in alternate setting 2 */
	uint32_t transfers;
	struct isoc_stats stats;
	uint8_t vendor[4096]; /* what request 5b wrote and 5c reads */
	bool halted[4][2];
	struct urb urb[MAX_URBS];
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void xfer_all(int fd, void *buf, size_t len, bool out)
{
	for (uint8_t *p = buf; len;) {
		ssize_t n = out ? write(fd, p, len) : read(fd, p, len);

		if (n <= 0)
			exit(0); /* detached */
		p += n;
		len -= (size_t)n;
	}
}

static void swap(uint32_t *v, size_t n)
{
	while (n--)
		v[n] = htonl(v[n]);
}

/* The answer to GET_DESCRIPTOR in @d; its length, 0: a stall. */
static size_t descriptor(struct dev *v, unsigned value, uint8_t *d)
{
	static const uint8_t lang[4] = {4, 3, 9, 4};

	switch (value >> 8) {
	case 1:
		return put_device(d, v->speed);
	case 2:
		return put_config(d, v->speed);
	case 3:
		return value & 0xff ? 0 : put(d, lang, 4);
	case 15:
		return v->speed == SUPER ? put_bos(d) : 0;
	}
	return 0;
}

static void set_interface(struct dev *v, unsigned alt)
{
	v->alt = alt;
	v->sent = v->got = 0;
	memset(&v->stats, 0, sizeof(v->stats));
	memset(v->halted, 0, sizeof(v->halted));
}

/* Returns the length of the answer in u->data, or -EPIPE. */
static int control(struct dev *v, struct urb *u)
{
	const uint8_t *s = u->h.u.submit.setup;
	unsigned request = (unsigned)s[0] << 8 | s[1];
	unsigned value = (unsigned)(s[2] | s[3] << 8);
	unsigned length = (unsigned)(s[6] | s[7] << 8);
	unsigned ep = s[4] & 3, in = s[4] >> 7;
	size_t n = 0;

	switch (request) {
	case 0x8006: /* GET_DESCRIPTOR */
		n = descriptor(v, value, u->data);
		if (!n)
			return -EPIPE;
		break;
	case 0x8000: /* GET_STATUS */
	case 0x8100:
	case 0x8200:
		u->data[0] = request == 0x8200 && v->halted[ep][in];
		u->data[1] = 0;
		n = 2;
		break;
	case 0x8008: /* GET_CONFIGURATION */
		u->data[0] = 1;
		n = 1;
		break;
	case 0x810a: /* GET_INTERFACE */
		u->data[0] = (uint8_t)v->alt;
		n = 1;
		break;
	case 0x0009:
		set_interface(v, 0);
		break;
	case 0x010b:
		set_interface(v, value);
		break;
	case 0x0203: /* SET_FEATURE, CLEAR_FEATURE: ENDPOINT_HALT */
	case 0x0201:
		v->halted[ep][in] = request == 0x0203;
		break;
	case 0x0003:
	case 0x0001:
	case 0x0030: /* SET_SEL, SET_ISOCH_DELAY */
	case 0x0031:
		break;
	case 0x405b:
	case 0x415b:
		memcpy(v->vendor, u->data,
		       length < sizeof(v->vendor) ? length : sizeof(v->vendor));
		return (int)length;
	case 0xc05c:
	case 0xc15c:
		n = put(u->data, v->vendor,
			length < sizeof(v->vendor) ? length
						   : sizeof(v->vendor));
		break;
	case 0xc000 | ISOC_STATS:
		n = put(u->data, &v->stats, sizeof(v->stats));
		break;
	default:
		return -EPIPE;
	}
	return (int)(n < length ? n : length);
}

static void isoc_in(struct dev *v, struct urb *u, struct packet *p, uint8_t *to)
{
	uint32_t n = v->sent++;

	(void)u;
	if (v->alt != 2) {
		memset(to, 0, p->length);
		p->actual = p->length;
	} else if (isoc_is_lost(n) || p->length < isoc_size(n)) {
		p->actual = 0;
		p->status = (uint32_t)-EILSEQ;
	} else {
		isoc_fill(to, n);
		p->actual = isoc_size(n);
	}
}

/* A frame that the sender missed leaves a gap in the numbers. */
static void isoc_out(struct dev *v, struct urb *u, struct packet *p)
{
	const uint8_t *data = u->data + p->offset;
	uint32_t n = v->got;

	p->actual = p->length;
	if (v->alt != 2)
		return;
	v->stats.packets++;
	if (p->length >= 4 && isoc_number(data) > n)
		n = isoc_number(data);
	v->stats.gaps += n - v->got;
	v->got = n + 1;
	if (!isoc_is_right(data, p->length, n) && !v->stats.bad++)
		v->stats.first_bad = n;
	if (isoc_is_lost(n)) {
		p->actual = 0;
		p->status = (uint32_t)-EILSEQ;
	}
}

/* Data of isochronous IN is packed on the wire. Returns its length. */
static uint32_t isoc(struct dev *v, struct urb *u, uint32_t n, uint32_t *errors)
{
	uint32_t len = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct packet *p = &u->packets[i];

		p->status = 0;
		if (u->h.direction == DIR_IN)
			isoc_in(v, u, p, u->data + len);
		else
			isoc_out(v, u, p);
		len += p->actual;
		*errors += p->status != 0;
	}
	return len;
}

static void answer(struct dev *v, struct urb *u)
{
	uint32_t packets = u->packets ? u->h.u.submit.packets : 0;
	bool in = u->h.direction == DIR_IN;
	struct header r = {.command = RET_SUBMIT, .seqnum = u->h.seqnum};
	uint32_t len = u->h.u.submit.length, errors = 0;
	int status = 0;

	if (u->h.ep == 0) {
		int n = control(v, u);

		status = n < 0 ? n : 0;
		len = n < 0 ? 0 : (uint32_t)n;
	} else if (v->halted[u->h.ep][in]) {
		status = -EPIPE;
		len = 0;
	} else if (packets) {
		len = isoc(v, u, packets, &errors);
	} else if (in) {
		memset(u->data, 0, len);
	}
	r.u.ret.status = (uint32_t)status;
	r.u.ret.actual = len;
	r.u.ret.packets = packets;
	r.u.ret.errors = errors;
	swap((uint32_t *)&r, 10);
	xfer_all(v->fd, &r, sizeof(r), true);
	if (in)
		xfer_all(v->fd, u->data, len, true);
	if (packets) {
		swap((uint32_t *)u->packets, packets * 4);
		xfer_all(v->fd, u->packets, packets * sizeof(struct packet),
			 true);
	}
}

static void urb_free(struct urb *u)
{
	free(u->data);
	free(u->packets);
	memset(u, 0, sizeof(*u));
}

/* Isochronous transfers take their time, and end in order. */
static uint64_t due(struct dev *v, const struct urb *u)
{
	uint64_t now = now_us(), *next = &v->next[u->h.ep][u->h.direction];
	uint64_t *last = &v->last[u->h.ep][u->h.direction];

	if (!u->packets)
		return now;
	if (*next < now)
		*next = now;
	*next += u->h.u.submit.packets * (uint64_t)1000;
	if (*last < *next)
		*last = *next;
	if (v->alt == 2 && ++v->transfers % LATE_EACH == 0)
		*last = *next + LATE_US;
	return *last;
}

static void submit(struct dev *v, const struct header *h)
{
	struct urb *u = v->urb;

	while (u->due)
		if (++u == v->urb + MAX_URBS)
			exit(1);
	u->h = *h;
	swap((uint32_t *)&u->h, 10);
	u->h.ep &= 3;
	u->h.direction &= 1;
	if (u->h.u.submit.length > MAX_DATA)
		exit(1);
	u->data = calloc(1, u->h.u.submit.length + 4096);
	if (u->h.direction != DIR_IN)
		xfer_all(v->fd, u->data, u->h.u.submit.length, false);
	if (u->h.ep == EP_ISOC) {
		uint32_t n = u->h.u.submit.packets;

		if (n > MAX_PACKETS)
			exit(1);
		u->packets = calloc(n + 1, sizeof(struct packet));
		xfer_all(v->fd, u->packets, n * sizeof(struct packet), false);
		swap((uint32_t *)u->packets, n * 4);
	}
	u->order = ++v->order;
	u->due = due(v, u);
}

static void unlink_urb(struct dev *v, const struct header *h)
{
	uint32_t seqnum = ntohl(h->u.unlink.seqnum);
	struct header r = {.command = RET_UNLINK, .seqnum = ntohl(h->seqnum)};

	for (struct urb *u = v->urb; u < v->urb + MAX_URBS; u++) {
		if (!u->due || u->h.seqnum != seqnum)
			continue;
		urb_free(u);
		r.u.unlink.seqnum = (uint32_t)-ECONNRESET;
		break;
	}
	swap((uint32_t *)&r, 6);
	xfer_all(v->fd, &r, sizeof(r), true);
}

/* Answers what is due, in order; returns ms until the next is, -1: none. */
static int run_due(struct dev *v)
{
	for (;;) {
		uint64_t now = now_us();
		struct urb *first = NULL;

		for (struct urb *u = v->urb; u < v->urb + MAX_URBS; u++)
			if (u->due &&
			    (!first || u->due < first->due ||
			     (u->due == first->due && u->order < first->order)))
				first = u;
		if (!first)
			return -1;
		if (first->due > now)
			return (int)((first->due - now) / 1000) + 1;
		answer(v, first);
		urb_free(first);
	}
}

static int attach(int fd, unsigned port, enum speed speed)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%u %d %u %d", port, fd, 0x10001,
			 (int)speed);
	int to = open(ATTACH, O_WRONLY);

	if (to < 0 || write(to, line, (size_t)n) != n) {
		perror(ATTACH);
		return 1;
	}
	close(to);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct dev *v = calloc(1, sizeof(*v));
	struct header h;
	int pair[2];

	if (argc != 3 || !v ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		fprintf(stderr, "usage: usbip_dev full|high|super PORT\n");
		return 2;
	}
	v->speed = *argv[1] == 'f' ? FULL : *argv[1] == 'h' ? HIGH : SUPER;
	v->fd = pair[0];
	if (attach(pair[1], (unsigned)atoi(argv[2]), v->speed))
		return 1;
	for (;;) {
		struct pollfd p = {.fd = v->fd, .events = POLLIN};

		if (poll(&p, 1, run_due(v)) <= 0)
			continue;
		xfer_all(v->fd, &h, sizeof(h), false);
		if (ntohl(h.command) == CMD_SUBMIT)
			submit(v, &h);
		else if (ntohl(h.command) == CMD_UNLINK)
			unlink_urb(v, &h);
		else
			return 1;
	}
}
