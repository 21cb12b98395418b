//! The command line: what can be asked of the program, and its manual.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::area::coordinate::CoordType;

use crate::app::config::{DatabaseUrl, Partial};

/// 网格哨 GridWhistle: the backend of grid management (网格化管理).
///
/// Grid workers and residents report a problem; the community files it, dispatches it, or the
/// street blows the whistle and the departments report in; a grid worker verifies on the spot, the
/// resident says whether it is solved, the case closes. One binary, one HTTP API, SQLite or
/// PostgreSQL.
#[derive(Parser, Clone, Debug)]
#[command(name = "gridwhistle", version, after_help = SHORT, after_long_help = LONG)]
#[command(
    verbatim_doc_comment,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const SHORT: &str = "Start with `gridwhistle demo`; the whole manual is `gridwhistle --help`.";

const LONG: &str = "\
Examples:
  gridwhistle demo                      a city to look at, in a moment
  gridwhistle serve                     serve http://127.0.0.1:8080 from ./gridwhistle.db
  gridwhistle serve --listen 0.0.0.0:80 --database postgres://grid@db/city
  gridwhistle tenant create --code 320106 --name 鼓楼区 --kind district
  gridwhistle admin create --tenant 320106 --account admin --name 系统管理员
  gridwhistle import areas areas.csv --tenant 320106
  gridwhistle import holidays 2027.json --tenant 320106 --dry-run
  gridwhistle keys rotate               sign with a new key from now on
  gridwhistle verify                    is every 案卷 exactly as it was written?
  gridwhistle verify --checkpoint a.txt  a signed checkpoint of it, to be kept elsewhere

Environment:
  Every setting of `serve` is also a variable: GRIDWHISTLE_DATABASE_URL, GRIDWHISTLE_LISTEN,
  GRIDWHISTLE_LOG, GRIDWHISTLE_LOG_LEVEL, GRIDWHISTLE_WORKERS, GRIDWHISTLE_READERS,
  GRIDWHISTLE_WRITERS, GRIDWHISTLE_WAITING, GRIDWHISTLE_ACCESS_MINUTES,
  GRIDWHISTLE_REFRESH_DAYS, GRIDWHISTLE_PROXIES, GRIDWHISTLE_CLOCKWORK,
  GRIDWHISTLE_IDLE_HOURS, GRIDWHISTLE_PASSWORD_DAYS, GRIDWHISTLE_SECOND_FACTOR,
  GRIDWHISTLE_PUBLIC_URL, GRIDWHISTLE_WEBHOOK_NETWORKS, GRIDWHISTLE_VAULT_CIPHER,
  GRIDWHISTLE_VAULT_KEY_FILE, GRIDWHISTLE_VAULT_KEY_COMMAND, GRIDWHISTLE_MEDIA,
  GRIDWHISTLE_SPOOL. Only in the environment or the file: GRIDWHISTLE_KEY,
  GRIDWHISTLE_MINI_PROGRAMS, GRIDWHISTLE_PROVIDERS (docs/logins.md), GRIDWHISTLE_SMS,
  GRIDWHISTLE_LIMITS (docs/api.md), GRIDWHISTLE_MEDIA_ACCESS_KEY,
  GRIDWHISTLE_MEDIA_SECRET_KEY, and GRIDWHISTLE_VAULT_KEY, the master keys themselves, the
  current one first. Every command reads the same variables and the same file as `serve`.
  A flag stands above a variable, a variable above the file, the file above the default.
  A variable GRIDWHISTLE_… that is not in this list is refused.

Files:
  gridwhistle.toml   settings under the names of the flags with `_` for `-`, read when it exists
                     or --config names another; unknown names are refused
  gridwhistle.db     the database, when none is named
  gridwhistle.db.key the keys of people's data in it; keep a copy apart from the database

Exit codes:
  0  done
  1  it could not be done; the reason is on stderr
  2  the command line is wrong
  3  verify: a record was altered; health: the server is not well

Documentation: http://127.0.0.1:8080/docs of a running server; every problem it can answer is
explained by `gridwhistle problems`.";

