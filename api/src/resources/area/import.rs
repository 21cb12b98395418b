//! Files of areas over HTTP: checked row by row, imported whole or not at all, with the answer
//! stored; and areas exported as a file.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::CONTENT_TYPE,
    post,
    rt::time::timeout,
    web::{self, Data},
};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    area::{coordinate::CoordType, tree::AreaKind},
    core::{
        id::AreaId,
        journal::{FlowKind, Hash},
        tabular_import::{At, Fault, escape_formula},
        time::local_day,
    },
    flows::{
        areas::{
            geojson::{Features, is_geojson, parse_features},
            import::{
                Comparison, Doing, Given, MAX_ROWS, Plan, Refused, Taking, compare_with_known,
                parse_territories, parse_units, plan,
            },
        },
        change::Request,
    },
};
use encoding_rs::{Encoding, GB18030, UTF_8};
use futures_util::StreamExt;
use persistence::{Db, Outcome, Write, flows::area, kernel::journal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    change::{build_write, require_somewhere},
    comparison::ComparisonView,
};
use crate::{
    access::auth::require_unchanged,
    app::{
        caller::Caller,
        clock::{derive_id, new_id},
        state::App,
    },
    http::{
        headers::Key,
        params::{IdPath, Query},
        problem::{Code, Problem, Reply},
        register::ServiceConfig,
        view::CoordTypeBody,
    },
};

/// Registers the operations of this file.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config.service(import_areas).service(get_area_import).service(get_area_table);
}

/// The most bytes of a file.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How long a file may take to arrive.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);
/// The most rows the answer lists.
const MOST_TOLD: usize = 500;

/// The text of a file: in the character set that is named, else UTF-8, else GBK, as Chinese
/// spreadsheets save it. None when it is neither.
pub(crate) fn decode_text(bytes: Vec<u8>, charset: Option<&str>) -> Option<String> {
    let named = charset.map(|name| Encoding::for_label(name.as_bytes()));
    let text = |encoding: &'static Encoding, bytes: &[u8]| {
        // Every text in GBK is one in GB 18030.
        let encoding = if encoding == UTF_8 { UTF_8 } else { GB18030 };
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
        Some(text.into_owned())
    };
    match named {
        Some(Some(encoding)) => text(encoding, &bytes),
        Some(None) => None,
        None => String::from_utf8(bytes).map_or_else(|error| text(GB18030, error.as_bytes()), Some),
    }
}

/// The content of a file.
#[derive(Deserialize, Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Holding {
    /// Territories: code, name, level, parent_code, and where known grid_kind, households;
    /// former_name where an area was renamed. As CSV, or as the properties of GeoJSON.
    Areas,
    /// Departments and other units: code, name, parent_code; former_name likewise.
    Units,
    /// Grids, as GeoJSON: properties code, name, parent_code, and where known grid_kind, households;
    /// former_name likewise.
    Grids,
}

/// How to import the file.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportAreas {
    /// What the file holds: `areas` or `units` as CSV or GeoJSON, `grids` as GeoJSON. 文件内容。
    #[param(inline)]
    what: Holding,
    /// Check everything and write nothing. 只检查不写入。
    dry_run: Option<bool>,
    /// Whether boundaries that cross themselves may be repaired. 自动修复自相交。
    repair: Option<bool>,
    /// In which system the corners of GeoJSON are, where it has no `crs`; WGS-84 when left out.
    /// 坐标系。
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coord_type: Option<CoordTypeBody>,
    /// The day of effect; today when left out. 生效日期。
    #[param(example = "2026-03-01")]
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    effective_on: Option<NaiveDate>,
    /// What the file is called. 文件名。
    #[param(max_length = 200)]
    source: Option<String>,
}

