/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_msg.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <jansson.h>

/*
 * The reply to VERSION. Kept short: QEMU takes no more than the bytes it sent.
 * No write_multiple, which makes QEMU 10 queue every message (the command is
 * taken all the same), and nothing the clients do not know.
 */
static const char version_json[] =
	"{\"capabilities\":{\"max_msg_fds\":16,"
	"\"max_data_xfer_size\":65536,\"migration\":{\"pgsize\":4096}}}";
_Static_assert(VFU_MAX_XFER == 65536, "announced as such");
_Static_assert(sizeof(version_json) < 190, "must fit QEMU's buffer");

int vfu_msg_size(const uint8_t *buf, size_t have, size_t *ret_size)
{
	uint32_t size;

	if (have < sizeof(struct vfu_hdr))
		return -EAGAIN;
	memcpy(&size, buf + offsetof(struct vfu_hdr, size), sizeof(size));
	size = le32toh(size);
	if (size < sizeof(struct vfu_hdr) || size > VFU_MSG_SANE)
		return -EPROTO;
	*ret_size = size;
	return 0;
}

/* A JSON object with, if it has one, an object of capabilities */
static bool version_json_ok(const uint8_t *json, size_t len)
{
	json_t *root, *caps;
	bool ok;

	if (len == 0)
		return true;
	if (json[len - 1] != '\0')
		return false;
	root = json_loadb((const char *)json, len - 1, 0, NULL);
	caps = json_object_get(root, "capabilities");
	ok = json_is_object(root) && (!caps || json_is_object(caps));
	json_decref(root);
	return ok;
}

static int decode_version(const uint8_t *msg, size_t size, size_t nfds,
			  struct vfu_req *r)
{
	struct vfu_version v;

	(void)nfds;
	memcpy(&v, msg, sizeof(v));
	r->u.version.minor = le16toh(v.minor) ? 1 : 0;
	if (v.major || !version_json_ok(msg + sizeof(v), size - sizeof(v)))
		return -EINVAL;
	return 0;
}

static int decode_map(const uint8_t *msg, size_t size, size_t nfds,
		      struct vfu_req *r)
{
	struct vfu_dma_map m;
	const uint32_t rw = VFU_DMA_MAP_READ | VFU_DMA_MAP_WRITE;

	memcpy(&m, msg, sizeof(m));
	r->u.map.flags = le32toh(m.flags);
	r->u.map.offset = le64toh(m.offset);
	r->u.map.iova = le64toh(m.iova);
	r->u.map.size = le64toh(m.size);
	if (size != sizeof(m) || nfds > 1 ||
	    le32toh(m.argsz) < sizeof(m) - sizeof(m.hdr) ||
	    !(r->u.map.flags & rw) || (r->u.map.flags & ~rw))
		return -EINVAL;
	return 0;
}

static int decode_unmap(const uint8_t *msg, size_t size, size_t nfds,
			struct vfu_req *r)
{
	struct vfu_dma_unmap m;
	uint32_t flags;

	(void)nfds;
	memcpy(&m, msg, sizeof(m));
	flags = le32toh(m.flags);
	r->u.unmap.all = flags == VFU_DMA_UNMAP_ALL;
	r->u.unmap.iova = le64toh(m.iova);
	r->u.unmap.size = le64toh(m.size);
	if (size != sizeof(m) || le32toh(m.argsz) < sizeof(m) - sizeof(m.hdr) ||
	    (flags & ~VFU_DMA_UNMAP_ALL))
		return -EINVAL;
	if (r->u.unmap.all && (m.iova || m.size))
		return -EINVAL;
	return 0;
}

static int decode_device_info(const uint8_t *msg, size_t size, size_t nfds,
			      struct vfu_req *r)
{
	struct vfu_device_info m;

	(void)nfds;
	(void)r;
	memcpy(&m, msg, sizeof(m));
	if (size != sizeof(m) || le32toh(m.argsz) < sizeof(m) - sizeof(m.hdr))
		return -EINVAL;
	return 0;
}

static int decode_region_info(const uint8_t *msg, size_t size, size_t nfds,
			      struct vfu_req *r)
{
	struct vfu_region_info m;

	(void)nfds;
	memcpy(&m, msg, sizeof(m));
	r->u.info.index = le32toh(m.index);
	if (size != sizeof(m) || le32toh(m.argsz) < sizeof(m) - sizeof(m.hdr) ||
	    r->u.info.index >= VFU_NUM_REGIONS)
		return -EINVAL;
	return 0;
}