const FORMATS: &str = "\
Files:
  CSV is UTF-8 or GBK, with a header; columns may stand in any order, under these names or, except
  for deadlines, under their Chinese ones. Areas and units are named by their codes.

  areas             code,name,level,parent_code, and if known grid_kind,households
                    level: 1 municipality, 2 city, 3 county or district, 4 street or town,
                    5 community or village, 6 grid; grid_kind: comprehensive, dedicated or micro;
                    former_name, where an area was renamed, says what it was called until now
  units             code,name,parent_code, and former_name likewise
  grids             GeoJSON: a FeatureCollection of polygons, longitudes first, each with the
                    properties code, name, parent_code, and if known grid_kind, households;
                    areas and units come so too, areas with a level unless their code says it.
                    WGS-84, unless crs or --coord-type names CGCS2000, GCJ-02 or BD-09
  holidays          the JSON of a year as holiday-cn publishes it, or an array of several:
                    {\"year\":2027,\"papers\":[],\"days\":[{\"name\":\"元旦\",\"date\":\"2027-01-01\",
                    \"isOffDay\":true}]}; isOffDay is false where a weekend is worked
  deadlines         id,duty,area,channel,demand,category,urgency,complexity,rank,redo,limit,
                    valid_from,valid_until,owner,basis
                    an empty condition holds for everything; limit: 30min, 2h, 15d, 4wh, 3wd or
                    same_day (minutes, hours, natural days, working hours, working days)
  responsibilities  code,category,lead,basis,owner,valid_from, and if wanted area,level,
                    cooperating,valid_until
                    lead: the code of a unit, its suffix (CG for 420202-CG) or territory; level:
                    community, street, district or city; cooperating: several, with ; between
  admissions        code,kind,category,basis,valid_from, and if wanted area,valid_until
                    kind: statutory, assist, certificate or negative

  Days are written 2027-01-01. Of areas and units api/data/huangshi of the source has examples, of
  holidays domain/data/holidays, of deadlines domain/data/presets/standard.csv.";

/// What can be asked of the program.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Serve the API until told to stop
    ///
    /// Brings the database up to date first. SIGTERM and Ctrl-C let running requests finish.
    Serve(Box<Serve>),
    /// Serve a small city with people, reports and cases, to try everything
    ///
    /// The accounts and their passwords are printed. Nothing of an existing database is touched.
    Demo(Demo),
    /// Bring the database up to date and stop
    ///
    /// `serve` does it too; alone it is for deployments that want it as a step of its own.
    Migrate(Source),
    /// Print the OpenAPI document
    Openapi,
    /// Print the page that explains every problem (docs/problems.md)
    Problems,
    /// Import areas, units, boundaries of grids, holidays, deadlines or lists from a file
    ///
    /// Everything in the file is imported or, with one fault in it, nothing: faults are reported
    /// with their lines and columns. Running servers use imported data by themselves.
    #[command(after_long_help = FORMATS)]
    Import(Import),
    /// Manage tenants: one city or county each
    #[command(subcommand)]
    Tenant(Tenant),
    /// Manage the administrators of a tenant
    #[command(subcommand)]
    Admin(Admin),
    /// Manage the keys that sign access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Manage the keys that people's data is encrypted under
    #[command(subcommand)]
    Vault(Vault),
    /// Verify that the records are complete and unaltered
    ///
    /// Every entry of every chain is hashed again, and everything that follows from them compared:
    /// states, lists, deadlines, the feed, the audit log, disclosures and consents. Exit code 3
    /// when something does not match.
    ///
    /// A person who can write to the database can make all of it fit together again. A checkpoint
    /// that is kept elsewhere shows that too: take one now and then, and verify against it.
    Verify(Verify),
    /// Ask a running server whether it is well; for containers and load balancers
    Health(Health),
}

/// Where the settings and the database are.
#[derive(Args, Clone, Debug, Default)]
pub struct Source {
    /// The configuration file [default: gridwhistle.toml, when it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database, as sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, value_name = "URL")]
    pub database: Option<DatabaseUrl>,
}

