/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_fake.h - a controller that stands in for libvxhci in the tests of the
 * vfio-user server: the functions of vmm/vxhci.h that the server uses, over a
 * device so simple that a client can see all that reached it.
 *
 * BAR 0 is memory, except for the registers below. Included by one file of a
 * program.
 */
#ifndef TESTS_UNIT_VFU_FAKE_H
#define TESTS_UNIT_VFU_FAKE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vxhci.h"

enum fake_reg {
	FAKE_RAISE = 0x100,  /* write N: vector N fires */
	FAKE_POKE = 0x108,   /* write gpa: FAKE_MARK goes to guest memory */
	FAKE_RESETS = 0x110, /* read: PCI function resets since creation */
	FAKE_MAPS = 0x114,   /* read: ranges mapped */
	FAKE_MSIX = 0x118,   /* read: what vxhci_msix_external() said */
	FAKE_HOLD = 0x11c,   /* write 1: unmapped memory stays held; 0: not */
	FAKE_DISPATCHES = 0x120, /* read: vxhci_dispatch() since creation */
	FAKE_WRITES = 0x124,     /* read: BAR writes since creation */
	FAKE_AGAIN = 0x128,      /* write N: dispatch asks for N more turns */
};
#define FAKE_MARK 0x214b52414d454b41u
#define FAKE_MAX_MAPS 64u

struct fake_map {
	uint64_t gpa, len;
	uint8_t *ptr; /* NULL: free */
	bool writable, gone;
	void *cookie;
};

struct vxhci {
	struct vxhci_ops ops;
	void *opaque;
	uint32_t resets, dispatches, writes, again;
	bool msix, hold;
	struct fake_map map[FAKE_MAX_MAPS];
	uint8_t cfg[VXHCI_CFG_SIZE];
	uint8_t bar[VXHCI_BAR0_SIZE];
	/* the last access, for tests in one thread */
	uint32_t last_off;
	unsigned last_size;
	uint64_t last_val;
};

/* Configuration space: a 64-bit BAR 0, MSI-X at 0x40, MSI at 0x60 */
static void fake_cfg_reset(struct vxhci *v)
{
	static const uint8_t init[] = {
		0x36, 0x1b, 0x0d, 0x00, 0x00, 0x00, 0x10, 0x00, 0x01, 0x30,
		0x03, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
	};

	memset(v->cfg, 0, sizeof(v->cfg));
	memcpy(v->cfg, init, sizeof(init));
	v->cfg[0x34] = 0x40;
	v->cfg[0x40] = 0x11;
	v->cfg[0x42] = VXHCI_VECTORS - 1;
	v->cfg[0x45] = 0x40; /* table at 0x4000 */
	v->cfg[0x49] = 0x50; /* PBA at 0x5000 */
	v->cfg[0x41] = 0x60;
	v->cfg[0x60] = 0x05;
	v->cfg[0x62] = 0x86; /* 64-bit, eight vectors */
}

int vxhci_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, char *errbuf, size_t errlen,
		 struct vxhci **ret_v)
{
	struct vxhci *v = calloc(1, sizeof(*v));

	(void)slot_option;
	(void)errbuf;
	(void)errlen;
	if (!v)
		return -ENOMEM;
	v->ops = *ops;
	v->opaque = opaque;
	fake_cfg_reset(v);
	*ret_v = v;
	return 0;
}

struct hostusb_share;
int embed_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, struct vxhci_record *r,
		 struct hostusb_share *share, char *errbuf, size_t errlen,
		 struct vxhci **ret_v);
int embed_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, struct vxhci_record *r,
		 struct hostusb_share *share, char *errbuf, size_t errlen,
		 struct vxhci **ret_v)
{
	(void)r;
	(void)share;
	return vxhci_create(slot_option, ops, opaque, errbuf, errlen, ret_v);
}

int embed_attach_fds(struct vxhci *v, const int *fds, unsigned n,
		     const char *device, const char *rule, char *errbuf,
		     size_t errlen, unsigned *ret_id);
