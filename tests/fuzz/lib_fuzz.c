/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole library under a guest: a controller with a built-in device (zero,
 * a disk by Bulk-Only Transport and by UAS, keyboard, tablet, mouse, headset,
 * camera) that a driver has brought up, and then whatever the input says:
 * requests, transfers of any data and shape on any endpoint and stream,
 * commands, registers, resets, what the person types, media that change.
 * Half of what is sent to a disk begins as a command should.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lib_guest.h"
#include "tests/fuzz/lib_seeds.h"

#define MAX_STEPS 100u

static struct gdrv_ring *any_ring(struct fuzz_in *in, unsigned *ret_dci,
				  unsigned *ret_stream)
{
	unsigned dci = 1 + in_u8(in) % 31, stream = 0;

	for (unsigned i = 0; i < 31 && !g->v->ring[dci]; i++)
		dci = dci % 31 + 1;
	*ret_dci = dci;
	if (g->v->streams[dci]) {
		stream = in_u8(in) % g->v->streams[dci]->n;
		if (stream)
			*ret_stream = stream;
		else
			*ret_stream = 0;
		return stream ? &g->v->streams[dci]->ring[stream]
			      : g->v->ring[dci];
	}
	*ret_stream = 0;
	return g->v->ring[dci];
}

static void put_data(struct fuzz_in *in, uint64_t at, size_t max)
{
	const uint8_t *data;
	size_t len;

	data = in_bytes(in, max, &len);
	guestmem_write(&g->gm, at, data, len);
}

/* A transfer: TRBs of any length, chained or not */
static void transfer(struct fuzz_in *in)
{
	unsigned dci, stream, n = 1 + (in_u8(in) & 3);
	struct gdrv_ring *r = any_ring(in, &dci, &stream);
	struct gdrv_trb t[4] = {0};
	uint32_t td;

	put_data(in, g->buf, 256);
	for (unsigned i = 0; i < n; i++) {
		uint8_t fl = in_u8(in);

		t[i].ptr = g->buf + (fl & 64 ? in_u16(in) % BUF_BYTES : 0);
		t[i].len = fl & 128 ? in_u16(in) & 0x3fff : in_u8(in);
		t[i].type = r->ep_type == EPT_ISOCH_IN ||
					    r->ep_type == EPT_ISOCH_OUT
				    ? TRB_ISOCH
				    : TRB_NORMAL;
		t[i].flags = (fl & 1 ? TRB_IOC : 0) | (fl & 2 ? TRB_ISP : 0) |
			     (i + 1 < n && fl & 4 ? TRB_CH : 0) |
			     (t[i].type == TRB_ISOCH ? 1u << 31 : 0);
	}
	if (gdrv_post(r, t, n, &td) == 0)
		gdrv_doorbell(&g->d, g->v->slot, dci, stream);
	wait_a_little();
}

/* Something to be sent on @dci (and stream), from the buffer's byte @at on */
static void send_buf(unsigned dci, unsigned stream, uint32_t at, uint32_t len)
{
	struct gdrv_trb t = {.ptr = g->buf + at,
			     .len = len,
			     .type = TRB_NORMAL,
			     .flags = TRB_IOC | TRB_ISP};
	struct gdrv_ring *r = g->v->ring[dci];
	uint32_t td;

	if (!r)
		return;
	if (stream && g->v->streams[dci] && stream < g->v->streams[dci]->n)
		r = &g->v->streams[dci]->ring[stream];
	if (gdrv_post(r, &t, 1, &td) == 0)
		gdrv_doorbell(&g->d, g->v->slot, dci, stream);
}

/* A Command Block Wrapper of a disk, its data, its status */
static void bulk_only(struct fuzz_in *in)
{
	uint8_t cbw[31] = {'U', 'S', 'B', 'C'}, shape = in_u8(in);
	uint32_t len = in_u8(in) * 64u;
	unsigned out = 0, inn = 0;

	for (unsigned dci = 2; dci < 32; dci++)
		if (g->v->ring[dci] && g->v->ring[dci]->ep_type == EPT_BULK_OUT)
			out = out ? out : dci;
		else if (g->v->ring[dci] &&
			 g->v->ring[dci]->ep_type == EPT_BULK_IN)
			inn = inn ? inn : dci;
	g->tag++;
	memcpy(cbw + 4, &g->tag, 4);
	memcpy(cbw + 8, &len, 4);
	cbw[12] = shape & 1 ? 0x80 : 0;
	cbw[13] = shape & 2 ? in_u8(in) : 0;
	cbw[14] = shape & 4 ? in_u8(in) : 16;
	for (unsigned i = 15; i < 31; i++)
		cbw[i] = in_u8(in);
	if (shape & 8)
		cbw[in_u8(in) % 31] ^= in_u8(in);
	guestmem_write(&g->gm, g->buf, cbw, sizeof(cbw));
	send_buf(out, 0, 0, shape & 16 ? in_u8(in) : 31);
	if (len)
		send_buf(shape & 1 ? inn : out, 0, 4096,
			 shape & 32 ? in_u16(in) & 0x1fff : len);
	send_buf(inn, 0, 64, 13);
	wait_a_little();
}

