/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci_vxhci.c - libvxhci as bhyve's `xhci`. It is a file for a bhyve source
 * tree: see README.
 *
 *	-s 30,xhci,bus=1,devaddr=2
 *	-s 30,xhci,tablet
 *
 * The controller runs on a thread of the library's; accesses come from bhyve's
 * VCPU threads, interrupts and nothing else go the other way. bhyve keeps the
 * configuration space and the MSI-X table, which is in a BAR of its own.
 */
#include <sys/types.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BHYVE_SNAPSHOT
#include <machine/vmm_snapshot.h>
#endif
#include <vmmapi.h>

#include "bhyvegc.h"
#include "config.h"
#include "console.h"
#include "debug.h"
#include "pci_emul.h"

#include <vxhci.h>

#define REGS_BAR 0 /* and 1: its upper half */
#define MSIX_BAR 2
#define HIGHMEM_BASE 0x100000000ull /* where bhyve's memory goes on */
#define COMMAND 0x04
#define MSIX_CAP_ID 0x11
#define MSIX_CTRL_ENABLE 0x8000u
#define MSIX_MASKED 1u
#define STOP_MS 5000u       /* for devices that do not give back at once */
#define CONSOLE_PRIORITY 10 /* before the PS/2 mouse, as a tablet is */

/* Copied from the library's configuration space into bhyve's */
static const struct {
	uint8_t off, size;
} cfg_copied[] = {
	{0x00, 2},                                  /* vendor, device */
	{0x02, 2}, {0x08, 1},                       /* revision, class */
	{0x09, 1}, {0x0a, 1}, {0x0b, 1}, {0x2c, 2}, /* subsystem */
	{0x2e, 2}, {0x60, 1}, /* release of the USB specification, frame length */
	{0x61, 1},
};

struct pci_vxhci {
	struct vxhci *v; /* owned; first: whoever has pi_arg can destroy it */
	struct pci_devinst *pi; /* borrowed: bhyve's */
	int msix_cap;           /* where bhyve put the capability */
	uint8_t buttons;        /* of the console's pointer, as last told */
	/*
	 * bhyve drops a message whose vector is masked; it is sent when the
	 * vector is unmasked instead. Nothing is called into the library with
	 * this lock held.
	 */
	pthread_mutex_t msix_lock;
	uint32_t pending; /* a bit a vector, under msix_lock */
#ifdef BHYVE_SNAPSHOT
	uint8_t *state; /* owned: from pe_pause() to pe_snapshot(), or NULL */
	size_t state_len;
#endif
};

/* Interrupts */

static bool msix_masked(const struct pci_devinst *pi, unsigned vector)
{
	return pi->pi_msix.function_mask ||
	       (pi->pi_msix.table[vector].vector_control & MSIX_MASKED);
}

static void msix_send_pending(struct pci_vxhci *sc)
{
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		if (!(sc->pending & 1u << i) || msix_masked(sc->pi, i))
			continue;
		sc->pending &= ~(1u << i);
		pci_generate_msix(sc->pi, (int)i);
	}
}

static void on_msix(void *opaque, unsigned vector)
{
	struct pci_vxhci *sc = opaque;

	pthread_mutex_lock(&sc->msix_lock);
	sc->pending |= 1u << vector;
	msix_send_pending(sc);
	pthread_mutex_unlock(&sc->msix_lock);
}

static void on_log(void *opaque, enum vxhci_log level, const char *line)
{
	struct pci_vxhci *sc = opaque;

	if (level <= VXHCI_LOG_WARN)
		EPRINTLN("xhci %s: %s", sc->v ? vxhci_slot(sc->v) : "", line);
}

static const struct vxhci_ops pci_vxhci_ops = {
	.msix = on_msix,
	.log = on_log,
};

/* Accesses of the guest's */

static uint64_t pci_vxhci_barread(struct pci_devinst *pi, int baridx,
				  uint64_t offset, int size)
{
	struct pci_vxhci *sc = pi->pi_arg;

	if (baridx == MSIX_BAR)
		return pci_emul_msix_tread(pi, offset, size);
	return vxhci_bar_read(sc->v, (uint32_t)offset, (unsigned)size);
}

