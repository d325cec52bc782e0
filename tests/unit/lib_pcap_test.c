/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures as tshark reads them: a disk that a guest's driver uses, and every
 * kind of record that there is. Left out where there is no tshark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/cbw.h"
#include "tests/lib/gdrv_vx.h"
#include "vmm/pcap.h"

static char dir[64];

static int setup(void **state)
{
	if (system("tshark --version >/dev/null 2>&1") != 0) {
		print_message("no tshark\n");
		skip();
	}
	strcpy(dir, "/tmp/lib_pcap.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink("cap");
	unlink("disk");
	unlink("tshark.err");
	assert_int_equal(chdir("/"), 0);
	return rmdir(dir);
}

/* Packets that @filter shows, the first of them in @ret_text */
static unsigned shown(const char *filter, const char *fields, char *ret_text,
		      size_t size)
{
	char cmd[512], line[512];
	unsigned n = 0;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "tshark -n -r cap -Y '%s' %s 2>tshark.err",
		 filter, fields);
	p = popen(cmd, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p))
		if (n++ == 0 && ret_text)
			snprintf(ret_text, size, "%.*s",
				 (int)strcspn(line, "\n"), line);
	if (pclose(p) != 0)
		fail_msg("%s failed", cmd);
	unlink("tshark.err");
	return n;
}

static unsigned count(const char *filter)
{
	return shown(filter, "", NULL, 0);
}

struct disk {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	uint64_t page;
	uint32_t tag;
};

static int control(struct disk *k, uint8_t rt, uint8_t req, uint16_t value,
		   uint16_t len)
{
	const uint8_t setup_packet[8] = {
		rt, req, (uint8_t)value, (uint8_t)(value >> 8),
		0,  0,   (uint8_t)len,   (uint8_t)(len >> 8)};

	return gdrv_control(k->v, OS_LINUX, setup_packet, k->page, NULL);
}

/* The first bulk endpoint in each direction */
static void find_endpoints(struct disk *k, struct gdrv_epcfg ep[2])
{
	const uint8_t *p = guestmem_ptr(&k->gm, k->page, GM_PAGE);
	uint32_t total = p[2] | (uint32_t)p[3] << 8;

	memset(ep, 0, 2 * sizeof(ep[0]));
	for (uint32_t i = 0; i + 1 < total && p[i]; i += p[i]) {
		bool in = p[i + 2] & 0x80;

		if (p[i + 1] != 5 || (p[i + 3] & 3) != 2 || ep[in].dci)
			continue;
		ep[in] = (struct gdrv_epcfg){
			.dci = (uint8_t)((p[i + 2] & 15) * 2 + in),
			.type = in ? EPT_BULK_IN : EPT_BULK_OUT,
			.mps = (uint16_t)(p[i + 4] | p[i + 5] << 8),
		};
	}
	assert_true(ep[0].dci && ep[1].dci);
}

/* One command by Bulk-Only Transport, data to or from the page's middle */
static void scsi(struct disk *k, const struct gdrv_epcfg ep[2],
		 const uint8_t *cdb, unsigned cdb_len, bool in, uint32_t len)
{
	uint8_t *p = guestmem_ptr(&k->gm, k->page, GM_PAGE);
	struct gdrv_sg cbw = {k->page, CBW_LEN}, csw = {k->page, CSW_LEN};
	struct gdrv_sg data = {k->page + 1024, len};

	cbw_put(p, ++k->tag, in, len, cdb, cdb_len);
	gdrv_bulk(k->v, ep[0].dci, OS_LINUX, &cbw, 1, NULL);
	if (len)
		gdrv_bulk(k->v, ep[in].dci, OS_LINUX, &data, 1, NULL);
	assert_int_equal(gdrv_bulk(k->v, ep[1].dci, OS_LINUX, &csw, 1, NULL),
			 CC_SUCCESS);
	assert_memory_equal(p, "USBS", 4);
}

static void use_disk(struct disk *k)
{
	static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 36};
	static const uint8_t ready[6], capacity[10] = {0x25};
	static const uint8_t read10[10] = {0x28, 0, 0, 0, 0, 1, 0, 0, 2};
	static const uint8_t write10[10] = {0x2a, 0, 0, 0, 0, 5, 0, 0, 1};
	struct gdrv_epcfg ep[2];

	assert_int_equal(control(k, 0x80, 6, 0x0100, 18), CC_SUCCESS);
	control(k, 0x80, 6, 0x0200, 255);
	find_endpoints(k, ep);
	assert_int_equal(gdrv_configure(k->v, ep, 2), CC_SUCCESS);
	assert_int_equal(control(k, 0, 9, 1, 0), CC_SUCCESS);
	scsi(k, ep, inquiry, 6, true, 36);
	scsi(k, ep, ready, 6, false, 0);
	scsi(k, ep, capacity, 10, true, 8);
	scsi(k, ep, read10, 10, true, 1024);
	scsi(k, ep, write10, 10, false, 512);
}

