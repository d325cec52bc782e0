#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# no-io-uring.pl COMMAND… - runs it where there is no io_uring: io_uring_setup(2)
# fails with ENOSYS, by a seccomp filter. QEMU 11's main loop, with io_uring,
# sometimes sleeps through what it should wake up for, and hangs for good; without
# it, it polls as older ones do. Where this cannot be done, COMMAND runs as it is.
use strict;
use warnings;
use POSIX ();

my ($PR_SET_SECCOMP, $FILTER, $PR_SET_NO_NEW_PRIVS) = (22, 2, 38);
my $IO_URING_SETUP = 425;    # on every architecture
my %prctl = (x86_64 => 157, aarch64 => 167);

# struct sock_filter: code, jt, jf, k
my $program = join '',
  pack('SCCL', 0x20, 0, 0, 0),                     # the system call's number
  pack('SCCL', 0x15, 0, 1, $IO_URING_SETUP),       # is it that?
  pack('SCCL', 0x06, 0, 0, 0x00050000 | POSIX::ENOSYS()),
  pack('SCCL', 0x06, 0, 0, 0x7fff0000);            # any other: allowed
my $filter = pack('S x![P] P', length($program) / 8, $program);

my $nr = $prctl{ (POSIX::uname())[4] };
warn "no-io-uring: cannot, $!\n"
  unless defined $nr
  && syscall($nr, $PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
  && syscall($nr, $PR_SET_SECCOMP, $FILTER, $filter, 0, 0) == 0;
exec { $ARGV[0] } @ARGV or die "no-io-uring: $ARGV[0]: $!\n";
