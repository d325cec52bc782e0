/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection: bytes in any portions, clients of any kind, no leaks. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/vfu_rig.h"

static void hello(struct rig *r, struct vc *vc)
{
	OK(vc, vc_connect(vc, VC_QEMU, r->path));
	OK(vc, vc_version(vc));
}

/* The server is there for the next one, in a fresh state */
static void still_serves(struct rig *r)
{
	struct vc_mem mem[3];
	struct vc_dev dev;
	struct vc vc;

	rig_mem(r, mem);
	OK(&vc, vc_connect(&vc, VC_CLH, r->path));
	OK(&vc, vc_realize(&vc, mem, 3, &dev));
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	vc_close(&vc);
}

/* The server closes this connection; nothing but EOF comes */
static void is_dropped(struct vc *vc)
{
	char c;

	assert_int_equal(recv(vc->fd, &c, 1, 0), 0);
	vc_close(vc);
}

static void socket_is_its_owners_only(void **state)
{
	struct rig *r = *state;
	struct stat st;

	assert_int_equal(stat(r->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static struct vfu_dma_map map_msg(struct vc *vc, uint64_t iova)
{
	return (struct vfu_dma_map){
		.hdr = {.id = vc->next_id++, .cmd = VFU_DMA_MAP, .size = 48},
		.argsz = 32,
		.flags = 3,
		.iova = iova,
		.size = 0x1000};
}

static void bytes_dribble(void **state)
{
	struct rig *r = *state;
	struct vc vc;

	hello(r, &vc);
	for (unsigned i = 0; i < 3; i++) {
		struct vfu_dma_map m = map_msg(&vc, 0x1000 * i);
		struct vfu_hdr reply;

		/* the descriptor comes with the first byte */
		for (size_t at = 0; at < sizeof(m); at++)
			OK(&vc,
			   vc_send(&vc, (char *)&m + at, 1, &r->ram, at == 0));
		OK(&vc, vc_recv(&vc, &reply, sizeof(reply)));
		assert_int_equal(reply.flags, VFU_F_REPLY);
		assert_int_equal(reply.id, m.hdr.id);
	}
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	vc_close(&vc);
}

/*
 * Messages glued in one send; the rest of one and the beginning of the next,
 * which has a descriptor, in the next send.
 */
static void messages_are_glued(void **state)
{
	struct rig *r = *state;
	struct {
		struct vfu_region_access h;
		uint32_t val;
	} __attribute__((packed)) w[50];
	struct vfu_hdr reply;
	struct vfu_dma_map m;
	char glued[64];
	struct vc vc;

	hello(r, &vc);
	for (uint32_t i = 0; i < 50; i++) {
		w[i].h = (struct vfu_region_access){
			.hdr = {.cmd = VFU_REGION_WRITE,
				.size = 36,
				.flags = VFU_F_NO_REPLY},
			.offset = 0x40,
			.count = 4};
		w[i].val = i;
	}
	OK(&vc, vc_send(&vc, w, sizeof(w), NULL, 0));
	assert_int_equal(rig_read(&vc, FAKE_WRITES), 50);

	/* the last 10 bytes of a write, then a map of which 10 are missing */
	m = map_msg(&vc, 0x5000);
	OK(&vc, vc_send(&vc, w, 26, NULL, 0));
	memcpy(glued, (char *)w + 26, 10);
	memcpy(glued + 10, &m, 38);
	OK(&vc, vc_send(&vc, glued, 48, &r->ram, 1));
	OK(&vc, vc_send(&vc, (char *)&m + 38, 10, NULL, 0));
	OK(&vc, vc_recv(&vc, &reply, sizeof(reply)));
	assert_int_equal(reply.flags, VFU_F_REPLY);
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 1);
	vc_close(&vc);
}

/* Descriptors of several messages that wait in the socket together */
static void each_message_has_its_own_descriptors(void **state)
{
	struct rig *r = *state;
	struct vfu_set_irqs m = {
		.argsz = 20, .flags = 0x24, .index = VFU_IRQ_MSIX, .count = 1};
	struct vc vc;

	hello(r, &vc);
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < VXHCI_VECTORS; i++) {
			m.start = i;
			OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, 0x40, i));
			OK(&vc, vc_call_async(&vc, VFU_DEVICE_SET_IRQS, &m,
					      sizeof(m), &r->irq[i], 1));
		}
		OK(&vc, vc_commit(&vc));
		assert_int_equal(vc.async_errors, 0);
		for (uint32_t i = 0; i < VXHCI_VECTORS; i++) {
			OK(&vc,
			   vc_write32(&vc, VFU_REGION_BAR0, FAKE_RAISE, i));
			assert_int_equal(rig_count(r->irq[i], 1000), 1);
		}
	}
	vc_close(&vc);
}

