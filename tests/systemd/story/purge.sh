# Removed, and purged.

check "the package is removed as the README says" as alice "$(readme 'sudo apt remove warmd' | grep -o 'sudo apt remove warmd') --yes"
refused 1 '' "no daemon runs any more" daemon
check "warm.toml and the history are kept" test -e "$root/etc/warmd/warm.toml" -a -e "$root/var/lib/warmd/warmd.db"
check "it is purged" as alice "$(readme 'sudo apt purge warmd' | grep -o 'sudo apt purge warmd') --yes"
for gone in /etc/warmd /var/lib/warmd /run/warmd /usr/share/warmd /usr/share/doc/warmd \
    /etc/systemd/system/multi-user.target.wants/warmd.service; do
    refused 1 '' "$gone is gone" inside test -e "$gone" -o -L "$gone"
done
same "systemd knows it no more" not-found "$(unit LoadState)"
check "its user stays, so that nobody is given its number" inside id warmd
check "and the token, which was put there by hand" inside test -e /etc/credstore/replicate-token
same "nothing in the container has failed" "" "$(inside systemctl list-units --failed --plain --no-legend)"
