//! What each command of the command line does.

mod import;
mod verifying;

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use actix_web::web::Data;
use domain::{area::tree::AreaKind, people::actor::Role};
use persistence::{
    Store,
    kernel::{
        key::{self, Purpose},
        migrate,
    },
};

use crate::{
    app::{
        clock::Clock,
        config::{DatabaseUrl, Partial, SecondFactor, Settings},
        password, signing_keys,
        state::{App, ensure_seal},
        telemetry,
        vault::{Vault, rotate},
    },
    cli::{
        arguments::{
            Admin, Cli, Command, Demo, Health, Keys, NewAdmin, NewTenant, RootKind, Rotate, Serve,
            Source, Tenant, Vault as VaultKeys, VaultSource,
        },
        demo,
        install::{self, Failed, NewArea, NewPerson},
    },
    http::problem::problems_markdown,
    server,
};

/// How a command ended: done, or with an exit code that tells a caller why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The command did what it was asked to; the exit code is 0.
    Well,
    /// `verify` found something, or `health` a server that is not well.
    Badly,
}

type Done = Result<Ended, Failed>;

/// Does what the command line asks.
pub async fn run(cli: Cli) -> Done {
    keep_private();
    match cli.command {
        Command::Serve(serve) => run_serve(*serve).await,
        Command::Demo(demo) => run_demo(demo).await,
        Command::Migrate(source) => run_migrate(&source),
        Command::Openapi => {
            let text = serde_json::to_string_pretty(&server::build_openapi());
            print_line(&text.map_err(|error| Failed(error.to_string()))?);
            Ok(Ended::Well)
        }
        Command::Problems => {
            print_line(problems_markdown().trim_end());
            Ok(Ended::Well)
        }
        Command::Import(import) => import::run(import).await,
        Command::Tenant(Tenant::Create(tenant)) => create_tenant(tenant).await,
        Command::Tenant(Tenant::List(source)) => list_tenants(&source).await,
        Command::Admin(Admin::Create(admin)) => create_admin(admin).await,
        Command::Keys(Keys::Rotate(rotate)) => rotate_keys(rotate).await,
        Command::Keys(Keys::List(source)) => list_keys(&source).await,
        Command::Vault(vault) => run_vault(vault).await,
        Command::Verify(verify) => verifying::run(verify).await,
        Command::Health(health) => run_health(health).await,
    }
}

/// Makes everything this program writes readable by its user only: the database with its log,
/// files, keys.
fn keep_private() {
    #[cfg(target_os = "linux")]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

#[expect(clippy::print_stdout, reason = "the answer of a command goes to standard output")]
fn print_line(text: &str) {
    println!("{text}");
}

fn load_settings(flags: Partial, config: Option<&Path>) -> Result<Settings, Failed> {
    Settings::load(flags, config).map_err(|fault| Failed(fault.to_string()))
}

fn open_store(source: &Source) -> Result<Store, Failed> {
    let settings = load_settings(source.settings(), source.config.as_deref())?;
    Ok(Store::open(settings.database.expose(), settings.store_options())?)
}

fn bind_listener(address: SocketAddr) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).map_err(|error| {
        Failed(format!("cannot listen on {address}: {error}; choose another address with --listen"))
    })
}

async fn run_serve(serve: Serve) -> Done {
    let settings = load_settings(serve.settings, serve.config.as_deref())?;
    telemetry::init(settings.log, settings.log_level);
    let listener = bind_listener(settings.listen)?;
    let database = settings.database.to_string();
    let app = App::open(settings, Clock::default()).await?;
    let store = app.store.clone();
    let failed = |error: io::Error| Failed(format!("cannot serve: {error}"));
    let running = server::start(Data::new(app), listener, true).map_err(failed)?;
    print_line(&format!("GridWhistle listens on http://{} ({database})", running.address));
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
        return Err(Failed(format!(
            "{shown} already exists; the demo needs a new database, choose another folder"
        )));
    }
    let fresh = format!("sqlite://{}", file.display());
    let fresh = fresh.parse::<DatabaseUrl>().map_err(|error| Failed(error.to_string()))?;
    let port = if once { 0 } else { 8080 };
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
    let flags = Partial {
        database: Some(database.unwrap_or(fresh)),
        listen: Some(listen),
        // A visitor of the demo has no authenticator app at hand.
        second_factor: Some(SecondFactor::Off),
        ..Partial::default()
    };
    let settings = load_settings(flags, None)?;
    demo::run(settings, bind_listener(listen)?, demo::Options { once, record }).await?;
    Ok(Ended::Well)
}

fn run_migrate(source: &Source) -> Done {
    let settings = load_settings(source.settings(), source.config.as_deref())?;
    let applied = migrate::up(settings.database.expose())?;
    match applied.as_slice() {
        [] => print_line("the database is up to date"),
        applied => print_line(&format!("applied {}", applied.join(", "))),
    }
    Ok(Ended::Well)
}

async fn create_tenant(new: NewTenant) -> Done {
    let store = open_store(&new.source)?;
    let clock = Clock::default();
    if install::find_tenant(&store, &new.code).await?.is_some() {
        return Err(Failed(format!("the tenant {} already exists", new.code)));
    }
    let tenant = install::ensure_tenant(&store, &clock, &new.code, &new.name).await?;
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
    install::import_areas(&store, &clock, &tenant, "tenant create", vec![root]).await?;
    print_line(&format!("created the tenant {} {}", new.code, new.name));
    Ok(Ended::Well)
}