/* More than fit, and where none belong: taken, closed, answered */
static void stray_descriptors_are_closed(void **state)
{
	struct rig *r = *state;
	struct vfu_dma_map m = {.argsz = 32, .flags = 3, .size = 0x1000};
	struct vfu_hdr hdr = {.cmd = VFU_DEVICE_RESET}, reply;
	unsigned before;
	int fds[40];
	struct vc vc;

	for (unsigned i = 0; i < 40; i++)
		fds[i] = r->ram;
	hello(r, &vc);
	before = rig_open_fds();
	for (unsigned i = 0; i < 10; i++) {
		OK(&vc, vc_call(&vc, VFU_DMA_MAP, &m, sizeof(m), fds, 40,
				&reply, sizeof(reply)));
		assert_int_equal(reply.flags, VFU_F_REPLY | VFU_F_ERROR);
		OK(&vc, vc_ask(&vc, VFU_DEVICE_RESET, &hdr, sizeof(hdr), fds, 3,
			       &reply, sizeof(reply)));
	}
	assert_int_equal(rig_open_fds(), before);
	vc_close(&vc);
}

static void killed_in_the_middle_of_a_message(void **state)
{
	struct rig *r = *state;
	struct vc vc;

	for (size_t cut = 1; cut < 48; cut += 7) {
		struct vfu_dma_map m;

		hello(r, &vc);
		m = map_msg(&vc, 0);
		OK(&vc, vc_send(&vc, &m, cut, &r->ram, 1));
		vc_close(&vc);
	}
	still_serves(r);
}

static void sizes_that_cannot_be_end_the_connection(void **state)
{
	static const uint32_t sizes[] = {
		0, 1, 15, VFU_MSG_SANE + 1, 0x80000000, 0xffffffff};
	struct rig *r = *state;
	struct vc vc;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct vfu_hdr hdr = {.cmd = VFU_DEVICE_RESET,
				      .size = sizes[i]};

		hello(r, &vc);
		OK(&vc, vc_send(&vc, &hdr, sizeof(hdr), &r->ram, 1));
		is_dropped(&vc);
	}
	still_serves(r);
}

static void a_reply_from_the_client_ends_the_connection(void **state)
{
	struct rig *r = *state;
	struct vfu_hdr hdr = {.cmd = VFU_DMA_READ, .size = 16, .flags = 1};
	struct vc vc;

	hello(r, &vc);
	OK(&vc, vc_send(&vc, &hdr, sizeof(hdr), NULL, 0));
	is_dropped(&vc);
	still_serves(r);
}

/* A message beyond every limit is thrown away and answered, in step */
static void overlong_messages_are_refused(void **state)
{
	struct rig *r = *state;
	struct vfu_region_access m = {
		.hdr = {.cmd = VFU_REGION_WRITE, .size = 32 + (1 << 20)},
		.count = 1 << 20};
	struct vfu_region_access reply;
	static char zeroes[1 << 16];
	struct vc vc;

	hello(r, &vc);
	for (unsigned round = 0; round < 3; round++) {
		OK(&vc, vc_send(&vc, &m, sizeof(m), &r->ram, 1));
		for (unsigned i = 0; i < 16; i++)
			OK(&vc, vc_send(&vc, zeroes, sizeof(zeroes), NULL, 0));
		OK(&vc, vc_recv(&vc, &reply, sizeof(reply)));
		assert_int_equal(reply.hdr.size, 32);
		assert_int_equal(reply.hdr.flags, VFU_F_REPLY | VFU_F_ERROR);
		assert_int_equal(reply.hdr.error, E2BIG);
		assert_int_equal(rig_read(&vc, FAKE_WRITES), 0);
	}
	vc_close(&vc);
}

