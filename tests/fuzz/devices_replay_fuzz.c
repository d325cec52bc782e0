/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file as a device, replay=FILE: any bytes are a line that says what is wrong
 * with them, or a device. As that it is used in a way that the first byte of the
 * input says, by a guest that issues what is in the capture, or nearly.
 */
#include "tests/unit/devices_clock.h"

#include <sys/mman.h>
#include <unistd.h>

#include "devices/bytes.h"
#include "devices/replay_impl.h"
#include "tests/fuzz/fuzz.h"

#define MAX_FILE 8192u /* run.sh: -max_len */
#define MAX_XFERS 96u  /* of a capture that are issued */
#define MAX_BYTES 70000u

enum { HOW_PACE = 1, HOW_OTHER_LENGTHS = 2, HOW_CANCEL = 4, HOW_RESET = 8 };

struct use {
	struct usb_dev *d;
	const struct capture *c; /* borrowed */
	struct fake_xfer *f[MAX_XFERS];
	struct usb_packet packet[MAX_XFERS];
	unsigned n;
	uint32_t random;
};

static uint32_t next_random(struct use *u)
{
	u->random = u->random * 1664525u + 1013904223u;
	return u->random >> 8;
}

/* What a guest would ask for to have @x again */
static uint32_t length_of(struct use *u, const struct capture_xfer *x,
			  unsigned how)
{
	uint32_t n = x->length != CAPTURE_UNKNOWN ? x->length : x->actual;

	if (x->type == USB_CONTROL)
		return x->setup.length;
	if (how & HOW_OTHER_LENGTHS)
		n = n / 2 + next_random(u) % 600;
	return n < MAX_BYTES ? n : MAX_BYTES;
}

static void submit(struct use *u, const struct capture_xfer *x, unsigned how)
{
	uint32_t len = length_of(u, x, how);
	struct fake_xfer *f = fake_xfer(x->ep, NULL, len, 0);

	f->x.type = x->type;
	f->x.in = x->in;
	f->x.setup = x->setup;
	f->x.stream = x->stream;
	if (x->type == USB_CONTROL)
		f->x.in = (x->setup.request_type & USB_DIR_IN) != 0;
	if (x->type == USB_ISOCH) {
		u->packet[u->n] = (struct usb_packet){.length = len};
		f->x.packet = &u->packet[u->n];
		f->x.npackets = 1;
		f->x.frame = (uint32_t)(timers.now / 125000) + 8 * u->n;
	}
	u->f[u->n++] = f;
	assert_int_equal(u->d->ops->submit(u->d, &f->x), 0);
}

static void enable(struct use *u, const struct capture_xfer *x)
{
	struct usb_ep_info info = {
		.ep = x->ep, .type = x->type, .max_packet = 64, .interval = 3};

	if (x->type != USB_CONTROL && u->d->ops->ep_enable)
		u->d->ops->ep_enable(u->d, &info);
}

static void use_device(struct use *u, unsigned how)
{
	for (uint32_t i = 0; i < u->c->nxfers && u->n < MAX_XFERS; i++) {
		const struct capture_xfer *x = &u->c->xfers[i];

		if (fake.gone)
			break;
		enable(u, x);
		submit(u, x, how);
		clock_to(timers.now + (how & HOW_PACE ? 3 * MS : MS / 8));
		if ((how & HOW_CANCEL) && next_random(u) % 4 == 0)
			u->d->ops->cancel(u->d, &u->f[u->n / 2]->x);
		if ((how & HOW_RESET) && next_random(u) % 32 == 0)
			u->d->ops->reset(u->d);
	}
	/* those that came before what was left out are waited for */
	for (unsigned s = 0; s < 4 && clock_deadline() != UINT64_MAX; s++)
		for (unsigned k = 0;
		     k < 50 && clock_deadline() <= timers.now + 1000 * MS; k++)
			clock_late(clock_deadline() > timers.now
					   ? clock_deadline()
					   : timers.now);
}

/* All that is held comes back when it is cancelled, and only once. */
static void end_use(struct use *u)
{
	for (unsigned i = 0; i < u->n; i++) {
		if (!u->f[i]->done)
			u->d->ops->cancel(u->d, &u->f[i]->x);
		fake_xfer_free(u->f[i]);
	}
	u->d->ops->free(u->d);
	assert_true(clock_deadline() == UINT64_MAX);
}

