/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.c - the file of a capture, by libpcap, and the tables made of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "devices/capture_impl.h"

#define LINKTYPES "189, 220 (usbmon) and 249 (USBPcap)"

/* Room for @more elements of @size in an array of *cap, below @max. */
static int grow(void **array, uint32_t *cap, uint32_t have, uint32_t more,
		size_t size, uint32_t max)
{
	uint64_t want = (uint64_t)have + more, n = *cap ? *cap : 256;
	void *p;

	if (want <= *cap)
		return 0;
	if (want > max)
		return -EFBIG;
	while (n < want)
		n *= 2;
	if (n > max)
		n = max;
	p = realloc(*array, n * size);
	if (p == NULL)
		return -ENOMEM;
	*array = p;
	*cap = (uint32_t)n;
	return 0;
}

static int find_dev(struct capture_reader *r, uint16_t bus, uint8_t addr,
		    uint32_t *ret_dev)
{
	struct capture *c = r->c;
	uint32_t i = r->last_dev;
	int rc;

	if (i < c->ndevs && c->devs[i].bus == bus && c->devs[i].addr == addr) {
		*ret_dev = i;
		return 0;
	}
	for (i = 0; i < c->ndevs; i++)
		if (c->devs[i].bus == bus && c->devs[i].addr == addr)
			break;
	if (i == c->ndevs) {
		rc = grow((void **)&c->devs, &r->cap_devs, c->ndevs, 1,
			  sizeof(c->devs[0]), CAPTURE_MAX_DEVS);
		if (rc < 0)
			return rc;
		c->devs[c->ndevs++] =
			(struct capture_dev){.bus = bus, .addr = addr};
	}
	*ret_dev = r->last_dev = i;
	return 0;
}

/* URBs are aligned, so the lowest bits say nothing. */
static uint32_t *bucket(struct capture_reader *r, uint64_t id)
{
	uint64_t h = (id >> 4) * 0x9e3779b97f4a7c15u;

	return &r->open[h >> 52];
}

int capture_begin(struct capture_reader *r, uint16_t bus, uint8_t addr,
		  uint64_t id, struct capture_xfer **ret_x)
{
	struct capture *c = r->c;
	struct capture_xfer *x;
	uint32_t dev, *b = bucket(r, id);
	int rc = find_dev(r, bus, addr, &dev);

	if (rc == 0)
		rc = grow((void **)&c->xfers, &r->cap_xfers, c->nxfers, 1,
			  sizeof(c->xfers[0]), CAPTURE_MAX_XFERS);
	if (rc < 0)
		return rc;
	x = &c->xfers[c->nxfers];
	*x = (struct capture_xfer){
		.id = id, .dev = (uint16_t)dev, .next_open = *b};
	*b = c->nxfers++;
	c->devs[dev].nxfers++;
	*ret_x = x;
	return 0;
}

/* In a chain of ids that are never ended only the newest are looked at. */
struct capture_xfer *capture_find(struct capture_reader *r, uint64_t id)
{
	uint32_t i = *bucket(r, id);

	for (unsigned n = 0; i != CAPTURE_NONE && n < 1024; n++) {
		struct capture_xfer *x = &r->c->xfers[i];

		if (x->id == id && x->end == CAPTURE_OPEN)
			return x;
		i = x->next_open;
	}
	return NULL;
}

static void unlink_open(struct capture_reader *r, struct capture_xfer *x)
{
	uint32_t *i = bucket(r, x->id), me = (uint32_t)(x - r->c->xfers);

	for (unsigned n = 0; *i != CAPTURE_NONE && n < 1024; n++) {
		if (*i == me) {
			*i = x->next_open;
			return;
		}
		i = &r->c->xfers[*i].next_open;
	}
}

void capture_finish(struct capture_reader *r, struct capture_xfer *x,
		    const struct capture_record *rec)
{
	unlink_open(r, x);
	x->end_ns = rec->at_ns;
	x->end_no = r->c->records;
	if (x->type != USB_ISOCH && x->have < x->actual)
		r->c->cut++;
}

int capture_keep(struct capture_reader *r, const uint8_t *p, uint32_t len,
		 uint32_t *ret_data)
{
	struct capture *c = r->c;
	int rc = grow((void **)&c->bytes, &r->cap_bytes, c->nbytes, len, 1,
		      CAPTURE_MAX_BYTES);

	if (rc < 0)
		return rc;
	if (len > 0)
		memcpy(c->bytes + c->nbytes, p, len);
	*ret_data = c->nbytes;
	c->nbytes += len;
	return 0;
}

int capture_packets(struct capture_reader *r, struct capture_xfer *x,
		    uint32_t n)
{
	struct capture *c = r->c;
	int rc = grow((void **)&c->packets, &r->cap_packets, c->npackets, n,
		      sizeof(c->packets[0]), CAPTURE_MAX_PACKETS);

	if (rc < 0)
		return rc;
	if (n > 0)
		memset(&c->packets[c->npackets], 0, n * sizeof(c->packets[0]));
	x->packet = c->npackets;
	x->npackets = n;
	c->npackets += n;
	return 0;
}

/* --- the file --- */

/* What gzip makes of a file may be much more than the file. */
struct unpacked {
	gzFile gz;
	uint64_t bytes;
};

static ssize_t unpacked_read(void *cookie, char *buf, size_t size)
{
	struct unpacked *u = cookie;
	int n = gzread(u->gz, buf,
		       (unsigned)(size < 1u << 20 ? size : 1u << 20));
	int why = Z_OK;

	if (n <= 0)
		gzerror(u->gz, &why);
	if (n < 0 || why == Z_BUF_ERROR) { /* the latter: it was cut off */
		errno = EIO;
		return -1;
	}
	u->bytes += (unsigned)n;
	if (u->bytes <= CAPTURE_MAX_BYTES)
		return n;
	errno = EFBIG;
	return -1;
}

