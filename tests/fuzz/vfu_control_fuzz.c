/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has the control socket of `vxhci serve`: requests of every command with
 * arguments that mean something or do not, text that is no request, cut in
 * pieces, with descriptors of several kinds beside it, to the commands
 * themselves and a controller with built-in devices. Each whole request gets
 * one answer, and no descriptor stays open.
 *
 * No path gets out of an empty folder: there are no slashes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz_socket.h"
#include "vmm/serve_impl.h"

#define TURNS 8u

static struct serve_opts opts = {
	.ready_fd = -1, .control_fd = -1, .level = VXHCI_LOG_ERROR};
static struct serve s = {.o = &opts,
			 .signal.fd = -1,
			 .control_sock.fd = -1,
			 .lock = PTHREAD_MUTEX_INITIALIZER};
static int listener = -1, client = -1, image, node;
static unsigned turns;

static uint64_t work(void *arg)
{
	serve_control_work(arg);
	if (++turns >= TURNS)
		loop_stop(s.loop);
	return 0;
}

static void run(void)
{
	turns = 0;
	need(loop_run(s.loop) == 0, "the loop fails");
}

static void on_wake(void *opaque)
{
	(void)opaque;
}

static void on_msix(void *opaque, unsigned vector)
{
	(void)opaque;
	(void)vector;
}

static void on_released(void *opaque, void *cookie)
{
	(void)opaque;
	(void)cookie;
}

static void on_event(void *opaque, enum vxhci_event event,
		     const struct vxhci_device *d)
{
	serve_event_add(opaque, event, d);
}

static void controller(const char *slot, const char *option)
{
	static const struct vxhci_ops ops = {.msix = on_msix,
					     .wake = on_wake,
					     .event = on_event,
					     .mem_released = on_released};
	struct serve_ctl *c = serve_ctl_add(&s, slot, NULL);
	char err[256];

	need(c != NULL, "no controller");
	need(vxhci_create(option, &ops, c, err, sizeof(err), &c->v) == 0, err);
}

/* Once: a socket, and a folder that paths stay in */
static void begin(void)
{
	char folder[] = "/tmp/vxhci-control-fuzz-XXXXXX";
	struct sockaddr sa = {.sa_family = AF_UNIX};

	need(mkdtemp(folder) && chdir(folder) == 0 && rmdir(folder) == 0,
	     "no folder");
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	need(bind(listener, &sa, sizeof(sa.sa_family)) == 0 &&
		     listen(listener, 4) == 0,
	     "no socket");
	image = memfd_create("image", 0);
	node = open("/dev/null", O_RDWR);
	need(image >= 0 && ftruncate(image, 65536) == 0, "no image");
	signal(SIGPIPE, SIG_IGN);
}

static void up(void)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	need(loop_create(work, &s, &s.loop) == 0, "no loop");
	s.control_sock.fd = dup(listener);
	controller("30,xhci", "30,xhci,zero,tablet,keyboard,usb2=4,usb3=2");
	controller("31,xhci", "31,xhci");
	need(serve_control_start(&s) == 0, "no control");
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	getsockname(listener, (struct sockaddr *)&sa, &len);
	need(connect(client, (struct sockaddr *)&sa, len) == 0, "no client");
	run();
}

/* As serve_run() ends */
static void down(void)
{
	uint64_t timeout;

	close(client);
	while (s.ctls) {
		struct serve_ctl *c = s.ctls;

		while (c->late && !atomic_load(&c->ended) &&
		       atomic_load(&c->made) != SERVE_MADE)
			usleep(100);
		serve_ctl_stop(c);
		control_finish(s.control, c->later, NULL, CONTROL_FAILED, "");
		c->later = NULL;
		serve_ctl_join(c);
		if (c->v)
			vxhci_dispatch(c->v, &timeout);
		serve_ctl_free(c);
	}
	serve_control_end(&s);
	loop_destroy(s.loop);
	s.loop = NULL;
}

static void send_all(const char *buf, size_t len, uint8_t kinds, unsigned n)
{
	const int all[4] = {image, node, client, listener};
	int fds[FUZZ_MAX_FDS];

	for (unsigned i = 0; i < n; i++)
		fds[i] = all[kinds >> 2 * (i % 4) & 3];
	send_with(client, buf, len, fds, n);
}

/* A text that grows */
struct text {
	char buf[2048];
	size_t n;
};

static void add(struct text *t, const char *s2)
{
	while (*s2 && t->n < sizeof(t->buf) - 2)
		t->buf[t->n++] = *s2++;
	t->buf[t->n] = '\0';
}

static void add_raw(struct text *t, struct fuzz_in *in, size_t max)
{
	size_t len;
	const uint8_t *raw = in_bytes(in, max, &len);

	for (size_t i = 0; i < len && t->n < sizeof(t->buf) - 2; i++)
		t->buf[t->n++] =
			raw[i] == '/' || raw[i] == '\\' ? '_' : (char)raw[i];
	t->buf[t->n] = '\0';
}

