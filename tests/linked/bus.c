/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bus.c - PCI bus 0: a host bridge that SeaBIOS takes for an i440fx, and the
 * controllers. Their configuration space is the library's; where BAR 0 is, is
 * ours to know.
 */
#include "tests/linked/machine.h"

#include <string.h>

#define CFG_ENABLE 0x80000000u
#define COMMAND 0x04u
#define COMMAND_MEMORY 0x02u
#define BAR0 0x10u

/* Vendor and device, class, and that memory below 1 MiB can be written */
static const struct {
	uint8_t off, value;
} bridge_bytes[] = {
	{0x00, 0x86}, {0x01, 0x80}, {0x02, 0x37},
	{0x03, 0x12}, {0x0b, 0x06}, {0x59, 0x10},
};

void bus_reset(struct machine *m)
{
	memset(m->bridge, 0, sizeof(m->bridge));
	for (unsigned i = 0; i < sizeof(bridge_bytes) / 2; i++)
		m->bridge[bridge_bytes[i].off] = bridge_bytes[i].value;
	for (unsigned i = 0; i < MACHINE_SLOTS; i++) {
		if (m->slot[i].v)
			vxhci_reset(m->slot[i].v);
		m->slot[i].bar = 0;
		m->slot[i].accesses = 0;
	}
}

/* The slot that is addressed, or NULL; the bridge is device 0 of the bus. */
static struct pci_slot *addressed(struct machine *m, bool *ret_bridge)
{
	uint32_t bdf = m->pci_address >> 8 & 0xffff;

	*ret_bridge = bdf == 0 && (m->pci_address & CFG_ENABLE);
	if (!(m->pci_address & CFG_ENABLE) || bdf >> 8 || (bdf & 7) ||
	    bdf == 0 || bdf >> 3 > MACHINE_SLOTS)
		return NULL;
	return m->slot[(bdf >> 3) - 1].v ? &m->slot[(bdf >> 3) - 1] : NULL;
}

uint32_t bus_cfg_read(struct machine *m, unsigned byte, unsigned size)
{
	uint32_t off = (m->pci_address & 0xfc) + byte, v = 0;
	bool bridge;
	struct pci_slot *s = addressed(m, &bridge);

	if (s)
		return vxhci_cfg_read(s->v, off, size);
	if (!bridge || off + size > sizeof(m->bridge))
		return UINT32_MAX;
	memcpy(&v, m->bridge + off, size);
	return v;
}

/* After a write that may have moved it: where is BAR 0? */
static void find_bar(struct pci_slot *s)
{
	uint64_t at = vxhci_cfg_read(s->v, BAR0, 4) & ~0xfu;

	at |= (uint64_t)vxhci_cfg_read(s->v, BAR0 + 4, 4) << 32;
	if (!(vxhci_cfg_read(s->v, COMMAND, 2) & COMMAND_MEMORY))
		at = 0;
	s->bar = at;
}

void bus_cfg_write(struct machine *m, unsigned byte, unsigned size, uint32_t v)
{
	uint32_t off = (m->pci_address & 0xfc) + byte;
	bool bridge;
	struct pci_slot *s = addressed(m, &bridge);

	if (s) {
		vxhci_cfg_write(s->v, off, size, v);
		find_bar(s);
	} else if (bridge && off >= 0x40 && off + size <= sizeof(m->bridge)) {
		memcpy(m->bridge + off, &v, size);
	}
}

static struct pci_slot *decode(struct machine *m, uint64_t addr)
{
	for (unsigned i = 0; i < MACHINE_SLOTS; i++) {
		struct pci_slot *s = &m->slot[i];

		if (s->bar == 0 || addr < s->bar ||
		    addr - s->bar >= VXHCI_BAR0_SIZE)
			continue;
		s->accesses++;
		return s;
	}
	return NULL;
}

uint64_t bus_mem_read(struct machine *m, uint64_t addr, unsigned size)
{
	struct pci_slot *s = decode(m, addr);

	if (!s)
		return UINT64_MAX;
	return vxhci_bar_read(s->v, (uint32_t)(addr - s->bar), size);
}

void bus_mem_write(struct machine *m, uint64_t addr, unsigned size, uint64_t v)
{
	struct pci_slot *s = decode(m, addr);

	if (s)
		vxhci_bar_write(s->v, (uint32_t)(addr - s->bar), size, v);
}