/// The result of an import.
#[derive(Serialize, ToSchema)]
pub struct AreaImportView {
    /// The identity of the import. 导入标识。
    id: Uuid,
    /// `done`, `checked` after a dry run, or `refused`: then nothing of it was imported.
    #[schema(example = "done")]
    status: &'static str,
    /// The status in Chinese. 状态名称。
    status_label: &'static str,
    /// What the file is called.
    source: String,
    /// When the file was imported or checked. 导入时间。
    at: DateTime<Utc>,
    /// The name of who sent the file. 导入人。
    by: String,
    /// The day of effect. 生效日期。
    effective_on: NaiveDate,
    /// Rows that create an area.
    added: usize,
    /// Rows that change an area.
    updated: usize,
    /// Rows that change nothing.
    unchanged: usize,
    /// The faults, up to 100. 错误，最多 100 处。
    faults: Vec<RowFaultView>,
    /// The first 500 rows that create or change an area. 前 500 行的处理。
    rows: Vec<RowView>,
    /// The file beside what was known before: other names, codes that moved, namesakes, and what
    /// the file lacks. 与现有区划的对照。
    comparison: ComparisonView,
}

/// A fault of a row.
#[derive(Serialize, ToSchema)]
pub struct RowFaultView {
    /// The line of the file, counted from 1; of GeoJSON the feature, counted from 1; none for the
    /// whole file. 行号（GeoJSON 为要素序号）。
    line: Option<u64>,
    /// The column. 列。
    column: String,
    /// The fault, as a code.
    #[schema(example = "unknown_parent")]
    code: &'static str,
    /// The given value and what would be right, in Chinese. 说明。
    message: String,
    /// The same in English.
    message_en: String,
}

/// A row that creates or changes an area.
#[derive(Serialize, ToSchema)]
pub struct RowView {
    /// The line, or the feature.
    line: Option<u64>,
    /// The code of the area.
    code: String,
    /// `added`, `updated` or `passed_over`.
    doing: &'static str,
    /// The same in Chinese.
    doing_label: &'static str,
}

pub(super) fn line_number(at: At) -> Option<u64> {
    match at {
        At::Whole => None,
        At::Line(line) => Some(line),
        At::Row(row) => u64::try_from(row).ok().map(|row| row + 1),
    }
}

impl From<&Fault> for RowFaultView {
    fn from(fault: &Fault) -> Self {
        let (message, message_en) = fault.render_message();
        let (column, code) = (fault.column.clone().into_owned(), fault.code);
        Self { line: line_number(fault.at), column, code, message, message_en }
    }
}

/// Imports a file of areas, units or grids.
///
/// 导入区划、单位（CSV，UTF-8 或 GBK，最多 10 万行；或 GeoJSON）或网格（GeoJSON，最多 100 万个点；坐标系由 `crs` 或
/// `coord_type` 说明，GCJ-02、BD-09 自动转换）：逐行检查，有一处错误则全部不导入，
/// 错误给出行、列、原值和应为；`dry_run` 只检查。代码已属于另一个名称即为错误，确已更名的在 `former_name` 填写原名；
/// `comparison` 列出名称不同、代码移动、同级重名和文件缺少的区划。文件最大 64 MiB。
#[utoipa::path(
    tag = "areas", params(ImportAreas),
    request_body(content = String, content_type = "text/csv", description = "CSV，或 application/geo+json 的 GeoJSON · CSV, or GeoJSON as application/geo+json"),
    responses((status = 201, body = AreaImportView)),
)]
#[post("/area_imports")]
async fn import_areas(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    params: Query<ImportAreas>,
    payload: web::Payload,
) -> Reply<HttpResponse> {
    let key = Key::from_headers(request.headers())?;
    require_somewhere(&app, &caller)?;
    let params = params.0;
    let source = params.source.clone().unwrap_or_else(|| "HTTP".to_owned());
    domain::core::text::Line::try_from(source.as_str()).map_err(|fault| {
        let zh = "应为一行文字，最多 200 字。";
        Problem::new(Code::InvalidQuery).parameter("source", "bad_text", zh, fault.to_string())
    })?;
    let charset = parse_content_type(&request)?;
    let bytes = read_payload(payload).await?;
    require_unchanged(&request).await?;
    let asked = format!(
        "{}\n{}",
        serde_json::to_string(&params).unwrap_or_default(),
        Hash::digest(&bytes).to_hex()
    );
    let job = Job {
        id: derive_id(caller.person, key.0, "import"),
        request: Request::new(key.0, "import_areas", caller.person.0, &asked),
        what: params.what,
        system: params.coord_type.map(CoordType::from),
        dry: params.dry_run.unwrap_or(false),
        repair: params.repair.unwrap_or(false),
        from: params.effective_on.unwrap_or_else(|| local_day(app.clock.now())),
        source,
    };
    let state = job.run(&app, &caller, bytes, charset).await?;
    let location = format!("/api/v1/area_imports/{}", job.id);
    let mut answer = HttpResponse::Created();
    answer.insert_header(("Location", location));
    Ok(answer.content_type("application/json").body(state))
}