static const char *const keys[] = {
	"device", "slot",   "rule", "fd",       "fds",   "port",
	"id",     "unit",   "file", "readonly", "force", "type",
	"socket", "events", "x",    "button",   "down",  "key"};
static const char *const values[] = {
	"\"zero\"",
	"\"zero,speed=full,at=3\"",
	"\"tablet\"",
	"\"mouse,at=2\"",
	"\"keyboard\"",
	"\"audio\"",
	"\"camera\"",
	"\"storage=f,removable\"",
	"\"storage=f,lun=g,readonly\"",
	"\"replay=f\"",
	"\"bus=1,port=2.3\"",
	"\"id=1234:5678\"",
	"\"30\"",
	"\"31\"",
	"\"32\"",
	"\"29,xhci,zero\"",
	"\"28,xhci,usb3=0\"",
	"\"29\"",
	"true",
	"false",
	"null",
	"0",
	"1",
	"2",
	"5",
	"-1",
	"9223372036854775807",
	"1e400",
	"[]",
	"{}",
	"[{\"type\":\"key\",\"key\":\"a\",\"down\":true},"
	"{\"type\":\"key\",\"key\":4,\"down\":false}]",
	"[{\"type\":\"abs\",\"x\":1,\"y\":2},"
	"{\"type\":\"button\",\"button\":\"left\",\"down\":true}]",
	"[{\"type\":\"rel\",\"x\":5,\"y\":-3},"
	"{\"type\":\"wheel\",\"up\":1,\"right\":0}]",
	"\"s\"",
};
static const char *const commands[] = {"attach",         "attach",
				       "attach",         "detach",
				       "detach",         "input",
				       "media",          "status",
				       "controller-add", "controller-remove",
				       "query-commands", "query-version",
				       "list",           "nonsense"};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static void add_request(struct text *t, struct fuzz_in *in)
{
	uint8_t shape = in_u8(in);

	add(t, "{\"execute\":\"");
	add(t, commands[in_u8(in) % N(commands)]);
	add(t, "\",\"arguments\":{");
	for (unsigned i = shape & 3; i > 0; i--) {
		add(t, "\"");
		add(t, keys[in_u8(in) % N(keys)]);
		add(t, "\":");
		if (shape & 64) {
			add(t, "\"");
			add_raw(t, in, 40);
			add(t, "\"");
		} else {
			add(t, values[in_u8(in) % N(values)]);
		}
		if (i > 1)
			add(t, ",");
	}
	add(t, shape & 4 ? "},\"id\":7}\n" : "}}\n");
}

static void message(struct fuzz_in *in)
{
	struct text t = {.n = 0};
	uint8_t shape = in_u8(in), kinds = 0;
	unsigned nfds = 0;

	if (shape & 1) {
		kinds = in_u8(in);
		nfds = in_u8(in);
		nfds = nfds > 200 ? nfds % 12 : nfds % 4;
	}
	for (unsigned i = 1 + (shape >> 6); i > 0; i--)
		if (shape & 2)
			add_raw(&t, in, 400);
		else
			add_request(&t, in);
	if (shape & 4 && t.n > 2) {
		size_t cut = 1 + in_u16(in) % (t.n - 1);

		send_all(t.buf, cut, kinds, nfds);
		run();
		send_all(t.buf + cut, t.n - cut, 0, shape & 8 ? 1 : 0);
	} else if (t.n) {
		send_all(t.buf, t.n, kinds, nfds);
	}
	run();
}

/* What it says is whole lines, each an object. */
static void read_answers(void)
{
	static char buf[1 << 20];
	ssize_t n = recv(client, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	for (char *at = buf; n > 0 && at < buf + n;) {
		char *nl = memchr(at, '\n', (size_t)(buf + n - at));
		json_t *j;

		if (!nl)
			break;
		j = json_loadb(at, (size_t)(nl - at), 0, NULL);
		need(json_is_object(j), "an answer that is no object");
		json_decref(j);
		at = nl + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = {data, len};
	int before;

	if (listener < 0)
		begin();
	before = next_fd(node);
	up();
	for (unsigned n = 0; in.left && n < 40; n++) {
		message(&in);
		read_answers();
	}
	down();
	need(next_fd(node) == before, "a descriptor was left open");
	return 0;
}

void fuzz_seeds(const char *dir)
{
	uint8_t buf[160];
	uint32_t r = 3;

	for (unsigned n = 0; n < 30; n++) {
		fuzz_noise(buf, sizeof(buf), &r);
		for (unsigned i = 0; i < sizeof(buf); i += 7)
			buf[i] &= 0xfd;
		fuzz_seed(dir, "random", n, buf, sizeof(buf));
	}
}
