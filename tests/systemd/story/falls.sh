# What makes it fall, and how it comes back.

is_back() { [ "$(unit SubState)" = running ] && [ "$(unit MainPID)" != "$1" ] && inside warmctl status; }

# Ten kills of a running daemon, as fast as someone impatient can start it again.
within 30 "there is a history to keep" more_answers sdxl 10
known=$(answers sdxl)
within 20 "it is older than the second that a kill may lose" more_answers sdxl $((known + 3))
begun=$SECONDS
for n in 1 2 3 4 5 6 7 8 9 10; do
    pid=$(unit MainPID)
    kill -KILL "$(daemon)"
    # The last time, nobody helps.
    ((n == 10)) && break
    inside systemctl restart warmd || fail "killed $n times, it can be started"
    await 20 "killed $n times, it runs again" is_back "$pid"
done
killed_in=$((SECONDS - begun))
within 15 "killed ten times in $killed_in s, it is back by itself" is_back "$pid"
check "with all $known answers in its histogram" more_answers sdxl "$known"
within 20 "and warm" report 'all(.models[]; .state == "warm")'

# An engine that hangs in a process that lives: what it asks of the system is held from now on.
restarts=$(unit NRestarts)
pid=$(unit MainPID)
strace -f -qq -o /dev/null -p "$(daemon)" -e trace=sendto,epoll_wait \
    -e inject=sendto,epoll_wait:delay_enter=3600s 2>"$work/strace" &
holding=$!
within 60 "the watchdog sees that the engine hangs" logged 'Watchdog timeout'
# A held process can't die either.
kill -KILL $holding
within 20 "and the daemon is started anew" is_back "$pid"
same "once" $((restarts + 1)) "$(unit NRestarts)"
within 20 "and all is warm again" report 'all(.models[]; .state == "warm")'

# Stopped while a heartbeat waits for a boot that never ends.
check "a model hangs" faults POST '{"fault": "stuck", "times": null}'
within 30 "with a heartbeat in flight" report '.models[] | select(.name == "sdxl") | .state == "booting"'
begun=$SECONDS
check "stopped then" inside systemctl stop warmd
took=$((SECONDS - begun))
same "it ends well" "inactive success 0" "$(unit ActiveState) $(unit Result) $(unit ExecMainStatus)"
check "and within its grace of 3 s: in $took s" test "$took" -ge 2 -a "$took" -le 20
check "leaving the heartbeat to end by itself" logged 'left in flight, to end by themselves: sdxl'
check "the model is well again" faults DELETE

# A bad file at the start.
sed 's/^interval = /intervall = /' $here/both.toml | configure
refused 1 'failed' "a bad file does not start" inside systemctl start warmd
same "code 78, and no loop" "failed 78 0" "$(unit SubState) $(unit ExecMainStatus) $(unit NRestarts)"