async fn list_tenants(source: &Source) -> Done {
    let store = open_store(source)?;
    for tenant in store.read(persistence::kernel::tenant::load_all).await? {
        print_line(&format!("{}\t{}", tenant.code, tenant.name));
    }
    Ok(Ended::Well)
}

async fn require_tenant(
    store: &Store,
    code: &str,
) -> Result<persistence::kernel::tenant::Tenant, Failed> {
    let tenant = install::find_tenant(store, code).await?;
    tenant.ok_or_else(|| {
        Failed(format!("there is no tenant {code}; create it with `gridwhistle tenant create`"))
    })
}

async fn create_admin(new: NewAdmin) -> Done {
    let store = open_store(&new.source)?;
    let tenant = require_tenant(&store, &new.tenant).await?;
    let password = password::generate().map_err(|error| Failed(error.to_string()))?;
    let person = NewPerson {
        account: new.account.clone(),
        name: new.name,
        password: password.clone(),
        chosen: false,
        grants: vec![(Role::Administrator, load_root_code(&store, &tenant).await?)],
    };
    install::register_people(&store, &Clock::default(), None, &tenant, vec![person]).await?;
    print_line(&format!("account  {}\npassword {password}", new.account));
    print_line(
        "The password is shown once; hand it over in person. It is changed at the first login.",
    );
    Ok(Ended::Well)
}

async fn rotate_keys(rotate: Rotate) -> Done {
    let settings = load_settings(rotate.source.settings(), rotate.source.source.config.as_deref())?;
    let store = Store::open(settings.database.expose(), settings.store_options())?;
    let now = Clock::default().now();
    let vault = Vault::open(&settings, &store).await?;
    let seal = ensure_seal(&store, &settings, &vault, now).await?;
    let new = signing_keys::rotate_keys(&store, &seal, now, rotate.at_once).await?;
    print_line(&format!("{} signs from {}", new.id, new.activated_at.to_rfc3339()));
    Ok(Ended::Well)
}

async fn list_keys(source: &Source) -> Done {
    let store = open_store(source)?;
    for key in store.read(|db| key::load_all(db, Purpose::Sign)).await? {
        let until = key.retired_at.map_or("-".to_owned(), |at| at.to_rfc3339());
        let (made, from) = (key.created_at.to_rfc3339(), key.activated_at.to_rfc3339());
        print_line(&format!("{}\tmade {made}\tsigns from {from}\taccepted until {until}", key.id));
    }
    Ok(Ended::Well)
}

async fn load_root_code(
    store: &Store,
    tenant: &persistence::kernel::tenant::Tenant,
) -> Result<String, Failed> {
    let id = tenant.id;
    let registry = store.read(move |db| persistence::flows::area::load_registry(db, id)).await?;
    let tree = registry.build_tree(domain::core::time::local_day(Clock::default().now()));
    tree.root().map(|area| area.code.clone()).ok_or_else(|| {
        Failed(format!("the tenant {} has no areas; import them first", tenant.code))
    })
}

async fn run_vault(command: VaultKeys) -> Done {
    let (source, rotates, rewraps) = match &command {
        VaultKeys::Status(source) => (source, false, false),
        VaultKeys::Rotate(source) => (source, true, true),
        VaultKeys::Rewrap(source) => (source, false, true),
    };
    let VaultSource { source: Source { config, .. }, .. } = source;
    let settings = load_settings(source.settings(), config.as_deref())?;
    let store = Store::open(settings.database.expose(), settings.store_options())?;
    let vault = Vault::open(&settings, &store).await?;
    if rotates {
        vault.prepend_master_key()?;
    }
    let now = Clock::default().now();
    let (tenants, current) =
        (store.read(persistence::kernel::tenant::load_all).await?, vault.current_key_id());
    let mut used = std::collections::BTreeSet::new();
    for tenant in tenants {
        if rewraps {
            let done = vault.rewrap_tenant(&store, tenant.id, now).await?;
            let (keys, values) = (done.keys, done.values);
            print_line(&format!("{}\t{keys} keys and {values} values updated", tenant.code));
        }
        for (master, count) in rotate::count_wrapped_keys(&store, tenant.id).await? {
            print_line(&format!("{}\t{master} wraps {count} data keys", tenant.code));
            used.insert(master);
        }
    }
    if rewraps && vault.rewrap_own_key(&store).await? {
        print_line("the sealing key was updated");
    }
    used.extend(rotate::load_own_master(&store).await?);
    for master in vault.master_key_ids() {
        let state = match (master == current, used.contains(&master)) {
            (true, _) => "current",
            (false, true) => "still used",
            (false, false) => "unused; only older backups may need it",
        };
        print_line(&format!("{master}\t{state}"));
    }
    store.close();
    Ok(Ended::Well)
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
            print_line("well");
            Ok(Ended::Well)
        }
        Ok(Err(error)) => {
            print_line(&format!("not well: {error}"));
            Ok(Ended::Badly)
        }
        Err(error) => Err(Failed(error.to_string())),
    }
}
