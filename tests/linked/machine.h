/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h - a PC in a process: a CPU emulated by libunicorn, the little of
 * an i440fx that SeaBIOS needs, and controllers of libvxhci in its PCI slots.
 * A VMM that links the library, with a firmware for a guest.
 *
 * The CPU runs on the caller's thread and each controller on its own
 * (vxhci_start()). Ports and PCI belong to the CPU's thread.
 */
#ifndef TESTS_LINKED_MACHINE_H
#define TESTS_LINKED_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <unicorn/unicorn.h>

#include <vxhci.h>

#define RAM_SIZE 0x4000000u   /* 64 MiB */
#define BIOS_SIZE 0x40000u    /* below 4 GiB, and its copy below 1 MiB */
#define PCI_HOLE 0x80000000u  /* where SeaBIOS puts BARs, up to the BIOS */
#define MACHINE_SLOTS 4u      /* PCI devices 1 to 4 */
#define CONSOLE_SIZE 0x20000u /* characters of the firmware's log */

/* A controller in a PCI slot. */
struct pci_slot {
	struct vxhci *v;   /* owned; NULL: empty */
	uint64_t bar;      /* where BAR 0 is, 0: nowhere */
	unsigned accesses; /* to BAR 0 */
};

struct pit {
	uint64_t since_ns; /* counter 0 began with `reload` */
	uint32_t reload;
	unsigned writes, reads; /* which half is next */
	uint16_t latched;
	bool is_latched;
};

struct machine {
	uint8_t *ram;         /* owned */
	uint8_t *bios;        /* owned: as read from the file */
	uc_engine *uc;        /* owned, while it runs */
	uint64_t deadline_ns; /* the guest is given up then */
	struct pci_slot slot[MACHINE_SLOTS];
	uint32_t pci_address; /* port 0xcf8 */
	uint8_t bridge[256];  /* configuration space of the host bridge */
	struct pit pit;
	uint8_t cmos[128], cmos_at;
	uint16_t fw_key;
	uint32_t fw_at;
	uint64_t tick_ns; /* the last timer interrupt */
	char console[CONSOLE_SIZE];
	unsigned console_len;
	int result;        /* what the guest wrote to PORT_RESULT, or -1 */
	const char *fault; /* why the machine stopped, NULL: as it should */
	/* The guest waits for an interrupt: may inject input. May be NULL. */
	void (*on_idle)(struct machine *m, void *arg);
	void *on_idle_arg;
};

#define PORT_CONSOLE 0x402u
#define PORT_RESULT 0x5f0u /* a guest ends with a byte to this port */

/* machine.c. 0 or -errno; machine_free() in any case. */
int machine_init(struct machine *m, const char *bios_file);
void machine_free(struct machine *m);
/* A controller in the next slot. 0, or -errno with a line on stderr. */
int machine_add(struct machine *m, const char *slot_option);
/*
 * machine_boot - reset the machine and run the guest until it says that it is
 * done, or @seconds have passed. Returns what it wrote to PORT_RESULT, or -1
 * with m->fault.
 */
int machine_boot(struct machine *m, unsigned seconds);
void machine_stop(struct machine *m, const char *fault);
uint64_t machine_now_ns(void);

/* cpu.c */
int cpu_open(struct machine *m);
void cpu_close(struct machine *m);
/* From the reset vector until machine_stop(). */
void cpu_run(struct machine *m);

/* ports.c: @size 1, 2 or 4 */
void ports_reset(struct machine *m);
uint32_t port_read(struct machine *m, uint32_t port, unsigned size);
void port_write(struct machine *m, uint32_t port, unsigned size, uint32_t v);

/* bus.c: PCI */
void bus_reset(struct machine *m);
uint32_t bus_cfg_read(struct machine *m, unsigned byte, unsigned size);
void bus_cfg_write(struct machine *m, unsigned byte, unsigned size, uint32_t v);
/* @addr is not memory: a BAR, or nobody's. */
uint64_t bus_mem_read(struct machine *m, uint64_t addr, unsigned size);
void bus_mem_write(struct machine *m, uint64_t addr, unsigned size, uint64_t v);

#endif
