# Alerts from within the unit's sandbox: posted to a receiver, handed to a program.

{
    cat $here/both.toml
    cat <<'TOML'

[models.gone]
cog = "http://127.0.0.1:9851"

[[alerts]]
name    = "hook"
webhook = "http://127.0.0.1:9850/hook"

[[alerts]]
name    = "program"
command = ["sh", "-c", "env >/var/lib/warmd/env; cat >>/var/lib/warmd/told"]
TOML
} | configure
check "a file with alerts is reloaded" inside systemctl reload warmd

# Perl is in the smallest Debian. It takes whatever comes, and keeps it.
inside systemd-run --quiet --unit=receiver perl -MIO::Socket::INET -e '
    my $door = IO::Socket::INET->new(LocalAddr => "127.0.0.1:9850", Listen => 8, ReuseAddr => 1) or die $!;
    while (my $guest = $door->accept) {
        my ($said, $length) = ("", 0);
        while (<$guest>) { $said .= $_; $length = $1 if /^content-length: (\d+)/i; last if /^\r$/ }
        read $guest, my $body, $length;
        open my $kept, ">>", "/run/heard"; print $kept $said, $body, "\n"; close $kept;
        print $guest "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; close $guest;
    }'
both_arrive() { inside warmctl alert test; }
within 10 "both kinds of alerts arrive" both_arrive
check "the receiver has its event" inside grep -F '"event":"test"' /run/heard
check "and so has the program" inside grep -F '"event":"test"' /var/lib/warmd/told
same "which gets no more of the environment than it needs" "" \
    "$(inside grep -v -E '^(PATH|HOME|LANG|TZ|PWD|OLDPWD|SHLVL|_)=' /var/lib/warmd/env || true)"

# What happens is told, too.
within 30 "a model that fails is told" inside grep -F '"event":"failing","model":"gone"' /run/heard
within 10 "to the program, too" inside grep -F '"model":"gone"' /var/lib/warmd/told
inside rm -f /var/lib/warmd/told /var/lib/warmd/env
inside systemctl stop receiver
configure <$here/both.toml
check "without them, it runs on" inside systemctl reload warmd