impl Source {
    /// The settings given here.
    pub fn settings(&self) -> Partial {
        Partial { database: self.database.clone(), ..Partial::default() }
    }
}

/// The arguments of `serve`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// The configuration file [default: gridwhistle.toml, when it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The settings given on the command line.
    #[command(flatten)]
    pub settings: Partial,
}

/// The arguments of `demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    /// Play one whole loop, from the report to closing, print it, and stop
    #[arg(long)]
    pub once: bool,
    /// The database, which must be empty or a demo [default: a new one in --dir]
    #[arg(long, value_name = "URL")]
    pub database: Option<DatabaseUrl>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<std::net::SocketAddr>,
    /// Where to keep the database [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write every request and answer of the loop to this file, as examples for the document
    #[arg(long, value_name = "FILE", hide = true)]
    pub record: Option<PathBuf>,
}

/// The arguments of `import`.
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// What the file holds
    pub what: Imported,
    /// The file: CSV; GeoJSON for grids, and for areas and units if wanted; JSON for holidays; `-`
    /// for standard input
    pub file: PathBuf,
    /// The tenant, by its code
    #[arg(long, value_name = "CODE")]
    pub tenant: String,
    /// Check everything and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Resolve crossings of boundaries instead of refusing them
    #[arg(long)]
    pub repair: bool,
    /// In which system the corners of GeoJSON are, where it has no crs
    #[arg(long, value_name = "SYSTEM")]
    pub coord_type: Option<CornerSystem>,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// Systems of coordinates.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum CornerSystem {
    /// What receivers measure, and what GeoJSON means when nothing is said
    Wgs84,
    /// The maps of China
    Gcj02,
    /// What Baidu makes of those
    Bd09,
}

impl From<CornerSystem> for CoordType {
    fn from(system: CornerSystem) -> Self {
        match system {
            CornerSystem::Wgs84 => Self::Wgs84,
            CornerSystem::Gcj02 => Self::Gcj02,
            CornerSystem::Bd09 => Self::Bd09,
        }
    }
}

/// What can be imported.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Imported {
    /// The tree of territories: city, districts, streets, communities, grids
    Areas,
    /// Departments and other units beside the territories
    Units,
    /// The boundaries of grids, as polygons
    Grids,
    /// The yearly notice of holidays, in the holiday-cn format, or several of them in an array
    Holidays,
    /// How long everything may take, as a new edition
    Deadlines,
    /// Who leads what (权责清单), as a new edition
    Responsibilities,
    /// What communities may be given (事项准入清单), as a new edition, enforced
    Admissions,
}

/// The commands under `tenant`.
#[derive(Subcommand, Clone, Debug)]
pub enum Tenant {
    /// Create a tenant with its root area
    Create(NewTenant),
    /// List the tenants
    List(Source),
}

/// The arguments of `tenant create`.
#[derive(Args, Clone, Debug)]
pub struct NewTenant {
    /// The code of its area: 4 digits for a city, 2 for a municipality, 6 for a county or district
    #[arg(long, value_name = "CODE")]
    pub code: String,
    /// The name of the city or county
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// What its area is
    #[arg(long, value_name = "KIND", default_value = "city")]
    pub kind: RootKind,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// What the root of a tenant can be.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RootKind {
    /// 市
    City,
    /// 区、县
    District,
}

/// The commands under `admin`.
#[derive(Subcommand, Clone, Debug)]
pub enum Admin {
    /// Create an administrator; the password is made here and printed once
    Create(NewAdmin),
}

/// The arguments of `admin create`.
#[derive(Args, Clone, Debug)]
pub struct NewAdmin {
    /// The tenant, by its code
    #[arg(long, value_name = "CODE")]
    pub tenant: String,
    /// The account to log in with
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
    /// The name others see
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
}

/// The commands under `keys`.
#[derive(Subcommand, Clone, Debug)]
pub enum Keys {
    /// Make a new key; no one is logged out
    Rotate(Rotate),
    /// List the keys
    List(Source),
}