/// The character set of the `Content-Type`; refuses a file that is neither CSV nor JSON.
fn parse_content_type(request: &HttpRequest) -> Reply<Option<String>> {
    let full = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = full.unwrap_or_default().split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !["text/csv", "application/geo+json", "application/json"].contains(&kind.as_str()) {
        return Err(Problem::new(Code::UnsupportedMediaType).in_header(
            "Content-Type",
            "unsupported",
            "应为 text/csv、application/geo+json 或 application/json。",
            "Expected text/csv, application/geo+json or application/json.",
        ));
    }
    let charset = parts.find_map(|part| part.split_once('='));
    let charset = charset.filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
    Ok(charset.map(|(_, value)| value.trim_matches('"').to_owned()))
}

/// Reads the bytes of a file, up to the limit.
async fn read_payload(mut payload: web::Payload) -> Reply<Vec<u8>> {
    let read = async {
        let mut bytes = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| Problem::new(Code::BadRequest).because(error))?;
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(Problem::new(Code::PayloadTooLarge)
                    .detail(
                        "文件超过 64 MiB；请按区县分成几个文件。",
                        "The file exceeds 64 MiB; split it into several files by district.",
                    )
                    .with("max_bytes", MAX_BYTES));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    timeout(PATIENCE, read).await.unwrap_or_else(|_late| Err(Problem::new(Code::Timeout)))
}

/// One file to import.
struct Job {
    id: Uuid,
    request: Request,
    what: Holding,
    system: Option<CoordType>,
    dry: bool,
    repair: bool,
    from: NaiveDate,
    source: String,
}

/// How often a file is checked again after areas changed meanwhile.
const ATTEMPTS: usize = 4;

impl Job {
    /// Imports the file, or finds the answer of the first time; answers the JSON of the view.
    async fn run(
        &self,
        app: &Data<App>,
        caller: &Caller,
        bytes: Vec<u8>,
        charset: Option<String>,
    ) -> Reply<String> {
        let (tenant, id, command) = (caller.tenant, self.id, self.request.command);
        let by = caller.person;
        let load = move |db: &mut Db| {
            Ok((
                area::find_import(db, tenant, id)?,
                journal::find_command(db, tenant, by, command)?,
            ))
        };
        let (known, seen) = app.store.read(load).await?;
        let same = known.as_ref().is_none_or(|known| known.digest == self.request.digest)
            && seen.is_none_or(|seen| seen.request == self.request);
        if !same {
            return Err(Problem::new(Code::IdempotencyKeyReused));
        }
        if let Some(known) = known {
            return Ok(known.state);
        }
        let (what, system) = (self.what, self.system);
        let read = move || read_rows(what, system, bytes, charset.as_deref());
        let given = run_blocking(read).await?;
        let given = match given {
            Ok(given) => given,
            Err(faults) => {
                let (came, comparison) = (Err(faults), Comparison::default());
                return self.keep_answer(app, caller, came, comparison).await;
            }
        };
        for _ in 0..ATTEMPTS {
            let last = move |db: &mut Db| {
                Ok(journal::load_before(db, tenant, (FlowKind::Areas, tenant.0), i64::MAX, 1)?
                    .pop())
            };
            let last = app.store.read(last).await?;
            let (seq, before) = last.map_or((0, Hash::default()), |last| (last.seq, last.hash));
            if app.world(tenant)?.areas_seq() != seq {
                app.worlds.refresh(&app.store).await?;
                continue;
            }
            match self.try_import(app, caller, given.clone(), (seq, before)).await? {
                (Attempt::Refused(faults), comparison) => {
                    return self.keep_answer(app, caller, Err(faults), comparison).await;
                }
                (Attempt::Planned(plan), comparison) => {
                    return self.keep_answer(app, caller, Ok(*plan), comparison).await;
                }
                (Attempt::Stale, _) => {}
            }
        }
        Err(Problem::new(Code::LostRace))
    }

