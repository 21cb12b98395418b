//! `import`: files become areas, or documents that come into force.

use std::{fs, io, io::Read, path::Path};

use domain::{area::AreaKind, policy::PolicyKind};
use serde::Deserialize;
use serde_json::Value;

use super::{Done, Ended, known_tenant, open, print};
use crate::{
    cli::{Import, Imported},
    clock::Clock,
    install::{self, Failed, NewArea, publish::Publication},
    world::Geometry,
};

/// Imports what the file holds.
pub(super) async fn run(import: Import) -> Done {
    let text = contents(&import.file)?;
    let kind = match import.what {
        Imported::Areas => return areas(&import, divisions(&text)?).await,
        Imported::Units => return areas(&import, units(&text)?).await,
        Imported::Grids => return areas(&import, grids(&text)?).await,
        Imported::Holidays => PolicyKind::Calendar,
        Imported::Deadlines => PolicyKind::Deadlines,
        Imported::Responsibilities => PolicyKind::Responsibilities,
        Imported::Admissions => PolicyKind::Admissions,
    };
    document(&import, kind, &text).await
}

async fn areas(import: &Import, areas: Vec<NewArea>) -> Done {
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
