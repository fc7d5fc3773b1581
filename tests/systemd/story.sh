#!/usr/bin/env bash
# The story that `tests/systemd/run` tells, in namespaces of its own. Takes the package.
set -euo pipefail
export LC_ALL=C.UTF-8

package=$1
here=tests/systemd
# What stands for Replicate's token.
token=r8_$(tr -dc a-z0-9 </dev/urandom | head -c 37 || true)

. $here/container.sh
. $here/check.sh
. $here/service.sh
trap end_container EXIT
trap 'exit 1' INT TERM
trap 'fail "the test itself goes on" "$BASH_COMMAND (line $LINENO of ${BASH_SOURCE[0]})"' ERR

make_container
ok "a Debian $(cat "$root/etc/debian_version") from the host's own mirror"
boot_container

. $here/story/install.sh
. $here/story/token.sh
. $here/story/reload.sh
. $here/story/alerts.sh
. $here/story/falls.sh
. $here/story/versions.sh
. $here/story/purge.sh

echo "tests/systemd/run: $checks checks passed in $SECONDS s"
