//! Documents parsed from files: lists and deadlines from CSV, presets by name, holidays from the
//! yearly notice. HTTP and the command line parse them here.

use domain::{
    calendar::book::CalendarBook,
    core::tabular_import::Fault,
    flows::policy::{Document, PolicyKind},
    rules::{
        admission::Admissions,
        listed::Listed,
        responsibility::Responsibilities,
        sla::{self, Matrix, PRESETS},
    },
};
use serde_json::Value;

use crate::{
    app::world::TenantSnapshot,
    http::problem::{Code, Problem, Reply},
};

/// The calendar in force, or the shipped one, with the yearly notices laid over it.
pub(crate) fn merge_holidays(known: Option<&Document>, years: &[Value]) -> Reply<Document> {
    let mut book = match known {
        Some(Document::Calendar(book)) => book.clone(),
        Some(_) | None => CalendarBook::standard(),
    };
    let texts: Vec<String> = years.iter().map(Value::to_string).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    book.import_years(&texts).map_err(|faults| {
        faults.into_iter().fold(Problem::new(Code::InvalidBody), |problem, fault| {
            let (zh, en) = fault.render_message();
            let pointer = format!("/years{}", fault.pointer());
            problem.error(pointer, fault.code, format!("{zh}。"), format!("{en}."))
        })
    })?;
    Ok(Document::Calendar(book))
}

/// The deadlines of a place that published them, laid over the standard.
pub(crate) fn read_preset(name: &str, world: &TenantSnapshot) -> Reply<Document> {
    let text = sla::find_preset(name).ok_or_else(|| {
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let known = names.join(", ");
        let (zh, en) = (
            format!("没有这个预设；可用的有：{known}。"),
            format!("There is no such preset; available: {known}."),
        );
        Problem::new(Code::InvalidBody).error("/preset", "unknown_value", zh, en)
    })?;
    Ok(Document::Deadlines(parse_matrix(text, world)?.overlay_on(Matrix::standard())))
}

/// A document from its table. For admissions, `enforced` says whether the list is.
pub(crate) fn read_table(
    kind: PolicyKind,
    csv: Option<&str>,
    enforced: bool,
    world: &TenantSnapshot,
) -> Reply<Document> {
    let csv = csv.ok_or_else(|| {
        let (zh, en) = ("应给出 CSV 文本。", "Expected the table as CSV text.");
        Problem::new(Code::InvalidBody).error("/csv", "missing_field", zh, en)
    })?;
    let (catalogue, areas) = (&world.catalogue, &world.areas);
    match kind {
        PolicyKind::Deadlines => parse_matrix(csv, world).map(Document::Deadlines),
        PolicyKind::Responsibilities => Responsibilities::import_csv(csv, catalogue, areas)
            .map(Document::Responsibilities)
            .map_err(|faults| table_problem(&faults)),
        PolicyKind::Admissions => Admissions::import_csv(csv, catalogue, areas)
            .map(|list| Document::Admissions(Admissions { enforced, ..list }))
            .map_err(|faults| table_problem(&faults)),
        PolicyKind::Conduct
        | PolicyKind::Calendar
        | PolicyKind::Whistling
        | PolicyKind::Roles
        | PolicyKind::Privacy
        | PolicyKind::Notices => Err(Problem::new(Code::NotFound)),
    }
}

fn parse_matrix(csv: &str, world: &TenantSnapshot) -> Reply<Matrix> {
    let area = |code: &str| world.areas.find_by_code(code).map(|area| area.id);
    Matrix::parse_csv(csv, area).map_err(|faults| table_problem(&faults))
}

fn table_problem(faults: &[Fault]) -> Problem {
    faults.iter().fold(Problem::new(Code::InvalidBody), |problem, fault| {
        let (zh, en) = fault.render_table_message();
        problem.error("/csv", fault.code, format!("{zh}。"), format!("{en}."))
    })
}