/* A command or task IU of UAS, with the pipes that it needs */
static void uas(struct fuzz_in *in)
{
	uint8_t iu[64] = {1}, shape = in_u8(in), stream = in_u8(in) & 15;
	unsigned stream_of = g->v->speed >= 4 ? stream : 0;

	iu[0] = shape & 1 ? in_u8(in) : shape & 2 ? 5 : 1;
	iu[3] = shape & 4 ? in_u8(in) : stream;
	iu[4] = shape & 8 ? in_u8(in) : 0;
	for (unsigned i = 0; i < 16; i++)
		iu[16 + i] = in_u8(in);
	if (shape & 2) {
		iu[4] = in_u8(in);
		iu[6] = 0;
		iu[7] = in_u8(in) & 15;
	}
	guestmem_write(&g->gm, g->buf, iu, sizeof(iu));
	/* command 1 out, status, data in, data out: as the device has them */
	for (unsigned dci = 2; dci < 32; dci++) {
		struct gdrv_ring *r = g->v->ring[dci];

		if (r && g->v->streams[dci])
			send_buf(dci, stream_of, 4096u + dci * 128,
				 in_u8(in) * 32u);
		else if (r && r->ep_type == EPT_BULK_IN)
			send_buf(dci, 0, 4096u + dci * 128, in_u8(in) * 32u);
	}
	for (unsigned dci = 2; dci < 32; dci++)
		if (g->v->ring[dci] && !g->v->streams[dci] &&
		    g->v->ring[dci]->ep_type == EPT_BULK_OUT)
			send_buf(dci, 0, 0, shape & 16 ? in_u8(in) : 32);
	wait_a_little();
}

static void request(struct fuzz_in *in)
{
	uint8_t setup[8];
	uint8_t shape = in_u8(in);

	for (unsigned i = 0; i < 8; i++)
		setup[i] = in_u8(in);
	if (shape & 1)
		setup[7] = 0;
	if (shape & 2)
		put_data(in, g->buf, 256);
	if ((setup[6] | setup[7] << 8) > (int)BUF_BYTES)
		setup[7] &= 0x3f;
	control(setup);
}

static void command(struct fuzz_in *in)
{
	unsigned dci = 1 + in_u8(in) % 31, op = in_u8(in);
	struct gdrv_dev *v = g->v;

	if (!v->ring[dci])
		dci = 1;
	switch (op % 8) {
	case 0:
	case 1:
		gdrv_stop_ep(v, dci);
		break;
	case 2:
	case 3:
		gdrv_reset_ep(v, dci, op & 64);
		break;
	case 4:
	case 5:
		if (!v->streams[dci])
			gdrv_set_dequeue(v, dci, 0);
		break;
	case 6:
		gdrv_doorbell(&g->d, v->slot, dci, op >> 3);
		break;
	default:
		gdrv_cmd_raw(&g->d, in_u32(in), 0,
			     TRB_TYPE((uint32_t)op >> 3) | TRB_SLOT(v->slot) |
				     dci << 16);
	}
	wait_a_little();
}

/* A reset, and up again in another setting */
static void again(struct fuzz_in *in)
{
	uint8_t how = in_u8(in);
	unsigned port = g->v->port;
	struct gdrv_dev *v;

	gdrv_disable_slot(&g->d, g->v->slot);
	g->v = NULL;
	if (how & 2 && (gdrv_hcrst(&g->d) || gdrv_start(&g->d)))
		return;
	v = gdrv_open(&g->d, port);
	g->v = v; /* it may have lost its port's power */
	if (v)
		bring_up(how >> 2 & 1);
}

