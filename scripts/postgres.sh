#!/usr/bin/env bash
# Runs a command with a PostgreSQL server to itself: scripts/postgres.sh run COMMAND…
#
# The command finds the server in GRIDWHISTLE_TEST_POSTGRES. If that is already set, its server is used and none started.
# Otherwise a private cluster is made in a temporary directory, and is gone when the command ends.
# It listens on a free port of 127.0.0.1 and is as durable as PostgreSQL's defaults make it:
# crash tests and measurements rely on that. GRIDWHISTLE_PG_CONF adds lines to its postgresql.conf.
set -u

say() { printf 'postgres.sh: %s\n' "$*" >&2; }

# EX_UNAVAILABLE: what is missing is outside this project.
unavailable() {
    say "$*"
    exit 69
}

if [ "${1-}" != run ] || [ $# -lt 2 ]; then
    echo "usage: scripts/postgres.sh run COMMAND [ARGUMENT…]" >&2
    exit 64
fi
shift

if [ -n "${GRIDWHISTLE_TEST_POSTGRES-}" ]; then
    exec "$@"
fi

# Only the URL locates the server, for the command as well as for the programs below.
unset PGDATA PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGOPTIONS PGSERVICE PGSSLMODE PGSYSCONFDIR

user=   # who runs the server; empty: the user of this script
via=()  # the words that change to that user
bin=    # where initdb, postgres and pg_ctl are
dir=    # everything temporary
child=  # the command's process group

as_server() { ${via[@]+"${via[@]}"} "$@"; }

# PostgreSQL refuses to run as root.
choose_user() {
    [ "$(id -u)" -eq 0 ] || return 0
    local name
    for name in postgres nobody gridwhistle-test; do
        if id "$name" >/dev/null 2>&1; then
            user=$name
            break
        fi
    done
    if [ -z "$user" ]; then
        useradd --system --no-create-home --shell /bin/false gridwhistle-test >/dev/null 2>&1 ||
            adduser -S -D -H gridwhistle-test >/dev/null 2>&1 ||
            unavailable "PostgreSQL does not run as root and no other user can be made here: run this as an ordinary user, or set GRIDWHISTLE_TEST_POSTGRES to the URL of a server."
        user=gridwhistle-test
    fi
    via=(setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups)
    as_server true 2>/dev/null && return
    via=(runuser -u "$user" --)
    as_server true 2>/dev/null && return
    # shellcheck disable=SC2016 # The inner shell expands its own arguments.
    via=(su -s /bin/sh "$user" -c 'exec "$@"' -- sh)
    as_server true 2>/dev/null && return
    unavailable "PostgreSQL does not run as root and this root may not change to user $user: run this as an ordinary user, or set GRIDWHISTLE_TEST_POSTGRES to the URL of a server."
}

find_programs() {
    local initdb candidate
    initdb=$(command -v initdb) && initdb=$(dirname "$initdb")
    while IFS= read -r candidate; do
        [ -n "$candidate" ] || continue
        # Tested as the server's user, who may not enter a directory of root's.
        if as_server test -x "$candidate/initdb" -a -x "$candidate/postgres" -a -x "$candidate/pg_ctl"; then
            bin=$candidate
            return 0
        fi
    done <<EOT
$initdb
$(pg_config --bindir 2>/dev/null)
$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV)
/usr/local/pgsql/bin
EOT
    return 1
}

# Installs the server as Debian packages it, without the cluster that the package would create and start.
install_programs() {
    local root=() conf=/etc/postgresql-common/createcluster.conf kept
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || return 1
        root=(sudo -n)
    fi
    say "installing Debian's package postgresql"
    apt() {
        ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive \
            apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >&2 </dev/null
    }
    apt update && apt install -y --no-install-recommends postgresql-common || return 1
    kept=$(mktemp) && cat "$conf" >"$kept" || return 1
    echo "create_main_cluster = false" | ${root[@]+"${root[@]}"} tee -a "$conf" >/dev/null
    apt install -y --no-install-recommends postgresql
    local status=$?
    ${root[@]+"${root[@]}"} tee "$conf" <"$kept" >/dev/null
    rm -f "$kept"
    return $status
}

