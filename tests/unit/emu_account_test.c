/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The accounting of emu/account.h notices what it is for: faults planted one
 * by one, each in a process of its own, which must end with a line that says
 * what. In builds without it there is nothing to see.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/emu_drv.h"

#define BUF 0x400000u

/* A transfer of 512 bytes is with the device. */
static struct fake *one_in_flight(void)
{
	struct fake *f = fake_ready(1);

	put(f, G_RING(DCI_IN), BUF, 512, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[1].nheld, 1);
	return f;
}

static void completed_twice(void)
{
	struct fake *f = one_in_flight();
	struct usb_xfer *t = f->dev[1].held[0];

	dev_end(&f->dev[1], 0, USB_OK, 512);
	xhci_xfer_done(f->x, t);
}

static void never_completed(void)
{
	struct fake *f = one_in_flight();

	xhci_destroy(f->x);
}

static void freed_in_flight(void)
{
	struct fake *f = one_in_flight();

	td_put(f->x, f->dev[1].held[0]->td);
}

static void freed_twice(void)
{
	struct fake *f = one_in_flight();
	struct xhci_td *td = td_get(f->x);

	td_put(f->x, td);
	td_put(f->x, td);
}

static void comes_back_with_other_bytes(void)
{
	struct fake *f = one_in_flight();

	f->dev[1].held[0]->length = 500;
	dev_end(&f->dev[1], 0, USB_OK, 500);
}

static void bytes_counted_wrong(void)
{
	struct fake *f = one_in_flight();
	struct xhci_td *td = f->dev[1].held[0]->td;

	td->q->bytes_flight -= 12;
	ring_db(f, 1, DCI_IN);
}

static void ring_loses_a_td(void)
{
	struct fake *f = one_in_flight();
	struct xhci_td *td = f->dev[1].held[0]->td;

	td->q->head = td->q->tail = NULL;
	ring_db(f, 1, DCI_IN);
}

static void td_is_lost(void)
{
	struct fake *f = fake_ready(1);

	td_get(f->x);
	xhci_destroy(f->x);
}

static void hold_is_kept(void)
{
	struct fake *f = one_in_flight();

	((struct xhci_td *)f->dev[1].held[0]->td)->nseg = 0;
	dev_end(&f->dev[1], 0, USB_OK, 512);
	run(f);
	xhci_destroy(f->x);
}

static const struct plant {
	void (*fault)(void);
	const char *line;
} plants[] = {
	{completed_twice, "a transfer ends that no device has"},
	{never_completed, "1 transfers never came back"},
	{freed_in_flight, "a TD ends while a device has it"},
	{freed_twice, "a TD ends twice"},
	{comes_back_with_other_bytes, "lent 512 bytes, 500 came back"},
	{bytes_counted_wrong, "a ring has lent 512 bytes and counts 500"},
	{ring_loses_a_td, "a ring has 0 TDs and counts 1"},
	{td_is_lost, "TDs were made"},
	{hold_is_kept, "1 holds on guest memory are left"},
};

static void each_planted_fault_is_noticed(void **state)
{
	(void)state;
	if (!ACCOUNT_ON)
		skip();
	for (unsigned i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		char text[4096];
		int fds[2], status;
		size_t n = 0;
		ssize_t got;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			dup2(fds[1], STDERR_FILENO);
			signal(SIGABRT, SIG_DFL);
			plants[i].fault();
			_exit(0);
		}
		close(fds[1]);
		while ((got = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
			n += (size_t)got;
		text[n] = '\0';
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
		    !strstr(text, "vxhci: account: ") ||
		    !strstr(text, plants[i].line))
			fail_msg("%s: status %x: %s", plants[i].line, status,
				 text);
	}
}

/* And without one it says nothing. */
static void all_is_well(void **state)
{
	struct fake *f = one_in_flight();

	(void)state;
	dev_end(&f->dev[1], 0, USB_OK, 512);
	run(f);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_SUCCESS);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_planted_fault_is_noticed),
		cmocka_unit_test(all_is_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
