#!/usr/bin/env bash
# Build a Debian tree that holds a real GIMP 3, for the tests in this folder.
#
#   make_tree.sh [DIR] [SUITE]      DIR defaults to $FRISKET_GIMP_TREE or /var/tmp/frisket-gimp/SUITE, SUITE to trixie
#
# Needs root (debootstrap and chroot do). A finished tree is kept and used again; a half one is built anew.
set -euo pipefail
suite=${2:-trixie}
tree=${1:-${FRISKET_GIMP_TREE:-/var/tmp/frisket-gimp/$suite}}
packages=(gimp python3-gi gir1.2-gimp-3.0 fonts-dejavu-core adwaita-icon-theme)

[ -f "$tree/.frisket-ready" ] && { echo "$tree"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "make_tree.sh: debootstrap needs root" >&2; exit 3; }
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap; } >&2

# The mirror of this machine, or Debian's own name for one.
mirror=$(awk '/^URIs:/{print $2; exit} /^deb /{for(i=2;i<=NF;i++) if($i ~ /^http/){print $i; exit}}' \
  /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
mirror=${mirror:-http://deb.debian.org/debian}
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

rm -rf "$tree"
mkdir -p "$tree"
{
  debootstrap --variant=minbase "$suite" "$tree" "$mirror" "$script"
  cp /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null || true
  # A service that an installed package wants to start has no business in a tree that is only a folder.
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d" && chmod +x "$tree/usr/sbin/policy-rc.d"
  export DEBIAN_FRONTEND=noninteractive
  chroot "$tree" apt-get -o Acquire::Check-Valid-Until=false update
  chroot "$tree" apt-get install -y --no-install-recommends "${packages[@]}"
  chroot "$tree" apt-get clean
} >&2
touch "$tree/.frisket-ready"
echo "$tree"