/*
 * A client that asks for megabytes and reads none of them: the server stops
 * reading, does not grow, and is in step when the client comes round.
 */
static void client_that_does_not_read(void **state)
{
	struct rig *r = *state;
	struct vfu_region_access m = {
		.hdr = {.cmd = VFU_REGION_READ, .size = 32}, .count = 0x8000};
	static char reply[32 + 0x8000];
	unsigned sent = 0, got = 0;
	struct vfu_hdr hdr;
	struct vc vc;

	hello(r, &vc);
	for (;;) {
		ssize_t n;

		m.hdr.id = (uint16_t)sent;
		n = send(vc.fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) {
			struct pollfd p = {.fd = vc.fd, .events = POLLOUT};

			if (poll(&p, 1, 100) == 1)
				continue;
			break;
		}
		assert_int_equal(n, sizeof(m));
		assert_in_range(sent++, 0, 1000000);
	}
	for (; got < sent; got++) {
		OK(&vc, vc_recv(&vc, reply, sizeof(reply)));
		memcpy(&hdr, reply, sizeof(hdr));
		assert_int_equal(hdr.id, (uint16_t)got);
	}
	assert_true(sent > 4);
	OK(&vc, vc_silent(&vc, 10));
	vc_close(&vc);
}

/* It leaves with replies unread */
static void client_leaves_without_reading(void **state)
{
	struct rig *r = *state;
	struct vfu_region_access m = {
		.hdr = {.cmd = VFU_REGION_READ, .size = 32}, .count = 0x8000};
	struct vc vc;

	for (unsigned round = 0; round < 3; round++) {
		hello(r, &vc);
		for (unsigned i = 0; i < 100; i++)
			(void)!send(vc.fd, &m, sizeof(m),
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		vc_close(&vc);
	}
	still_serves(r);
}

static void second_client_waits_its_turn(void **state)
{
	struct rig *r = *state;
	struct vc first, second;
	struct vfu_hdr m;

	hello(r, &first);
	OK(&second, vc_connect(&second, VC_QEMU, r->path));
	m = (struct vfu_hdr){.id = 7, .cmd = VFU_DEVICE_RESET, .size = 16};
	OK(&second, vc_send(&second, &m, sizeof(m), NULL, 0));
	OK(&second, vc_silent(&second, 50));
	assert_int_equal(rig_read(&first, FAKE_RESETS), 0);
	vc_close(&first);
	/* now it is heard: no VERSION came first */
	OK(&second, vc_recv(&second, &m, sizeof(m)));
	assert_int_equal(m.id, 7);
	assert_int_equal(m.flags, VFU_F_REPLY | VFU_F_ERROR);
	OK(&second, vc_version(&second));
	vc_close(&second);
}

/* The controller's own work goes on, and is not waited for */
static void dispatch_runs_until_it_has_no_more(void **state)
{
	struct rig *r = *state;
	uint32_t before, after;
	struct vc vc;

	hello(r, &vc);
	before = rig_read(&vc, FAKE_DISPATCHES);
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, FAKE_AGAIN, 100));
	do {
		after = rig_read(&vc, FAKE_DISPATCHES);
	} while (after < before + 100);
	/* and then it sleeps: a read costs one turn each */
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	before = rig_read(&vc, FAKE_DISPATCHES);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	after = rig_read(&vc, FAKE_DISPATCHES);
	assert_in_range(after - before, 1, 2);
	vc_close(&vc);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(socket_is_its_owners_only),
		T(bytes_dribble),
		T(messages_are_glued),
		T(each_message_has_its_own_descriptors),
		T(stray_descriptors_are_closed),
		T(killed_in_the_middle_of_a_message),
		T(sizes_that_cannot_be_end_the_connection),
		T(a_reply_from_the_client_ends_the_connection),
		T(overlong_messages_are_refused),
		T(client_that_does_not_read),
		T(client_leaves_without_reading),
		T(second_client_waits_its_turn),
		T(dispatch_runs_until_it_has_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
