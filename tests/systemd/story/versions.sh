# Other versions of the package over this one.

# The package again with another version and a changed example.
other_version() {
    local tree=$work/package
    rm -rf "$tree"
    dpkg-deb --raw-extract "$package" "$tree"
    sed -i "s/^Version: .*/Version: $1/" "$tree/DEBIAN/control"
    echo "# Of version $1." >>"$tree/usr/share/warmd/warm.toml"
    dpkg-deb --build -Zgzip -z1 "$tree" "$root/home/alice/warmd_$1.deb"
}

{
    cat $here/both.toml
    echo '# My own remark.'
} | configure
inside systemctl start warmd
within 20 "it runs again" is_back 0
edited=$(cat "$root/etc/warmd/warm.toml")
known=$(answers sdxl)
within 20 "and has a history" more_answers sdxl $((known + 3))
pid=$(unit MainPID)

check "a newer package is built" other_version "$version-2"
check "it upgrades without a question" as alice "sudo apt install --yes ./warmd_$version-2.deb </dev/null"
same "that version is there" "$version-2" "$(inside dpkg-query --show --showformat='${Version}' warmd)"
within 20 "the daemon was restarted" is_back "$pid"
same "warm.toml is as it was edited" "$edited" "$(cat "$root/etc/warmd/warm.toml")"
check "no copy of it lies about" test "$(ls "$root/etc/warmd")" = warm.toml
check "the $known answers are kept" more_answers sdxl "$known"
same "it starts at boot as before" enabled "$(unit UnitFileState)"

# Down to one that does not know the state's schema: the file is marked as a newer warmd would have it.
inside systemctl stop warmd
state=$root/var/lib/warmd/warmd.db
user_version() { dd of="$state" bs=1 seek=60 conv=notrunc status=none; }
dd if="$state" of="$work/user_version" bs=1 skip=60 count=4 status=none
printf '\0\0\0\143' | user_version
check "an older package is built" other_version "0.0.1-1"
check "and goes over it" as alice "sudo apt install --yes --allow-downgrades ./warmd_0.0.1-1.deb </dev/null"
refused 1 'failed' "it refuses the newer state file" inside systemctl restart warmd
same "with code 78, and no loop" "failed 78 0" "$(unit SubState) $(unit ExecMainStatus) $(unit NRestarts)"
check "and says what to do" logged 'was written by a newer warmd (schema 99'
user_version <"$work/user_version"
check "the newer one again" as alice "sudo apt install --yes ./warmd_$version-2.deb </dev/null"
check "starts" inside systemctl start warmd
check "with all that was kept" more_answers sdxl "$known"