    async fn try_import(
        &self,
        app: &Data<App>,
        caller: &Caller,
        given: Vec<Given>,
        (seq, before): (i64, Hash),
    ) -> Reply<(Attempt, Comparison)> {
        let (world, actor, now) = (
            app.world(caller.tenant)?,
            domain::people::actor::Actor::clone(caller),
            app.clock.now(),
        );
        let (source, from, repair) = (self.source.clone(), self.from, self.repair);
        let (request, dry) = (self.request, self.dry);
        let planned = run_blocking(move || {
            let context = world.build_context(&actor, now).with_seq(seq + 1);
            let comparison = compare_with_known(&world.registry, &given, from);
            let taking = Taking { source: &source, from, repair };
            let mut fresh = || AreaId(new_id());
            let planned = plan(&world.registry, given, taking, &context, &mut fresh);
            let planned = planned.map(|mut plan| {
                let decided = std::mem::take(&mut plan.decided);
                let writes = !dry && !decided.events.is_empty();
                let write =
                    writes.then(|| build_write(decided, "import", request, before, &context));
                (plan, write)
            });
            (planned, comparison)
        });
        let (planned, comparison) = planned.await?;
        let (plan, write): (Plan, Option<Write>) = match planned {
            Ok(planned) => planned,
            Err(Refused::Faults(faults)) => return Ok((Attempt::Refused(faults), comparison)),
            Err(Refused::Rule(refusal)) => return Err(refusal.into()),
        };
        let Some(write) = write else {
            return Ok((Attempt::Planned(Box::new(plan)), comparison));
        };
        match app.store.commit(vec![write]).await? {
            // Seen: it was imported, and only its answer was not stored.
            Outcome::Done | Outcome::Seen => {
                app.worlds.refresh(&app.store).await?;
                app.actors.forget_tenant(caller.tenant);
                Ok((Attempt::Planned(Box::new(plan)), comparison))
            }
            Outcome::Stale | Outcome::NumberTaken => Ok((Attempt::Stale, comparison)),
        }
    }

    /// Stores the answer and gives it.
    async fn keep_answer(
        &self,
        app: &App,
        caller: &Caller,
        came: Result<Plan, Vec<Fault>>,
        comparison: Comparison,
    ) -> Reply<String> {
        let (status, status_label) = match (&came, self.dry) {
            (Err(_), _) => ("refused", "有错误，全部未导入"),
            (Ok(_), true) => ("checked", "检查通过，未写入"),
            (Ok(_), false) => ("done", "已导入"),
        };
        let count = |doing| came.as_ref().map_or(0, |plan| plan.count_rows(doing));
        let (added, updated) = (count(Doing::Added), count(Doing::Updated));
        let unchanged = count(Doing::Unchanged);
        let (rows, faults) = match &came {
            Ok(plan) => (plan.rows.as_slice(), [].as_slice()),
            Err(faults) => ([].as_slice(), faults.as_slice()),
        };
        let done = rows.iter().filter(|(.., doing)| *doing != Doing::Unchanged).take(MOST_TOLD);
        let row = |(at, code, doing): &(At, String, Doing)| RowView {
            line: line_number(*at),
            code: code.clone(),
            doing: doing.name(),
            doing_label: doing.label(),
        };
        let at = app.clock.now();
        let view = AreaImportView {
            id: self.id,
            status,
            status_label,
            source: self.source.clone(),
            at,
            by: caller.name.clone(),
            effective_on: self.from,
            added,
            updated,
            unchanged,
            faults: faults.iter().map(RowFaultView::from).collect(),
            rows: done.map(row).collect(),
            comparison: comparison.into(),
        };
        let state = serde_json::to_string(&view)
            .map_err(|error| Problem::new(Code::Internal).because(error))?;
        let (tenant, digest) = (caller.tenant, self.request.digest);
        let import = area::Import { id: self.id, at, digest, state: state.clone() };
        app.store.run(area::save_import_answer(tenant, import)).await?;
        Ok(state)
    }
}

