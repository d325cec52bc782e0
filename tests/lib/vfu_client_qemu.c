/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_client_qemu.c - what QEMU's vfio-user-pci does with a device, in the
 * order it does it, and what both clients do alike: VERSION and MSI-X.
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tests/lib/vfu_client.h"

/* 214 bytes with its header, and the room QEMU has for the reply */
static const char qemu_caps[] =
	"{\"capabilities\": {\"migration\": {\"pgsize\": 4096, "
	"\"max_bitmap_size\": 268435456}, \"max_msg_fds\": 16, "
	"\"max_data_xfer_size\": 1048576, \"pgsizes\": 4096, "
	"\"max_dma_maps\": 65535, \"write_multiple\": true}}";
static const char clh_caps[] =
	"{\"capabilities\":{\"max_msg_fds\":1,\"max_data_xfer_size\":1048576,"
	"\"migration\":{\"pgsize\":4096}}}";

static int check_caps(struct vc *vc, const char *json, size_t len)
{
	json_t *root, *caps;
	json_int_t fds, xfer, pgsize;
	bool multi;

	if (!len || json[len - 1])
		return vc_fail(vc, "VERSION: the JSON does not end in NUL");
	root = json_loads(json, 0, NULL);
	caps = json_object_get(root, "capabilities");
	if (!json_is_object(caps)) {
		json_decref(root);
		return vc_fail(vc, "VERSION: no capabilities in %s", json);
	}
	fds = json_integer_value(json_object_get(caps, "max_msg_fds"));
	xfer = json_integer_value(json_object_get(caps, "max_data_xfer_size"));
	pgsize = json_integer_value(
		json_object_get(json_object_get(caps, "migration"), "pgsize"));
	multi = json_is_true(json_object_get(caps, "write_multiple"));
	json_decref(root);
	if (fds < 1 || fds > 16 || xfer < 4096 || xfer > (64 << 20) ||
	    pgsize % 4096 || !pgsize || multi)
		return vc_fail(vc, "VERSION: unfit capabilities %s", json);
	return 0;
}

int vc_version(struct vc *vc)
{
	const char *caps = vc->kind == VC_QEMU ? qemu_caps : clh_caps;
	struct vfu_version m = {.minor = vc->kind == VC_CLH};
	struct vfu_version r;
	char msg[256], json[256];
	size_t size = sizeof(m) + strlen(caps) + 1;

	memcpy(msg, &m, sizeof(m));
	memcpy(msg + sizeof(m), caps, strlen(caps) + 1);
	if (vc->kind == VC_QEMU && size != 214)
		return vc_fail(vc, "QEMU's VERSION has 214 bytes, not %zu",
			       size);
	m.hdr = (struct vfu_hdr){.id = vc->next_id++,
				 .cmd = VFU_VERSION,
				 .size = (uint32_t)size};
	memcpy(msg, &m.hdr, sizeof(m.hdr));
	if (vc_send(vc, msg, size, NULL, 0) || vc_recv(vc, &r, sizeof(r)))
		return -1;
	if (r.hdr.id != m.hdr.id || r.hdr.cmd != VFU_VERSION ||
	    r.hdr.flags != VFU_F_REPLY || r.hdr.size <= sizeof(r) ||
	    r.hdr.size > size + 100 || r.hdr.size - sizeof(r) > sizeof(json))
		return vc_fail(vc, "VERSION: flags %#x, size %u", r.hdr.flags,
			       r.hdr.size);
	if (vc->kind == VC_QEMU && r.hdr.size > size)
		return vc_fail(vc, "VERSION: %u bytes are too many for QEMU",
			       r.hdr.size);
	if (r.major != 0 || r.minor != m.minor)
		return vc_fail(vc, "VERSION %u.%u", r.major, r.minor);
	if (vc_recv(vc, json, r.hdr.size - sizeof(r)))
		return -1;
	return check_caps(vc, json, r.hdr.size - sizeof(r));
}

static int qemu_info(struct vc *vc, struct vc_dev *ret)
{
	struct vfu_device_info info;
	struct vfu_region_info reg;
	struct vfu_irq_info irq;

	if (vc_device_info(vc, &info))
		return -1;
	if (!(info.flags & VFU_DEVICE_PCI) ||
	    !(info.flags & VFU_DEVICE_RESETTABLE) || info.num_regions < 8 ||
	    info.num_regions > 100 || info.num_irqs < 3 || info.num_irqs > 50)
		return vc_fail(vc, "GET_INFO: flags %#x, %u regions, %u irqs",
			       info.flags, info.num_regions, info.num_irqs);
	for (uint32_t i = 0; i < 6; i++) {
		if (vc_region_info(vc, i, &reg))
			return -1;
		if (reg.size & (reg.size - 1))
			return vc_fail(vc, "BAR %u: size %#llx", i,
				       (unsigned long long)reg.size);
		if (reg.flags & ~3u)
			return vc_fail(vc, "BAR %u: flags %#x stop posting", i,
				       reg.flags);
		ret->bar_size[i] = reg.size;
	}
	if (vc_region_info(vc, VFU_REGION_CONFIG, &reg))
		return -1;
	if (reg.size != 256 || (reg.flags & 3) != 3)
		return vc_fail(vc, "config space: size %u, flags %#x",
			       (unsigned)reg.size, reg.flags);
	if (vc_irq_info(vc, VFU_IRQ_ERR, &irq))
		return -1;
	if (!(irq.hdr.flags & VFU_F_ERROR))
		return vc_fail(vc, "ERR: QEMU would warn of count %u",
			       irq.count);
	return 0;
}

