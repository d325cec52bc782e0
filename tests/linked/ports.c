/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ports.c - what SeaBIOS asks of a PC's ports: timer, CMOS, QEMU's fw_cfg, a
 * log and PCI's configuration mechanism #1. Who is not there reads as ones.
 */
#include "tests/linked/machine.h"

#include <string.h>

#define PIT_HZ 1193182u
#define CMOS_EXT_HIGH 0x35u /* memory above 16 MiB, in units of 64 KiB */
#define CMOS_BOOT 0x3du     /* order of boot devices: 2 is a disk */
#define FW_SIGNATURE 0x00u
#define FW_ID 0x01u
#define FW_DIRECTORY 0x19u
#define FW_FILES 0x20u

/* Files of fw_cfg: numbers, as SeaBIOS reads them. */
static const struct {
	const char *name;
	uint8_t value[8];
} fw_files[] = {
	{"etc/show-boot-menu", {0}}, /* nobody presses ESC */
};

#define NFILES (sizeof(fw_files) / sizeof(fw_files[0]))

void ports_reset(struct machine *m)
{
	memset(m->cmos, 0, sizeof(m->cmos));
	m->cmos[0x0b] = 0x02; /* 24 hours */
	m->cmos[0x0d] = 0x80; /* valid */
	m->cmos[0x07] = m->cmos[0x08] = 0x01;
	m->cmos[CMOS_EXT_HIGH] = (RAM_SIZE - 0x1000000) >> 24;
	m->cmos[CMOS_BOOT] = 0x02;
	m->pit = (struct pit){.reload = 0x10000, .since_ns = machine_now_ns()};
	m->tick_ns = m->pit.since_ns;
	m->fw_key = FW_SIGNATURE;
	m->fw_at = 0;
	m->pci_address = 0;
}

static uint16_t pit_counter(const struct pit *p)
{
	uint64_t ns = machine_now_ns() - p->since_ns;
	uint64_t ticks = (uint64_t)((double)ns * PIT_HZ / 1e9);

	return (uint16_t)(p->reload - ticks % p->reload);
}

static uint8_t pit_read(struct pit *p)
{
	uint16_t v;

	if (!p->is_latched)
		p->latched = pit_counter(p);
	p->is_latched = true;
	v = p->latched;
	if (p->reads++ % 2 == 0)
		return (uint8_t)v;
	p->is_latched = false;
	return (uint8_t)(v >> 8);
}

/* Counter 0 alone: mode, and both halves of the value. */
static void pit_write(struct pit *p, uint8_t v)
{
	uint32_t low = p->reload & 0xff;

	if (p->writes++ % 2 == 0) {
		p->reload = v;
		return;
	}
	p->reload = (uint32_t)v << 8 | low;
	if (p->reload == 0)
		p->reload = 0x10000;
	p->since_ns = machine_now_ns();
}

static void pit_command(struct pit *p, uint8_t v)
{
	if (v >> 6 == 3) { /* read back: latch it */
		p->latched = pit_counter(p);
		p->is_latched = true;
		p->reads = 0;
	} else if (v >> 6 == 0 && (v & 0x30) == 0) {
		p->latched = pit_counter(p);
		p->is_latched = true;
		p->reads = 0;
	} else if (v >> 6 == 0) {
		p->writes = p->reads = 0;
	}
}

/* An entry of the directory: size and key big-endian, then the name */
static uint8_t directory_byte(uint32_t at)
{
	uint32_t file = (at - 4) / 64, in = (at - 4) % 64;

	if (at < 4)
		return at == 3 ? NFILES : 0;
	if (file >= NFILES)
		return 0;
	if (in == 3)
		return sizeof(fw_files[0].value);
	if (in == 5)
		return (uint8_t)(FW_FILES + file);
	if (in >= 8 && in - 8 < strlen(fw_files[file].name))
		return (uint8_t)fw_files[file].name[in - 8];
	return 0;
}

static uint8_t fw_byte(struct machine *m)
{
	uint32_t at = m->fw_at++;

	if (m->fw_key == FW_SIGNATURE)
		return at < 4 ? (uint8_t) "QEMU"[at] : 0;
	if (m->fw_key == FW_ID)
		return at == 0 ? 1 : 0;
	if (m->fw_key == FW_DIRECTORY)
		return directory_byte(at);
	if (m->fw_key >= FW_FILES && m->fw_key - FW_FILES < (int)NFILES &&
	    at < sizeof(fw_files[0].value))
		return fw_files[m->fw_key - FW_FILES].value[at];
	return 0;
}

uint32_t port_read(struct machine *m, uint32_t port, unsigned size)
{
	uint32_t v = 0;

	switch (port) {
	case 0x40:
		return pit_read(&m->pit);
	case 0x71:
		return m->cmos[m->cmos_at];
	case PORT_CONSOLE:
		return 0xe9; /* there is one */
	case 0x511:
		for (unsigned i = 0; i < size; i++)
			v |= (uint32_t)fw_byte(m) << (8 * i);
		return v;
	case 0xcf8:
		return m->pci_address;
	case 0xcfc:
	case 0xcfd:
	case 0xcfe:
	case 0xcff:
		return bus_cfg_read(m, port - 0xcfc, size);
	default:
		return UINT32_MAX;
	}
}

void port_write(struct machine *m, uint32_t port, unsigned size, uint32_t v)
{
	switch (port) {
	case 0x40:
		pit_write(&m->pit, (uint8_t)v);
		break;
	case 0x43:
		pit_command(&m->pit, (uint8_t)v);
		break;
	case 0x70:
		m->cmos_at = v & 0x7f;
		break;
	case 0x71:
		m->cmos[m->cmos_at] = (uint8_t)v;
		break;
	case PORT_CONSOLE:
		if (m->console_len < CONSOLE_SIZE - 1)
			m->console[m->console_len++] = (char)v;
		m->console[m->console_len] = '\0';
		break;
	case 0x510:
		m->fw_key = (uint16_t)v;
		m->fw_at = 0;
		break;
	case PORT_RESULT:
		m->result = (int)(v & 0xff);
		machine_stop(m, NULL);
		break;
	case 0xcf8:
		m->pci_address = v;
		break;
	case 0xcfc:
	case 0xcfd:
	case 0xcfe:
	case 0xcff:
		bus_cfg_write(m, port - 0xcfc, size, v);
		break;
	default:
		break;
	}
}