static int decode_irq_info(const uint8_t *msg, size_t size, size_t nfds,
			   struct vfu_req *r)
{
	struct vfu_irq_info m;

	(void)nfds;
	memcpy(&m, msg, sizeof(m));
	r->u.info.index = le32toh(m.index);
	if (size != sizeof(m) || le32toh(m.argsz) < sizeof(m) - sizeof(m.hdr) ||
	    r->u.info.index >= VFU_NUM_IRQS)
		return -EINVAL;
	return 0;
}

static bool one_bit(uint32_t x)
{
	return x && !(x & (x - 1));
}

/*
 * DATA_BOOL without data is taken as DATA_NONE: QEMU says so in argsz but
 * does not send the bytes.
 */
static int decode_set_irqs(const uint8_t *msg, size_t size, size_t nfds,
			   struct vfu_req *r)
{
	struct vfu_set_irqs m;
	size_t data = size - sizeof(m);
	uint32_t flags;

	(void)nfds;
	memcpy(&m, msg, sizeof(m));
	flags = le32toh(m.flags);
	r->u.irqs.index = le32toh(m.index);
	r->u.irqs.action = flags & VFU_IRQ_SET_ACTIONS;
	r->u.irqs.data = flags & VFU_IRQ_SET_DATA_MASK;
	r->u.irqs.start = le32toh(m.start);
	r->u.irqs.count = le32toh(m.count);
	if (le32toh(m.argsz) < sizeof(m) - sizeof(m.hdr) ||
	    r->u.irqs.index >= VFU_NUM_IRQS || !one_bit(r->u.irqs.action) ||
	    !one_bit(r->u.irqs.data) ||
	    (flags & ~(VFU_IRQ_SET_ACTIONS | VFU_IRQ_SET_DATA_MASK)))
		return -EINVAL;
	if (data && r->u.irqs.data == VFU_IRQ_SET_DATA_BOOL) {
		if (data != r->u.irqs.count)
			return -EINVAL;
		r->u.irqs.bools = msg + sizeof(m);
	}
	return 0;
}

/* What REGION_READ and REGION_WRITE have in common */
static int decode_io(const uint8_t *msg, struct vfu_req *r)
{
	struct vfu_region_access m;

	memcpy(&m, msg, sizeof(m));
	r->u.io.offset = le64toh(m.offset);
	r->u.io.region = le32toh(m.region);
	r->u.io.count = le32toh(m.count);
	if (r->u.io.count > VFU_MAX_XFER) {
		r->u.io.count = 0;
		return -EINVAL;
	}
	if (!r->u.io.count || r->u.io.region >= VFU_NUM_REGIONS)
		return -EINVAL;
	return 0;
}

static int decode_read(const uint8_t *msg, size_t size, size_t nfds,
		       struct vfu_req *r)
{
	int err = decode_io(msg, r);

	(void)nfds;
	if (size != sizeof(struct vfu_region_access))
		return -EINVAL;
	return err;
}

static int decode_write(const uint8_t *msg, size_t size, size_t nfds,
			struct vfu_req *r)
{
	int err = decode_io(msg, r);

	(void)nfds;
	if (err)
		return err;
	if (size != sizeof(struct vfu_region_access) + r->u.io.count)
		return -EINVAL;
	r->u.io.data = msg + sizeof(struct vfu_region_access);
	return 0;
}

static int decode_multi(const uint8_t *msg, size_t size, size_t nfds,
			struct vfu_req *r)
{
	struct vfu_write_multi m;
	uint64_t count;

	(void)nfds;
	memcpy(&m, msg, sizeof(m));
	count = le64toh(m.wr_cnt);
	if (!count || count > VFU_MAX_ROWS ||
	    size != sizeof(m) + count * sizeof(struct vfu_write_row))
		return -EINVAL;
	r->u.multi.count = (uint32_t)count;
	r->u.multi.rows = msg + sizeof(m);
	return 0;
}

static int decode_reset(const uint8_t *msg, size_t size, size_t nfds,
			struct vfu_req *r)
{
	(void)msg;
	(void)nfds;
	(void)r;
	return size == sizeof(struct vfu_hdr) ? 0 : -EINVAL;
}

/*
 * A row a command. @min is the least size of the request, which decode() may
 * rely on; @reply that of the reply, data not counted.
 */
