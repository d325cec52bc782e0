/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's own thread: vxhci_start() and vxhci_stop(). */
#include <signal.h>
#include <time.h>

#include "tests/unit/vmm_embed_fake.h"

static const struct timespec moment = {.tv_nsec = 1000000};
static const struct timespec while_stopped = {.tv_nsec = 20000000};

struct thread_vm {
	struct vm vm; /* first: vm_msix() finds it */
	pthread_t fired_on;
	bool takes_signals;
};

static void thread_msix(void *opaque, unsigned vector)
{
	struct thread_vm *t = opaque;
	sigset_t set;

	t->fired_on = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	t->takes_signals = !sigismember(&set, SIGTERM) ||
			   !sigismember(&set, SIGALRM) ||
			   sigismember(&set, SIGBUS);
	vm_msix(&t->vm, vector);
}

/* No wake(), and time is real. */
static const struct vxhci_ops thread_ops = {
	.msix = thread_msix,
	.mem_released = vm_released,
};

static void thread_vm_create(struct thread_vm *t, const char *opt)
{
	struct vm *vm = &t->vm;
	char err[512] = "";

	memset(t, 0, sizeof(*t));
	if (vxhci_create(opt, &thread_ops, t, err, sizeof(err), &vm->v) != 0)
		fail_msg("%s", err);
	vm_prepare(vm);
	vm_start(vm);
}

/* Its interrupts, as soon as there are @n; at most a minute. */
static unsigned wait_fired(struct thread_vm *t, unsigned n)
{
	for (int i = 0; t->vm.fired[0] < n && i < 60000; i++)
		nanosleep(&moment, NULL);
	return t->vm.fired[0];
}

static void the_thread_does_the_work(void **state)
{
	struct thread_vm t;

	(void)state;
	thread_vm_create(&t, "30,xhci");
	assert_int_equal(vxhci_start(t.vm.v), 0);
	for (unsigned n = 0; n < 20; n++) {
		vm_noop(&t.vm);
		assert_int_equal(wait_fired(&t, n + 1), n + 1);
		assert_event(&t.vm, n);
		vm_ack(&t.vm);
	}
	vxhci_stop(t.vm.v);
	assert_false(pthread_equal(t.fired_on, pthread_self()));
	assert_false(t.takes_signals);
	vm_destroy(&t.vm);
	assert_int_equal(t.vm.released, 1);
}

static void nothing_moves_while_it_is_stopped(void **state)
{
	struct thread_vm t;

	(void)state;
	thread_vm_create(&t, "30,xhci");
	for (unsigned n = 0; n < 3; n++) {
		vm_noop(&t.vm);
		nanosleep(&while_stopped, NULL);
		assert_int_equal(t.vm.fired[0], n);
		assert_int_equal(get32(&t.vm, EVENTS + 16 * n + 12), 0);
		assert_int_equal(vxhci_start(t.vm.v), 0);
		assert_int_equal(wait_fired(&t, n + 1), n + 1);
		vxhci_stop(t.vm.v);
		vxhci_stop(t.vm.v); /* no harm */
		assert_event(&t.vm, n);
		vm_ack(&t.vm);
	}
	vm_destroy(&t.vm);
}

/* xHCI 1.2 §4.17.2: no one wakes it for the interrupt that IMOD held back. */
static void the_thread_keeps_deadlines(void **state)
{
	struct thread_vm t;

	(void)state;
	thread_vm_create(&t, "30,xhci");
	wr(&t.vm, t.vm.rt + IR0 + IMOD, 40000); /* x 250 ns: 10 ms */
	assert_int_equal(vxhci_start(t.vm.v), 0);
	for (unsigned n = 0; n < 5; n++) {
		vm_noop(&t.vm);
		assert_int_equal(wait_fired(&t, n + 1), n + 1);
		vm_ack(&t.vm);
	}
	vm_destroy(&t.vm);
}

static void it_ends_with_the_controller(void **state)
{
	struct thread_vm t;

	(void)state;
	for (unsigned n = 0; n < 20; n++) {
		thread_vm_create(&t, "30,xhci,zero");
		assert_int_equal(vxhci_start(t.vm.v), 0);
		vm_noop(&t.vm);
		vm_destroy(&t.vm);
		assert_int_equal(t.vm.released, 1);
	}
}

static void start_says_what_is_wrong(void **state)
{
	struct thread_vm t;
	struct vm vm;

	(void)state;
	thread_vm_create(&t, "30,xhci");
	assert_int_equal(vxhci_start(t.vm.v), 0);
	assert_int_equal(vxhci_start(t.vm.v), -EALREADY);
	vm_destroy(&t.vm);
	/* a VMM with a loop of its own */
	vm_create(&vm, "30,xhci");
	assert_int_equal(vxhci_start(vm.v), -EINVAL);
	vxhci_stop(vm.v);
	vm_destroy(&vm);
}

/* A rule for a physical device is one for the thread to look after. */
static void physical_devices_need_no_fd_watch(void **state)
{
	struct thread_vm t;

	(void)state;
	thread_vm_create(&t, "30,xhci,id=fffe:0001");
	assert_int_equal(vxhci_start(t.vm.v), 0);
	vm_noop(&t.vm);
	assert_int_equal(wait_fired(&t, 1), 1);
	vm_destroy(&t.vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_thread_does_the_work),
		cmocka_unit_test(nothing_moves_while_it_is_stopped),
		cmocka_unit_test(the_thread_keeps_deadlines),
		cmocka_unit_test(it_ends_with_the_controller),
		cmocka_unit_test(start_says_what_is_wrong),
		cmocka_unit_test(physical_devices_need_no_fd_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
