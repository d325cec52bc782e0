/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_client_clh.c - what Cloud Hypervisor does with a user device, in the
 * order it does it.
 */
#include <string.h>

#include "tests/lib/vfu_client.h"

/* It asks for every region there is, and takes an error for its end */
static int clh_regions(struct vc *vc, struct vc_dev *ret)
{
	struct vfu_device_info info;
	struct vfu_region_info reg;

	if (vc_device_info(vc, &info))
		return -1;
	if (!(info.flags & VFU_DEVICE_PCI) || info.num_regions != 9 ||
	    info.num_irqs != 5)
		return vc_fail(vc, "GET_INFO: flags %#x, %u regions, %u irqs",
			       info.flags, info.num_regions, info.num_irqs);
	for (uint32_t i = 0; i < info.num_regions; i++) {
		if (vc_region_info(vc, i, &reg))
			return -1;
		if (i < 6)
			ret->bar_size[i] = reg.size;
	}
	/* its test of the flag is the wrong way round */
	if (!(info.flags & VFU_DEVICE_RESETTABLE))
		return vc_reset(vc);
	return 0;
}

/* The capability list, four bytes at a time */
static int clh_capabilities(struct vc *vc, struct vc_dev *ret)
{
	struct vfu_irq_info irq;
	uint32_t val, at, msi = 0;

	for (uint32_t off = 0; off < sizeof(ret->cfg); off += 4)
		if (vc_read(vc, VFU_REGION_CONFIG, off, ret->cfg + off, 4))
			return -1;
	at = ret->cfg[0x34];
	for (unsigned hops = 0; at && hops < 48; hops++) {
		if (vc_read32(vc, VFU_REGION_CONFIG, at & 0xfc, &val))
			return -1;
		if ((val & 0xff) == 0x11) {
			uint32_t table = ret->cfg[(at + 4) & 0xff] |
					 (uint32_t)ret->cfg[(at + 5) & 0xff]
						 << 8;

			/* it would have twice the BAR */
			if (table & 0xff8)
				return vc_fail(vc, "MSI-X table at %#x", table);
			ret->msix_cap = (uint8_t)at;
			ret->vectors = ((val >> 16) & 0x7ff) + 1;
		}
		if ((val & 0xff) == 0x05)
			msi = 1u << ((val >> 17) & 7);
		at = (val >> 8) & 0xff;
	}
	if (!ret->vectors)
		return vc_fail(vc, "no MSI-X capability");
	if (vc_irq_info(vc, VFU_IRQ_MSIX, &irq))
		return -1;
	if (irq.count != ret->vectors)
		return vc_fail(vc, "MSI-X: %u vectors, not %u", irq.count,
			       ret->vectors);
	if (msi && vc_irq_info(vc, VFU_IRQ_MSI, &irq))
		return -1;
	if (msi && (irq.count != msi || !(irq.flags & VFU_IRQ_INFO_EVENTFD)))
		return vc_fail(vc, "MSI: %u vectors, not %u, flags %#x",
			       irq.count, msi, irq.flags);
	if (vc_irq_info(vc, VFU_IRQ_INTX, &irq))
		return -1;
	return irq.count ? vc_fail(vc, "INTx: count %u", irq.count) : 0;
}

/* The size a BAR has by its mask must be the size its region has */
static int clh_size_bars(struct vc *vc, const struct vc_dev *dev)
{
	for (unsigned i = 0; i < 6; i++) {
		uint64_t off = 0x10 + 4 * i, mask;
		uint32_t low, high = 0xffffffff;
		bool wide;

		if (vc_write32(vc, VFU_REGION_CONFIG, off, 0xffffffff) ||
		    vc_read32(vc, VFU_REGION_CONFIG, off, &low))
			return -1;
		wide = (low & 7) == 4;
		if (wide &&
		    (vc_write32(vc, VFU_REGION_CONFIG, off + 4, 0xffffffff) ||
		     vc_read32(vc, VFU_REGION_CONFIG, off + 4, &high)))
			return -1;
		mask = (uint64_t)high << 32 | (low & ~0xfu);
		if (low ? ~mask + 1 != dev->bar_size[i] : dev->bar_size[i] != 0)
			return vc_fail(vc, "BAR %u: mask %#llx, size %#llx", i,
				       (unsigned long long)mask,
				       (unsigned long long)dev->bar_size[i]);
		i += wide;
	}
	return 0;
}

static int clh_rom(struct vc *vc)
{
	uint32_t val;

	if (vc_write32(vc, VFU_REGION_CONFIG, 0x30, 0xffffffff) ||
	    vc_read32(vc, VFU_REGION_CONFIG, 0x30, &val))
		return -1;
	return val ? vc_fail(vc, "ROM BAR reads %#x", val) : 0;
}

int vc_clh_realize(struct vc *vc, const struct vc_mem *mem, unsigned n,
		   struct vc_dev *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (vc_version(vc) || clh_regions(vc, ret) || clh_capabilities(vc, ret))
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (mem[i].fd >= 0 && vc_map(vc, &mem[i]))
			return -1;
	if (clh_size_bars(vc, ret))
		return -1;
	return clh_rom(vc);
}
