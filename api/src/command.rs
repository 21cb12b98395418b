//! What each command of the command line does.

use std::{
    fs, io,
    io::Read,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use actix_web::web::Data;
use domain::{actor::Role, area::AreaKind};
use persistence::{Store, migrate};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    cli::{
        Admin, Cli, Command, Demo, Health, Import, Imported, NewAdmin, NewTenant, RootKind, Serve,
        Source, Tenant, Verify,
    },
    clock::Clock,
    config::{DatabaseUrl, Partial, Settings},
    demo,
    install::{self, Failed, NewArea, NewPerson},
    password,
    problem::problems_markdown,
    server,
    state::App,
    telemetry, verify,
    world::Geometry,
};

/// How a command ended: done, or what a caller should know by the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Done.
    Well,
    /// `verify` found something, or `health` a server that is not well.
    Badly,
}

type Done = Result<Ended, Failed>;

/// Does what the command line asks.
pub async fn run(cli: Cli) -> Done {
    match cli.command {
        Command::Serve(serve) => run_serve(serve).await,
        Command::Demo(demo) => run_demo(demo).await,
        Command::Migrate(source) => run_migrate(&source),
        Command::Openapi => {
            let text = serde_json::to_string_pretty(&server::document());
            print(&text.map_err(|error| Failed(error.to_string()))?);
            Ok(Ended::Well)
        }
        Command::Problems => {
            print(problems_markdown().trim_end());
            Ok(Ended::Well)
        }
        Command::Import(import) => run_import(import).await,
        Command::Tenant(Tenant::Create(tenant)) => create_tenant(tenant).await,
        Command::Tenant(Tenant::List(source)) => list_tenants(&source).await,
        Command::Admin(Admin::Create(admin)) => create_admin(admin).await,
        Command::Verify(verify) => run_verify(verify).await,
        Command::Health(health) => run_health(health).await,
    }
}

#[expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]
fn print(text: &str) {
    println!("{text}");
}

fn settings(flags: Partial, config: Option<&Path>) -> Result<Settings, Failed> {
    Settings::load(flags, config).map_err(|fault| Failed(fault.to_string()))
}

fn open(source: &Source) -> Result<Store, Failed> {
    let settings = settings(source.settings(), source.config.as_deref())?;
    Ok(Store::open(settings.database.expose(), settings.store_options())?)
}

fn listener(address: SocketAddr) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).map_err(|error| {
        Failed(format!("cannot listen on {address}: {error}; choose another address with --listen"))
    })
}

async fn run_serve(serve: Serve) -> Done {
    let settings = settings(serve.settings, serve.config.as_deref())?;
    telemetry::init(settings.log, settings.log_level);
    let listener = listener(settings.listen)?;
    let database = settings.database.to_string();
    let app = App::open(settings, Clock::default()).await?;
    let store = app.store.clone();
    let failed = |error: io::Error| Failed(format!("cannot serve: {error}"));
    let running = server::start(Data::new(app), listener, true).map_err(failed)?;
    print(&format!("GridWhistle listens on http://{} ({database})", running.address));
    running.server.await.map_err(failed)?;
    store.close();
    Ok(Ended::Well)
}

async fn run_demo(options: Demo) -> Done {
    let Demo { once, database, listen, dir, record } = options;
    let temporary = tempfile::Builder::new().prefix("gridwhistle-demo-").tempdir();
    let temporary = temporary.map_err(|error| Failed(error.to_string()))?;
    let dir = dir.unwrap_or_else(|| temporary.path().to_owned());
    fs::create_dir_all(&dir).map_err(|error| Failed(format!("{}: {error}", dir.display())))?;
    let file = dir.join("gridwhistle.db");
    if database.is_none() && file.exists() {
        let shown = file.display();
        return Err(Failed(format!("{shown} exists; the demo wants a fresh database")));
    }
    let fresh = format!("sqlite://{}", file.display());
    let fresh = fresh.parse::<DatabaseUrl>().map_err(|error| Failed(error.to_string()))?;
    let port = if once { 0 } else { 8080 };
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
    let flags = Partial {
        database: Some(database.unwrap_or(fresh)),
        listen: Some(listen),
        ..Partial::default()
    };
    let settings = settings(flags, None)?;
    demo::run(settings, listener(listen)?, demo::Options { once, record }).await?;
    Ok(Ended::Well)
}

