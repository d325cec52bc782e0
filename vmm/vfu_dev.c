/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_dev.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Bytes from which on memory is taken for that of the guest */
#define LARGE_MAP (32u << 20)

void vfu_fds_close(struct vfu_fds *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->fd[i] >= 0)
			close(f->fd[i]);
	f->n = 0;
	f->truncated = false;
}

void vfu_dev_init(struct vfu_dev *d, struct vxhci *v)
{
	memset(d, 0, sizeof(*d));
	d->v = v;
	vfu_irq_init(&d->irq);
}

static uint64_t region_size(uint32_t region)
{
	switch (region) {
	case VFU_REGION_BAR0:
		return VXHCI_BAR0_SIZE;
	case VFU_REGION_CONFIG:
		return VXHCI_CFG_SIZE;
	default:
		return 0;
	}
}

/*
 * The size of the next access of a request that has @left bytes to go at
 * @off. A guest's access to the BAR is passed on as it is; anything else (the
 * whole configuration space at once) in naturally aligned pieces.
 */
static unsigned access_size(const struct vfu_req *req, uint32_t off,
			    uint32_t left)
{
	unsigned size = 4;

	if (req->u.io.region == VFU_REGION_BAR0 && left == req->u.io.count &&
	    (left == 1 || left == 2 || left == 4 || left == 8))
		return left;
	while (size > left || off % size)
		size /= 2;
	return size;
}

static bool io_in_region(const struct vfu_req *req)
{
	uint64_t size = region_size(req->u.io.region);

	return req->u.io.offset <= size &&
	       req->u.io.count <= size - req->u.io.offset;
}

static void region_read(struct vfu_dev *d, const struct vfu_req *req,
			uint8_t *data)
{
	uint32_t off = (uint32_t)req->u.io.offset;
	uint32_t left = req->u.io.count;

	while (left) {
		unsigned n = access_size(req, off, left);
		uint64_t val;

		if (req->u.io.region == VFU_REGION_BAR0)
			val = vxhci_bar_read(d->v, off, n);
		else
			val = vxhci_cfg_read(d->v, off, n);
		val = htole64(val);
		memcpy(data, &val, n);
		data += n;
		off += n;
		left -= n;
	}
}

static void region_write(struct vfu_dev *d, const struct vfu_req *req)
{
	const uint8_t *data = req->u.io.data;
	uint32_t off = (uint32_t)req->u.io.offset;
	uint32_t left = req->u.io.count;

	while (left) {
		unsigned n = access_size(req, off, left);
		uint64_t val = 0;

		memcpy(&val, data, n);
		val = le64toh(val);
		if (req->u.io.region == VFU_REGION_BAR0)
			vxhci_bar_write(d->v, off, n, val);
		else
			vxhci_cfg_write(d->v, off, n, (uint32_t)val);
		data += n;
		off += n;
		left -= n;
	}
}

/* Is there an MSI capability (PCI 3.0 §6.8.1) in the list? */
static bool has_msi(struct vxhci *v)
{
	uint32_t at = vxhci_cfg_read(v, 0x34, 1);

	for (unsigned hops = 0; at >= 0x40 && hops < 48; hops++) {
		if (vxhci_cfg_read(v, at, 1) == 0x05)
			return true;
		at = vxhci_cfg_read(v, at + 1, 1) & 0xfc;
	}
	return false;
}

/*
 * The handlers: 0 and *ret_size, or -errno with nothing put at @out that
 * matters.
 */
static int do_version(struct vfu_dev *d, const struct vfu_req *req,
		      struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	(void)fds;
	d->agreed = true;
	d->irq.has_msi = has_msi(d->v);
	/* the client knows address and data of each vector */
	vxhci_msix_external(d->v, d->msix);
	*ret_size = vfu_reply_ok(req, out);
	return 0;
}

