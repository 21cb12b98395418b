//! The stand of the measurements: seeded databases on both engines, and servers on them.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::{
    desk::Desk,
    options::Options,
    postgres::Cluster,
    quiet::Patience,
    server::Server,
    town::{self, Town},
    trouble::{Done, print_line},
};

/// Databases made by copying the seeded one.
pub(crate) const PLAIN: &str = "bench_plain";
/// The database that pgbench writes to.
pub(crate) const REFERENCE: &str = "bench_reference";
/// The database with many closed cases.
pub(crate) const CROWDED: &str = "bench_crowded";
/// The database with many debts.
pub(crate) const BUSY: &str = "bench_busy";
const SEEDED: &str = "bench_seeded";

/// The state all measurements share.
pub(crate) struct Stand {
    /// The options of the command line.
    pub(crate) options: Options,
    /// The PostgreSQL cluster measured on.
    pub(crate) cluster: Cluster,
    /// How long to wait for the machine to be quiet.
    pub(crate) patience: Patience,
    /// The town in PostgreSQL.
    pub(crate) town: Town,
    embedded: Town,
    dir: TempDir,
}

/// A server with all people logged in.
pub(crate) struct Open {
    /// The server under test.
    pub(crate) server: Server,
    /// The people who send requests.
    pub(crate) desk: Desk,
}

impl Stand {
    /// Seeds a database on each engine.
    pub(crate) async fn build(options: Options, cluster: Cluster) -> Done<Self> {
        print_line("seeding a city on both engines …");
        let dir = tempfile::Builder::new().prefix("gridwhistle-bench-").tempdir()?;
        cluster.create_database(SEEDED, None)?;
        let town = town::seed_database(&cluster.database_url(SEEDED)).await?;
        cluster.create_database(PLAIN, Some(SEEDED))?;
        cluster.create_database(REFERENCE, Some(SEEDED))?;
        let file = dir.path().join("bench.db");
        let embedded = town::seed_database(&format!("sqlite://{}", file.display())).await?;
        let patience = Patience::new(options.patience());
        Ok(Self { options, cluster, patience, town, embedded, dir })
    }

    /// Makes the database that will hold many closed cases.
    pub(crate) fn create_crowded(&self) -> Done {
        self.cluster.create_database(CROWDED, Some(SEEDED))
    }

    /// Serves a database of PostgreSQL.
    pub(crate) async fn serve_postgres(&self, database: &str) -> Done<Open> {
        let server = Server::start(&self.cluster.database_url(database), self.cluster.postmaster)?;
        let desk = Desk::open(&server, &self.town).await?;
        Ok(Open { server, desk })
    }

    /// The embedded database's file.
    pub(crate) fn sqlite_path(&self) -> PathBuf {
        self.dir.path().join("bench.db")
    }

    /// Serves the embedded database.
    pub(crate) async fn serve_sqlite(&self) -> Done<Open> {
        self.serve_embedded(&format!("sqlite://{}", self.sqlite_path().display()), &self.embedded)
            .await
    }

    /// Serves a database of either engine with the limits as shipped, and a folder of its own for
    /// files.
    pub(crate) async fn serve_limited(&self, embedded: bool) -> Done<(Open, PathBuf)> {
        let folder = self.dir.path().join(if embedded { "files-a" } else { "files-b" });
        let media = folder.display().to_string();
        let settings = [("GRIDWHISTLE_MEDIA", media.as_str())];
        let (server, town) = if embedded {
            let url = format!("sqlite://{}", self.sqlite_path().display());
            (Server::start_with(&url, None, &settings)?, &self.embedded)
        } else {
            let url = self.cluster.database_url(PLAIN);
            (Server::start_with(&url, self.cluster.postmaster, &settings)?, &self.town)
        };
        let desk = Desk::open(&server, town).await?;
        Ok((Open { server, desk }, folder))
    }

    /// Makes the database of PostgreSQL that will have many debts.
    pub(crate) fn create_busy(&self) -> Done<String> {
        self.cluster.create_database(BUSY, Some(SEEDED))?;
        Ok(self.cluster.database_url(BUSY))
    }

    /// Makes an embedded database that will have many debts.
    pub(crate) async fn create_embedded_busy(&self) -> Done<(String, Town)> {
        let url = format!("sqlite://{}", self.dir.path().join("busy.db").display());
        let town = town::seed_database(&url).await?;
        Ok((url, town))
    }

    /// Serves an embedded database.
    pub(crate) async fn serve_embedded(&self, url: &str, town: &Town) -> Done<Open> {
        let server = Server::start(url, None)?;
        let desk = Desk::open(&server, town).await?;
        Ok(Open { server, desk })
    }

    /// Lets PostgreSQL analyse tables that have just grown, so that it plans for their size. In a
    /// database older than a minute its own daemon has done so.
    pub(crate) fn settle_tables(&self, database: &str) -> Done {
        self.cluster.run_sql(database, "vacuum (analyze); checkpoint").map(|_| ())
    }

    /// Drops the databases made in PostgreSQL.
    pub(crate) fn drop_databases(&self) -> Done {
        [PLAIN, REFERENCE, CROWDED, BUSY, SEEDED]
            .iter()
            .try_for_each(|name| self.cluster.drop_database(name))
    }
}