fn run_migrate(source: &Source) -> Done {
    let settings = settings(source.settings(), source.config.as_deref())?;
    let applied = migrate::up(settings.database.expose())?;
    match applied.as_slice() {
        [] => print("the database is up to date"),
        applied => print(&format!("applied {}", applied.join(", "))),
    }
    Ok(Ended::Well)
}

async fn create_tenant(new: NewTenant) -> Done {
    let store = open(&new.source)?;
    let clock = Clock::default();
    if install::find_tenant(&store, &new.code).await?.is_some() {
        return Err(Failed(format!("the tenant {} exists already", new.code)));
    }
    let tenant = install::tenant(&store, &clock, &new.code, &new.name).await?;
    let kind = match new.kind {
        RootKind::City => AreaKind::City,
        RootKind::District => AreaKind::District,
    };
    let root = NewArea {
        code: new.code.clone(),
        name: new.name.clone(),
        kind,
        parent: None,
        boundary: None,
    };
    install::import(&store, &clock, &tenant, "tenant create", vec![root]).await?;
    print(&format!("created the tenant {} {}", new.code, new.name));
    Ok(Ended::Well)
}

async fn list_tenants(source: &Source) -> Done {
    let store = open(source)?;
    for tenant in store.read(persistence::tenant::all).await? {
        print(&format!("{}\t{}", tenant.code, tenant.name));
    }
    Ok(Ended::Well)
}

async fn known_tenant(store: &Store, code: &str) -> Result<persistence::tenant::Tenant, Failed> {
    let tenant = install::find_tenant(store, code).await?;
    tenant.ok_or_else(|| {
        Failed(format!("there is no tenant {code}; create it with `gridwhistle tenant create`"))
    })
}

async fn create_admin(new: NewAdmin) -> Done {
    let store = open(&new.source)?;
    let tenant = known_tenant(&store, &new.tenant).await?;
    let password = password::generate().map_err(|error| Failed(error.to_string()))?;
    let person = NewPerson {
        account: new.account.clone(),
        name: new.name,
        password: password.clone(),
        grants: vec![(Role::Administrator, root_code(&store, &tenant).await?)],
    };
    install::register(&store, &Clock::default(), &tenant, vec![person]).await?;
    print(&format!("account  {}\npassword {password}", new.account));
    print("The password is shown once; hand it over in person and change it.");
    Ok(Ended::Well)
}

async fn root_code(store: &Store, tenant: &persistence::tenant::Tenant) -> Result<String, Failed> {
    let id = tenant.id;
    let areas = store.read(move |db| persistence::area::all(db, id)).await?;
    let root = areas.into_iter().find(|(area, _)| area.parent.is_none());
    root.map(|(area, _)| area.code).ok_or_else(|| {
        Failed(format!("the tenant {} has no areas; import them first", tenant.code))
    })
}

async fn run_import(import: Import) -> Done {
    let text = contents(&import.file)?;
    let areas = match import.what {
        Imported::Areas => divisions(&text)?,
        Imported::Units => units(&text)?,
        Imported::Grids => grids(&text)?,
    };
    let store = open(&import.source)?;
    let tenant = known_tenant(&store, &import.tenant).await?;
    let source = import.file.display().to_string();
    let (clock, count) = (Clock::default(), areas.len());
    let found = if import.dry_run {
        install::check(&store, &tenant, areas).await?
    } else {
        install::import(&store, &clock, &tenant, &source, areas).await?
    };
    let verb = if import.dry_run { "would import" } else { "imported" };
    print(&format!("{verb} {count}: {} new, {} updated", found.added, found.updated));
    Ok(Ended::Well)
}

fn contents(file: &Path) -> Result<String, Failed> {
    const MOST: u64 = 256 * 1024 * 1024;
    let shown = file.display();
    let failed = |error: io::Error| Failed(format!("{shown}: {error}"));
    let mut text = String::new();
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(file).map_err(failed)?)
    };
    reader.take(MOST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Rows of a CSV with this header; a wrong row is named by its line.
fn rows<T: for<'de> Deserialize<'de>>(text: &str) -> Result<Vec<T>, Failed> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.map_err(|error| Failed(error.to_string()))).collect()
}