/*
 * Memory without a descriptor is none for the controller: DMA there fails as
 * it does where there is no memory. QEMU has some of that at each start (its
 * ROMs, video memory), where no USB transfer ever goes, and complains when it
 * is refused; if it is as large as a guest's memory is, somebody should be
 * told.
 */
static void log_no_fd(const struct vfu_dev *d, const struct vfu_req *req)
{
	bool large = req->u.map.size >= LARGE_MAP;
	char line[160];

	if (!d->log)
		return;
	snprintf(line, sizeof(line),
		 "memory at %#llx (%llu KiB) is not shared by the client and "
		 "not used%s",
		 (unsigned long long)req->u.map.iova,
		 (unsigned long long)req->u.map.size / 1024,
		 large ? ": start the VM with shared memory" : "");
	d->log(d->log_arg, large ? VXHCI_LOG_WARN : VXHCI_LOG_INFO, line);
}

static int do_map(struct vfu_dev *d, const struct vfu_req *req,
		  struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	*ret_size = vfu_reply_ok(req, out);
	if (!fds->n) {
		log_no_fd(d, req);
		d->no_fd++;
		return 0;
	}
	return vfu_dma_map(&d->dma, d->v, req, fds->fd[0]);
}

static int do_unmap(struct vfu_dev *d, const struct vfu_req *req,
		    struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	int err = vfu_dma_unmap(d->v, req);

	(void)fds;
	*ret_size = vfu_reply_ok(req, out);
	if (req->u.unmap.all)
		d->no_fd = 0;
	if (err == -ENOENT && d->no_fd) {
		d->no_fd--; /* one that came without a descriptor */
		return 0;
	}
	return err;
}

static int do_device_info(struct vfu_dev *d, const struct vfu_req *req,
			  struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	(void)d;
	(void)fds;
	*ret_size = vfu_reply_device_info(req, out);
	return 0;
}

/*
 * Never mappable: with one mappable region QEMU stops posting writes, and a
 * doorbell is what gains most from that.
 */
static int do_region_info(struct vfu_dev *d, const struct vfu_req *req,
			  struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	uint64_t bytes = region_size(req->u.info.index);
	uint32_t flags = bytes ? VFU_REGION_F_READ | VFU_REGION_F_WRITE : 0;

	(void)d;
	(void)fds;
	*ret_size = vfu_reply_region_info(req, flags, bytes, out);
	return 0;
}

/*
 * MSI-X, and MSI where the device has it. INTx is there with no vector, and the
 * other two are refused: QEMU warns of one that is there and empty.
 */
static int do_irq_info(struct vfu_dev *d, const struct vfu_req *req,
		       struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	bool msg = req->u.info.index == VFU_IRQ_MSIX ||
		   (req->u.info.index == VFU_IRQ_MSI && d->irq.has_msi);

	(void)fds;
	if (req->u.info.index > VFU_IRQ_MSIX)
		return -EINVAL;
	*ret_size = vfu_reply_irq_info(req, msg ? VFU_IRQ_INFO_EVENTFD : 0,
				       msg ? VXHCI_VECTORS : 0, out);
	return 0;
}

/*
 * Messages count as enabled from the first vectors on until the client leaves:
 * a client that disables them may only be on its way to enable them anew, and
 * what is raised in between is latched (vfu_irq.h).
 */
static int do_set_irqs(struct vfu_dev *d, const struct vfu_req *req,
		       struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	int err = vfu_irq_set(&d->irq, req, fds->fd, fds->n);

	if (err)
		return err;
	if (req->u.irqs.count && !d->msix) {
		d->msix = true;
		vxhci_msix_external(d->v, true);
	}
	*ret_size = vfu_reply_ok(req, out);
	return 0;
}

static int do_read(struct vfu_dev *d, const struct vfu_req *req,
		   struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	(void)fds;
	if (!io_in_region(req))
		return -EINVAL;
	region_read(d, req, vfu_reply_data(out));
	*ret_size = vfu_reply_read(req, out);
	return 0;
}