static void pci_vxhci_barwrite(struct pci_devinst *pi, int baridx,
			       uint64_t offset, int size, uint64_t value)
{
	struct pci_vxhci *sc = pi->pi_arg;

	if (baridx != MSIX_BAR) {
		vxhci_bar_write(sc->v, (uint32_t)offset, (unsigned)size, value);
		return;
	}
	pthread_mutex_lock(&sc->msix_lock);
	pci_emul_msix_twrite(pi, offset, size, value);
	msix_send_pending(sc);
	pthread_mutex_unlock(&sc->msix_lock);
}

/* 1: bhyve does the rest. The library is told of what matters to it. */
static int pci_vxhci_cfgwrite(struct pci_devinst *pi, int offset, int bytes,
			      uint32_t value)
{
	struct pci_vxhci *sc = pi->pi_arg;
	uint32_t control = value;

	if (offset == COMMAND)
		vxhci_cfg_write(sc->v, COMMAND, (unsigned)bytes, value);
	if (offset == sc->msix_cap && bytes == 4)
		control = value >> 16;
	else if (offset != sc->msix_cap + 2 || bytes != 2)
		return 1;
	vxhci_msix_external(sc->v, (control & MSIX_CTRL_ENABLE) != 0);
	return 1;
}

/* The console's pointer: a tablet */

static int scaled(int at, int size)
{
	if (at < 0 || size <= 1)
		return 0;
	if (at >= size)
		return VXHCI_ABS_MAX;
	return (int)((int64_t)at * VXHCI_ABS_MAX / (size - 1));
}

/* Bits of the mask as in the RFB protocol, RFC 6143 §7.5.5 */
static const enum vxhci_button button_bits[] = {
	VXHCI_BUTTON_LEFT,
	VXHCI_BUTTON_MIDDLE,
	VXHCI_BUTTON_RIGHT,
};
#define NBUTTONS (sizeof(button_bits) / sizeof(button_bits[0]))
#define WHEEL_UP 0x08u
#define WHEEL_DOWN 0x10u

static void on_pointer(uint8_t mask, int x, int y, void *arg)
{
	struct pci_vxhci *sc = arg;
	struct bhyvegc_image *image = console_get_image();
	uint8_t changed = mask ^ sc->buttons;

	if (image == NULL)
		return; /* no screen, so no place on it */
	vxhci_input_abs(sc->v, 0, scaled(x, image->width),
			scaled(y, image->height));
	for (unsigned i = 0; i < NBUTTONS; i++) {
		bool down = (mask & 1u << i) != 0;

		/* a guest that is too far behind: told with the next event */
		if ((changed & 1u << i) &&
		    vxhci_input_button(sc->v, 0, button_bits[i], down) ==
			    -EAGAIN)
			mask ^= (uint8_t)(1u << i);
	}
	if (changed & mask & WHEEL_UP)
		vxhci_input_wheel(sc->v, 0, 1, 0);
	if (changed & mask & WHEEL_DOWN)
		vxhci_input_wheel(sc->v, 0, -1, 0);
	sc->buttons = mask;
}

static bool has_word(const char *options, const char *word)
{
	size_t n = strlen(word);

	while (options != NULL) {
		if (strncmp(options, word, n) == 0 &&
		    (options[n] == ',' || options[n] == '\0'))
			return true;
		options = strchr(options, ',');
		if (options != NULL)
			options++;
	}
	return false;
}

#ifdef BHYVE_SNAPSHOT
/*
 * Suspending a machine: bhyve pauses its devices, saves the guest's memory,
 * asks for each device's state, and resumes them or ends. So the state is that
 * of the pause. Another bhyve pauses its devices too before it gives them their
 * memory and state. Errors are positive.
 */

static void forget_state(struct pci_vxhci *sc)
{
	free(sc->state);
	sc->state = NULL;
}

