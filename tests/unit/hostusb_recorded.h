/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_recorded.h - recordings as hostusb_recorded_test issues them: captures
 * of usbmon, and umockdev's own. Included once, in the test's only file, behind
 * pmapper_fake.h.
 */
#ifndef TESTS_HOSTUSB_RECORDED_H
#define TESTS_HOSTUSB_RECORDED_H

#include "hostusb/hostusb.h"

#define MAX_RECORDS 4096u
#define MAX_FILE (4u << 20)
#define HEADER 64u /* LINKTYPE_USB_LINUX_MMAPPED */

/* Types of transfers as usbmon numbers them */
enum { MON_ISOCH, MON_INTERRUPT, MON_CONTROL, MON_BULK };

/* A submission or a completion; the wire format's words */
struct record {
	uint64_t id;
	char event;
	uint8_t type, ep;
	int32_t status;
	uint32_t length, data_len;
	struct usb_setup setup; /* of a control transfer's submission */
	const uint8_t *data;    /* in the file */
	unsigned xfer;          /* of the submission, index in rig.t */
};

static struct test {
	struct rig *rig;
	struct hostusb *h;
	const char *file;
	unsigned bus, addr;
	uint8_t bytes[MAX_FILE];
	struct record record[MAX_RECORDS];
	unsigned n;
	struct usb_seg seg[FAKE_XFERS];
	bool pending[FAKE_XFERS];
} test;

/* --- captures --- */

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void add_record(const uint8_t *p, uint32_t len)
{
	struct record *r = &test.record[test.n];
	uint16_t bus;

	assert_true(len >= HEADER);
	memcpy(&bus, p + 12, sizeof(bus));
	if (bus != test.bus || p[11] != test.addr)
		return; /* another device's */
	assert_true(test.n < MAX_RECORDS);
	memcpy(&r->id, p, sizeof(r->id));
	r->event = (char)p[8];
	r->type = p[9];
	r->ep = p[10];
	assert_int_not_equal(r->type, MON_ISOCH);
	r->status = (int32_t)get32(p + 28);
	r->length = get32(p + 32);
	r->data_len = get32(p + 36);
	assert_true(r->data_len <= len - HEADER);
	r->data = p + HEADER;
	memcpy(&r->setup, p + 40, sizeof(r->setup));
	/* standard requests are the host's own, for the most part */
	if (r->type == MON_CONTROL && r->event == 'S' &&
	    (r->setup.request_type & USB_RT_TYPE_MASK) == USB_RT_STANDARD)
		r->event = '-';
	test.n++;
}

static void read_pcap(const uint8_t *p, const uint8_t *end)
{
	for (p += 24; end - p >= 16; p += 16 + get32(p + 8))
		add_record(p + 16, get32(p + 8));
}

/* Enhanced Packet Blocks; there is one interface */
static void read_pcapng(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 12 && get32(p + 4) >= 12; p += get32(p + 4))
		if (get32(p) == 6)
			add_record(p + 28, get32(p + 20));
}

/* --- umockdev's own: a line for each URB that was reaped --- */

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The hexadecimal digits at @p, in their place. Returns the end. */
static char *unhex(char *p, const uint8_t **ret_data, uint32_t *ret_len)
{
	uint8_t *to = (uint8_t *)p;
	uint32_t n = 0;

	*ret_data = to;
	for (; strchr("0123456789abcdefABCDEF", p[0]) && p[0] && p[1]; p += 2)
		to[n++] = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
	*ret_len = n;
	return p;
}

/*
 * NAME RESULT TYPE ENDPOINT STATUS FLAGS LENGTH ACTUAL ERRORS DATA: as the
 * kernel numbers types, and as it was then one after the other.
 */
static char *read_urb(char *line)
{
	static const uint8_t types[] = {MON_ISOCH, MON_INTERRUPT, MON_CONTROL,
					MON_BULK};
	struct record *s = &test.record[test.n], *c = s + 1;
	unsigned type, ep, length, actual;
	int status, at = 0;

	if (sscanf(line, "%*s 0 %u %u %d 0 %u %u %*u %n", &type, &ep, &status,
		   &length, &actual, &at) != 5 ||
	    at == 0 || type > 3)
		return line;
	assert_true(test.n + 2 <= MAX_RECORDS);
	assert_int_not_equal(types[type], MON_CONTROL);
	assert_int_not_equal(types[type], MON_ISOCH);
	s->id = test.n + 1;
	s->event = 'S';
	s->type = types[type];
	s->ep = (uint8_t)ep;
	s->length = length;
	*c = *s;
	c->event = 'C';
	c->status = status;
	c->length = actual;
	line = unhex(line + at, &c->data, &c->data_len);
	if (!(ep & USB_DIR_IN)) {
		s->data = c->data;
		s->data_len = c->data_len;
	}
	test.n += 2;
	return line;
}

static void read_ioctl(char *text)
{
	char *end;

	for (; *text; text = end + (*end == '\n')) {
		char *line = text + strspn(text, " ");

		end = line + strcspn(line, "\n");
		if (strncmp(line, "USBDEVFS_REAPURB", 16) != 0)
			continue;
		end = read_urb(line);
		end += strcspn(end, "\n");
	}
}

static bool is_ioctl(const char *file)
{
	const char *dot = strrchr(file, '.');

	return dot && !strcmp(dot, ".ioctl");
}

static void read_recording(void)
{
	FILE *f = fopen(test.file, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(test.bytes, 1, sizeof(test.bytes) - 1, f);
	fclose(f);
	assert_true(n > 24 && n < sizeof(test.bytes) - 1);
	if (is_ioctl(test.file))
		read_ioctl((char *)test.bytes);
	else if (get32(test.bytes) == 0x0a0d0d0a)
		read_pcapng(test.bytes, test.bytes + n);
	else
		read_pcap(test.bytes, test.bytes + n);
	assert_true(test.n > 0);
}

#endif
