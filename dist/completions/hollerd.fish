# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_hollerd_global_optspecs
    string join \n c/config= listen= auth= log-level= h/help V/version
end

function __fish_hollerd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_hollerd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_hollerd_using_subcommand
    set -l cmd (__fish_hollerd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c hollerd -n "__fish_hollerd_needs_command" -s c -l config -d 'Configuration file ("hollerd config" prints one to start from)' -r -F
complete -c hollerd -n "__fish_hollerd_needs_command" -l listen -d 'Where to listen: 127.0.0.1:8080 or unix:PATH; may be given several times' -r
complete -c hollerd -n "__fish_hollerd_needs_command" -l auth -d 'What lets a client in' -r -f -a "jwt\t''
keys\t''
none\t''"
complete -c hollerd -n "__fish_hollerd_needs_command" -l log-level -d 'Least important kind of log line that is written' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''
off\t''"
complete -c hollerd -n "__fish_hollerd_needs_command" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_needs_command" -s V -l version -d 'Print version'
complete -c hollerd -n "__fish_hollerd_needs_command" -f -a "serve" -d 'Serve until told to stop; also what happens without a command'
complete -c hollerd -n "__fish_hollerd_needs_command" -f -a "check" -d 'Try a configuration and say what is wrong with it'
complete -c hollerd -n "__fish_hollerd_needs_command" -f -a "config" -d 'Print a configuration file with every setting at its default'
complete -c hollerd -n "__fish_hollerd_needs_command" -f -a "token" -d 'Make or look at tokens and access keys'
complete -c hollerd -n "__fish_hollerd_using_subcommand serve" -s c -l config -d 'Configuration file ("hollerd config" prints one to start from)' -r -F
complete -c hollerd -n "__fish_hollerd_using_subcommand serve" -l listen -d 'Where to listen: 127.0.0.1:8080 or unix:PATH; may be given several times' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand serve" -l auth -d 'What lets a client in' -r -f -a "jwt\t''
keys\t''
none\t''"
complete -c hollerd -n "__fish_hollerd_using_subcommand serve" -l log-level -d 'Least important kind of log line that is written' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''
off\t''"
complete -c hollerd -n "__fish_hollerd_using_subcommand serve" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_using_subcommand check" -s c -l config -d 'Configuration file; without it only the environment is checked' -r -F
complete -c hollerd -n "__fish_hollerd_using_subcommand check" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_using_subcommand config" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and not __fish_seen_subcommand_from new key check" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and not __fish_seen_subcommand_from new key check" -f -a "new" -d 'Print a signed token (HS256)'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and not __fish_seen_subcommand_from new key check" -f -a "key" -d 'Print an access key, and the line for the keys file that lets it in'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and not __fish_seen_subcommand_from new key check" -f -a "check" -d 'Say what is in a token and whether it would be let in'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from new" -l sub -d 'Name its bearer must use; without it any name will do' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from new" -l rooms -d 'Rooms it opens, exact or as prefix*, separated by commas' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from new" -l ttl -d 'Time until it expires' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from new" -l secret-file -d 'File with the secret that signs it' -r -F
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from key" -l sub -d 'Name its bearer must use; without it any name will do' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from key" -l rooms -d 'Rooms it opens, exact or as prefix*, separated by commas' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from key" -l ttl -d 'Time until it expires; without it the key is good until its line is removed' -r
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from check" -s c -l config -d 'Configuration file that says which keys verify it' -r -F
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from check" -l secret-file -d 'File with the secret that verifies it' -r -F
complete -c hollerd -n "__fish_hollerd_using_subcommand token; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
