#!/usr/bin/env bash
# Keeps one part busy and profiles it: profile.sh PART SECONDS, within `scripts/postgres.sh run`.
set -eu
part=${1:-report} seconds=${2:-20}
out=${TMPDIR:-/tmp}/gridwhistle-profile
mkdir -p "$out"
target/release/bench --hold "$((seconds + 4))" --only "$part" --quick >"$out/load" &
load=$!
until grep -q postmaster "$out/load"; do
    kill -0 "$load"
    sleep 0.2
done
server=$(sed -n 's/^server \([0-9]*\).*/\1/p' "$out/load")
postmaster=$(sed -n 's/.*postmaster \([0-9]*\),.*/\1/p' "$out/load")
url=$(sed -n 's/.*database \(postgres.*\)/\1/p' "$out/load")
psql -qX -d "$url" -c 'create extension if not exists pg_stat_statements' -c 'select pg_stat_statements_reset()' >/dev/null || true
sleep 2
backends=$(pgrep -d, -P "$postmaster")
perf record -q -F 199 --call-graph dwarf,8192 -p "$server" -o "$out/server.perf" -- sleep "$seconds" &
perf record -q -F 199 --call-graph dwarf,8192 -p "$backends" -o "$out/database.perf" -- sleep "$seconds" &
wait %2 %3
psql -X -d "$url" -c "
  select calls, rows, round(total_exec_time::numeric) as ms, round((total_exec_time / greatest(calls, 1) * 1000)::numeric) as us_each,
    round((total_exec_time / greatest(rows, 1) * 1000)::numeric) as us_a_row, round(wal_bytes / greatest(calls, 1)) as wal_each,
    left(regexp_replace(query, '\s+', ' ', 'g'), 100) as query
  from pg_stat_statements order by total_exec_time desc limit 12" | tee "$out/statements" || true
psql -X -d "$url" -c "
  select relname, n_tup_ins as inserted, n_tup_upd as updated, n_tup_hot_upd as hot,
    pg_size_pretty(pg_relation_size(relid)) as heap, pg_size_pretty(pg_indexes_size(relid)) as indexes,
    pg_size_pretty(pg_total_relation_size(relid) - pg_relation_size(relid) - pg_indexes_size(relid)) as toast
  from pg_stat_user_tables where n_tup_ins > 0 order by n_tup_ins desc limit 6" || true
wait "$load"
cat "$out/load"
echo "— the server by thread"
perf report -i "$out/server.perf" --no-children -g none --sort comm --stdio 2>/dev/null | grep '%' | head -12
for what in server database; do
    echo "— $what, by itself"
    perf report -i "$out/$what.perf" --no-children -g none --sort dso,symbol --percent-limit 1 --stdio 2>/dev/null | grep '%' | head -30
    echo "— $what, with everything below it"
    perf report -i "$out/$what.perf" --children -g none --sort symbol --percent-limit 1.5 --stdio 2>/dev/null | grep '%' | head -90
done
