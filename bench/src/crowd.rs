//! Closed cases by the million, and open ones beside them, copied from a few that the server itself
//! handled.

use std::{fmt::Write, thread, time::Instant};

use crate::{
    desk::{Coming, LOOP},
    load::{Until, drive_load},
    loops,
    results::format_number,
    stand::{CROWDED, Stand},
    trouble::{Done, count_items, new_trouble, print_line, to_float},
};

/// From this number on, only two of the ten journal entries of a case are loaded.
const THIN: u64 = 200_000;

/// Templates, and functions that make the values that must differ. Identities and times grow with
/// the number of the case, as they do in a database that grew over a year. The tables are vacuumed
/// once at the end, not again and again on the way there.
const TEMPLATES: &str = "
create function bench_at(i bigint, n bigint) returns timestamptz language sql immutable as
  $$ select timestamptz '2025-01-01 00:00:00+00' + (i * 31536000.0 / n) * interval '1 second' $$;
create function bench_id(i bigint, n bigint, kind int) returns uuid language sql immutable as
  $$ select (lpad(to_hex(1735689600000 + i * 31536000000 / n), 12, '0') || '7'
     || lpad(to_hex(kind), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid $$;
create table bench_case as
  select row_number() over (partition by c.closed_at is null order by c.path) - 1 as k,
    c.closed_at is null as open, c.*, c.state::text as text,
    r.id as report_id, r.number as report_number
  from cases c join reports r on r.tenant_id = c.tenant_id and r.case_id = c.id;
create table bench_report as
  select b.k, b.open, r.*, r.state::text as text
  from bench_case b join reports r on r.tenant_id = b.tenant_id and r.id = b.report_id;
create table bench_debt as
  select b.k, b.open, b.filed_at, b.report_id, o.*
  from bench_case b join obligations o on o.tenant_id = b.tenant_id
    and o.flow_id in (b.id, b.report_id);
create table bench_entry as
  select b.k, b.open, b.filed_at, b.id as case_id, b.report_id, j.*,
    row_number() over (partition by b.id order by j.flow, j.seq) as nth
  from bench_case b join journal j on j.tenant_id = b.tenant_id
    and j.flow_id in (b.id, b.report_id);
create table bench_area as
  select row_number() over (order by path) - 1 as k, count(*) over () as of, id, path, name
  from areas where kind = 'community';
alter table cases set (autovacuum_enabled = off);
alter table reports set (autovacuum_enabled = off);
alter table obligations set (autovacuum_enabled = off);
alter table journal set (autovacuum_enabled = off);
analyze bench_case; analyze bench_report; analyze bench_debt; analyze bench_entry; analyze bench_area;
";

/// One range of cases: `open` says which they are, `n` how many there are.
const RANGE: &str = "
set synchronous_commit = off;
set work_mem = '64MB';
insert into cases
  select b.tenant_id, bench_id(i, $n, $kind), b.seq, b.head, b.number, b.stage,
    coalesce(a.path, b.path), coalesce(a.id, b.holder_id), b.category, b.urgency, b.title,
    bench_at(i, $n), bench_at(i, $n) + (b.closed_at - b.filed_at),
    replace(replace(b.text, b.id::text, bench_id(i, $n, $kind)::text),
      b.report_id::text, bench_id(i, $n, $kind + 1)::text)
  from generate_series($from, $to) i
  join bench_case b on b.k = i % $count and b.open = $open
  left join bench_area a on b.open and i % 100 >= 16 and a.k = i % a.of;
insert into case_units
  select u.tenant_id, u.unit_id, bench_id(i, $n, $kind)
  from generate_series($from, $to) i
  join bench_case b on b.k = i % $count and b.open = $open
  join case_units u on u.tenant_id = b.tenant_id and u.case_id = b.id;
insert into reports
  select r.tenant_id, bench_id(i, $n, $kind + 1), r.seq, r.head, r.number, r.status, r.path,
    r.reporter_id, bench_id(i, $n, $kind), bench_at(i, $n) - interval '10 minutes',
    replace(replace(r.text, r.id::text, bench_id(i, $n, $kind + 1)::text),
      r.case_id::text, bench_id(i, $n, $kind)::text)
  from generate_series($from, $to) i
  join bench_report r on r.k = i % $count and r.open = $open;
insert into obligations
  select o.tenant_id, bench_id(i, $n, case when o.flow_id = o.report_id then $kind + 1 else $kind end),
    o.no, o.duty, case when o.settled_at is null then coalesce(a.id, o.unit_id) else o.unit_id end,
    o.flow, o.number, o.title, o.unit_name,
    bench_at(i, $n) + (o.started_at - o.filed_at), bench_at(i, $n) + (o.due_at - o.filed_at),
    o.term, bench_at(i, $n) + (o.settled_at - o.filed_at), o.outcome
  from generate_series($from, $to) i
  join bench_debt o on o.k = i % $count and o.open = $open
  left join bench_area a on o.open and i % 100 >= 16 and a.k = i % a.of;
insert into journal
  select e.tenant_id, bench_id(i, $n, case when e.flow_id = e.report_id then $kind + 1 else $kind end),
    e.seq, e.flow, bench_id(i, $n, $kind + 16 + e.nth::int), e.part, e.name, e.digest, e.actor_id,
    e.actor_name, bench_at(i, $n) + (e.at - e.filed_at),
    replace(replace(e.events, e.case_id::text, bench_id(i, $n, $kind)::text),
      e.report_id::text, bench_id(i, $n, $kind + 1)::text), e.hash,
    -((i::bigint * 64 + e.nth) * 2 + case when $open then 1 else 0 end)
  from generate_series($from, $to) i
  join bench_entry e on e.k = i % $count and e.open = $open and e.nth <= $entries;
";

/// Loads the cases into the database; answers in words what is in it.
pub(crate) async fn crowd_database(stand: &Stand) -> Done<String> {
    let begun = Instant::now();
    let (closed, open) = (stand.options.history(), stand.options.open_cases());
    let places = count_items(&stand.town.places);
    print_line(&format!(
        "loading {} closed and {} open cases …",
        format_number(to_float(closed)),
        format_number(to_float(open))
    ));
    stand.create_crowded()?;
    {
        let at = stand.serve_postgres(CROWDED).await?;
        loops::run_loops(&at, 1, Until::Turns(places)).await?;
        let desk = at.desk.clone();
        let filed = move |number| {
            let coming = Coming::new(number);
            LOOP.iter().take(2).filter_map(|step| desk.build_step(coming, step)).collect()
        };
        drive_load(&at.server, 1, Until::Turns(places), std::rc::Rc::new(filed)).await?;
    }
    let cluster = &stand.cluster;
    cluster.run_sql(CROWDED, TEMPLATES)?;
    let entries = if closed < THIN { 100 } else { 2 };
    let all = [
        Range { open: false, from: 0, to: closed / 2, of: closed, places, entries },
        Range { open: false, from: closed / 2, to: closed, of: closed, places, entries },
        Range { open: true, from: 0, to: open, of: open, places, entries },
    ];
    thread::scope(|scope| {
        let load = |ranges: Vec<Range>| {
            let cluster = cluster.clone();
            move || {
                ranges.iter().try_for_each(|r| cluster.run_sql(CROWDED, &r.build_sql()).map(|_| ()))
            }
        };
        let [first, second, third] = all;
        let workers = [scope.spawn(load(vec![first])), scope.spawn(load(vec![third, second]))];
        workers.into_iter().try_for_each(|worker| {
            worker.join().map_err(|_panic| new_trouble("a loading thread broke"))?
        })
    })?;
    cluster.run_sql(
        CROWDED,
        "drop table bench_case, bench_report, bench_debt, bench_entry, bench_area;
        vacuum (analyze) cases, case_units, reports, obligations; analyze journal; checkpoint;",
    )?;
    let size =
        cluster.run_sql(CROWDED, "select pg_size_pretty(pg_database_size(current_database()))")?;
    let counted = "select string_agg(relname || ' ' || n_live_tup, ', ' order by relname)
        from pg_stat_user_tables where n_live_tup > 1000 and relname <> 'areas'";
    let mut text = format!("{closed} closed and {open} open cases in {size}");
    if entries < 100 {
        // Writing to a String cannot fail.
        let _ = write!(text, ", with {entries} of 10 journal entries a case");
    }
    let rows = cluster.run_sql(CROWDED, counted)?;
    print_line(&format!(
        "loaded in {} s: {text} ({rows})",
        format_number(begun.elapsed().as_secs_f64())
    ));
    Ok(text)
}

/// A range of the cases to load.
#[derive(Clone, Copy)]
struct Range {
    open: bool,
    from: u64,
    to: u64,
    of: u64,
    places: u64,
    entries: u32,
}

impl Range {
    /// The statements, some cases at a time so that memory stays small.
    fn build_sql(self) -> String {
        const STEP: u64 = 50_000;
        let mut text = String::new();
        let mut from = self.from;
        while from < self.to {
            let to = (from + STEP).min(self.to);
            let kind = if self.open { 1024 } else { 0 };
            let part = RANGE
                .replace("$count", &self.places.to_string())
                .replace("$n", &self.of.to_string())
                .replace("$kind", &kind.to_string())
                .replace("$from", &from.to_string())
                .replace("$to", &(to - 1).to_string())
                .replace("$open", if self.open { "true" } else { "false" })
                .replace("$entries", &self.entries.to_string());
            text.push_str(&part);
            from = to;
        }
        text
    }
}