static void a_disks_commands_are_shown(void **state)
{
	struct vxhci_pcap *p = NULL;
	struct disk k = {.tag = 0};
	char text[256] = "";
	FILE *image = fopen("disk", "wb");

	(void)state;
	assert_non_null(image);
	assert_int_equal(ftruncate(fileno(image), 1 << 20), 0);
	fclose(image);
	assert_int_equal(
		vxhci_pcap_open("cap", NULL, NULL, text, sizeof(text), &p), 0);
	guestmem_init(&k.gm);
	guestmem_add(&k.gm, 0x100000, 8u << 20);
	assert_int_equal(
		gdrv_vx_init(&k.e, &k.gm, "30,xhci,storage=disk,speed=full"),
		0);
	assert_int_equal(vxhci_pcap_add(p, k.e.v), 0);
	assert_int_equal(vxhci_pcap_add(p, k.e.v), -16);
	assert_int_equal(gdrv_init(&k.d, &gdrv_vx_bus, &k.e, &k.gm, NULL), 0);
	assert_int_equal(gdrv_start(&k.d), 0);
	k.v = gdrv_open(&k.d, gdrv_port_find(&k.d, 0));
	assert_non_null(k.v);
	k.page = guestmem_alloc(&k.gm, GM_PAGE);
	use_disk(&k);
	gdrv_vx_fini(&k.e);
	gdrv_fini(&k.d);
	guestmem_fini(&k.gm);
	vxhci_pcap_close(p);

	assert_int_equal(count("_ws.malformed"), 0);
	assert_int_equal(count("_ws.expert"), 0);
	assert_int_equal(count("scsi_sbc.opcode == 0x28"), 3);
	assert_int_equal(count("scsi_sbc.opcode == 0x2a"), 3);
	assert_int_equal(count("scsi.status == 0"), 5);
	assert_int_equal(shown("scsi",
			       "-T fields -e frame.interface_name "
			       "-e usb.bus_id -e usb.device_address "
			       "-e _ws.col.Info",
			       text, sizeof(text)),
			 14);
	assert_string_equal(text, "xhci-30\t1\t1\tSCSI: Inquiry LUN: 0x00 ");
}

/* Submission and end of a transfer, with and without room for all of it */
static void record_xfer(struct tap *tap, struct usb_xfer *t, int refuse)
{
	struct usb_dev d = {.label = "none"};

	tap_ops.submit(tap, 4, &d, t);
	if (refuse)
		tap_ops.refuse(tap, 4, &d, t, refuse);
	else
		tap_ops.complete(tap, 4, &d, t);
}

static void record_type(struct tap *tap, uint8_t type, uint8_t ep)
{
	static uint8_t data[300];
	struct usb_seg seg = {data, sizeof(data), NULL};
	struct usb_packet packet[3];
	struct usb_xfer t = {.ep = ep,
			     .type = type,
			     .in = ep & USB_DIR_IN,
			     .setup = {0x40, 1, 2, 3, 300},
			     .length = sizeof(data),
			     .nseg = 1,
			     .seg = &seg,
			     .packet = packet};

	if (t.in)
		t.setup.request_type |= USB_DIR_IN;
	if (type == USB_ISOCH)
		t.npackets = 3;
	if (type == USB_BULK)
		t.stream = 5;
	for (int s = 0; s < USB_NSTATUS; s++) {
		for (unsigned i = 0; i < 3; i++)
			packet[i] = (struct usb_packet){100, i * 40,
							(enum usb_status)s};
		t.status = (enum usb_status)s;
		t.actual = s & 1 ? 120 : 300;
		record_xfer(tap, &t, 0);
	}
	record_xfer(tap, &t, -5);
}

static void record_all(struct tap *tap)
{
	static const struct {
		uint8_t type, ep;
	} rows[] = {
		{USB_CONTROL, 0},  {USB_CONTROL, 0x80},   {USB_BULK, 0x01},
		{USB_BULK, 0x82},  {USB_INTERRUPT, 0x03}, {USB_INTERRUPT, 0x84},
		{USB_ISOCH, 0x05}, {USB_ISOCH, 0x86},
	};

	for (unsigned i = 0; i < 8; i++)
		record_type(tap, rows[i].type, rows[i].ep);
}

static void capture_all(uint32_t snap)
{
	struct pcap_opt opt = {strdup("cap"), 0, 1, snap, 1 << 20};
	struct vxhci_pcap *p = NULL;
	struct pcap_if *f = NULL;
	struct tap tap = {&pcap_sink_ops, NULL, 1, snap};

	assert_int_equal(pcap_start(&opt, NULL, NULL, &p), 0);
	assert_int_equal(pcap_add(p, "30", "", &f), 0);
	tap.sink = f;
	record_all(&tap);
	vxhci_pcap_close(p);
}

static void every_kind_of_record_is_well_formed(void **state)
{
	/* type, endpoints: records with S, C and E for each of 8 endpoints */
	const unsigned each = 2 * USB_NSTATUS + 2;

	(void)state;
	capture_all(4096);
	assert_int_equal(count("_ws.malformed"), 0);
	assert_int_equal(count("_ws.short"), 0);
	assert_int_equal(count("usb.transfer_type == 0"), 2 * each);
	assert_int_equal(count("usb.transfer_type == 1"), 2 * each);
	assert_int_equal(count("usb.transfer_type == 2"), 2 * each);
	assert_int_equal(count("usb.transfer_type == 3"), 2 * each);
	assert_int_equal(count("usb.urb_type == 69"), 8);
	assert_int_equal(count("usb.urb_status == -32"), 8);
	assert_int_equal(count("usb.iso.numdesc == 3"), 2 * (each - 1));
	assert_int_equal(count("usb.endpoint_address == 0x86 && "
			       "usb.iso.iso_off == 40"),
			 USB_NSTATUS);
	assert_int_equal(count("usb.start_frame == 5"), 2 * each);
}

/* A record that is cut is short, which is no mistake in it. */
static void cut_records_are_short(void **state)
{
	static const uint32_t snaps[] = {64, 100, 112, 150};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		capture_all(snaps[i]);
		assert_int_equal(count("_ws.malformed"), 0);
		assert_true(count("frame.cap_len < frame.len") > 20);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_disks_commands_are_shown),
		T(every_kind_of_record_is_well_formed),
		T(cut_records_are_short),

	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