make_directory() {
    local base
    # The path of a socket has room for about a hundred bytes, and the server's user must reach it.
    for base in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
        [ ${#base} -le 60 ] || continue
        dir=$(mktemp -d "$base/gridwhistle.XXXXXX" 2>/dev/null) || continue
        if [ -z "$user" ] || chown "$user" "$dir" 2>/dev/null; then
            as_server test -w "$dir" && return
        fi
        rm -rf "$dir"
        dir=
    done
    unavailable "no temporary directory here can be written by ${user:-this user}: set TMPDIR to one that can."
}

make_cluster() {
    # Nothing here outlives a crash of the machine, so initdb need not wait for the disk; the server does.
    as_server "$bin/initdb" -D "$dir/data" -U postgres --locale=C -E UTF8 -A trust --no-sync \
        >"$dir/log" 2>&1 || failed "initdb failed"
    as_server tee -a "$dir/data/postgresql.conf" >/dev/null <<EOT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 200
${GRIDWHISTLE_PG_CONF-}
EOT
}

start_server() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        # Below the ports that systems hand out to outgoing connections.
        port=$((20000 + RANDOM % 12000))
        : >"$dir/log"
        if as_server "$bin/pg_ctl" start -w -t 60 -D "$dir/data" -o "-p $port" -l "$dir/server.log" \
            >"$dir/log" 2>&1 </dev/null; then
            return
        fi
        # The port is taken: try another one.
        grep -q 'could not bind' "$dir/server.log" 2>/dev/null || break
        rm -f "$dir/server.log"
    done
    failed "the server did not start"
}

failed() {
    say "$*, and this is what it said:"
    cat "$dir/log" "$dir/server.log" >&2 2>/dev/null
    exit 1
}

clean_up() {
    trap '' HUP INT TERM
    [ -n "$dir" ] || return
    if [ -e "$dir/data/postmaster.pid" ]; then
        as_server "$bin/pg_ctl" stop -m immediate -w -t 30 -D "$dir/data" >/dev/null 2>&1 ||
            kill -KILL "$(head -n 1 "$dir/data/postmaster.pid")" 2>/dev/null
    fi
    rm -rf "$dir"
}

# Passes the signal on to the command and what it started, waits for it, and leaves.
interrupted() {
    local name=$1 code=$2 tenths=0
    trap '' HUP INT TERM
    if [ -n "$child" ]; then
        kill -"$name" -- "-$child" 2>/dev/null
        while kill -0 -- "-$child" 2>/dev/null && [ "$tenths" -lt 100 ]; do
            sleep 0.1
            tenths=$((tenths + 1))
        done
        kill -KILL -- "-$child" 2>/dev/null
    fi
    exit "$code"
}

trap clean_up EXIT
trap 'interrupted HUP 129' HUP
trap 'interrupted INT 130' INT
trap 'interrupted TERM 143' TERM

choose_user
if ! find_programs; then
    if install_programs; then
        choose_user
        find_programs
    fi
    [ -n "$bin" ] || unavailable "PostgreSQL's server programs (initdb, postgres, pg_ctl) are missing and could not be installed from here: install them (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql), or set GRIDWHISTLE_TEST_POSTGRES to the URL of a server on which databases may be created."
fi
make_directory
# The server's user may not be allowed to enter the directory this was started in.
here=$PWD
cd "$dir" || exit 1
make_cluster
start_server
cd "$here" || exit 1

export GRIDWHISTLE_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
if [ -t 0 ]; then
    # At a terminal the command must stay in the foreground; what is typed reaches it directly.
    "$@"
    exit
fi
# Elsewhere it gets a process group of its own, so that a signal to this script reaches all of it.
set -m
"$@" <&0 &
child=$!
set +m
wait "$child"
exit