/* The option ROM's register must stay 0 whatever is written */
static int qemu_rom(struct vc *vc)
{
	uint32_t val;

	if (vc_write32(vc, VFU_REGION_CONFIG, 0x30, 0xfffff800) ||
	    vc_read32(vc, VFU_REGION_CONFIG, 0x30, &val) ||
	    vc_write32(vc, VFU_REGION_CONFIG, 0x30, 0))
		return -1;
	return val ? vc_fail(vc, "ROM BAR reads %#x", val) : 0;
}

/* Where the MSI-X capability is in ret->cfg; reads through the list */
static int find_msix(struct vc *vc, struct vc_dev *ret)
{
	struct vfu_irq_info irq;
	unsigned at, hops = 0;

	if (!(ret->cfg[0x06] & 0x10))
		return vc_fail(vc, "no capability list");
	at = ret->cfg[0x34] & 0xfcu;
	while (at >= 0x40 && hops++ < 48 && ret->cfg[at] != 0x11)
		at = ret->cfg[at + 1] & 0xfcu;
	if (at < 0x40 || ret->cfg[at] != 0x11)
		return vc_fail(vc, "no MSI-X capability");
	ret->msix_cap = (uint8_t)at;
	ret->vectors = ret->cfg[at + 2] | (ret->cfg[at + 3] & 7u) << 8;
	ret->vectors++;
	if (vc_irq_info(vc, VFU_IRQ_MSIX, &irq))
		return -1;
	if (irq.hdr.flags & VFU_F_ERROR || irq.count != ret->vectors ||
	    !(irq.flags & VFU_IRQ_INFO_EVENTFD))
		return vc_fail(vc,
			       "MSI-X: %u vectors in the capability, %u "
			       "in IRQ_INFO, flags %#x",
			       ret->vectors, irq.count, irq.flags);
	return 0;
}

int vc_qemu_realize(struct vc *vc, const struct vc_mem *mem, unsigned n,
		    struct vc_dev *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (vc_version(vc))
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (vc_map(vc, &mem[i]))
			return -1;
	if (vc_commit(vc) || qemu_info(vc, ret) ||
	    vc_read(vc, VFU_REGION_CONFIG, 0, ret->cfg, sizeof(ret->cfg)) ||
	    qemu_rom(vc))
		return -1;
	for (unsigned i = 0; i < 6; i++) {
		uint32_t bar;

		if (vc_read32(vc, VFU_REGION_CONFIG, 0x10 + 4 * i, &bar))
			return -1;
		if (i == 0 && (bar & 1))
			return vc_fail(vc, "BAR 0 is an I/O BAR");
	}
	if (find_msix(vc, ret))
		return -1;
	if (ret->cfg[0x3d])
		return vc_fail(vc, "interrupt pin %u", ret->cfg[0x3d]);
	return 0;
}

int vc_msix_enable(struct vc *vc, const struct vc_dev *dev, const int *fds)
{
	const uint32_t run = 16;

	/* QEMU first says that vector 0 is enabled, with no eventfd */
	if (vc->kind == VC_QEMU &&
	    vc_set_irqs(vc, VFU_IRQ_MSIX, 0x24, 0, 1, NULL, 0))
		return -1;
	for (uint32_t i = 0; i < dev->vectors; i += run) {
		uint32_t n = dev->vectors - i < run ? dev->vectors - i : run;

		if (vc_set_irqs(vc, VFU_IRQ_MSIX, 0x24, i, n, fds + i, n))
			return -1;
	}
	return 0;
}

int vc_machine_reset(struct vc *vc, const struct vc_dev *dev)
{
	uint16_t cmd = 0;

	(void)dev;
	if (vc_msix_disable(vc) ||
	    vc_write(vc, VFU_REGION_CONFIG, 4, &cmd, sizeof(cmd)) ||
	    vc_reset(vc))
		return -1;
	for (unsigned i = 0; i < 6; i++)
		if (vc_write32(vc, VFU_REGION_CONFIG, 0x10 + 4 * i, 0))
			return -1;
	return 0;
}