int embed_attach_fds(struct vxhci *v, const int *fds, unsigned n,
		     const char *device, const char *rule, char *errbuf,
		     size_t errlen, unsigned *ret_id)
{
	(void)n;
	return vxhci_attach_fd(v, fds[0], device, rule, errbuf, errlen, ret_id);
}

static void fake_release(struct vxhci *v, bool all)
{
	for (unsigned i = 0; i < FAKE_MAX_MAPS; i++) {
		struct fake_map *m = &v->map[i];

		if (!m->ptr || !(m->gone || all))
			continue;
		m->ptr = NULL;
		v->ops.mem_released(v->opaque, m->cookie);
	}
}

void vxhci_destroy(struct vxhci *v)
{
	if (!v)
		return;
	fake_release(v, true);
	free(v);
}

const char *vxhci_slot(const struct vxhci *v)
{
	(void)v;
	return "30";
}

static uint32_t fake_maps(const struct vxhci *v)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < FAKE_MAX_MAPS; i++)
		n += v->map[i].ptr && !v->map[i].gone;
	return n;
}

uint64_t vxhci_bar_read(struct vxhci *v, uint32_t off, unsigned size)
{
	uint64_t val = 0;

	v->last_off = off;
	v->last_size = size;
	switch (off) {
	case FAKE_RESETS:
		return v->resets;
	case FAKE_MAPS:
		return fake_maps(v);
	case FAKE_MSIX:
		return v->msix;
	case FAKE_DISPATCHES:
		return v->dispatches;
	case FAKE_WRITES:
		return v->writes;
	default:
		memcpy(&val, v->bar + off, size);
		return val;
	}
}

static void fake_poke(struct vxhci *v, uint64_t gpa)
{
	const uint64_t mark = FAKE_MARK;

	for (unsigned i = 0; i < FAKE_MAX_MAPS; i++) {
		struct fake_map *m = &v->map[i];

		if (m->ptr && !m->gone && m->writable && gpa >= m->gpa &&
		    gpa - m->gpa <= m->len - sizeof(mark))
			memcpy(m->ptr + (gpa - m->gpa), &mark, sizeof(mark));
	}
}

void vxhci_bar_write(struct vxhci *v, uint32_t off, unsigned size, uint64_t val)
{
	v->writes++;
	v->last_off = off;
	v->last_size = size;
	v->last_val = val;
	switch (off) {
	case FAKE_RAISE:
		v->ops.msix(v->opaque, (unsigned)val);
		break;
	case FAKE_POKE:
		fake_poke(v, val);
		break;
	case FAKE_HOLD:
		v->hold = val;
		if (!v->hold)
			fake_release(v, false);
		break;
	case FAKE_AGAIN:
		v->again = (uint32_t)val;
		v->ops.wake(v->opaque);
		break;
	default:
		memcpy(v->bar + off, &val, size);
	}
}

uint32_t vxhci_cfg_read(struct vxhci *v, uint32_t off, unsigned size)
{
	uint32_t val = 0;

	v->last_off = off;
	v->last_size = size;
	memcpy(&val, v->cfg + off, size);
	return val;
}

void vxhci_cfg_write(struct vxhci *v, uint32_t off, unsigned size, uint32_t val)
{
	v->last_off = off;
	v->last_size = size;
	v->last_val = val;
	if (off == 0x10)
		val = (val & ~(VXHCI_BAR0_SIZE - 1)) | 4;
	else if (off != 0x14 && off != 4)
		return;
	memcpy(v->cfg + off, &val, size);
}

void vxhci_msix_external(struct vxhci *v, bool on)
{
	v->msix = on;
}

void vxhci_reset(struct vxhci *v)
{
	v->resets++;
	v->msix = false;
	fake_cfg_reset(v);
}

int vxhci_mem_map(struct vxhci *v, uint64_t gpa, uint64_t len, void *ptr,
		  bool writable, void *cookie)
{
	struct fake_map *to = NULL;

	for (unsigned i = 0; i < FAKE_MAX_MAPS; i++) {
		struct fake_map *m = &v->map[i];

		if (!m->ptr)
			to = m;
		else if (!m->gone && gpa < m->gpa + m->len &&
			 m->gpa < gpa + len)
			return -EEXIST;
	}
	if (!to)
		return -ENOSPC;
	*to = (struct fake_map){.gpa = gpa,
				.len = len,
				.ptr = ptr,
				.writable = writable,
				.cookie = cookie};
	return 0;
}