struct vfu_cmd_row {
	int (*decode)(const uint8_t *msg, size_t size, size_t nfds,
		      struct vfu_req *r);
	size_t min;
	size_t reply;
};

#define HDR sizeof(struct vfu_hdr)
static const struct vfu_cmd_row vfu_cmds[] = {
	[VFU_VERSION] = {decode_version, sizeof(struct vfu_version),
			 sizeof(struct vfu_version) + sizeof(version_json)},
	[VFU_DMA_MAP] = {decode_map, sizeof(struct vfu_dma_map), HDR},
	[VFU_DMA_UNMAP] = {decode_unmap, sizeof(struct vfu_dma_unmap),
			   sizeof(struct vfu_dma_unmap)},
	[VFU_DEVICE_GET_INFO] = {decode_device_info,
				 sizeof(struct vfu_device_info),
				 sizeof(struct vfu_device_info)},
	[VFU_DEVICE_GET_REGION_INFO] = {decode_region_info,
					sizeof(struct vfu_region_info),
					sizeof(struct vfu_region_info)},
	[VFU_DEVICE_GET_IRQ_INFO] = {decode_irq_info,
				     sizeof(struct vfu_irq_info),
				     sizeof(struct vfu_irq_info)},
	[VFU_DEVICE_SET_IRQS] = {decode_set_irqs, VFU_SET_IRQS_SIZE, HDR},
	[VFU_REGION_READ] = {decode_read, sizeof(struct vfu_region_access),
			     sizeof(struct vfu_region_access)},
	[VFU_REGION_WRITE] = {decode_write, sizeof(struct vfu_region_access),
			      sizeof(struct vfu_region_access)},
	[VFU_DEVICE_RESET] = {decode_reset, HDR, HDR},
	[VFU_REGION_WRITE_MULTI] = {decode_multi,
				    sizeof(struct vfu_write_multi),
				    sizeof(struct vfu_write_multi)},
};

static const struct vfu_cmd_row *cmd_row(uint16_t cmd)
{
	if (cmd >= sizeof(vfu_cmds) / sizeof(vfu_cmds[0]) ||
	    !vfu_cmds[cmd].decode)
		return NULL;
	return &vfu_cmds[cmd];
}

int vfu_msg_decode(const uint8_t *msg, size_t have, size_t nfds,
		   struct vfu_req *ret_req)
{
	const struct vfu_cmd_row *row;
	struct vfu_hdr hdr;
	uint32_t flags;
	int err;

	memset(ret_req, 0, sizeof(*ret_req));
	memcpy(&hdr, msg, sizeof(hdr));
	flags = le32toh(hdr.flags);
	ret_req->id = le16toh(hdr.id);
	ret_req->cmd = le16toh(hdr.cmd);
	ret_req->no_reply = flags & VFU_F_NO_REPLY;
	if ((flags & VFU_F_TYPE_MASK) == VFU_F_REPLY)
		return -EPROTO;
	row = cmd_row(ret_req->cmd);
	if (!row)
		return -ENOSYS;
	if (have < row->min)
		return -EINVAL;
	err = row->decode(msg, have, nfds, ret_req);
	if ((flags & VFU_F_TYPE_MASK) != VFU_F_COMMAND)
		return -EINVAL;
	return le32toh(hdr.size) == have ? err : -E2BIG;
}

int vfu_msg_row(const struct vfu_req *req, uint32_t i, struct vfu_req *ret_row)
{
	const uint8_t *at =
		req->u.multi.rows + i * sizeof(struct vfu_write_row);
	struct vfu_write_row w;

	memset(ret_row, 0, sizeof(*ret_row));
	memcpy(&w, at, sizeof(w));
	ret_row->cmd = VFU_REGION_WRITE;
	ret_row->no_reply = true;
	ret_row->u.io.offset = le64toh(w.offset);
	ret_row->u.io.region = le32toh(w.region);
	ret_row->u.io.count = le32toh(w.count);
	ret_row->u.io.data = at + offsetof(struct vfu_write_row, data);
	if (!ret_row->u.io.count || ret_row->u.io.count > sizeof(w.data) ||
	    ret_row->u.io.region >= VFU_NUM_REGIONS)
		return -EINVAL;
	return 0;
}

