/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * isoc.c - the other side of usbip_dev's alternate setting 2, through usbfs.
 *
 *   isoc NODE in|out PACKETS - exit status 0 when each was right: those that
 *   the device loses on purpose came back with an error, the others whole, in
 *   order, with the right content. Frames for which L2 was too late are
 *   counted, as the controller reports them (Missed Service Error).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/host/isoc_pattern.h"

#define EP_IN 0x82
#define EP_OUT 0x02
#define PER_URB 8u
#define URBS 40u        /* 320 ms: L2 is slow */
#define MISSED_MAX 100u /* of so many packets one may be missed for that */
#define ROOM 256u       /* for a packet */

struct slot {
	union { /* room for the packets' descriptors at the end */
		struct usbdevfs_urb urb;
		uint8_t raw[sizeof(struct usbdevfs_urb) +
			    PER_URB * sizeof(struct usbdevfs_iso_packet_desc)];
	} u;
	uint8_t data[PER_URB * ROOM];
};

struct run {
	int fd;
	bool in;
	uint32_t queued, checked, lost, wrong, missed;
};

static int queue(struct run *r, struct slot *s)
{
	struct usbdevfs_urb *u = &s->u.urb;
	uint32_t at = 0;

	memset(u, 0, sizeof(s->u));
	u->type = USBDEVFS_URB_TYPE_ISO;
	u->endpoint = r->in ? EP_IN : EP_OUT;
	u->flags = USBDEVFS_URB_ISO_ASAP;
	u->buffer = s->data;
	u->number_of_packets = PER_URB;
	u->usercontext = s;
	for (unsigned i = 0; i < PER_URB; i++) {
		uint32_t n = r->queued++;
		uint32_t len = r->in ? ROOM : isoc_size(n);

		if (!r->in)
			isoc_fill(s->data + at, n);
		u->iso_frame_desc[i].length = len;
		at += len;
	}
	u->buffer_length = (int)at;
	return ioctl(r->fd, USBDEVFS_SUBMITURB, u);
}

static void complain(struct run *r, uint32_t n, const uint8_t *data,
		     const struct usbdevfs_iso_packet_desc *d)
{
	uint32_t is = r->in && d->actual_length >= 4 ? isoc_number(data) : n;

	if (r->wrong++ < 5)
		printf("packet %u of %u, %u missed: %u bytes, status %d%s, "
		       "number %u\n",
		       n, r->checked, r->missed, d->actual_length,
		       (int)d->status, isoc_is_lost(n) ? ", to be lost" : "",
		       is);
	/* those after it may be right again */
	if (r->in && !d->status && isoc_is_right(data, d->actual_length, is))
		r->missed += n - is;
}

static void check(struct run *r, const struct slot *s)
{
	const struct usbdevfs_urb *u = &s->u.urb;
	uint32_t at = 0;

	for (unsigned i = 0; i < PER_URB; i++) {
		const struct usbdevfs_iso_packet_desc *d =
			&u->iso_frame_desc[i];
		uint32_t n = r->checked++;

		if (r->in) /* the device was not asked for those */
			n -= r->missed;
		if ((int)d->status == -EXDEV) {
			r->missed++;
			at += d->length;
			continue;
		}
		r->lost += isoc_is_lost(n);
		if (isoc_is_lost(n)
			    ? !d->status
			    : d->status ||
				      (r->in &&
				       !isoc_is_right(s->data + at,
						      d->actual_length, n)))
			complain(r, n, s->data + at, d);
		at += d->length;
	}
}

/* What the device says it got. */
static int device_is_content(struct run *r)
{
	struct isoc_stats st = {0};
	struct usbdevfs_ctrltransfer c = {
		.bRequestType = 0xc0,
		.bRequest = ISOC_STATS,
		.wLength = sizeof(st),
		.timeout = 10000,
		.data = &st,
	};

	if (ioctl(r->fd, USBDEVFS_CONTROL, &c) != sizeof(st)) {
		perror("statistics");
		return 0;
	}
	printf("the device got %u, %u wrong, %u never came", st.packets, st.bad,
	       st.gaps);
	if (st.bad)
		printf(", the first is %u", st.first_bad);
	puts("");
	return st.packets == r->checked - r->missed && !st.bad &&
	       st.gaps <= r->missed;
}

int main(int argc, char **argv)
{
	static struct slot slots[URBS];
	struct usbdevfs_setinterface alt = {0, 2};
	struct run r = {.fd = argc == 4 ? open(argv[1], O_RDWR) : -1};
	struct usbdevfs_ioctl drv = {0, USBDEVFS_DISCONNECT, NULL};
	struct usbdevfs_urb *done;
	uint32_t want;

	if (r.fd < 0) {
		fprintf(stderr, "usage: isoc NODE in|out PACKETS\n");
		return 2;
	}
	r.in = argv[2][0] == 'i';
	want = (uint32_t)atoi(argv[3]) / PER_URB * PER_URB;
	ioctl(r.fd, USBDEVFS_IOCTL, &drv);
	if (ioctl(r.fd, USBDEVFS_CLAIMINTERFACE, &drv.ifno) ||
	    ioctl(r.fd, USBDEVFS_SETINTERFACE, &alt)) {
		perror(argv[1]);
		return 2;
	}
	for (unsigned i = 0; i < URBS && r.queued < want; i++)
		if (queue(&r, &slots[i])) {
			perror("submit");
			return 1;
		}
	while (r.checked < want) {
		if (ioctl(r.fd, USBDEVFS_REAPURB, &done)) {
			perror("reap");
			return 1;
		}
		check(&r, done->usercontext);
		if (r.queued < want && queue(&r, done->usercontext)) {
			perror("submit");
			return 1;
		}
	}
	printf("%u packets, %u lost on purpose, %u missed, %u wrong\n",
	       r.checked, r.lost, r.missed, r.wrong);
	return r.wrong || r.missed > want / MISSED_MAX ||
	       (!r.in && !device_is_content(&r));
}
