#!/bin/sh
# Make a Debian that has Python and little else in the folder $1, from the mirror that apt uses on this machine.
set -eu
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(CODENAME)' \
    'Created-By: Packages' 'Origin: Debian' 'Component: main' | awk '$2 !~ /-/ {print; exit}'
}
found=$(mirror)
[ -n "$found" ] || { apt-get update -qq; found=$(mirror); }
[ -n "$found" ] || { echo "apt knows no Debian mirror on this machine." >&2; exit 1; }
suite=${found#* }
# The hook saves Perl, which would be needed only to merge /usr afterwards. The files need not outlive a power cut.
exec mmdebstrap --quiet --variant=essential --include=mount,passwd,python3,python3-venv,sqlite3 \
  --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr --dpkgopt=force-unsafe-io \
  "$suite" "$1" "deb ${found% *} $suite main" >&2
