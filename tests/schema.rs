//! One schema: the migrations of both engines and `persistence/src/kernel/schema.rs` say the same.

use std::collections::{BTreeMap, BTreeSet};

use persistence::{Options, Store, StoreError, kernel::migrate, probe};

use crate::harness::{Database, Engine, workspace_root};

/// Table, column, type and whether it may be null.
type Columns = BTreeSet<(String, String, String, bool)>;

fn load_columns(database: &Database, engine: Engine) -> Columns {
    let sql = match engine {
        Engine::Sqlite => {
            "select m.name || ' ' || c.name || ' ' || lower(c.type) || ' ' || (c.\"notnull\" = 0) as line \
             from sqlite_schema m join pragma_table_info(m.name) c \
             where m.type = 'table' and m.name not like '\\_\\_%' escape '\\' and m.name not like 'sqlite%'"
        }
        Engine::Postgres => {
            "select table_name || ' ' || column_name || ' ' || udt_name || ' ' || \
             case is_nullable when 'YES' then '1' else '0' end as line \
             from information_schema.columns \
             where table_schema = 'public' and table_name not like '\\_\\_%'"
        }
    };
    let lines = probe::query_lines(&database.url, sql).unwrap();
    lines
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [table, column, kind, null] = words[..] else { panic!("{line}") };
            (table.to_owned(), column.to_owned(), kind.to_owned(), null == "1")
        })
        .collect()
}

/// The columns of `diesel::table!`, and each table's primary key.
fn load_declared_columns() -> (Columns, BTreeMap<String, Vec<String>>) {
    let text =
        std::fs::read_to_string(workspace_root().join("persistence/src/kernel/schema.rs")).unwrap();
    let (mut columns, mut keys) = (Columns::new(), BTreeMap::new());
    for block in text.split("diesel::table! {").skip(1) {
        let block = block.split("\n}").next().unwrap();
        let body = block
            .lines()
            .filter(|line| !line.trim().starts_with("use "))
            .collect::<Vec<_>>()
            .join(" ");
        let (head, rest) = body.split_once('{').unwrap();
        let (table, key) = head.trim().split_once('(').unwrap();
        let key =
            key.trim_end().trim_end_matches(')').split(',').map(|part| part.trim().to_owned());
        keys.insert(table.trim().to_owned(), key.collect());
        for column in rest.trim_end().trim_end_matches('}').split(',') {
            let Some((name, kind)) = column.split_once("->") else { continue };
            let kind = kind.trim();
            let inner = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
            let (table, name) = (table.trim().to_owned(), name.trim().to_owned());
            columns.insert((table, name, inner.unwrap_or(kind).to_owned(), inner.is_some()));
        }
    }
    (columns, keys)
}

/// A type of the schema in the words of an engine.
fn spell_type(kind: &str, engine: Engine) -> String {
    let (sqlite, postgres) = match kind {
        "Uid" => ("blob", "uuid"),
        "Binary" => ("blob", "bytea"),
        "Moment" => ("integer", "timestamptz"),
        "Doc" | "Text" => ("text", "text"),
        "BigInt" => ("integer", "int8"),
        "Integer" => ("integer", "int4"),
        "SmallInt" => ("integer", "int2"),
        other => panic!("a type nobody spelt: {other}"),
    };
    if engine == Engine::Sqlite { sqlite.to_owned() } else { postgres.to_owned() }
}

fn schema_is_the_migrations(engine: Engine) {
    let database = Database::new_empty(engine);
    migrate::up(&database.url).unwrap();
    let (declared, _) = load_declared_columns();
    assert!(declared.len() > 50, "{}", declared.len());
    let expected: Columns = declared
        .into_iter()
        .map(|(table, column, kind, null)| (table, column, spell_type(&kind, engine), null))
        .collect();
    let found = load_columns(&database, engine);
    let missing: Vec<_> = expected.difference(&found).collect();
    let beyond: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && beyond.is_empty(),
        "not migrated: {missing:#?}\nnot declared: {beyond:#?}"
    );
}

