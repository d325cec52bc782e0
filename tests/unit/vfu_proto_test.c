/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each message, right and wrong, and the exact bytes of its reply. In hex,
 * written by hand from the specification: neither side goes through the
 * structures that the server uses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/vfu_fake.h"
#include "tests/unit/vfu_proto_rows.h"
#include "vmm/vfu_dev.h"

/* Hex to bytes, the size into its place. Returns the number of bytes */
static size_t assemble(const char *hex, uint8_t *to)
{
	size_t n = 0;

	while (*hex) {
		unsigned byte;

		if (*hex == ' ') {
			hex++;
		} else if (*hex == 'S') {
			hex += 4;
			n += 4;
		} else {
			assert_int_equal(sscanf(hex, "%2x", &byte), 1);
			to[n++] = (uint8_t)byte;
			hex += 2;
		}
	}
	to[4] = (uint8_t)n;
	to[5] = (uint8_t)(n >> 8);
	to[6] = 0;
	to[7] = 0;
	return n;
}

struct fixture {
	struct vfu_dev dev;
	struct vxhci *v;
	uint8_t out[VFU_REPLY_MAX];
};

static void on_msix(void *opaque, unsigned vector)
{
	struct fixture *f = opaque;

	vfu_irq_raise(&f->dev.irq, vector);
}

static void on_released(void *opaque, void *cookie)
{
	struct fixture *f = opaque;

	vfu_dma_released(&f->dev.dma, cookie);
}

static ssize_t send_hex(struct fixture *f, const char *hex, unsigned nfds)
{
	struct vfu_fds fds = {.n = nfds};
	uint8_t buf[512];
	size_t n = assemble(hex, buf);
	uint8_t *exact = malloc(n); /* so that ASan sees a byte too far */
	ssize_t r;

	assert_non_null(exact);
	memcpy(exact, buf, n);
	for (unsigned i = 0; i < nfds; i++) {
		fds.fd[i] = memfd_create("ram", MFD_CLOEXEC);
		assert_int_equal(ftruncate(fds.fd[i], 65536), 0);
	}
	memset(f->out, 0xa5, sizeof(f->out));
	r = vfu_dev_message(&f->dev, exact, n, &fds, f->out);
	vfu_fds_close(&fds);
	free(exact);
	return r;
}

static void prepare(struct fixture *f, enum before before)
{
	static const struct vxhci_ops ops = {.msix = on_msix,
					     .mem_released = on_released};

	assert_int_equal(vxhci_create("", &ops, f, NULL, 0, &f->v), 0);
	vfu_dev_init(&f->dev, f->v);
	if (before != NOTHING)
		assert_true(send_hex(f, HDR("0000", "0100") Z4, 0) > 0);
	if (before == ONE_MAP)
		assert_int_equal(send_hex(f,
					  HDR("0000", "0200") "20000000"
							      "03000000" Z16
							      "00200000" Z4,
					  1),
				 16);
}

static void each_message_gets_its_exact_reply(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		uint8_t want[512];
		ssize_t n, want_n;

		prepare(f, r->before);
		n = send_hex(f, r->request, r->nfds);
		if (!r->reply)
			want_n = 0;
		else if (!*r->reply)
			want_n = -EPROTO;
		else
			want_n = (ssize_t)assemble(r->reply, want);
		if (n != want_n)
			fail_msg("%s: %zd bytes, not %zd", r->what, n, want_n);
		for (ssize_t at = 0; at < n; at++)
			if (f->out[at] != want[at])
				fail_msg("%s: byte %zd is %02x, not %02x",
					 r->what, at, f->out[at], want[at]);
		vfu_dev_leave(&f->dev);
		assert_int_equal(f->dev.dma.nmaps, 0);
		vxhci_destroy(f->v);
	}
	free(f);
}

/* What the guest did is what the controller sees: size, offset, byte order */
static void accesses_reach_the_controller_as_they_are(void **state)
{
	static const struct {
		const char *request;
		uint32_t off;
		unsigned size;
		uint64_t val;
	} writes[] = {
		{HDR("", "0a00") "40000000" Z4 "00000000 01000000 12", 0x40, 1,
		 0x12},
		{HDR("", "0a00") "41000000" Z4 "00000000 02000000 1234", 0x41,
		 2, 0x3412},
		{HDR("", "0a00") "42000000" Z4 "00000000 04000000 12345678",
		 0x42, 4, 0x78563412},
		{HDR("", "0a00") "38000000" Z4 "00000000 08000000"
				 "0102030405060708",
		 0x38, 8, 0x0807060504030201},
		{HDR("", "0a00") "04000000" Z4 "07000000 02000000 0601", 4, 2,
		 0x0106},
	};
	struct fixture *f = malloc(sizeof(*f));

	(void)state;
	assert_non_null(f);
	prepare(f, VERSION_FIRST);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		char hex[256];

		snprintf(hex, sizeof(hex), "0000%s", writes[i].request);
		assert_int_equal(send_hex(f, hex, 0), 32);
		assert_int_equal(f->v->last_off, writes[i].off);
		assert_int_equal(f->v->last_size, writes[i].size);
		assert_int_equal(f->v->last_val, writes[i].val);
	}
	vxhci_destroy(f->v);
	free(f);
}

/* A message that was too long to keep: refused whatever it is */
static void cut_message_is_refused(void **state)
{
	static const uint8_t cmds[] = {1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 15, 99};
	struct fixture *f = malloc(sizeof(*f));

	(void)state;
	assert_non_null(f);
	prepare(f, VERSION_FIRST);
	for (size_t i = 0; i < sizeof(cmds); i++) {
		struct vfu_fds fds = {.n = 0};
		uint8_t msg[48] = {0, 0, cmds[i], 0, 0, 0, 0, 1};
		ssize_t n;

		n = vfu_dev_message(&f->dev, msg, sizeof(msg), &fds, f->out);
		assert_true(n >= 16);
		assert_int_equal(f->out[8], 0x21);
		assert_int_equal(f->out[12], cmds[i] == 99 ? ENOSYS : E2BIG);
	}
	assert_int_equal(f->v->resets, 0);
	vxhci_destroy(f->v);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_gets_its_exact_reply),
		cmocka_unit_test(accesses_reach_the_controller_as_they_are),
		cmocka_unit_test(cut_message_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
