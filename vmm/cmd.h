/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd.h - the commands of the program, and what they share: exit codes, the
 * shape of an error line, suggestions for what was misspelt.
 */
#ifndef VMM_CMD_H
#define VMM_CMD_H

#include <stddef.h>

enum {
	CMD_OK = 0,     /* ended as asked */
	CMD_FAILED = 1, /* failed while running */
	CMD_USAGE = 2,  /* bad usage or configuration */
};

struct cmd {
	const char *name;
	const char *summary; /* one line for the help */
	/*
	 * @argv[0] is the command's name. Returns the exit code; with
	 * CMD_USAGE or CMD_FAILED one line was written to stderr.
	 */
	int (*run)(int argc, char **argv);
};

/* An option of a command; a list of them ends with .name NULL. */
struct cmd_opt {
	const char *name; /* the long one, without dashes */
	char letter;      /* the short one; 0: none */
	int has_value;
	int id; /* what cmd_next_opt() returns, > 0 */
};

/* Where the command line is read. Set argc, argv and the list, i = 1. */
struct cmd_args {
	int argc;
	char **argv;
	const struct cmd_opt *opts;
	int i;              /* the argument that comes next */
	const char *letter; /* in a word of short options; NULL: not in one */
	const char *value;  /* of the option returned last */
};

/*
 * cmd_next_opt - the next option's id, 0 at the end, or -1 for a mistake,
 * with one line that names it on stderr.
 */
int cmd_next_opt(struct cmd_args *a);

/*
 * cmd_error - "vxhci: " and one line, of which what is not printable becomes
 * '?', on stderr. Returns CMD_USAGE.
 */
int cmd_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * cmd_nearest - of the @n names, the one that @word may
 * have been meant to be, or NULL.
 */
const char *cmd_nearest(const char *word, const char *const *names, size_t n);

int cmd_serve(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_input(int argc, char **argv);
int cmd_media(int argc, char **argv);
int cmd_controller_add(int argc, char **argv);
int cmd_controller_remove(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_manage(int argc, char **argv);
int cmd_replay(int argc, char **argv);
#endif