static int do_write(struct vfu_dev *d, const struct vfu_req *req,
		    struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	(void)fds;
	if (!io_in_region(req))
		return -EINVAL;
	region_write(d, req);
	*ret_size = vfu_reply_ok(req, out);
	return 0;
}

/* All rows or none: what is wrong is seen before the first is written. */
static int do_multi(struct vfu_dev *d, const struct vfu_req *req,
		    struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	struct vfu_req row;

	(void)fds;
	for (uint32_t i = 0; i < req->u.multi.count; i++)
		if (vfu_msg_row(req, i, &row) || !io_in_region(&row))
			return -EINVAL;
	for (uint32_t i = 0; i < req->u.multi.count; i++)
		if (!vfu_msg_row(req, i, &row))
			region_write(d, &row);
	*ret_size = vfu_reply_ok(req, out);
	return 0;
}

static int do_reset(struct vfu_dev *d, const struct vfu_req *req,
		    struct vfu_fds *fds, uint8_t *out, size_t *ret_size)
{
	(void)fds;
	vxhci_reset(d->v);
	vfu_irq_reset(&d->irq);
	/* a function reset clears MSI-X enable; the eventfds are still there */
	vxhci_msix_external(d->v, d->msix);
	*ret_size = vfu_reply_ok(req, out);
	return 0;
}

static int (*const handlers[])(struct vfu_dev *d, const struct vfu_req *req,
			       struct vfu_fds *fds, uint8_t *out,
			       size_t *ret_size) = {
	[VFU_VERSION] = do_version,
	[VFU_DMA_MAP] = do_map,
	[VFU_DMA_UNMAP] = do_unmap,
	[VFU_DEVICE_GET_INFO] = do_device_info,
	[VFU_DEVICE_GET_REGION_INFO] = do_region_info,
	[VFU_DEVICE_GET_IRQ_INFO] = do_irq_info,
	[VFU_DEVICE_SET_IRQS] = do_set_irqs,
	[VFU_REGION_READ] = do_read,
	[VFU_REGION_WRITE] = do_write,
	[VFU_DEVICE_RESET] = do_reset,
	[VFU_REGION_WRITE_MULTI] = do_multi,
};

/* QEMU looks for an error interrupt as a matter of course: no warning */
static void log_refused(const struct vfu_dev *d, const struct vfu_req *req,
			int err)
{
	bool usual = req->cmd == VFU_DEVICE_GET_IRQ_INFO;
	char line[96];

	if (!d->log)
		return;
	snprintf(line, sizeof(line), "client's command %u (id %u) refused: %s",
		 req->cmd, req->id, strerror(err));
	d->log(d->log_arg, usual ? VXHCI_LOG_DEBUG : VXHCI_LOG_WARN, line);
}

ssize_t vfu_dev_message(struct vfu_dev *d, const uint8_t *msg, size_t have,
			struct vfu_fds *fds, uint8_t *out)
{
	struct vfu_req req;
	size_t size = 0;
	int err;

	err = vfu_msg_decode(msg, have, fds->n, &req);
	if (err == -EPROTO)
		return err;
	if (!err && fds->truncated)
		err = -E2BIG;
	/* VERSION first, and once */
	if (!err && (req.cmd == VFU_VERSION) == d->agreed)
		err = -EINVAL;
	if (!err)
		err = handlers[req.cmd](d, &req, fds, out, &size);
	if (err) {
		log_refused(d, &req, -err);
		size = vfu_reply_error(&req, -err, out);
	}
	return req.no_reply ? 0 : (ssize_t)size;
}

void vfu_dev_leave(struct vfu_dev *d)
{
	d->agreed = false;
	d->msix = false;
	d->no_fd = 0;
	vxhci_msix_external(d->v, false);
	vxhci_reset(d->v);
	vxhci_mem_unmap_all(d->v);
	vfu_irq_clear(&d->irq);
}