/// A row of a division file, as the statistics bureau publishes them.
#[derive(Deserialize)]
struct DivisionRow {
    code: String,
    name: String,
    level: u8,
    parent_code: String,
}

fn divisions(text: &str) -> Result<Vec<NewArea>, Failed> {
    let rows: Vec<DivisionRow> = rows(text)?;
    let codes: std::collections::HashSet<String> = rows.iter().map(|r| r.code.clone()).collect();
    rows.into_iter()
        .map(|row| {
            let kind = match row.level {
                2 => AreaKind::City,
                3 => AreaKind::District,
                4 => AreaKind::Street,
                5 => AreaKind::Community,
                6 => AreaKind::Grid,
                other => {
                    return Err(Failed(format!("{}: level {other} is not 2 to 6", row.code)));
                }
            };
            // The root's parent is a province, which is not in the file.
            let parent = Some(row.parent_code).filter(|parent| codes.contains(parent));
            Ok(NewArea { code: row.code, name: row.name, kind, parent, boundary: None })
        })
        .collect()
}

/// A row of a file of departments and other units.
#[derive(Deserialize)]
struct UnitRow {
    code: String,
    name: String,
    parent_code: String,
}

fn units(text: &str) -> Result<Vec<NewArea>, Failed> {
    let unit = |row: UnitRow| NewArea {
        code: row.code,
        name: row.name,
        kind: AreaKind::Department,
        parent: Some(row.parent_code),
        boundary: None,
    };
    Ok(rows::<UnitRow>(text)?.into_iter().map(unit).collect())
}

/// A GeoJSON file of grids: each feature with `code`, `name` and `parent_code` and a polygon in
/// WGS-84.
fn grids(text: &str) -> Result<Vec<NewArea>, Failed> {
    let file: Value = serde_json::from_str(text).map_err(|error| Failed(error.to_string()))?;
    let features = file.get("features").and_then(Value::as_array).ok_or_else(|| {
        Failed("this is not a GeoJSON FeatureCollection: it has no features".to_owned())
    })?;
    let grid = |(index, feature): (usize, &Value)| {
        let wrong = |why: &str| Failed(format!("feature {}: {why}", index + 1));
        let text = |name: &str| {
            let value = feature.pointer(&format!("/properties/{name}")).and_then(Value::as_str);
            value.map(str::to_owned).ok_or_else(|| wrong(&format!("properties.{name} is missing")))
        };
        let geometry: Geometry =
            serde_json::from_value(feature.get("geometry").cloned().unwrap_or_default())
                .map_err(|error| wrong(&format!("geometry: {error}")))?;
        Ok(NewArea {
            code: text("code")?,
            name: text("name")?,
            kind: AreaKind::Grid,
            parent: Some(text("parent_code")?),
            boundary: Some(geometry),
        })
    };
    features.iter().enumerate().map(grid).collect()
}

async fn run_verify(verify: Verify) -> Done {
    let store = open(&verify.source)?;
    let findings = verify::all(&store, verify.tenant.as_deref()).await?;
    print(&format!("{} chains, {} entries", findings.chains, findings.entries));
    for broken in &findings.broken {
        print(broken);
    }
    if findings.broken.is_empty() {
        print("every record is as it was written");
        return Ok(Ended::Well);
    }
    Ok(Ended::Badly)
}

async fn run_health(health: Health) -> Done {
    let Health { url, timeout } = health;
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(timeout.clamp(1, 60))))
        .build();
    let agent: ureq::Agent = config.into();
    let asked = tokio::task::spawn_blocking(move || {
        agent.get(format!("{}/readyz", url.trim_end_matches('/'))).call().map(|_| ())
    });
    match asked.await {
        Ok(Ok(())) => {
            print("well");
            Ok(Ended::Well)
        }
        Ok(Err(error)) => {
            print(&format!("not well: {error}"));
            Ok(Ended::Badly)
        }
        Err(error) => Err(Failed(error.to_string())),
    }
}