static int pci_vxhci_pause(struct pci_devinst *pi)
{
	struct pci_vxhci *sc = pi->pi_arg;
	int r;

	forget_state(sc);
	r = vxhci_snapshot(sc->v, STOP_MS, &sc->state, &sc->state_len);
	if (r < 0)
		EPRINTLN("xhci %s: cannot be stopped: %s", vxhci_slot(sc->v),
			 strerror(-r));
	return -r;
}

static int pci_vxhci_resume(struct pci_devinst *pi)
{
	struct pci_vxhci *sc = pi->pi_arg;

	forget_state(sc);
	vxhci_resume(sc->v);
	pthread_mutex_lock(&sc->msix_lock);
	msix_send_pending(sc);
	pthread_mutex_unlock(&sc->msix_lock);
	return 0;
}

/* What is this file's own, to and fro: the state is behind it. */
static int copy_own(struct pci_vxhci *sc, struct vm_snapshot_meta *meta,
		    uint64_t *len)
{
	int r;

	pthread_mutex_lock(&sc->msix_lock);
	r = vm_snapshot_buf(&sc->pending, sizeof(sc->pending), meta);
	pthread_mutex_unlock(&sc->msix_lock);
	if (r == 0)
		r = vm_snapshot_buf(&sc->buttons, sizeof(sc->buttons), meta);
	return r != 0 ? r : vm_snapshot_buf(len, sizeof(*len), meta);
}

static int save(struct pci_vxhci *sc, struct vm_snapshot_meta *meta)
{
	uint64_t len = sc->state_len;
	int r = sc->state != NULL ? copy_own(sc, meta, &len) : EINVAL;

	if (r == 0)
		r = vm_snapshot_buf(sc->state, sc->state_len, meta);
	if (r == 0)
		forget_state(sc);
	return r;
}

/* bhyve has its configuration space and table back by now. */
static int restore(struct pci_vxhci *sc, struct vm_snapshot_meta *meta)
{
	char why[512];
	uint64_t len;
	uint8_t *buf;
	int r;

	forget_state(sc); /* of a pause that only had it stand still */
	r = copy_own(sc, meta, &len);
	if (r != 0)
		return r;
	if (len == 0 || len > meta->buffer.buf_rem)
		return EINVAL;
	buf = malloc((size_t)len);
	if (buf == NULL)
		return ENOMEM;
	r = vm_snapshot_buf(buf, (size_t)len, meta);
	if (r == 0) {
		vxhci_resume(sc->v); /* it has to be as new */
		vxhci_msix_external(
			sc->v, (pci_get_cfgdata16(sc->pi, sc->msix_cap + 2) &
				MSIX_CTRL_ENABLE) != 0);
		r = -vxhci_restore(sc->v, buf, (size_t)len, why, sizeof(why));
		if (r != 0)
			EPRINTLN("%s", why);
	}
	free(buf);
	return r;
}

static int pci_vxhci_snapshot(struct vm_snapshot_meta *meta)
{
	struct pci_devinst *pi = meta->dev_data;
	struct pci_vxhci *sc = pi->pi_arg;

	return meta->op == VM_SNAPSHOT_SAVE ? save(sc, meta)
					    : restore(sc, meta);
}
#endif

/* Making one */

static int map_range(struct pci_vxhci *sc, uint64_t gpa, size_t len)
{
	void *at;

	if (len == 0)
		return 0;
	at = paddr_guest2host(sc->pi->pi_vmctx, gpa, len);
	if (at == NULL)
		return -1;
	return vxhci_mem_map(sc->v, gpa, len, at, true, at);
}

static int find_msix_cap(struct pci_devinst *pi)
{
	int at = pci_get_cfgdata8(pi, 0x34);

	for (int i = 0; at != 0 && i < 48; i++) {
		if (pci_get_cfgdata8(pi, at) == MSIX_CAP_ID)
			return at;
		at = pci_get_cfgdata8(pi, at + 1);
	}
	return -1;
}

