# Installed as the README says, by someone with sudo.

inside useradd --create-home --shell /bin/bash alice
inside useradd --create-home --shell /bin/bash bob
echo 'alice ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/alice"

version=$(cargo_version)
install -D "$package" "$root/home/alice/target/debian/warmd_$version-1.deb"
check "the package installs as the README says" as alice "$(readme 'sudo apt install ./target') --yes"

same "it bears the version of Cargo.toml" "$version-1" "$(inside dpkg-query --show --showformat='${Version}' warmd)"
same "and so does the program" "warmd $version" "$(inside warmd --version)"
same "and its changelog" "warmd ($version-1) unstable; urgency=medium" "$(head -n 1 packaging/deb/changelog)"
check "dpkg finds every file as packed" inside dpkg --verify warmd
same "the daemon's user and group are there" "warmd warmd" "$(inside id --user --name warmd) $(inside id --group --name warmd)"
same "warm.toml is root's to write and the daemon's to read" "640 root warmd" \
    "$(inside stat --format='%a %U %G' /etc/warmd/warm.toml)"
check "it is the example" cmp warm.toml "$root/etc/warmd/warm.toml"
check "which is with the documents" inside test -r /usr/share/doc/warmd/examples/warm.toml
for page in man8/warmd.8 man1/warmctl.1 man1/warmctl-status.1 man5/warm.toml.5; do
    check "the manual has ${page#*/}" inside gzip --test "/usr/share/man/$page.gz"
done
completes() { inside bash -c '. /usr/share/bash-completion/completions/warmctl
    COMP_WORDS=(warmctl sta) COMP_CWORD=1; _warmctl warmctl sta warmctl; [ "${COMPREPLY[*]}" = status ]'; }
check "bash completes warmctl" completes
same "nothing is started before it is edited" "inactive disabled" "$(unit ActiveState) $(unit UnitFileState)"

# A host with Cog servers alone.
inside cp /usr/bin/warmctl /usr/local/bin/stand-in
cat >"$root/etc/systemd/system/stand-in.service" <<EOF
[Service]
ExecStart=/usr/local/bin/stand-in sandbox --token $token --cog 1 --boot 200ms..500ms --creates-per-minute 100000
DynamicUser=yes
EOF
inside systemctl daemon-reload
inside systemctl start stand-in
within 20 "a stand-in for Replicate and Cog answers" inside bash -c '</dev/tcp/127.0.0.1/9846 && </dev/tcp/127.0.0.1/9847'

configure <$here/cog.toml
check "a host with Cog servers alone starts it without a token" as alice "$(readme 'enable --now warmd')"
same "systemd has heard READY" "active running" "$(unit ActiveState) $(unit SubState)"
within 20 "and hears how the models do" sees '^StatusText=1 model: 1 warm'
within 20 "its model is warm" report '.models[0].state == "warm"'

exposure=$(inside systemd-analyze security --no-pager warmd | grep -F 'Overall exposure level' || true)
exposure=$(grep -o '[0-9]\.[0-9]' <<<"$exposure")
check "systemd-analyze calls its exposure $exposure, at most 1.5" awk "BEGIN { exit !($exposure <= 1.5) }"

# Who may ask.
check "the README has alice join the group" as alice "$(readme 'usermod -aG warmd')"
check "and she may ask" as alice 'warmctl status'
refused 1 'join the group' "bob may not, and is told why" as bob 'warmctl status'
refused 2 'Permission denied' "nor may he read the state" as bob 'ls /var/lib/warmd'
refused 1 'Permission denied' "or the configuration" as bob 'cat /etc/warmd/warm.toml'
