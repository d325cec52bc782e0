/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vfio-user client, half trusted: messages of every command with fields and
 * sizes of its own, cut in pieces, with descriptors of every kind beside them,
 * to the server's connection over a real socket and a controller with the
 * built-in device zero. Whatever it sends, no descriptor stays open after it.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_socket.h"
#include "vmm/vfu_conn.h"

#define MEM_SIZE 0x100000u

static struct peer {
	struct vxhci *v;
	struct vfu_dev dev;
	struct vfu_conn *conn;
	int client, mem, small, event, null;
	uint64_t timeout;
} peer;

static void on_msix(void *opaque, unsigned vector)
{
	(void)opaque;
	vfu_irq_raise(&peer.dev.irq, vector);
}

static void on_wake(void *opaque)
{
	(void)opaque;
}

static void on_released(void *opaque, void *cookie)
{
	(void)opaque;
	vfu_dma_released(&peer.dev.dma, cookie);
}

static void begin(void)
{
	static const struct vxhci_ops ops = {
		.msix = on_msix, .wake = on_wake, .mem_released = on_released};
	char err[256];

	vfu_dev_init(&peer.dev, NULL);
	need(vxhci_create("30,xhci,zero", &ops, NULL, err, sizeof(err),
			  &peer.v) == 0,
	     "no controller");
	peer.dev.v = peer.v;
	peer.conn = malloc(sizeof(*peer.conn));
	peer.mem = memfd_create("guest", 0);
	peer.small = memfd_create("small", 0);
	peer.event = eventfd(0, EFD_NONBLOCK);
	peer.null = open("/dev/null", O_RDWR);
	need(peer.conn && peer.mem >= 0 && peer.event >= 0, "resources");
	need(ftruncate(peer.mem, MEM_SIZE) == 0, "memory");
	need(ftruncate(peer.small, 4096) == 0, "memory");
}

static void hello(void)
{
	int sv[2];

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == 0,
	     "socketpair");
	peer.client = sv[1];
	vfu_conn_init(peer.conn, &peer.dev, sv[0]);
}

static void bye(void)
{
	vfu_conn_fini(peer.conn);
	vfu_dev_leave(&peer.dev);
	close(peer.client);
}

/* The server's turn; false: it has had enough of this client. */
static int serve(void)
{
	char sink[65536];
	int err = vfu_conn_ready(peer.conn, POLLIN | POLLOUT);

	for (unsigned i = 0; !err && i < 4 && vfu_conn_busy(peer.conn); i++)
		err = vfu_conn_work(peer.conn);
	for (unsigned i = 0; i < 4; i++)
		vxhci_dispatch(peer.v, &peer.timeout);
	while (recv(peer.client, sink, sizeof(sink), 0) > 0)
		;
	return err == 0;
}

static void send_all(const uint8_t *buf, size_t len, uint8_t kinds, unsigned n)
{
	const int all[4] = {peer.mem, peer.event, peer.small, peer.null};
	int fds[FUZZ_MAX_FDS];

	for (unsigned i = 0; i < n; i++)
		fds[i] = all[i ? kinds >> 2 * (i % 4) & 3 : kinds & 3];
	send_with(peer.client, buf, len, fds, n);
}

static void le32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static void le64(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, sizeof(v));
}

/* A number that means something, now and then any */
static uint64_t number(struct fuzz_in *in)
{
	uint8_t k = in_u8(in);

	switch (k & 7) {
	case 0:
		return 0;
	case 1:
		return UINT64_C(4096) << (k >> 3 & 15);
	case 2:
		return UINT64_MAX - (k >> 3) * 4096u + 1;
	case 3:
		return in_u32(in);
	case 4:
		return (uint64_t)in_u32(in) << 32 | in_u32(in);
	default:
		return (k >> 3) * 4096u;
	}
}

static uint32_t body_dma(struct fuzz_in *in, uint8_t *m, uint16_t cmd)
{
	le32(m + 16, cmd == VFU_DMA_MAP ? 32 : 24);
	le32(m + 20, in_u8(in) & 7);
	if (cmd == VFU_DMA_UNMAP) {
		le64(m + 24, number(in));
		le64(m + 32, number(in));
		return 40;
	}
	le64(m + 24, number(in));
	le64(m + 32, number(in));
	le64(m + 40, number(in));
	return 48;
}

static uint32_t body_io(struct fuzz_in *in, uint8_t *m, uint16_t cmd)
{
	uint32_t count = 1u << (in_u8(in) & 3);
	const uint8_t *data;
	size_t len;

	le64(m + 16, in_u16(in));
	le32(m + 24, in_u8(in) & 1 ? VFU_REGION_CONFIG : in_u8(in) % 10);
	if (in_u8(in) > 250)
		count = in_u32(in);
	le32(m + 28, count);
	if (cmd == VFU_REGION_READ)
		return 32;
	data = in_bytes(in, 16, &len);
	memcpy(m + 32, data, len);
	return 32 + (count <= 8 ? count : (uint32_t)len);
}