/* bhyve's configuration space, as the library's function has it */
static int init_pci(struct pci_vxhci *sc)
{
	struct pci_devinst *pi = sc->pi;

	for (size_t i = 0; i < sizeof(cfg_copied) / sizeof(cfg_copied[0]);
	     i++) {
		unsigned off = cfg_copied[i].off, size = cfg_copied[i].size;
		uint32_t value = vxhci_cfg_read(sc->v, off, size);

		if (size == 1)
			pci_set_cfgdata8(pi, (int)off, (uint8_t)value);
		else
			pci_set_cfgdata16(pi, (int)off, (uint16_t)value);
	}
	vxhci_msix_external(sc->v, false);
	if (pci_emul_alloc_bar(pi, REGS_BAR, PCIBAR_MEM64, VXHCI_BAR0_SIZE) !=
		    0 ||
	    pci_emul_add_msixcap(pi, VXHCI_VECTORS, MSIX_BAR) != 0)
		return -1;
	sc->msix_cap = find_msix_cap(pi);
	return sc->msix_cap < 0 ? -1 : 0;
}

static int create(struct pci_vxhci *sc, const char *options)
{
	struct pci_devinst *pi = sc->pi;
	char *text, why[512];
	int r;

	if (asprintf(&text, "%d:%d:%d,xhci%s%s", pi->pi_bus, pi->pi_slot,
		     pi->pi_func, options ? "," : "",
		     options ? options : "") < 0)
		return -1;
	r = vxhci_create(text, &pci_vxhci_ops, sc, why, sizeof(why), &sc->v);
	if (r < 0)
		EPRINTLN("%s: %s", text, why);
	free(text);
	return r;
}

static int pci_vxhci_init(struct pci_devinst *pi, nvlist_t *nvl)
{
	const char *options = get_config_value_node(nvl, "options");
	struct vmctx *ctx = pi->pi_vmctx;
	struct pci_vxhci *sc = calloc(1, sizeof(*sc));

	if (sc == NULL)
		return -1;
	sc->pi = pi;
	if (pthread_mutex_init(&sc->msix_lock, NULL) != 0)
		goto free_sc;
	if (create(sc, options) < 0)
		goto free_lock;
	pi->pi_arg = sc; /* from here on the guest's accesses find it */
	if (map_range(sc, 0, vm_get_lowmem_size(ctx)) != 0 ||
	    map_range(sc, HIGHMEM_BASE, vm_get_highmem_size(ctx)) != 0 ||
	    init_pci(sc) != 0 || vxhci_start(sc->v) != 0) {
		EPRINTLN("xhci %s: no memory, BAR or thread for it",
			 vxhci_slot(sc->v));
		goto destroy;
	}
	if (has_word(options, "tablet"))
		console_ptr_register(on_pointer, sc, CONSOLE_PRIORITY);
	return 0;
destroy:
	pi->pi_arg = NULL;
	vxhci_destroy(sc->v);
free_lock:
	pthread_mutex_destroy(&sc->msix_lock);
free_sc:
	free(sc);
	return -1;
}

/* What follows `xhci,` in -s, for pci_vxhci_init() */
static int pci_vxhci_legacy_config(nvlist_t *nvl, const char *opts)
{
	if (opts != NULL && *opts != '\0')
		set_config_value_node(nvl, "options", opts);
	return 0;
}

static const struct pci_devemu pci_de_vxhci = {
	.pe_emu = "xhci",
	.pe_init = pci_vxhci_init,
	.pe_legacy_config = pci_vxhci_legacy_config,
	.pe_cfgwrite = pci_vxhci_cfgwrite,
	.pe_barwrite = pci_vxhci_barwrite,
	.pe_barread = pci_vxhci_barread,
#ifdef BHYVE_SNAPSHOT
	.pe_snapshot = pci_vxhci_snapshot,
	.pe_pause = pci_vxhci_pause,
	.pe_resume = pci_vxhci_resume,
#endif
};
PCI_EMUL_SET(pci_de_vxhci);