/// The arguments of `keys rotate`.
#[derive(Args, Clone, Debug)]
pub struct Rotate {
    /// The old keys are in wrong hands: accept nothing they signed from now on
    ///
    /// Clients notice by themselves and use their refresh tokens.
    #[arg(long)]
    pub at_once: bool,
    /// Where the database is.
    #[command(flatten)]
    pub source: VaultSource,
}

/// The commands under `vault`.
#[derive(Subcommand, Clone, Debug)]
pub enum Vault {
    /// Show which master keys are given, and how many data keys each wraps
    Status(VaultSource),
    /// Make a new master key in the key file and bring everything under it
    ///
    /// Servers that run on the same file take it up by themselves. Older keys stay in the file
    /// until `vault status` calls them unused and no backup needs them.
    Rotate(VaultSource),
    /// Bring everything under the first of the keys given, and under the cipher that is set
    ///
    /// For keys from a setting or a command: put the new one in front, restart, then run this.
    /// Stop the servers before changing the cipher.
    Rewrap(VaultSource),
}

/// Where the settings, the database and the keys are.
#[derive(Args, Clone, Debug, Default)]
pub struct VaultSource {
    /// Where the database is.
    #[command(flatten)]
    pub source: Source,
    /// What people's data is encrypted with [default: aes]
    #[arg(long, value_name = "SUITE")]
    pub vault_cipher: Option<crate::app::vault::Suite>,
    /// The file with the master keys [default with SQLite: the database's name and .key]
    #[arg(long, value_name = "FILE")]
    pub vault_key_file: Option<PathBuf>,
    /// A program that prints the master keys
    #[arg(long, value_name = "PROGRAM")]
    pub vault_key_command: Option<String>,
}

impl VaultSource {
    /// The settings given here.
    pub fn settings(&self) -> Partial {
        Partial {
            vault_cipher: self.vault_cipher,
            vault_key_file: self.vault_key_file.clone(),
            vault_key_command: self.vault_key_command.clone(),
            ..self.source.settings()
        }
    }
}

/// The arguments of `verify`.
#[derive(Args, Clone, Debug)]
pub struct Verify {
    /// Only this tenant, by its code
    #[arg(long, value_name = "CODE")]
    pub tenant: Option<String>,
    /// Write a signed checkpoint to this new file, when nothing is wrong; keep it elsewhere
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Compare with a checkpoint that was kept elsewhere; may be given several times
    #[arg(long, value_name = "FILE")]
    pub against: Vec<PathBuf>,
    /// Where the database is.
    #[command(flatten)]
    pub source: VaultSource,
}

/// The arguments of `health`.
#[derive(Args, Clone, Debug)]
pub struct Health {
    /// The URL of the server to ask
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// How many seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub timeout: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.command)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_examples_of_the_manual_work() {
        let examples = LONG.lines().filter_map(|line| line.trim().strip_prefix("gridwhistle "));
        let mut count = 0;
        for example in examples.filter(|line| !line.contains(".toml") && !line.contains(".db ")) {
            let line = example.split("  ").next().unwrap();
            parse(&format!("gridwhistle {line}")).unwrap();
            count += 1;
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn flags_are_settings() {
        let line = "gridwhistle serve --listen 0.0.0.0:80 --log json --log-level warn --workers 2 --proxies 1";
        let Command::Serve(serve) = parse(line).unwrap() else { panic!("not serve") };
        assert_eq!(serve.settings.workers, Some(2));
        assert_eq!(serve.settings.listen.unwrap().port(), 80);
        assert!(parse("gridwhistle serve --listen localhost").is_err());
        assert!(parse("gridwhistle").is_err());
        assert!(parse("gridwhistle import streets x --tenant 1").is_err());
    }

    #[test]
    fn the_manual_has_its_sections() {
        let help = Cli::command().render_long_help().to_string();
        for section in ["Usage:", "Commands:", "Examples:", "Environment:", "Files:", "Exit codes:"]
        {
            assert!(help.contains(section), "{section}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 110), "a line is too long");
    }
}
