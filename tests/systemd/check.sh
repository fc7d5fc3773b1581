# What a test's story is told with. Sourced.

checks=0

ok() {
    checks=$((checks + 1))
    printf 'ok    %4d s  %s\n' "$SECONDS" "$1"
}

# Ends the test: what was expected, and what was seen instead.
fail() {
    printf 'FAIL  %4d s  %s\n' "$SECONDS" "$1"
    [ -z "${2-}" ] || printf '%s\n' "$2" | sed 's/^/      | /'
    if [ -n "$leader" ]; then
        echo "--- systemctl status warmd"
        inside systemctl status --no-pager --lines=0 warmd || true
        echo "--- journalctl, the last of it"
        inside journalctl --no-pager --lines=60 --output=short-precise || true
    elif [ -e "$work/console" ]; then
        cat "$work/console"
    fi
    exit 1
} >&2

# check WHAT COMMAND…: it succeeds.
check() {
    local what=$1 said
    shift
    said=$("$@" 2>&1) || fail "$what" "$* ended with $?: $said"
    ok "$what"
}

# refused CODE TEXT WHAT COMMAND…: it ends with that code, and says that text.
refused() {
    local code=$1 text=$2 what=$3 said got=0
    shift 3
    said=$("$@" 2>&1) || got=$?
    [ "$got" = "$code" ] || fail "$what" "$* ended with $got, not $code: $said"
    grep -qF -- "$text" <<<"$said" || fail "$what" "$* did not say '$text': $said"
    ok "$what"
}

# same WHAT EXPECTED GOT
same() {
    [ "$2" = "$3" ] || fail "$1" "expected: $2
got:      $3"
    ok "$1"
}

# within SECONDS WHAT COMMAND…: it succeeds before so many seconds are over.
within() {
    await "$@"
    ok "$2"
}

# As within, without a word where it succeeds.
await() {
    local end=$((SECONDS + $1)) what=$2 said
    shift 2
    # Not in a subshell: what it finds may be kept in a variable.
    until "$@" >"$work/said" 2>&1; do
        said=$(cat "$work/said")
        ((SECONDS < end)) || fail "$what" "$* was still not so: $said"
        sleep 0.2
    done
}