int vxhci_mem_unmap(struct vxhci *v, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < FAKE_MAX_MAPS; i++) {
		struct fake_map *m = &v->map[i];

		if (!m->ptr || m->gone || m->gpa != gpa || m->len != len)
			continue;
		m->gone = true;
		if (!v->hold)
			fake_release(v, false);
		return 0;
	}
	return -ENOENT;
}

bool vxhci_mem_fault(const void *addr)
{
	(void)addr;
	return false;
}

void vxhci_mem_unmap_all(struct vxhci *v)
{
	for (unsigned i = 0; i < FAKE_MAX_MAPS; i++)
		v->map[i].gone = true;
	if (!v->hold)
		fake_release(v, false);
}

void vxhci_dispatch(struct vxhci *v, uint64_t *ret_timeout_ns)
{
	v->dispatches++;
	*ret_timeout_ns = UINT64_MAX;
	if (v->again) {
		v->again--;
		*ret_timeout_ns = 0;
	}
}

void vxhci_fd_ready(struct vxhci *v)
{
	(void)v;
}

/* The control socket's, which these tests do not have */

void vxhci_get_stats(struct vxhci *v, struct vxhci_stats *ret)
{
	(void)v;
	*ret = (struct vxhci_stats){0};
}

int vxhci_attach(struct vxhci *v, const char *device, const char *rule,
		 char *errbuf, size_t errlen, unsigned *ret_id)
{
	(void)v;
	(void)device;
	(void)rule;
	(void)errbuf;
	(void)errlen;
	(void)ret_id;
	return -ENOTSUP;
}

int vxhci_attach_fd(struct vxhci *v, int fd, const char *device,
		    const char *rule, char *errbuf, size_t errlen,
		    unsigned *ret_id)
{
	(void)fd;
	return vxhci_attach(v, device, rule, errbuf, errlen, ret_id);
}

int vxhci_detach(struct vxhci *v, const char *which, char *errbuf,
		 size_t errlen)
{
	return vxhci_attach(v, which, NULL, errbuf, errlen, NULL);
}

size_t vxhci_get_devices(struct vxhci *v, struct vxhci_device *buf, size_t n)
{
	(void)v;
	(void)buf;
	(void)n;
	return 0;
}

size_t vxhci_get_ports(struct vxhci *v, struct vxhci_port *buf, size_t n)
{
	(void)buf;
	return vxhci_get_devices(v, NULL, n);
}

const char *vxhci_state_name(enum vxhci_state state)
{
	(void)state;
	return "";
}

int vxhci_input_key(struct vxhci *v, unsigned port, unsigned usage, bool down)
{
	(void)v;
	(void)port;
	(void)usage;
	(void)down;
	return -ENOTSUP;
}

int vxhci_input_button(struct vxhci *v, unsigned port, enum vxhci_button button,
		       bool down)
{
	return vxhci_input_key(v, port, button, down);
}

int vxhci_input_abs(struct vxhci *v, unsigned port, int x, int y)
{
	(void)x;
	(void)y;
	return vxhci_input_key(v, port, 0, false);
}

int vxhci_input_rel(struct vxhci *v, unsigned port, int dx, int dy)
{
	return vxhci_input_abs(v, port, dx, dy);
}

int vxhci_input_wheel(struct vxhci *v, unsigned port, int up, int right)
{
	return vxhci_input_abs(v, port, up, right);
}

int vxhci_media_insert(struct vxhci *v, unsigned port, unsigned lun,
		       const char *path, bool readonly, bool force,
		       char *errbuf, size_t errlen)
{
	(void)port;
	(void)lun;
	(void)readonly;
	(void)force;
	return vxhci_attach(v, path, NULL, errbuf, errlen, NULL);
}

int vxhci_media_eject(struct vxhci *v, unsigned port, unsigned lun, bool force,
		      char *errbuf, size_t errlen)
{
	return vxhci_media_insert(v, port, lun, NULL, false, force, errbuf,
				  errlen);
}

#endif