fn up_and_down(engine: Engine) {
    let database = Database::new_empty(engine);
    let names = migrate::version_names().unwrap();
    assert_eq!(migrate::up(&database.url).unwrap(), names);
    assert_eq!(migrate::up(&database.url).unwrap(), Vec::<String>::new());
    let mut reverted = migrate::down(&database.url).unwrap();
    reverted.sort_unstable();
    assert_eq!(reverted, names);
    assert!(load_columns(&database, engine).is_empty(), "{:?}", load_columns(&database, engine));
    assert_eq!(migrate::up(&database.url).unwrap(), names);
}

fn newer_is_refused(engine: Engine) {
    let database = Database::new_empty(engine);
    migrate::up(&database.url).unwrap();
    let newer = "insert into __diesel_schema_migrations (version) values ('9999')";
    probe::execute(&database.url, newer).unwrap();
    let Err(refused) = Store::open(&database.url, Options::default()) else { panic!("it opened") };
    assert!(matches!(refused, StoreError::Unusable(_)));
    assert!(
        refused.to_string().contains("newer") && refused.to_string().contains("9999"),
        "{refused}"
    );
}

fn two_start_together(engine: Engine) {
    let database = Database::new_empty(engine);
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate::up(&database.url))).collect();
        let applied = starts.into_iter().map(|start| start.join().unwrap());
        let applied: Vec<_> = applied.collect::<Result<Vec<_>, _>>().unwrap();
        let names = migrate::version_names().unwrap();
        assert_eq!(applied.iter().filter(|applied| **applied == names).count(), 1, "{applied:?}");
    });
}

mod sqlite {
    use crate::harness::Engine::Sqlite;

    #[test]
    fn the_schema_is_what_the_migrations_make() {
        super::schema_is_the_migrations(Sqlite);
    }
    #[test]
    fn migrations_go_up_down_and_up_again() {
        super::up_and_down(Sqlite);
    }
    #[test]
    fn a_database_of_a_newer_program_is_refused() {
        super::newer_is_refused(Sqlite);
    }
    #[test]
    fn replicas_that_start_together_migrate_once() {
        super::two_start_together(Sqlite);
    }
}

mod postgres {
    use crate::harness::Engine::Postgres;

    #[test]
    fn the_schema_is_what_the_migrations_make() {
        super::schema_is_the_migrations(Postgres);
    }
    #[test]
    fn migrations_go_up_down_and_up_again() {
        super::up_and_down(Postgres);
    }
    #[test]
    fn a_database_of_a_newer_program_is_refused() {
        super::newer_is_refused(Postgres);
    }
    #[test]
    fn replicas_that_start_together_migrate_once() {
        super::two_start_together(Postgres);
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(workspace_root().join("migrations").join(engine)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let sqlite = names("sqlite");
    assert_eq!(sqlite, names("postgres"));
    assert!(!sqlite.is_empty());
    for (engine, name) in
        ["sqlite", "postgres"].into_iter().flat_map(|e| sqlite.iter().map(move |n| (e, n)))
    {
        for file in ["up.sql", "down.sql"] {
            let path = workspace_root().join("migrations").join(engine).join(name).join(file);
            assert!(path.is_file(), "{}", path.display());
        }
    }
}

#[test]
fn every_key_leads_with_the_tenant() {
    let (_, keys) = load_declared_columns();
    assert!(keys.len() >= 10);
    for (table, key) in keys {
        // These belong to the installation and to no tenant.
        let installed =
            ["signing_keys", "outside_tokens", "outside_checks"].contains(&table.as_str());
        let first = if installed { "id" } else { "tenant_id" };
        assert_eq!(key[0], first, "{table}");
    }
}

#[test]
fn a_scheme_nobody_knows_is_refused() {
    for url in [
        "",
        "gridwhistle.db",
        "mysql://h/d",
        "sqlite:x.db",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite://a.db?mode=ro",
        "file:///tmp/x.db",
        "POSTGRES://h/d",
        "http://h/d",
    ] {
        let Err(refused) = Store::open(url, Options::default()) else { panic!("{url} opened") };
        assert!(matches!(refused, StoreError::Unusable(_)), "{url}: {refused}");
    }
    let nowhere = Store::open("postgres://gw:secret@127.0.0.1:1/x", Options::default());
    let Err(refused) = nowhere else { panic!("it opened") };
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}
