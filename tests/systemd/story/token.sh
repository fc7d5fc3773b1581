# Replicate's token: a credential, and nowhere else.

configure <$here/both.toml
refused 1 'failed' "a Replicate model without a token does not start" inside systemctl restart warmd
same "and is not tried again: code 78" "failed 78 0" "$(unit SubState) $(unit ExecMainStatus) $(unit NRestarts)"
check "its log says where the token was looked for" logged 'tried the credential replicate-token'

as alice "$(readme 'install -d -m 700 /etc/credstore')"
as alice "$(readme '/etc/credstore/replicate-token')" <<<"$token"
same "the README makes the token root's alone" "600 root" \
    "$(inside stat --format='%a %U' /etc/credstore/replicate-token)"
check "with it, it starts" inside systemctl start warmd
within 20 "and the token is the right one: the model on Replicate is warm" \
    report '.models[] | select(.name == "sdxl") | .state == "warm"'

# Where the token is: in files that a pattern names, or in what a command writes.
places() { inside bash -c "grep --files-with-matches --recursive --fixed-strings -- '$1' $2 2>/dev/null || true"; }
has() { [ -n "$(places "$1" "$2")" ]; }
has_not() {
    local where
    where=$(places "$1" "$2")
    printf '%s\n' "$where"
    [ -z "$where" ]
}
says_not() {
    local said
    said=$("${@:2}")
    [ -n "$said" ] && ! grep -F -- "$1" <<<"$said"
}
# The look itself: the stand-in has the token on its command line, and environments can be read.
check "the token would be found, where it is" has "$token" '/proc/[0-9]*/cmdline'
check "in warmd's environment, too" has WARMD_CONFIG "/proc/$(unit MainPID)/environ"
check "it is in no environment" has_not "$token" '/proc/[0-9]*/environ'
check "in no command line of warmd's" has_not "$token" "/proc/$(unit MainPID)/cmdline"
check "in none of its files" has_not "$token" '/var/lib/warmd /run/warmd /etc/warmd'
check "in no property of the unit" says_not "$token" inside systemctl show warmd
check "and in no field of its log" says_not "$token" journal --output=json
