/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_proto.h - vfio-user 0.1 on the wire: what a message looks like.
 *
 * Little endian, offsets from the start of the message. The structures are
 * laid out as the wire is and hold wire byte order: le16toh() and friends.
 * The names follow the vfio-user specification and <linux/vfio.h>.
 */
#ifndef VMM_VFU_PROTO_H
#define VMM_VFU_PROTO_H

#include <stddef.h>
#include <stdint.h>

enum vfu_cmd {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_REGION_IO_FDS = 6,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DMA_READ = 11,
	VFU_DMA_WRITE = 12,
	VFU_DEVICE_RESET = 13,
	VFU_DIRTY_PAGES = 14,
	VFU_REGION_WRITE_MULTI = 15,
	VFU_DEVICE_FEATURE = 16,
	VFU_MIG_DATA_READ = 17,
	VFU_MIG_DATA_WRITE = 18,
};

struct vfu_hdr {
	uint16_t id;    /* 0: echoed in the reply */
	uint16_t cmd;   /* 2: enum vfu_cmd */
	uint32_t size;  /* 4: bytes, this header included */
	uint32_t flags; /* 8 */
	uint32_t error; /* 12: a positive errno with VFU_F_ERROR */
};

#define VFU_F_TYPE_MASK 0xfu
#define VFU_F_COMMAND 0u
#define VFU_F_REPLY 1u
#define VFU_F_NO_REPLY 0x10u
#define VFU_F_ERROR 0x20u

struct vfu_version {
	struct vfu_hdr hdr;
	uint16_t major; /* 16 */
	uint16_t minor; /* 18 */
			/* 20: JSON, ends in NUL; may be missing */
};

struct vfu_dma_map {
	struct vfu_hdr hdr;
	uint32_t argsz;  /* 16: 32 */
	uint32_t flags;  /* 20 */
	uint64_t offset; /* 24: in the file */
	uint64_t iova;   /* 32 */
	uint64_t size;   /* 40 */
};

#define VFU_DMA_MAP_READ 1u
#define VFU_DMA_MAP_WRITE 2u

struct vfu_dma_unmap {
	struct vfu_hdr hdr;
	uint32_t argsz; /* 16: 24 */
	uint32_t flags; /* 20 */
	uint64_t iova;  /* 24 */
	uint64_t size;  /* 32 */
};

#define VFU_DMA_UNMAP_ALL 2u

struct vfu_device_info {
	struct vfu_hdr hdr;
	uint32_t argsz;       /* 16: 16 */
	uint32_t flags;       /* 20 */
	uint32_t num_regions; /* 24 */
	uint32_t num_irqs;    /* 28 */
};

#define VFU_DEVICE_RESETTABLE 1u
#define VFU_DEVICE_PCI 2u

struct vfu_region_info {
	struct vfu_hdr hdr;
	uint32_t argsz;      /* 16: 32 */
	uint32_t flags;      /* 20 */
	uint32_t index;      /* 24: enum vfu_region */
	uint32_t cap_offset; /* 28 */
	uint64_t size;       /* 32 */
	uint64_t offset;     /* 40 */
};

#define VFU_REGION_F_READ 1u
#define VFU_REGION_F_WRITE 2u

enum vfu_region {
	VFU_REGION_BAR0 = 0,
	VFU_REGION_ROM = 6,
	VFU_REGION_CONFIG = 7,
	VFU_REGION_VGA = 8,
	VFU_NUM_REGIONS = 9,
};

struct vfu_irq_info {
	struct vfu_hdr hdr;
	uint32_t argsz; /* 16: 16 */
	uint32_t flags; /* 20 */
	uint32_t index; /* 24: enum vfu_irq_index */
	uint32_t count; /* 28 */
};

#define VFU_IRQ_INFO_EVENTFD 1u

enum vfu_irq_index {
	VFU_IRQ_INTX = 0,
	VFU_IRQ_MSI = 1,
	VFU_IRQ_MSIX = 2,
	VFU_IRQ_ERR = 3,
	VFU_IRQ_REQ = 4,
	VFU_NUM_IRQS = 5,
};

struct vfu_set_irqs {
	struct vfu_hdr hdr;
	uint32_t argsz; /* 16: 20, and the bytes of data */
	uint32_t flags; /* 20 */
	uint32_t index; /* 24: enum vfu_irq_index */
	uint32_t start; /* 28 */
	uint32_t count; /* 32 */
			/* 36: with DATA_BOOL, count bytes */
};
#define VFU_SET_IRQS_SIZE 36u

#define VFU_IRQ_SET_DATA_NONE 0x01u
#define VFU_IRQ_SET_DATA_BOOL 0x02u
#define VFU_IRQ_SET_DATA_EVENTFD 0x04u
#define VFU_IRQ_SET_DATA_MASK 0x07u
#define VFU_IRQ_SET_ACTION_MASK 0x08u
#define VFU_IRQ_SET_ACTION_UNMASK 0x10u
#define VFU_IRQ_SET_ACTION_TRIGGER 0x20u
#define VFU_IRQ_SET_ACTIONS 0x38u

struct vfu_region_access {
	struct vfu_hdr hdr;
	uint64_t offset; /* 16 */
	uint32_t region; /* 24: enum vfu_region */
	uint32_t count;  /* 28: bytes */
			 /* 32: data of a write, or of the reply to a read */
};

struct vfu_write_row {
	uint64_t offset; /* 0 of the row */
	uint32_t region; /* 8 */
	uint32_t count;  /* 12: bytes, 1..8 */
	uint8_t data[8]; /* 16 */
};

struct vfu_write_multi {
	struct vfu_hdr hdr;
	uint64_t wr_cnt; /* 16: rows */
			 /* 24: struct vfu_write_row [wr_cnt] */
};

#define VFU_MAX_ROWS 200u

_Static_assert(sizeof(struct vfu_hdr) == 16, "wire");
_Static_assert(sizeof(struct vfu_version) == 20, "wire");
_Static_assert(sizeof(struct vfu_dma_map) == 48, "wire");
_Static_assert(sizeof(struct vfu_dma_unmap) == 40, "wire");
_Static_assert(sizeof(struct vfu_device_info) == 32, "wire");
_Static_assert(sizeof(struct vfu_region_info) == 48, "wire");
_Static_assert(sizeof(struct vfu_irq_info) == 32, "wire");
_Static_assert(offsetof(struct vfu_set_irqs, count) == 32, "wire");
_Static_assert(sizeof(struct vfu_set_irqs) == VFU_SET_IRQS_SIZE, "wire");
_Static_assert(sizeof(struct vfu_region_access) == 32, "wire");
_Static_assert(sizeof(struct vfu_write_row) == 24, "wire");
_Static_assert(sizeof(struct vfu_write_multi) == 24, "wire");

/*
 * What this server takes. VFU_MAX_XFER is announced as max_data_xfer_size: a
 * whole BAR fits. A message that is longer than VFU_MSG_MAX is read and thrown
 * away up to VFU_MSG_SANE, and answered with an error; beyond it the stream
 * is taken for broken.
 */
#define VFU_MAX_XFER 65536u
#define VFU_MSG_MAX (VFU_MAX_XFER + 32u)
#define VFU_MSG_SANE (64u << 20)
#define VFU_REPLY_MAX VFU_MSG_MAX
/*
 * Descriptors taken with one message: Cloud Hypervisor sends 16 whatever was
 * announced.
 */
#define VFU_MAX_FDS 32u

#endif