enum Attempt {
    Refused(Vec<Fault>),
    Planned(Box<Plan>),
    Stale,
}

/// Runs long work on a thread that does not answer requests.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Reply<T> {
    web::block(work).await.map_err(|error| Problem::new(Code::Internal).because(error))
}

fn read_rows(
    what: Holding,
    system: Option<CoordType>,
    bytes: Vec<u8>,
    charset: Option<&str>,
) -> Result<Vec<Given>, Vec<Fault>> {
    let Some(text) = decode_text(bytes, charset) else {
        let fault = Fault::new(At::Whole, ("", "not_csv"), charset.unwrap_or_default());
        return Err(vec![fault.with_expected("UTF-8 或 GBK 编码的文本", "text in UTF-8 or GBK")]);
    };
    match (what, is_geojson(&text)) {
        (Holding::Areas, false) => parse_territories(&text),
        (Holding::Units, false) => parse_units(&text),
        (Holding::Areas, true) => parse_features(&text, Features::Territories, system),
        (Holding::Units, true) => parse_features(&text, Features::Units, system),
        (Holding::Grids, _) => parse_features(&text, Features::Grids, system),
    }
}

/// Shows the result of an import.
///
/// 导入结果：状态、行数、逐行错误。
#[utoipa::path(tag = "areas", responses((status = 200, body = AreaImportView)))]
#[get("/area_imports/{id}")]
async fn get_area_import(app: Data<App>, caller: Caller, id: IdPath<Uuid>) -> Reply<HttpResponse> {
    require_somewhere(&app, &caller)?;
    let (tenant, id) = (caller.tenant, id.0);
    let known = app.store.read(move |db| area::find_import(db, tenant, id)).await?;
    let known = known.ok_or_else(|| Problem::new(Code::NotFound))?;
    let state: Value = serde_json::from_str(&known.state)
        .map_err(|error| Problem::new(Code::Internal).because(error))?;
    Ok(HttpResponse::Ok().json(state))
}

/// Which areas to export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GetAreaTable {
    /// This area and everything in it; the whole tenant when left out. 某区划及其下级。
    below: Option<Uuid>,
    /// As of this day; today when left out. 截至某日。
    #[param(example = "2026-03-01")]
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    at: Option<NaiveDate>,
}

/// Exports areas as a table, in the columns of the import.
///
/// 导出区划：CSV（UTF-8），列与导入相同；以 = + - @ 开头的单元格前加单引号，防止被当作公式；最多 10 万行。
#[utoipa::path(tag = "areas", params(GetAreaTable), responses((status = 200, body = String, content_type = "text/csv")))]
#[get("/areas/table")]
async fn get_area_table(
    app: Data<App>,
    caller: Caller,
    params: Query<GetAreaTable>,
) -> Reply<HttpResponse> {
    let world = app.world(caller.tenant)?;
    let day = params.0.at.unwrap_or(world.today);
    let root = match params.0.below {
        Some(id) => world.registry.get(AreaId(id)).map(|record| record.id),
        None => world.areas.root().map(|area| area.id),
    };
    let root = root.ok_or_else(|| Problem::new(Code::NotFound))?;
    let table = run_blocking(move || {
        let mut text = "\u{feff}code,name,level,parent_code,grid_kind,households\r\n".to_owned();
        let all = std::iter::once(root).chain(world.registry.descendants_on(root, day));
        for id in all.take(MAX_ROWS) {
            let Some(record) = world.registry.get(id) else { continue };
            let (Some(version), true) =
                (record.version_on(day), record.kind != AreaKind::Department)
            else {
                continue;
            };
            let above = version.parent.and_then(|parent| world.registry.get(parent));
            let cells = [
                record.code.clone(),
                version.name.clone(),
                record.kind.name().to_owned(),
                above.map(|above| above.code.clone()).unwrap_or_default(),
                version.grid.map(|kind| kind.name().to_owned()).unwrap_or_default(),
                version.households.map(|count| count.to_string()).unwrap_or_default(),
            ];
            let cells: Vec<String> =
                cells.iter().map(|cell| quote_cell(&escape_formula(cell))).collect();
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    });
    Ok(HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(table.await?))
}

fn quote_cell(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
