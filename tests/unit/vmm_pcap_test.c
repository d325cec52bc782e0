/* SPDX-License-Identifier: BSD-2-Clause */
/* A capture from records to files: order, loss, rotation. */
#include "tests/unit/vmm_pcap_rig.h"

static void everything_buffered_is_written_at_the_end(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, MIB);
	struct pcap_if *one = add(p, "30"), *two = add(p, "31:1");
	struct stat st;
	struct pf f;

	for (uint32_t i = 0; i < 100; i++)
		assert_true(put(one, i, 64 + i));
	assert_true(put(two, 0, 64));
	vxhci_pcap_close(p);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	pf_open(&f, "a");
	while (pf_next(&f))
		;
	assert_int_equal(f.interfaces, 2);
	assert_int_equal(f.packets, 101);
	assert_int_equal(f.interface, 1);
	assert_int_equal(f.statistics, 2);
	assert_int_equal(f.received[0], 100);
	assert_int_equal(f.received[1], 1);
	assert_int_equal(f.dropped[0], 0);
	pf_close(&f);
	assert_int_equal(((struct log *)*state)->lines, 0);
}

/* Behind a record that takes long, across the end of the ring */
static void a_wrapped_ring_is_written_at_the_end(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, 64 * KIB);
	struct pcap_if *one = add(p, "30");
	uint32_t n = 0, second = 1;
	size_t used;
	uint8_t *b;
	struct pf f;

	assert_true(put(one, n++, 30000));
	b = pcap_sink_ops.begin(one, n++, 30000, 30000);
	assert_non_null(b);
	memset(b, 1, 30000);
	memcpy(b, &second, sizeof(second));
	do {
		nap_ms(5);
		pthread_mutex_lock(&p->lock);
		used = pcap_ring_used(&p->ring);
		pthread_mutex_unlock(&p->lock);
	} while (used > 40000);
	while (n < 20)
		assert_true(put(one, n++, 1000));
	assert_true(p->ring.wrapped);
	pcap_sink_ops.end(one, b);
	vxhci_pcap_close(p);
	assert_int_equal(read_file("a", 0, &f), 20);
}

/* Whoever looks at the file while it is written need not wait for long. */
static void records_are_written_soon(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, MIB);
	struct pcap_if *one = add(p, "30");
	struct stat st;
	off_t before = 0;

	for (uint32_t i = 0; i < 3; i++) {
		assert_true(put(one, i, 64));
		for (unsigned k = 0; k < 500; k++) {
			assert_int_equal(stat("a", &st), 0);
			if (st.st_size > before)
				break;
			nap_ms(10);
		}
		assert_true(st.st_size > before);
		before = st.st_size;
		nap_ms(150); /* it sleeps again */
	}
	vxhci_pcap_close(p);
}

#define THREADS 3u
#define EACH 20000u

static void *producer(void *arg)
{
	struct pcap_if *f = arg;
	uintptr_t refused = 0;

	for (uint32_t i = 0; i < EACH; i++)
		refused += !put(f, i, 64 + i * 7 % 2000);
	return (void *)refused;
}

/* What is not in the file is counted, where it would have been. */
static void threads_share_a_file(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, 256 * KIB);
	uint32_t next[THREADS] = {0};
	uint64_t refused[THREADS];
	struct pcap_if *ifs[THREADS];
	pthread_t t[THREADS];
	struct pf f;

	for (unsigned i = 0; i < THREADS; i++) {
		ifs[i] = add(p, "x");
		assert_int_equal(pthread_create(&t[i], NULL, producer, ifs[i]),
				 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *r;

		pthread_join(t[i], &r);
		refused[i] = (uintptr_t)r;
	}
	vxhci_pcap_close(p);
	pf_open(&f, "a");
	while (pf_next(&f)) {
		uint32_t n;

		if (f.type != 6)
			continue;
		memcpy(&n, f.packet, sizeof(n));
		next[f.interface] += (uint32_t)f.lost;
		assert_int_equal(n, next[f.interface]++);
		assert_int_equal(f.caplen, 64 + n * 7 % 2000);
		assert_int_equal(f.packet[4], (uint8_t)n);
		assert_int_equal(f.packet[f.caplen - 1], (uint8_t)n);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(f.received[i], EACH);
		assert_int_equal(f.dropped[i], refused[i]);
	}
	pf_close(&f);
}

static void files_are_rotated_by_size(void **state)
{
	static const char *const names[] = {"a.2", "a.1", "a"};
	struct vxhci_pcap *p = start(*state, "a", MIB, 3, MIB);
	struct pcap_if *one = add(p, "30");
	uint32_t n = 0, first = 0;
	struct stat st;
	struct pf f;

	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 500; k++)
			assert_true(put(one, n++, 1000 + k));
		wait_until_written(p);
	}
	vxhci_pcap_close(p);
	pf_open(&f, "a.2");
	while (pf_next(&f) && f.type != 6)
		;
	memcpy(&first, f.packet, sizeof(first));
	pf_close(&f);
	assert_true(first > 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stat(names[i], &st), 0);
		assert_in_range(st.st_size, 1, MIB + 64);
		if (i < 2) /* no room for another */
			assert_in_range(st.st_size, MIB - 1600, MIB);
		first = read_file(names[i], first, &f);
		assert_int_equal(f.interfaces, 1);
	}
	assert_int_equal(first, n);
	assert_int_equal(f.statistics, 1);
	assert_int_equal(access("a.3", F_OK), -1);
}

/* To the last byte, and the sums at the end are no reason for another file */
static void a_file_is_filled_up(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", MIB, 2, 2 * MIB);
	struct pcap_if *one = add(p, "30");
	struct stat st;
	uint32_t n = 0;

	for (; n < 15; n++)
		assert_true(put(one, n, 65536));
	wait_until_written(p);
	assert_int_equal(stat("a", &st), 0);
	assert_true(put(one, n++, (uint32_t)(MIB - st.st_size) - 32));
	wait_until_written(p);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_size, MIB);
	vxhci_pcap_close(p);
	assert_int_equal(stat("a", &st), 0);
	assert_in_range(st.st_size, MIB + 12, MIB + 64);
	assert_int_equal(access("a.1", F_OK), -1);
}

static void one_file_begins_anew(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", MIB, 1, 4 * MIB);
	struct pcap_if *one = add(p, "30");
	struct stat st;

	for (uint32_t n = 0; n < 3000; n++)
		assert_true(put(one, n, 1000));
	vxhci_pcap_close(p);
	assert_int_equal(stat("a", &st), 0);
	assert_in_range(st.st_size, 1000, MIB + 64);
	assert_int_equal(access("a.1", F_OK), -1);
}

static void too_many_interfaces_are_refused(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, MIB);
	struct pcap_if *f;

	for (unsigned i = 0; i < PCAP_MAX_IFS; i++)
		add(p, "30");
	assert_int_equal(pcap_add(p, "30", "", &f), -ENOSPC);
	vxhci_pcap_close(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(everything_buffered_is_written_at_the_end),
		T(a_wrapped_ring_is_written_at_the_end),
		T(records_are_written_soon),
		T(threads_share_a_file),
		T(files_are_rotated_by_size),
		T(a_file_is_filled_up),
		T(one_file_begins_anew),
		T(too_many_interfaces_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
