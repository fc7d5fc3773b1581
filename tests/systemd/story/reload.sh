# Reloads: a good file, and a bad one.

pid=$(unit MainPID)
sed 's/^interval = .*/interval = "2s"/' $here/both.toml | configure
check "a good file is reloaded" inside systemctl reload warmd
within 10 "and runs" report 'all(.models[]; .interval == 2)'

sed 's/^interval = /intervall = /' $here/both.toml | configure
refused 1 'failed' "a bad one is refused" inside systemctl reload warmd
check "with its place in the log" logged 'warm.toml:5'
within 10 "the report says so" report '.daemon.config_error != null'
check "and what ran before runs on" report 'all(.models[]; .interval == 2)'

configure <$here/both.toml
within 10 "mended, it runs without being asked" report \
    '.daemon.config_error == null and all(.models[]; .interval == 1)'
same "all in the same process" "$pid" "$(unit MainPID)"
