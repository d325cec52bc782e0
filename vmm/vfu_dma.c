/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_dma.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define GUEST_PAGE 4096u

/* The cookie of a mapping: what munmap(2) wants to know. */
struct vfu_map {
	void *base;
	size_t len;
};

/* The unit mmap(2) takes for @fd: a huge page where it is made of those. */
static uint64_t map_unit(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		return (uint64_t)fs.f_bsize;
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static int map_check(const struct vfu_req *req, int fd)
{
	uint64_t iova = req->u.map.iova, size = req->u.map.size;
	uint64_t offset = req->u.map.offset;
	struct stat st;

	if (fd < 0 || !size || (iova | size | offset) % GUEST_PAGE)
		return -EINVAL;
	if (iova + (size - 1) < iova)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (offset > (uint64_t)st.st_size ||
	    size > (uint64_t)st.st_size - offset)
		return -EINVAL;
	return 0;
}

/* @ret_ptr: where the guest's memory begins, which may be behind m->base */
static int map_file(const struct vfu_req *req, int fd, struct vfu_map *m,
		    uint8_t **ret_ptr)
{
	int prot = PROT_READ;
	uint64_t unit = map_unit(fd), skew, len;
	void *base;

	skew = req->u.map.offset % unit;
	len = (req->u.map.size + skew + unit - 1) / unit * unit;
	if (req->u.map.flags & VFU_DMA_MAP_WRITE)
		prot |= PROT_WRITE;
	base = mmap(NULL, len, prot, MAP_SHARED, fd,
		    (off_t)(req->u.map.offset - skew));
	if (base == MAP_FAILED)
		return -errno;
	m->base = base;
	m->len = len;
	*ret_ptr = (uint8_t *)base + skew;
	return 0;
}

int vfu_dma_map(struct vfu_dma *d, struct vxhci *v, const struct vfu_req *req,
		int fd)
{
	struct vfu_map *m;
	uint8_t *ptr = NULL;
	int err;

	err = map_check(req, fd);
	if (err)
		return err;
	if (d->nmaps >= VFU_DMA_MAX)
		return -ENOSPC;
	m = malloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	err = map_file(req, fd, m, &ptr);
	if (err)
		goto free_map;
	err = vxhci_mem_map(v, req->u.map.iova, req->u.map.size, ptr,
			    req->u.map.flags & VFU_DMA_MAP_WRITE, m);
	if (err)
		goto unmap;
	d->nmaps++;
	return 0;
unmap:
	munmap(m->base, m->len);
free_map:
	free(m);
	return err;
}

int vfu_dma_unmap(struct vxhci *v, const struct vfu_req *req)
{
	if (req->u.unmap.all) {
		vxhci_mem_unmap_all(v);
		return 0;
	}
	return vxhci_mem_unmap(v, req->u.unmap.iova, req->u.unmap.size);
}

void vfu_dma_released(struct vfu_dma *d, void *cookie)
{
	struct vfu_map *m = cookie;

	munmap(m->base, m->len);
	free(m);
	d->nmaps--;
}
