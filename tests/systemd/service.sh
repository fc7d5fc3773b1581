# The service as the test sees and changes it. Sourced.

# A property of the unit, as systemd has it.
unit() { inside systemctl show --value --property "$1" warmd; }

# The daemon's number as this side of the container counts; fails where it does not run.
daemon() { pgrep --exact warmd; }

# Writes warm.toml in place, as an editor does.
configure() { inside tee /etc/warmd/warm.toml >/dev/null; }

# Asks the report something: a jq expression that must be true.
report() {
    local said
    said=$(inside warmctl status --json) && jq --exit-status "$1" <<<"$said"
}

# How many warm answers of a model are in its histogram.
answers() { inside warmctl status --json | jq ".models[] | select(.name == \"$1\") | .latency.warm.count"; }

more_answers() { (($(answers "$1") >= $2)); }

# Commands of the README, by a word of theirs.
readme() {
    local line
    line=$(grep -m 1 -F -- "$1" README.md) || fail "the README tells how to: $1"
    printf '%s\n' "$line"
}

# The log of the service since it was installed.
journal() { inside journalctl --unit=warmd --no-pager --output=cat "$@"; }

logged() { journal | grep -F -- "$1"; }

# What systemd shows of the unit has that line.
sees() { inside systemctl show warmd | grep -E -- "$1"; }

# The version in Cargo.toml.
cargo_version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1; }

# faults METHOD [BODY]: has the stand-in do wrong (POST), or well again (DELETE).
faults() {
    inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/9846
        printf "%s /sandbox/faults HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" \
            "$1" "${#2}" "$2" >&3
        read -r line <&3; echo "$line"; [[ $line == *" 20"* ]]' - "$1" "${2-}"
}
