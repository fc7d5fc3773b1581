# A Debian of the host's own release, from the host's own mirror, booted by systemd-nspawn without a
# network. Sourced; wants namespaces of its own for mounts and processes.

work=$(mktemp -d)
root=$work/root
leader=

# The mirror that apt has for the release itself.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v codename="$1" '$1 == "Debian" && $2 == codename && $3 == "main" { print $4; exit }'
}

make_container() {
    local codename from
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    from=$(mirror "$codename")
    if [ -z "$from" ]; then
        # A fresh machine has no lists yet.
        apt-get update -q
        from=$(mirror "$codename")
    fi
    mkdir "$root"
    mount -t tmpfs -o size=1500m,mode=755 tmpfs "$root"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,sudo "$codename" "$root" "$from" >"$work/log" ||
        fail "debootstrap" "$(tail "$work/log")"
    # Its apt has what it needs: what a package wants beside that is missing, and is to be seen.
    : >"$root/etc/apt/sources.list"
    echo "127.0.1.1 $(cat "$root/etc/hostname")" >>"$root/etc/hosts"
}

boot_container() {
    local options=(--quiet --boot --register=no --private-network --console=pipe --directory="$root")
    # Without a service manager there is none to make a scope for it.
    [ -d /run/systemd/system ] || options+=(--keep-unit)
    systemd-nspawn "${options[@]}" </dev/null >"$work/console" 2>&1 &
    local spawned=$!
    within 30 "the container boots" find_leader "$spawned"
    within 60 "its systemd is up" inside systemctl is-system-running --quiet
}

find_leader() { leader=$(pgrep --parent "$1" --exact systemd); }

# Runs a command in it as root.
inside() {
    nsenter --target "$leader" --all -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# Runs a shell command in it as someone who has just logged in.
as() { inside runuser --login "$1" --command "$2"; }

# All processes that are left end with this one, which is the first of its namespace.
end_container() {
    umount --lazy "$root" 2>/dev/null || true
    rm -rf "$work"
}