static void host(struct fuzz_in *in)
{
	uint8_t op = in_u8(in), arg = in_u8(in);
	struct vxhci *v = g->e.v;
	char err[256];

	switch (op % 8) {
	case 0:
		vxhci_input_key(v, 0, arg, op & 64);
		break;
	case 1:
		vxhci_input_button(v, 0, (enum vxhci_button)(arg % 5), op & 64);
		break;
	case 2:
		vxhci_input_abs(v, 0, arg * 128, op * 128);
		break;
	case 3:
		vxhci_input_rel(v, 0, (int8_t)arg, (int8_t)op);
		vxhci_input_wheel(v, 0, (int8_t)arg, 1);
		break;
	case 4:
		vxhci_media_eject(v, g->v->port, 0, op & 64, err, sizeof(err));
		break;
	case 5:
		vxhci_media_insert(v, g->v->port, 0, disk_path, op & 128,
				   op & 64, err, sizeof(err));
		break;
	case 6:
		vxhci_port_over_current(v, g->v->port, op & 64);
		break;
	default:
		for (unsigned i = 0; i < 8; i++)
			g->d.bus->advance(g->d.bus_p, arg * 1000000ull);
	}
	wait_a_little();
}

static void registers(struct fuzz_in *in)
{
	uint32_t off = in_u16(in) & 0x1fff, val = in_u32(in);
	unsigned size = 1u << (off & 3);

	vxhci_bar_write(g->e.v, off & ~7u, size, val);
	vxhci_bar_read(g->e.v, off & ~7u, size);
	wait_a_little();
}

static void step(struct fuzz_in *in)
{
	uint8_t op = in_u8(in);

	switch (op & 15) {
	case 0 ... 3:
		transfer(in);
		break;
	case 4 ... 6:
		request(in);
		break;
	case 7 ... 9:
		bulk_only(in);
		break;
	case 10 ... 11:
		uas(in);
		break;
	case 12:
		command(in);
		break;
	case 13:
		host(in);
		break;
	case 14:
		if (op & 0x30)
			command(in);
		else
			again(in);
		break;
	default:
		if (op == 0xff)
			registers(in);
		else
			host(in);
	}
}

static void make_disk(void)
{
	disk = memfd_create("disk", 0);
	need(disk >= 0, "no disk");
	snprintf(disk_path, sizeof(disk_path), "/proc/self/fd/%d", disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = {data, len};
	uint8_t kind = in_u8(&in);

	if (disk < 0)
		make_disk();
	/* each time the same: holes are zeroes */
	need(ftruncate(disk, 0) == 0 && ftruncate(disk, DISK_BYTES) == 0,
	     "the disk's size");
	begin(kind, in_u8(&in) & 1);
	for (unsigned n = 0; in.left && g->v && n < MAX_STEPS; n++)
		step(&in);
	end();
	return 0;
}

/* Seeds: commands that a disk knows; for each device, all kinds of steps */
void fuzz_seeds(const char *dir)
{
	static const uint8_t cdbs[] = {
		0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x23, 0x25, 0x28, 0x2a,
		0x2f, 0x35, 0x41, 0x42, 0x4d, 0x5a, 0x88, 0x8a, 0x8f, 0x91,
		0x93, 0x9e, 0xa0, 0xa8, 0xaa, 0xa3, 0x15, 0x55};
	uint8_t buf[512];
	uint32_t s = 9;

	for (unsigned k = 0; k < NOPTIONS; k++) {
		for (unsigned i = 0; i < sizeof(buf); i++) {
			s = s * 1103515245 + 12345;
			buf[i] = (uint8_t)(s >> 16);
		}
		buf[0] = (uint8_t)k;
		fuzz_seed(dir, "random", k, buf, sizeof(buf));
	}
	for (unsigned k = 3; k < 7; k++)
		for (unsigned uas_iu = 0; uas_iu < 2; uas_iu++) {
			unsigned n = 0;

			buf[n++] = (uint8_t)k;
			buf[n++] = (uint8_t)uas_iu;
			for (unsigned i = 0; i < sizeof(cdbs); i++) {
				buf[n++] = uas_iu ? 10 : 7;
				buf[n++] = uas_iu ? 0 : 1;
				buf[n++] = uas_iu ? (uint8_t)(1 + i % 8) : 8;
				buf[n++] = cdbs[i];
				memset(buf + n, 0, 15);
				buf[n + 7] = 1;
				n += 15;
				if (n > sizeof(buf) - 24)
					break;
			}
			fuzz_seed(dir, "scsi", 2 * k + uas_iu, buf, n);
		}
	lib_traffic_seeds(dir, NOPTIONS);
}
