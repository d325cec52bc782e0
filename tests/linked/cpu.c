/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpu.c - an x86 CPU by libunicorn. It leaves interrupts and exceptions to its
 * user: here they are delivered as a CPU in real mode does. SeaBIOS takes none
 * in protected mode. Hardware interrupts come only while it is halted.
 */
#include "tests/linked/machine.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define CR0_PE 1u
#define EFLAGS_IF 0x200u
#define RESET_CS 0xf000u
#define RESET_IP 0xfff0u
#define NOWHERE 0xfffffffffull /* an address that is never executed */
#define TIMER_VECTOR 8u
#define TICK_NS 54925401u /* 65536 of 1.193182 MHz */

/* It does not free all of its own: LeakSanitizer asks for this by name. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(
	void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libunicorn";
}

static uint32_t reg(struct machine *m, int id)
{
	uint32_t v = 0;

	uc_reg_read(m->uc, id, &v);
	return v;
}

static void set_reg(struct machine *m, int id, uint32_t v)
{
	uc_reg_write(m->uc, id, &v);
}

static void push16(struct machine *m, uint32_t v)
{
	uint16_t sp = (uint16_t)(reg(m, UC_X86_REG_SP) - 2);
	uint32_t at = (reg(m, UC_X86_REG_SS) << 4) + sp;

	m->ram[at] = (uint8_t)v;
	m->ram[at + 1] = (uint8_t)(v >> 8);
	set_reg(m, UC_X86_REG_SP, sp);
}

/* Real mode: flags, CS and IP pushed, and on where the table says. */
static void interrupt(struct machine *m, uint32_t vector)
{
	uint32_t flags = reg(m, UC_X86_REG_EFLAGS);
	uint16_t to[2];

	if (reg(m, UC_X86_REG_CR0) & CR0_PE) {
		machine_stop(m, "an exception in protected mode");
		return;
	}
	push16(m, flags);
	push16(m, reg(m, UC_X86_REG_CS));
	push16(m, reg(m, UC_X86_REG_IP));
	set_reg(m, UC_X86_REG_EFLAGS, flags & ~EFLAGS_IF);
	memcpy(to, m->ram + 4 * vector, sizeof(to));
	set_reg(m, UC_X86_REG_CS, to[1]);
	set_reg(m, UC_X86_REG_IP, to[0]);
}

static void on_interrupt(uc_engine *uc, uint32_t vector, void *arg)
{
	(void)uc;
	interrupt(arg, vector);
}

static uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *arg)
{
	struct machine *m = arg;

	(void)uc;
	if (machine_now_ns() > m->deadline_ns)
		machine_stop(m, "the guest takes too long");
	return port_read(m, port, (unsigned)size);
}

static void on_out(uc_engine *uc, uint32_t port, int size, uint32_t v,
		   void *arg)
{
	(void)uc;
	port_write(arg, port, (unsigned)size, v);
}

static uint64_t on_mem_read(uc_engine *uc, uint64_t off, unsigned size,
			    void *arg)
{
	(void)uc;
	return bus_mem_read(arg, PCI_HOLE + off, size);
}

static void on_mem_write(uc_engine *uc, uint64_t off, unsigned size, uint64_t v,
			 void *arg)
{
	(void)uc;
	bus_mem_write(arg, PCI_HOLE + off, size, v);
}

static bool on_nothing(uc_engine *uc, uc_mem_type type, uint64_t addr, int size,
		       int64_t v, void *arg)
{
	(void)uc;
	(void)type;
	(void)addr;
	(void)size;
	(void)v;
	machine_stop(arg, "memory that is not there");
	return false;
}

static uc_err map_memory(struct machine *m)
{
	uint64_t bios = 0x100000000ull - BIOS_SIZE;
	uc_err e = uc_mem_map_ptr(m->uc, 0, RAM_SIZE, UC_PROT_ALL, m->ram);

	if (!e)
		e = uc_mem_map_ptr(m->uc, bios, BIOS_SIZE,
				   UC_PROT_READ | UC_PROT_EXEC, m->bios);
	if (!e)
		e = uc_mmio_map(m->uc, PCI_HOLE, bios - PCI_HOLE, on_mem_read,
				m, on_mem_write, m);
	return e;
}

/* The library declares hooks as void *, whatever their arguments are. */
static uc_err add_hook(struct machine *m, int type, void (*fn)(void), int insn)
{
	uc_hook hook;
	void *p;

	memcpy(&p, &fn, sizeof(p));
	return uc_hook_add(m->uc, &hook, type, p, m, 1, 0, insn);
}

int cpu_open(struct machine *m)
{
	uc_err e = uc_open(UC_ARCH_X86, UC_MODE_16, &m->uc);

	if (e)
		return -ENOMEM;
	e = map_memory(m);
	if (!e)
		e = add_hook(m, UC_HOOK_INSN, (void (*)(void))on_in,
			     UC_X86_INS_IN);
	if (!e)
		e = add_hook(m, UC_HOOK_INSN, (void (*)(void))on_out,
			     UC_X86_INS_OUT);
	if (!e)
		e = add_hook(m, UC_HOOK_INTR, (void (*)(void))on_interrupt, 0);
	if (!e)
		e = add_hook(m, UC_HOOK_MEM_INVALID, (void (*)(void))on_nothing,
			     0);
	return e ? -EINVAL : 0;
}

void cpu_close(struct machine *m)
{
	if (m->uc)
		uc_close(m->uc);
	m->uc = NULL;
}

/* HLT: until the timer's next tick. */
static void halted(struct machine *m)
{
	uint64_t now = machine_now_ns();
	struct timespec ts = {0};

	if (!(reg(m, UC_X86_REG_EFLAGS) & EFLAGS_IF)) {
		machine_stop(m, "halted for good");
		return;
	}
	if (now > m->deadline_ns)
		machine_stop(m, "the guest waits for too long");
	if (m->on_idle)
		m->on_idle(m, m->on_idle_arg);
	if (m->tick_ns + TICK_NS > now)
		ts.tv_nsec = (long)(m->tick_ns + TICK_NS - now);
	nanosleep(&ts, NULL);
	m->tick_ns = machine_now_ns();
	interrupt(m, TIMER_VECTOR);
}

void cpu_run(struct machine *m)
{
	uc_err e;

	set_reg(m, UC_X86_REG_CS, RESET_CS);
	set_reg(m, UC_X86_REG_IP, RESET_IP);
	while (m->result < 0 && !m->fault) {
		uint64_t at =
			(reg(m, UC_X86_REG_CS) << 4) + reg(m, UC_X86_REG_IP);

		e = uc_emu_start(m->uc, at, NOWHERE, 0, 0);
		if (e && !m->fault)
			m->fault = uc_strerror(e);
		if (m->result < 0 && !m->fault)
			halted(m);
	}
}
