//! `import`: files become areas, or documents that come into force.

use std::{fs, io, io::Read, path::Path};

use domain::{
    core::sheet::Fault,
    flows::{
        areas::{
            geojson::grids,
            import::{Given, territories, units},
        },
        policy::PolicyKind,
    },
};

use super::{Done, Ended, known_tenant, open, print};
use crate::{
    app::clock::Clock,
    cli::{
        arguments::{Import, Imported},
        install::{self, Failed, How, publish::Publication},
    },
    resources::area::import::decoded,
};

/// Imports what the file holds.
pub(super) async fn run(import: Import) -> Done {
    let text = contents(&import.file)?;
    let kind = match import.what {
        Imported::Areas => return areas(&import, territories(&text)).await,
        Imported::Units => return areas(&import, units(&text)).await,
        Imported::Grids => return areas(&import, grids(&text)).await,
        Imported::Holidays => PolicyKind::Calendar,
        Imported::Deadlines => PolicyKind::Deadlines,
        Imported::Responsibilities => PolicyKind::Responsibilities,
        Imported::Admissions => PolicyKind::Admissions,
    };
    document(&import, kind, &text).await
}

async fn areas(import: &Import, read: Result<Vec<Given>, Vec<Fault>>) -> Done {
    let given = read.map_err(|faults| {
        Failed(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))
    })?;
    let store = open(&import.source)?;
    let tenant = known_tenant(&store, &import.tenant).await?;
    let source = import.file.display().to_string();
    let (clock, count) = (Clock::default(), given.len());
    let how = How { dry: import.dry_run, repair: import.repair };
    let found = install::take(&store, &clock, &tenant, &source, given, how).await?;
    let verb = if import.dry_run { "would import" } else { "imported" };
    print(&format!("{verb} {count}: {} new, {} updated", found.added, found.updated));
    Ok(Ended::Well)
}

/// Reads a document as HTTP does, and publishes it as the system.
async fn document(import: &Import, kind: PolicyKind, text: &str) -> Done {
    let store = open(&import.source)?;
    let tenant = known_tenant(&store, &import.tenant).await?;
    let note = format!("命令行导入 {}", import.file.display());
    let publication = Publication { tenant: &tenant, kind, text, note, dry: import.dry_run };
    let edition = publication.publish(&store, &Clock::default()).await?;
    let verb = if import.dry_run { "would publish" } else { "published" };
    print(&format!("{verb} edition {edition} of {} ({})", kind.name(), kind.label()));
    Ok(Ended::Well)
}

fn contents(file: &Path) -> Result<String, Failed> {
    const MOST: u64 = 256 * 1024 * 1024;
    let shown = file.display();
    let failed = |error: io::Error| Failed(format!("{shown}: {error}"));
    let mut bytes = Vec::new();
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(file).map_err(failed)?)
    };
    reader.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    decoded(bytes, None).ok_or_else(|| Failed(format!("{shown} is neither UTF-8 nor GBK")))
}