static int file_of(const uint8_t *data, size_t len, char *path, size_t size)
{
	int fd = memfd_create("capture", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct use *u;
	char path[64], err[256] = "";
	struct replay_opt o = {.path = path};
	unsigned how = len ? data[0] : 0;
	int fd, rc;

	if (len < 2)
		return 0;
	clock_init();
	fake.may_go = true;
	u = calloc(1, sizeof(*u));
	assert_non_null(u);
	u->random = how;
	o.pace = how & HOW_PACE ? REPLAY_RECORDED : REPLAY_AT_ONCE;
	if (how & 64) {
		o.bus = 1;
		o.addr = (uint8_t)(1 + how % 3);
	}
	fd = file_of(data + 1, len - 1, path, sizeof(path));
	rc = replay_open(&o, &u->d, err, sizeof(err));
	if (rc < 0) {
		assert_non_null(strstr(err, ": "));
		assert_null(strchr(err, '\n'));
	} else {
		u->d->pm = (struct pmapper *)&timers;
		u->d->ops->reset(u->d);
		u->c = ((struct replay *)u->d)->c;
		use_device(u, how);
		end_use(u);
	}
	close(fd);
	free(u);
	return 0;
}

/* --- seeds: the first records of fixtures, in each of the formats --- */

struct seed {
	uint8_t p[MAX_FILE];
	size_t n;
};

static void add(struct seed *s, const void *p, size_t len)
{
	assert_true(s->n + len <= sizeof(s->p));
	memcpy(s->p + s->n, p, len);
	s->n += len;
}

static void add32(struct seed *s, uint32_t v)
{
	uint8_t b[4];

	put_le32(b, v);
	add(s, b, 4);
}

static void add_pcap_header(struct seed *s, uint32_t linktype)
{
	static const uint32_t words[] = {0xa1b2c3d4, 2 | 4u << 16, 0, 0, 65535};

	for (unsigned i = 0; i < 5; i++)
		add32(s, words[i]);
	add32(s, linktype);
}

static void add_record(struct seed *s, const uint8_t *head, size_t nhead,
		       const uint8_t *body, size_t nbody)
{
	add32(s, 0);
	add32(s, (uint32_t)(s->n & 0xffff)); /* microseconds: they pass */
	add32(s, (uint32_t)(nhead + nbody));
	add32(s, (uint32_t)(nhead + nbody));
	add(s, head, nhead);
	add(s, body, nbody);
}

/* A record of usbmon as USBPcap has it: devices/capture_usbpcap.c */
static void add_usbpcap(struct seed *s, const uint8_t *m, const uint8_t *body,
			size_t nbody)
{
	static const uint8_t types[] = {0, 1, 2, 3};
	bool end = m[8] == 'C', control = m[9] == 2;
	uint8_t h[28] = {0};

	h[0] = control ? 28 : 27;
	memcpy(h + 2, m, 8);
	if (end && get_le32(m + 28) == 0xffffffe0)
		put_le32(h + 10, 0xc0000004);
	h[16] = end;
	h[17] = m[12];
	h[19] = m[11];
	h[21] = m[10];
	h[22] = types[m[9] & 3];
	h[27] = end ? 3 : 0;
	if (control && !end) {
		body = m + 40;
		nbody = 8;
	}
	put_le32(h + 23, (uint32_t)nbody);
	add_record(s, h, h[0], body, nbody);
}

/* The record in a block of pcapng, if there is one, as @linktype has it */
static void add_block(struct seed *s, const uint8_t *b, uint32_t linktype)
{
	const uint8_t *m = b + 28;
	size_t n = get_le32(b + 20);

	if (get_le32(b) != 6 || n < 64)
		return;
	if (linktype == 249)
		add_usbpcap(s, m, m + 64, n - 64);
	else
		add_record(s, m, linktype == 189 ? 48 : 64, m + 64, n - 64);
}

/* @linktype 0: the pcapng file itself, as far as whole blocks go */
static void seed_from(const char *dir, unsigned n, const uint8_t *p, size_t len,
		      size_t from, uint32_t linktype)
{
	static struct seed s;
	size_t at = 0;

	s.n = 0;
	add(&s, &(uint8_t){(uint8_t)n}, 1);
	if (linktype)
		add_pcap_header(&s, linktype);
	while (at + 32 <= len) {
		size_t block = get_le32(p + at + 4);

		/* the enumeration, and what is asked for */
		if (s.n + block + 64 > MAX_FILE)
			break;
		if (at < 6000 || at >= from) {
			if (linktype)
				add_block(&s, p + at, linktype);
			else
				add(&s, p + at, block);
		}
		at += block;
	}
	fuzz_seed(dir, "capture", n, s.p, s.n);
}

static size_t read_fixture(const char *name, uint8_t *p, size_t max)
{
	char path[96];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "fixtures/captures/%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	len = fread(p, 1, max, f);
	fclose(f);
	return len;
}

void fuzz_seeds(const char *dir)
{
	static const uint32_t formats[] = {0, 189, 220, 249};
	static const char *const names[] = {
		"zero-full.pcapng", "zero-high.pcapng", "zero-super.pcapng",
		"storage-full-bot.pcapng.gz", "storage-super-uas.pcapng.gz"};
	static uint8_t p[1 << 20];
	unsigned n = 0;

	for (unsigned i = 0; i < 3; i++) {
		size_t len = read_fixture(names[i], p, sizeof(p));

		for (size_t from = 0; from < len; from += len / 4)
			for (unsigned k = 0; k < 4; k++)
				seed_from(dir, n++, p, len, from, formats[k]);
	}
	for (unsigned i = 3; i < 5; i++) {
		p[0] = 0;
		n++;
		fuzz_seed(dir, "packed", n, p,
			  1 + read_fixture(names[i], p + 1, MAX_FILE));
	}
}
