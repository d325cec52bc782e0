# SPDX-License-Identifier: BSD-2-Clause
# apt.sh - Debian packages of any suite, unpacked beside the system instead of
# installed into it. Sourced, after lib.sh. Needs no root and leaves the
# machine's own apt alone: a package index of its own, checked against the
# Debian archive keyring; the mirror and the proxy are those of the machine.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_mirror - prints the URI of the Debian mirror the machine uses.
apt_mirror() {
	apt-get indextargets --format \
		'$(REPO_URI) $(ORIGIN)/$(LABEL)' 'Created-By: Packages' |
		awk '$2 == "Debian/Debian" { print $1; exit }'
}

# apt_open DIR SUITE… - makes a package index in DIR of those suites; where
# several have a package, the last one's is taken. $APT_ARCH: an architecture
# other than the machine's.
apt_open() {
	aptroot=$1
	shift
	[ -r $KEYRING ] || die "no $KEYRING: install debian-archive-keyring"
	mirror=$(apt_mirror)
	if [ -z "$mirror" ]; then
		"$TOP/tests/rig/deps.sh" --update || return 1
		mirror=$(apt_mirror)
	fi
	[ -n "$mirror" ] || die "this machine's apt has no Debian mirror"
	mkdir -p "$aptroot/etc/empty" "$aptroot/state/lists/partial" \
		"$aptroot/cache/archives/partial"
	: >"$aptroot/state/status"
	: >"$aptroot/etc/sources.list"
	: >"$aptroot/etc/preferences"
	prio=800
	for suite; do
		prio=$((prio + 50))
		echo "deb [signed-by=$KEYRING] $mirror $suite main" \
			>>"$aptroot/etc/sources.list"
		printf 'Package: *\nPin: release n=%s\nPin-Priority: %s\n\n' \
			"$suite" $prio >>"$aptroot/etc/preferences"
	done
	# A mirror may be a snapshot: its signed index is good beyond its date.
	{
		apt-config dump | grep -iE '^Acquire::(https?|proxy|force)'
		cat <<-EOF
		Dir "$aptroot";
		Dir::Etc "etc";
		Dir::Etc::main "none";
		Dir::Etc::parts "empty";
		Dir::Etc::sourcelist "sources.list";
		Dir::Etc::sourceparts "empty";
		Dir::Etc::preferences "preferences";
		Dir::Etc::preferencesparts "empty";
		Dir::Etc::netrc "/etc/apt/auth.conf";
		Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
		Dir::State "state";
		Dir::State::status "$aptroot/state/status";
		Dir::Cache "cache";
		Dir::Bin::methods "/usr/lib/apt/methods";
		Dir::Bin::solvers "/usr/lib/apt/solvers";
		APT::Architecture "${APT_ARCH:-$(dpkg --print-architecture)}";
		APT::Architectures "${APT_ARCH:-$(dpkg --print-architecture)}";
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		Acquire::Check-Valid-Until "false";
		EOF
	} >"$aptroot/apt.conf"
	retry apt_in "$aptroot" apt-get -qq update
}

# apt_in DIR COMMAND… - an apt command on that index.
apt_in() {
	apt_conf=$1/apt.conf
	shift
	APT_CONFIG=$apt_conf "$@"
}

# apt_unpack DIR TO PACKAGE… - fetches exactly these packages, unpacks to TO.
# $APT_TAR: more arguments for tar.
apt_unpack() {
	unpack_root=$1 unpack_to=$2
	shift 2
	(cd "$unpack_root/cache/archives" &&
		retry apt_in "$unpack_root" apt-get -qq download "$@") || return 1
	apt_untar "$unpack_root" "$unpack_to"
}

# apt_unpack_deps DIR TO PACKAGE… - the same with all they depend on.
apt_unpack_deps() {
	unpack_root=$1 unpack_to=$2
	shift 2
	retry apt_in "$unpack_root" apt-get -qq -y install --download-only \
		-o Debug::NoLocking=true "$@" || return 1
	apt_untar "$unpack_root" "$unpack_to"
}

apt_untar() {
	# base-files first: it has the links from /lib to /usr/lib
	for deb in "$1"/cache/archives/base-files_*.deb \
		"$1"/cache/archives/*.deb; do
		[ -e "$deb" ] || continue
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$2" --no-same-owner --keep-directory-symlink \
				${APT_TAR:-} || return 1
	done
	rm -f "$1"/cache/archives/*.deb
}