static uint32_t body_irqs(struct fuzz_in *in, uint8_t *m, unsigned *nfds)
{
	uint32_t count = in_u8(in) % 18;

	le32(m + 16, 20);
	le32(m + 20, in_u8(in) & 0x3f);
	le32(m + 24, in_u8(in) % 6);
	le32(m + 28, in_u8(in) % 18);
	le32(m + 32, in_u8(in) > 250 ? in_u32(in) : count);
	*nfds = in_u8(in) & 1 ? count : *nfds;
	return 36 + (in_u8(in) & 1 ? count : 0);
}

static uint32_t body_multi(struct fuzz_in *in, uint8_t *m)
{
	uint32_t n = in_u8(in) % 6;

	le64(m + 16, in_u8(in) > 250 ? number(in) : n);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *row = m + 24 + 24 * i;

		le64(row, in_u16(in));
		le32(row + 8, in_u8(in) & 7);
		le32(row + 12, in_u8(in) % 10);
		le64(row + 16, in_u32(in));
	}
	return 24 + 24 * n;
}

static uint32_t body(struct fuzz_in *in, uint8_t *m, uint16_t cmd,
		     unsigned *nfds)
{
	const uint8_t *raw;
	size_t len;

	switch (cmd) {
	case VFU_VERSION:
		m[18] = in_u8(in);
		raw = in_bytes(in, 200, &len);
		memcpy(m + 20, raw, len);
		return 20 + (uint32_t)len;
	case VFU_DMA_MAP:
	case VFU_DMA_UNMAP:
		return body_dma(in, m, cmd);
	case VFU_DEVICE_GET_REGION_INFO:
	case VFU_DEVICE_GET_IRQ_INFO:
		le32(m + 16, 32);
		le32(m + 24, in_u8(in) % 11);
		return cmd == VFU_DEVICE_GET_IRQ_INFO ? 32 : 48;
	case VFU_DEVICE_SET_IRQS:
		return body_irqs(in, m, nfds);
	case VFU_REGION_READ:
	case VFU_REGION_WRITE:
		return body_io(in, m, cmd);
	case VFU_REGION_WRITE_MULTI:
		return body_multi(in, m);
	default:
		raw = in_bytes(in, 64, &len);
		memcpy(m + 16, raw, len);
		return 16 + (uint32_t)len;
	}
}

static int message(struct fuzz_in *in)
{
	uint8_t m[1024] = {0}, shape = in_u8(in), kinds = 0;
	uint16_t cmd = in_u8(in) % 20;
	unsigned nfds = 0;
	uint32_t size;

	if (shape & 1) {
		kinds = in_u8(in);
		nfds = in_u8(in);
		nfds = nfds > 200 ? nfds % 40 : nfds % 3;
	}
	size = body(in, m, cmd, &nfds);
	m[0] = in_u8(in);
	m[2] = (uint8_t)cmd;
	le32(m + 4, shape & 2 && in_u8(in) > 200 ? in_u32(in) : size);
	le32(m + 8, shape >> 5 == 7 ? in_u8(in) : shape >> 5 == 6 ? 0x10 : 0);
	if (size > sizeof(m))
		size = sizeof(m);
	if (shape & 4) {
		uint32_t cut = in_u16(in) % (size + 1);

		if (cut)
			send_all(m, cut, kinds, nfds);
		if (!serve())
			return 0;
		if (size > cut)
			send_all(m + cut, size - cut, kinds, shape & 8 ? 1 : 0);
	} else {
		send_all(m, size, kinds, nfds);
	}
	return serve();
}

/* The agreement that nearly every client begins with */
static void agree(void)
{
	uint8_t m[20] = {1, 0, VFU_VERSION};

	m[4] = sizeof(m);
	m[18] = 1;
	send_all(m, sizeof(m), 0, 0);
	serve();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = {data, len};
	int before;

	if (!peer.v)
		begin();
	before = next_fd(peer.null);
	hello();
	if (in_u8(&in) & 7)
		agree();
	while (in.left && message(&in))
		;
	bye();
	need(next_fd(peer.null) == before, "a descriptor was left open");
	return 0;
}

void fuzz_seeds(const char *dir)
{
	uint8_t buf[256];
	uint32_t s = 1;

	for (unsigned n = 0; n < 40; n++) {
		fuzz_noise(buf, sizeof(buf), &s);
		for (unsigned i = 1; i < 200; i += 9) /* commands that exist */
			buf[i] &= 0xc5;
		fuzz_seed(dir, "random", n, buf, sizeof(buf));
	}
}
