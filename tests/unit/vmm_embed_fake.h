/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm_embed_fake.h - a VMM of few lines around the library, with a clock that
 * stands still, and a guest that runs No Op commands.
 */
#ifndef TESTS_UNIT_VMM_EMBED_FAKE_H
#define TESTS_UNIT_VMM_EMBED_FAKE_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/vxhci.h"

/* Register offsets: CAPLENGTH, DBOFF and RTSOFF are read from the device. */
#define USBCMD 0x00u
#define USBSTS 0x04u
#define CRCR 0x18u
#define DCBAAP 0x30u
#define CONFIG 0x38u
#define IR0 0x20u
#define IMAN 0x00u
#define IMOD 0x04u
#define ERSTSZ 0x08u
#define ERSTBA 0x10u
#define ERDP 0x18u

#define MSIX_TABLE 0x4000u
#define MSIX_PBA 0x5000u

/* Where the guest has what. */
#define MEM_GPA 0x100000u
#define MEM_LEN 0x10000u
#define CMD_RING (MEM_GPA + 0x1000)
#define EVENTS (MEM_GPA + 0x2000)
#define ERST (MEM_GPA + 0x3000)
#define DCBAA (MEM_GPA + 0x4000)
#define RING_TRBS 256u

struct vm {
	struct vxhci *v;
	uint8_t *mem;
	uint32_t op, rt, db;
	unsigned cmds; /* No Ops queued */
	atomic_uint fired[VXHCI_VECTORS];
	atomic_uint wakes;
	unsigned released;
	void *last_cookie;
	uint64_t now_ns;
};

static inline void vm_msix(void *opaque, unsigned vector)
{
	struct vm *vm = opaque;

	assert_true(vector < VXHCI_VECTORS);
	vm->fired[vector]++;
}

static inline void vm_wake(void *opaque)
{
	struct vm *vm = opaque;

	vm->wakes++;
}

static inline void vm_released(void *opaque, void *cookie)
{
	struct vm *vm = opaque;

	vm->released++;
	vm->last_cookie = cookie;
}

static inline uint64_t vm_now(void *opaque)
{
	struct vm *vm = opaque;

	return vm->now_ns;
}

static const struct vxhci_ops vm_ops = {
	.msix = vm_msix,
	.wake = vm_wake,
	.mem_released = vm_released,
	.now_ns = vm_now,
};

static inline uint32_t rd(struct vm *vm, uint32_t off)
{
	return (uint32_t)vxhci_bar_read(vm->v, off, 4);
}

static inline void wr(struct vm *vm, uint32_t off, uint32_t val)
{
	vxhci_bar_write(vm->v, off, 4, val);
}

static inline void put32(struct vm *vm, uint64_t gpa, uint32_t val)
{
	for (unsigned i = 0; i < 4; i++)
		vm->mem[gpa - MEM_GPA + i] = (uint8_t)(val >> (8 * i));
}

static inline uint32_t get32(struct vm *vm, uint64_t gpa)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v |= (uint32_t)vm->mem[gpa - MEM_GPA + i] << (8 * i);
	return v;
}

/* Of vm->v, just made; and give it memory. */
static inline void vm_prepare(struct vm *vm)
{
	vm->op = rd(vm, 0) & 0xff;
	vm->db = rd(vm, 0x14);
	vm->rt = rd(vm, 0x18);
	vm->mem = aligned_alloc(4096, MEM_LEN);
	assert_non_null(vm->mem);
	memset(vm->mem, 0, MEM_LEN);
	assert_int_equal(
		vxhci_mem_map(vm->v, MEM_GPA, MEM_LEN, vm->mem, true, vm), 0);
}

static inline void vm_create(struct vm *vm, const char *opt)
{
	char err[512] = "";

	memset(vm, 0, sizeof(*vm));
	vm->now_ns = 1000000000;
	if (vxhci_create(opt, &vm_ops, vm, err, sizeof(err), &vm->v) != 0)
		fail_msg("%s", err);
	vm_prepare(vm);
}

static inline void vm_destroy(struct vm *vm)
{
	vxhci_destroy(vm->v);
	free(vm->mem);
}

/* Run until it asks for no more at once. */
static inline uint64_t vm_dispatch(struct vm *vm)
{
	uint64_t timeout = 0;

	for (int i = 0; timeout == 0 && i < 100; i++)
		vxhci_dispatch(vm->v, &timeout);
	return timeout;
}

/* Rings set up, MSI-X on with all vectors unmasked, running. */
static inline void vm_start(struct vm *vm)
{
	vxhci_cfg_write(vm->v, 0x04, 2, 0x0006);
	vxhci_cfg_write(vm->v, 0x52, 2, 0x8000);
	for (uint32_t i = 0; i < VXHCI_VECTORS; i++)
		wr(vm, MSIX_TABLE + 16 * i + 12, 0);
	put32(vm, ERST, EVENTS);
	put32(vm, ERST + 8, RING_TRBS);
	wr(vm, vm->op + CONFIG, 8);
	wr(vm, vm->op + DCBAAP, DCBAA);
	wr(vm, vm->op + DCBAAP + 4, 0);
	wr(vm, vm->op + CRCR, CMD_RING | 1);
	wr(vm, vm->op + CRCR + 4, 0);
	wr(vm, vm->rt + IR0 + ERSTSZ, 1);
	wr(vm, vm->rt + IR0 + ERDP, EVENTS);
	wr(vm, vm->rt + IR0 + ERDP + 4, 0);
	wr(vm, vm->rt + IR0 + ERSTBA, ERST);
	wr(vm, vm->rt + IR0 + ERSTBA + 4, 0);
	wr(vm, vm->rt + IR0 + IMOD, 0);
	wr(vm, vm->rt + IR0 + IMAN, 2);
	wr(vm, vm->op + USBCMD, 5); /* R/S, INTE */
	vm_dispatch(vm);
	assert_int_equal(rd(vm, vm->op + USBSTS) & 1, 0); /* HCHalted */
}

/* Queue a No Op command and ring the bell. At most RING_TRBS of them. */
static inline void vm_noop(struct vm *vm)
{
	put32(vm, CMD_RING + 16 * vm->cmds + 12, 23 << 10 | 1);
	vm->cmds++;
	wr(vm, vm->db, 0);
}

/* Event number @n is the completion of command number @n. */
static inline void assert_event(struct vm *vm, unsigned n)
{
	uint64_t ev = EVENTS + 16 * n;

	assert_int_equal(get32(vm, ev), CMD_RING + 16 * n);
	assert_int_equal(get32(vm, ev + 8) >> 24, 1); /* Success */
	assert_int_equal(get32(vm, ev + 12) & 0xfc01, 33 << 10 | 1);
}

/* As a driver does behind an interrupt: EHB cleared, dequeue moved. */
static inline void vm_ack(struct vm *vm)
{
	wr(vm, vm->rt + IR0 + ERDP, (EVENTS + 16 * vm->cmds) | 8);
	wr(vm, vm->rt + IR0 + ERDP + 4, 0);
}

#endif
