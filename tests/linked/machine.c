/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/linked/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t machine_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* No interrupt is asked for: the firmware polls, and MSI-X stays off. */
static void on_msix(void *opaque, unsigned vector)
{
	(void)opaque;
	fprintf(stderr, "an MSI-X message that nobody asked for: %u\n", vector);
	abort();
}

static void on_log(void *opaque, enum vxhci_log level, const char *line)
{
	(void)opaque;
	if (level <= VXHCI_LOG_WARN)
		fprintf(stderr, "vxhci: %s\n", line);
}

static const struct vxhci_ops ops = {.msix = on_msix, .log = on_log};

int machine_init(struct machine *m, const char *bios_file)
{
	int fd = open(bios_file, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	memset(m, 0, sizeof(*m));
	if (fd < 0)
		return -errno;
	m->ram = aligned_alloc(4096, RAM_SIZE);
	m->bios = aligned_alloc(4096, BIOS_SIZE);
	if (m->ram && m->bios)
		n = read(fd, m->bios, BIOS_SIZE);
	close(fd);
	return n == BIOS_SIZE ? 0 : -EINVAL;
}

void machine_free(struct machine *m)
{
	for (unsigned i = 0; i < MACHINE_SLOTS; i++)
		vxhci_destroy(m->slot[i].v);
	free(m->ram);
	free(m->bios);
}

int machine_add(struct machine *m, const char *slot_option)
{
	unsigned i = 0;
	char why[512];
	int r;

	while (i < MACHINE_SLOTS && m->slot[i].v)
		i++;
	if (i == MACHINE_SLOTS)
		return -ENOSPC;
	r = vxhci_create(slot_option, &ops, m, why, sizeof(why), &m->slot[i].v);
	if (r < 0) {
		fprintf(stderr, "%s\n", why);
		return r;
	}
	r = vxhci_mem_map(m->slot[i].v, 0, RAM_SIZE, m->ram, true, m);
	return r < 0 ? r : vxhci_start(m->slot[i].v);
}

void machine_stop(struct machine *m, const char *fault)
{
	if (!m->fault)
		m->fault = fault;
	uc_emu_stop(m->uc);
}

int machine_boot(struct machine *m, unsigned seconds)
{
	memset(m->ram, 0, RAM_SIZE);
	memcpy(m->ram + 0x100000 - BIOS_SIZE, m->bios, BIOS_SIZE);
	m->console_len = 0;
	m->result = -1;
	m->fault = NULL;
	m->deadline_ns = machine_now_ns() + seconds * 1000000000ull;
	ports_reset(m);
	bus_reset(m);
	if (cpu_open(m) < 0)
		m->fault = "no CPU";
	else
		cpu_run(m);
	cpu_close(m);
	if (m->result < 0 && !m->fault)
		m->fault = "the guest did not end";
	return m->fault ? -1 : m->result;
}
