# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_warmctl_global_optspecs
    string join \n socket= config= json no-color h/help V/version
end

function __fish_warmctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_warmctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_warmctl_using_subcommand
    set -l cmd (__fish_warmctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c warmctl -n "__fish_warmctl_needs_command" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_needs_command" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_needs_command" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_needs_command" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_needs_command" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_needs_command" -s V -l version -d 'Print version'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "status" -d 'Show how warm the models are and how fast they answer; with a MODEL its whole picture'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "history" -d 'Show what happened: cold heartbeats, boots, failures, changes of state'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "export" -d 'Write out what was measured, by the hour and the day, for other programs'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "check" -d 'Check a configuration and show what it will do'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "next" -d 'Show the coming windows, in local time and in UTC, from the configuration alone'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "beat" -d 'Send one heartbeat now, whatever hours, pause or block say, and show its timing'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "pause" -d 'Hold models: no heartbeats until they are resumed'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "resume" -d 'Free paused models'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "reload" -d 'Have the daemon read its configuration again, and show what changed or every problem'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "alert" -d 'Try the alerts of the configuration'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "sandbox" -d 'Run a stand-in for Replicate and Cog, to rehearse a warm.toml without spending'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c warmctl -n "__fish_warmctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -l since -d 'From when on figures are summed up: a duration, or an RFC 3339 time' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -l watch -d 'Show it again every two seconds, until Ctrl-C; on a screen too small for all, the worst first'
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -l since -d 'From when on: a duration, or an RFC 3339 time' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -l limit -d 'The latest so many' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand history" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -l format -d 'How: a table; an interval log of `HdrHistogram`s, tagged with model and warm, cold or boot; or JSON, a line a model' -r -f -a "csv\t''
hlog\t''
json\t''"
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -l since -d 'From when on: a duration, or an RFC 3339 time; rounded outward to whole hours, or days before the last week' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand export" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand check" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand check" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand check" -l online -d 'Ask the providers too: is the token good, does the model exist, does the input fit'
complete -c warmctl -n "__fish_warmctl_using_subcommand check" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand check" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand check" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -l from -d 'From when on: RFC 3339; or YYYY-MM-DD or YYYY-MM-DDTHH:MM by the model\'s clocks [default: now]' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -l days -d 'How many days of 24 h' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand next" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand beat" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand beat" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand beat" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand beat" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand beat" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -l for -d 'Resume by itself after this long [default: never]' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -l all -d 'Every model'
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand pause" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand resume" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand resume" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand resume" -l all -d 'Every model'
complete -c warmctl -n "__fish_warmctl_using_subcommand resume" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand resume" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand resume" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand reload" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand reload" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand reload" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand reload" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -f -a "test" -d 'Send a test event to each alert\'s receiver now, once, and show whether it arrived'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and not __fish_seen_subcommand_from test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from test" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from test" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from test" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from test" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send a test event to each alert\'s receiver now, once, and show whether it arrived'
complete -c warmctl -n "__fish_warmctl_using_subcommand alert; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l listen -d 'Where to serve; Cog servers take the ports after it' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l idle-timeout -d 'How long after its last prediction a model goes cold' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l boot -d 'How long a boot takes: a duration, or two to draw between' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l warm -d 'How long a warm model lets a prediction wait' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l predict -d 'How long a prediction runs' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l slots -d 'Predictions that a model runs at once' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l restarts-every -d 'Models also boot by themselves, so long after each boot' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l models -d 'How many models to write into the example' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l cog -d 'How many Cog servers to run beside' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l cog-version -d 'Which Cog they are: 0.9, 0.14, 0.16 or 0.23' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l creates-per-minute -d 'How many predictions an account may create a minute' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l token -d 'The only token to accept; any by default' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l seed -d 'Of all that is drawn by chance' -r
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l verbose -d 'Print a line a request'
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l expose-truth -d 'Serve what really happened, at /sandbox/truth'
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand sandbox" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand completions" -l socket -d 'The daemon\'s socket [default: $WARMD_SOCKET, else the first that answers of the config\'s own, $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand completions" -l config -d 'The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]' -r -F
complete -c warmctl -n "__fish_warmctl_using_subcommand completions" -l json -d 'Print JSON alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand completions" -l no-color -d 'Print without colour, as in a pipe or with `NO_COLOR` set'
complete -c warmctl -n "__fish_warmctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "status" -d 'Show how warm the models are and how fast they answer; with a MODEL its whole picture'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "history" -d 'Show what happened: cold heartbeats, boots, failures, changes of state'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "export" -d 'Write out what was measured, by the hour and the day, for other programs'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "check" -d 'Check a configuration and show what it will do'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "next" -d 'Show the coming windows, in local time and in UTC, from the configuration alone'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "beat" -d 'Send one heartbeat now, whatever hours, pause or block say, and show its timing'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "pause" -d 'Hold models: no heartbeats until they are resumed'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "resume" -d 'Free paused models'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "reload" -d 'Have the daemon read its configuration again, and show what changed or every problem'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "alert" -d 'Try the alerts of the configuration'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "sandbox" -d 'Run a stand-in for Replicate and Cog, to rehearse a warm.toml without spending'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "completions" -d 'Print the completions of a shell'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and not __fish_seen_subcommand_from status history export check next beat pause resume reload alert sandbox completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warmctl -n "__fish_warmctl_using_subcommand help; and __fish_seen_subcommand_from alert" -f -a "test" -d 'Send a test event to each alert\'s receiver now, once, and show whether it arrived'
