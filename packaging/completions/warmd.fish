complete -c warmd -l config -d 'The configuration; else `$WARMD_CONFIG`, `./warm.toml`, `/etc/warmd/warm.toml`' -r -F
complete -c warmd -l for -d 'End the demo after this long' -r
complete -c warmd -l log-format -d 'How the log is written' -r -f -a "auto\t'The journal\'s own where standard error leads there, else text'
text\t'A line an event'
json\t'A JSON object a line'"
complete -c warmd -l demo -d 'Run on an embedded stand-in for Replicate and Cog, with a live status: needs nothing'
complete -c warmd -s v -l verbose -d 'Log more: each heartbeat; twice: everything'
complete -c warmd -s q -l quiet -d 'Log warnings and errors alone'
complete -c warmd -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warmd -s V -l version -d 'Print version'
