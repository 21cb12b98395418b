//! `import`: files become areas, or documents that come into force.

use std::{fs, io, io::Read, path::Path};

use domain::{
    area::coordinate::CoordType,
    core::tabular_import::Fault,
    flows::{
        areas::{
            geojson::{Features, is_geojson, parse_features},
            import::{Given, parse_territories, parse_units},
        },
        policy::PolicyKind,
    },
};

use super::{Done, Ended, open_store, print_line, require_tenant};
use crate::{
    app::clock::Clock,
    cli::{
        arguments::{Import, Imported},
        install::{self, Failed, How, publish::Publication},
    },
    resources::area::import::decode_text,
};

/// Imports what the file holds.
pub(super) async fn run(import: Import) -> Done {
    let text = read_file(&import.file)?;
    let features = |what| parse_features(&text, what, import.coord_type.map(CoordType::from));
    let drawn = is_geojson(&text);
    let kind = match import.what {
        Imported::Areas if drawn => {
            return import_areas(&import, features(Features::Territories)).await;
        }
        Imported::Units if drawn => return import_areas(&import, features(Features::Units)).await,
        Imported::Areas => return import_areas(&import, parse_territories(&text)).await,
        Imported::Units => return import_areas(&import, parse_units(&text)).await,
        Imported::Grids => return import_areas(&import, features(Features::Grids)).await,
        Imported::Holidays => PolicyKind::Calendar,
        Imported::Deadlines => PolicyKind::Deadlines,
        Imported::Responsibilities => PolicyKind::Responsibilities,
        Imported::Admissions => PolicyKind::Admissions,
    };
    publish_document(&import, kind, &text).await
}

async fn import_areas(import: &Import, read: Result<Vec<Given>, Vec<Fault>>) -> Done {
    let given = read.map_err(|faults| {
        Failed(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))
    })?;
    let store = open_store(&import.source)?;
    let tenant = require_tenant(&store, &import.tenant).await?;
    let source = import.file.display().to_string();
    let (clock, count) = (Clock::default(), given.len());
    let how = How { dry: import.dry_run, repair: import.repair };
    let found = install::import_rows(&store, &clock, &tenant, &source, given, how).await?;
    let verb = if import.dry_run { "would import" } else { "imported" };
    print_line(&format!("{verb} {count}: {} new, {} updated", found.added, found.updated));
    if import.dry_run {
        for line in install::describe_comparison(&found.comparison) {
            print_line(&line);
        }
    }
    Ok(Ended::Well)
}

/// Reads a document as HTTP does, and publishes it as the system.
async fn publish_document(import: &Import, kind: PolicyKind, text: &str) -> Done {
    let store = open_store(&import.source)?;
    let tenant = require_tenant(&store, &import.tenant).await?;
    let note = format!("命令行导入 {}", import.file.display());
    let publication = Publication { tenant: &tenant, kind, text, note, dry: import.dry_run };
    let edition = publication.publish(&store, &Clock::default()).await?;
    let verb = if import.dry_run { "would publish" } else { "published" };
    print_line(&format!("{verb} edition {edition} of {} ({})", kind.name(), kind.label()));
    Ok(Ended::Well)
}

fn read_file(file: &Path) -> Result<String, Failed> {
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
    decode_text(bytes, None).ok_or_else(|| Failed(format!("{shown} is neither UTF-8 nor GBK")))
}