/* Header and, for what echoes it, what was asked; the rest is zero. */
static size_t reply_begin(const struct vfu_req *req, int err, uint8_t *out)
{
	const struct vfu_cmd_row *row = cmd_row(req->cmd);
	size_t fixed = row ? row->reply : HDR;
	size_t size = fixed;
	struct vfu_hdr hdr = {
		.id = htole16(req->id),
		.cmd = htole16(req->cmd),
		.flags = htole32(VFU_F_REPLY | (err ? VFU_F_ERROR : 0)),
		.error = htole32((uint32_t)err),
	};

	if (req->cmd == VFU_REGION_READ)
		size += req->u.io.count;
	hdr.size = htole32((uint32_t)size);
	memset(out, 0, fixed);
	memcpy(out, &hdr, sizeof(hdr));
	if (req->cmd == VFU_REGION_READ || req->cmd == VFU_REGION_WRITE) {
		struct vfu_region_access m = {
			.hdr = hdr,
			.offset = htole64(req->u.io.offset),
			.region = htole32(req->u.io.region),
			.count = htole32(req->u.io.count),
		};

		memcpy(out, &m, sizeof(m));
	} else if (req->cmd == VFU_VERSION) {
		struct vfu_version m = {
			.hdr = hdr,
			.minor = htole16(req->u.version.minor),
		};

		memcpy(out, &m, sizeof(m));
		memcpy(out + sizeof(m), version_json, sizeof(version_json));
	}
	return size;
}

size_t vfu_reply_error(const struct vfu_req *req, int err, uint8_t *out)
{
	size_t size = reply_begin(req, err, out);

	/* as a read of nothing at all does on a bus */
	if (req->cmd == VFU_REGION_READ)
		memset(vfu_reply_data(out), 0xff, req->u.io.count);
	return size;
}

size_t vfu_reply_ok(const struct vfu_req *req, uint8_t *out)
{
	size_t size = reply_begin(req, 0, out);

	if (req->cmd == VFU_DMA_UNMAP) {
		struct vfu_dma_unmap m;

		memcpy(&m, out, sizeof(m));
		m.argsz = htole32(sizeof(m) - sizeof(m.hdr));
		m.flags = htole32(req->u.unmap.all ? VFU_DMA_UNMAP_ALL : 0);
		m.iova = htole64(req->u.unmap.iova);
		m.size = htole64(req->u.unmap.size);
		memcpy(out, &m, sizeof(m));
	} else if (req->cmd == VFU_REGION_WRITE_MULTI) {
		struct vfu_write_multi m;

		memcpy(&m, out, sizeof(m));
		m.wr_cnt = htole64(req->u.multi.count);
		memcpy(out, &m, sizeof(m));
	}
	return size;
}

size_t vfu_reply_device_info(const struct vfu_req *req, uint8_t *out)
{
	size_t size = reply_begin(req, 0, out);
	struct vfu_device_info m;

	memcpy(&m, out, sizeof(m));
	m.argsz = htole32(sizeof(m) - sizeof(m.hdr));
	m.flags = htole32(VFU_DEVICE_RESETTABLE | VFU_DEVICE_PCI);
	m.num_regions = htole32(VFU_NUM_REGIONS);
	m.num_irqs = htole32(VFU_NUM_IRQS);
	memcpy(out, &m, sizeof(m));
	return size;
}

size_t vfu_reply_region_info(const struct vfu_req *req, uint32_t flags,
			     uint64_t bytes, uint8_t *out)
{
	size_t size = reply_begin(req, 0, out);
	struct vfu_region_info m;

	memcpy(&m, out, sizeof(m));
	m.argsz = htole32(sizeof(m) - sizeof(m.hdr));
	m.flags = htole32(flags);
	m.index = htole32(req->u.info.index);
	m.size = htole64(bytes);
	memcpy(out, &m, sizeof(m));
	return size;
}

size_t vfu_reply_irq_info(const struct vfu_req *req, uint32_t flags,
			  uint32_t count, uint8_t *out)
{
	size_t size = reply_begin(req, 0, out);
	struct vfu_irq_info m;

	memcpy(&m, out, sizeof(m));
	m.argsz = htole32(sizeof(m) - sizeof(m.hdr));
	m.flags = htole32(flags);
	m.index = htole32(req->u.info.index);
	m.count = htole32(count);
	memcpy(out, &m, sizeof(m));
	return size;
}

size_t vfu_reply_read(const struct vfu_req *req, uint8_t *out)
{
	return reply_begin(req, 0, out);
}

uint8_t *vfu_reply_data(uint8_t *out)
{
	return out + sizeof(struct vfu_region_access);
}
