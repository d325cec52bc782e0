/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib_seeds.c - inputs of lib_fuzz from fixtures/: what went to a device in a
 * capture, and the requests of guests in recordings, as steps of a guest that
 * has such a device.
 */
#include "tests/fuzz/lib_seeds.h"

#include <stdlib.h>

#include "devices/capture.h"
#include "tests/fuzz/emu_seed.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/record_reader.h"

#define PIECE 1400u /* bytes of an input; run.sh: -max_len */
#define STEPS 90u
#define MAX_DATA 64u /* of what is sent */
#define MAX_FILE (1u << 20)
#define MAX_PORTS 16u

static const char *folder;
static unsigned count;

/* A file's steps, in inputs that a fuzzer may have */
struct steps {
	struct seed s;
	uint8_t kind, alt;
	unsigned n;
};

static void steps_end(struct steps *t)
{
	if (t->n)
		fuzz_seed(folder, "traffic", count++, t->s.buf, t->s.len);
	t->n = 0;
	t->s.len = 0;
	s8(&t->s, t->kind);
	s8(&t->s, t->alt);
}

static void steps_next(struct steps *t)
{
	if (++t->n > STEPS || t->s.len > PIECE - 100)
		steps_end(t);
}

static void put_data(struct seed *s, const uint8_t *p, uint32_t len)
{
	len = len < MAX_DATA ? len : MAX_DATA;
	s16(s, len);
	s_bytes(s, p, len);
}

static void request(struct seed *s, const struct usb_setup *setup,
		    const uint8_t *data, uint32_t len)
{
	s8(s, 4);
	s8(s, len ? 2 : 0);
	s_bytes(s, setup, sizeof(*setup));
	if (len)
		put_data(s, data, len);
}

static void bulk_only(struct seed *s, const uint8_t *cbw)
{
	uint32_t len = cbw[8] | (uint32_t)cbw[9] << 8;

	S(s, 7, cbw[12] & 0x80u ? 1 : 0, (len + 63) / 64 & 0xff);
	s_bytes(s, cbw + 15, 16);
}

static void uas(struct seed *s, const uint8_t *iu)
{
	S(s, 10, iu[0] == 1 ? 0 : 1, iu[3]);
	if (iu[0] != 1)
		s8(s, iu[0]);
	s_bytes(s, iu + 16, 16);
	S(s, 128, 128, 128); /* room in each pipe */
}

static void transfer(struct seed *s, const struct capture_xfer *x,
		     const uint8_t *data)
{
	uint32_t len = x->length != CAPTURE_UNKNOWN ? x->length : x->actual;

	S(s, 0, 0, (x->ep & 15u) * 2 + x->in - 1);
	put_data(s, data, x->in ? 0 : x->have);
	s8(s, 1 | 2 | 128);
	s16(s, len & 0x3fff);
}

static void one(struct steps *t, const struct capture *c,
		const struct capture_xfer *x)
{
	const uint8_t *data = c->bytes + x->data;
	uint32_t have = x->in ? 0 : x->have;

	if (x->type == USB_CONTROL && !x->has_setup)
		return;
	if (x->type == USB_CONTROL)
		request(&t->s, &x->setup, data, have);
	else if (have == 31 && !memcmp(data, "USBC", 4))
		bulk_only(&t->s, data);
	else if (have == 32 && t->alt)
		uas(&t->s, data);
	else if (t->kind < 3)
		transfer(&t->s, x, data);
	else
		return;
	steps_next(t);
}

static void capture_seeds(const char *name, uint8_t kind, uint8_t alt)
{
	struct steps t = {.kind = kind, .alt = alt};
	struct capture *c;
	char path[128], err[256];

	snprintf(path, sizeof(path), "fixtures/captures/%s", name);
	if (capture_open(path, &c, err, sizeof(err)) != 0) {
		fprintf(stderr, "%s: %s\n", path, err);
		exit(1);
	}
	steps_end(&t);
	for (uint32_t i = 0; i < c->nxfers; i++)
		one(&t, c, &c->xfers[i]);
	steps_end(&t);
	capture_free(c);
}

/* The requests of a port's device in a recording, to a device of any kind */
static void recorded(const uint8_t *p, size_t len, unsigned port, uint8_t kind)
{
	struct rec_reader *r = calloc(1, sizeof(*r));
	struct steps t = {.kind = kind};
	struct xhci_tap_rec rec;
	struct usb_setup setup;
	struct rec_file f;

	if (!r)
		abort();
	steps_end(&t);
	if (rec_file_init(&f, p, len) == 0 && rec_reader_start(r, &f, 0) == 0)
		while (rec_reader_next(r, &rec) == 1) {
			if (rec.kind != XHCI_TAP_SUBMIT || rec.arg[1] != port ||
			    rec.arg[3] != USB_CONTROL)
				continue;
			memcpy(&setup, &rec.arg[7], sizeof(setup));
			request(&t.s, &setup, NULL, 0);
			steps_next(&t);
		}
	steps_end(&t);
	rec_file_fini(&f);
	free(r);
}

void lib_traffic_seeds(const char *dir, unsigned kinds)
{
	static const struct {
		const char *name;
		uint8_t kind, alt;
	} captures[] = {
		{"zero-high.pcapng", 0, 0},
		{"zero-high.pcapng", 0, 1},
		{"zero-full.pcapng", 1, 1},
		{"zero-super.pcapng", 2, 1},
		{"storage-full-bot.pcapng.gz", 3, 0},
		{"storage-high-bot.pcapng.gz", 4, 0},
		{"storage-super-uas.pcapng.gz", 5, 1},
	};
	static uint8_t p[MAX_FILE];
	FILE *f;
	size_t len;

	folder = dir;
	for (unsigned i = 0; i < sizeof(captures) / sizeof(*captures); i++)
		capture_seeds(captures[i].name, captures[i].kind,
			      captures[i].alt);
	f = fopen("fixtures/recordings/linux-6.1-bot.vxrec", "rb");
	if (!f)
		exit(1);
	len = fread(p, 1, sizeof(p), f);
	fclose(f);
	for (unsigned kind = 0; kind < kinds; kind++)
		for (unsigned port = 1; port <= MAX_PORTS; port++)
			recorded(p, len, port, (uint8_t)kind);
}