static int unpacked_close(void *cookie)
{
	struct unpacked *u = cookie;

	gzclose(u->gz);
	free(u);
	return 0;
}

static capture_record_fn *record_fn(int linktype)
{
	switch (linktype) {
	case DLT_USB_LINUX:
		return capture_usbmon_48;
	case DLT_USB_LINUX_MMAPPED:
		return capture_usbmon_64;
	case DLT_USBPCAP:
		return capture_usbpcap;
	default:
		return NULL;
	}
}

static uint64_t time_of(const struct pcap_pkthdr *h)
{
	/* the microseconds are nanoseconds: asked for when it was opened */
	return (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec;
}

static int record_error(const struct capture_reader *r, int rc, char *err,
			size_t errlen)
{
	if (rc == -EFBIG)
		snprintf(err, errlen,
			 "too large at record %u: cut it with editcap",
			 r->c->records);
	else if (rc == -ENOMEM)
		snprintf(err, errlen, "out of memory: free some");
	else
		snprintf(err, errlen,
			 "record %u: %s: the file is damaged, give another",
			 r->c->records, r->why);
	return rc;
}

static int read_records(struct capture_reader *r, pcap_t *p, char *err,
			size_t errlen)
{
	capture_record_fn *fn = record_fn(pcap_datalink(p));
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	uint64_t first_ns = 0;
	int rc = 0, n;

	if (fn == NULL) {
		snprintf(err, errlen,
			 "link type %d is no USB traffic that is known here: "
			 "give a capture of link types " LINKTYPES,
			 pcap_datalink(p));
		return -EINVAL;
	}
	while ((n = pcap_next_ex(p, &h, &bytes)) == 1) {
		struct capture_record rec = {bytes, h->caplen, time_of(h)};

		if (r->c->records++ == 0)
			first_ns = rec.at_ns;
		rec.at_ns = rec.at_ns > first_ns ? rec.at_ns - first_ns : 0;
		rc = fn(r, &rec);
		if (rc < 0)
			return record_error(r, rc, err, errlen);
	}
	if (n == PCAP_ERROR_BREAK)
		return 0;
	snprintf(err, errlen,
		 "damaged after record %u (%.160s): write what is left with "
		 "editcap",
		 r->c->records, pcap_geterr(p));
	return -EINVAL;
}

static int read_stream(FILE *f, struct capture *c, char *err, size_t errlen)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	struct capture_reader *r = calloc(1, sizeof(*r));
	pcap_t *p;
	int rc;

	if (r == NULL) {
		fclose(f);
		snprintf(err, errlen, "out of memory: free some");
		return -ENOMEM;
	}
	r->c = c;
	memset(r->open, 0xff, sizeof(r->open)); /* CAPTURE_NONE */
	p = pcap_fopen_offline_with_tstamp_precision(
		f, PCAP_TSTAMP_PRECISION_NANO, text);
	if (p == NULL) {
		fclose(f);
		free(r);
		snprintf(err, errlen,
			 "no capture (%.160s): give a pcap or pcapng file",
			 text);
		return -EINVAL;
	}
	/* there are bytes, if none: what has none points at them too */
	rc = grow((void **)&c->bytes, &r->cap_bytes, 0, 1, 1,
		  CAPTURE_MAX_BYTES);
	if (rc < 0)
		record_error(r, rc, err, errlen);
	else
		rc = read_records(r, p, err, errlen);
	pcap_close(p); /* and the stream */
	free(r);
	return rc;
}

static void count_data(struct capture *c)
{
	for (uint32_t i = 0; i < c->nxfers; i++)
		if (c->xfers[i].type != USB_CONTROL)
			c->devs[c->xfers[i].dev].ndata++;
}

int capture_read(FILE *f, struct capture **ret_cap, char *err, size_t errlen)
{
	struct capture *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		fclose(f);
		snprintf(err, errlen, "out of memory: free some");
		return -ENOMEM;
	}
	rc = read_stream(f, c, err, errlen);
	if (rc == 0 && c->nxfers == 0) {
		snprintf(err, errlen, "no transfer in it: give another file");
		rc = -EINVAL;
	}
	if (rc < 0) {
		capture_free(c);
		return rc;
	}
	count_data(c);
	*ret_cap = c;
	return 0;
}

/* gzip or not: zlib reads both. */
static FILE *open_unpacked(int fd)
{
	static const cookie_io_functions_t io = {.read = unpacked_read,
						 .close = unpacked_close};
	struct unpacked *u = calloc(1, sizeof(*u));
	FILE *f = NULL;

	if (u != NULL)
		u->gz = gzdopen(fd, "rb");
	if (u == NULL || u->gz == NULL) {
		free(u);
		close(fd);
		return NULL;
	}
	f = fopencookie(u, "rb", io);
	if (f == NULL)
		unpacked_close(u);
	return f;
}

int capture_open(const char *path, struct capture **ret_cap, char *err,
		 size_t errlen)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	FILE *f;

	if (fd < 0) {
		int rc = -errno;

		snprintf(err, errlen, "%s: give a file that can be read",
			 strerror(errno));
		return rc;
	}
	f = open_unpacked(fd);
	if (f == NULL) {
		snprintf(err, errlen, "out of memory: free some");
		return -ENOMEM;
	}
	return capture_read(f, ret_cap, err, errlen);
}

void capture_free(struct capture *c)
{
	if (c == NULL)
		return;
	free(c->xfers);
	free(c->packets);
	free(c->bytes);
	free(c->devs);
	free(c);
}
