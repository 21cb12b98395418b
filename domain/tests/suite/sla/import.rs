//! Tables from spreadsheets.

use domain::{
    calendar::limit::Limit,
    core::{
        id::AreaId,
        tabular_import::{At, Fault},
    },
    rules::{
        obligation::Duty,
        sla::{Matrix, Row},
        vocabulary::Demand,
    },
};

use super::{day, new_row};
use crate::suite::world::{STREET, WORLD};

const HEADER: &str = "id,duty,area,channel,demand,category,urgency,complexity,rank,redo,limit,\
                      valid_from,valid_until,owner,basis";

fn read_matrix(text: &str) -> Result<Matrix, Vec<Fault>> {
    let resolve = |code: &str| (code == "320106001").then_some(STREET);
    Matrix::parse_csv(text, resolve)
}

/// Line, column and code of every fault.
fn locate_faults(text: &str) -> Vec<(u64, String, &'static str)> {
    let faults = read_matrix(text).unwrap_err();
    let line = |at| if let At::Line(line) = at { line } else { panic!("no line") };
    let told = |fault: Fault| (line(fault.at), fault.column.into_owned(), fault.code);
    faults.into_iter().map(told).collect()
}

#[test]
fn names_labels_and_any_order_of_columns_are_read() {
    let text = "\u{feff}basis,owner,id,duty,area,channel,demand,category,urgency,complexity,\
                rank,redo,limit,valid_from,valid_until\n\
                \"第3条,第2款\",网格中心, X-1 ,处置,320106001,,投诉,,,,,是,3个工作日,2026-01-01,\n";
    let expected = Row {
        area: Some(STREET),
        demand: Some(Demand::Complaint),
        redo: Some(true),
        valid_from: Some(day("2026-01-01")),
        basis: "第3条,第2款".into(),
        ..new_row("X-1", Duty::Handle, "3wd")
    };
    assert_eq!(read_matrix(text).unwrap().rows, [expected]);
}

#[test]
fn every_wrong_cell_is_told() {
    let text = format!(
        "{HEADER}\n\
         ,handle,,,,,,,,,2h,,,o,b\n\
         A,dance,,,,,,,,,2h,,,o,b\n\
         A,handle,1,fax,war,,soon,odd,,maybe,3天,1.1.26,2026-02-30,,\n\
         A,handle,,,,,,,,,,,,o,b\n\
         A,handle,,,,,,,,,two,,,o,b\n\
         A,handle,,,,,,,,,3fn,,,o,b\n\
         A,handle,,,,,,,,,0d,,,o,b\n\
         A,handle\n"
    );
    let expected = [
        (2, "id", "missing"),
        (3, "duty", "unknown_word"),
        (4, "area", "unknown_area"),
        (4, "channel", "unknown_word"),
        (4, "demand", "unknown_word"),
        (4, "urgency", "unknown_word"),
        (4, "complexity", "unknown_word"),
        (4, "redo", "unknown_word"),
        (4, "limit", "unqualified_unit"),
        (4, "valid_from", "bad_date"),
        (4, "valid_until", "bad_date"),
        (4, "owner", "missing"),
        (4, "basis", "missing"),
        (5, "limit", "missing"),
        (6, "limit", "bad_limit"),
        (7, "limit", "bad_limit"),
        (8, "limit", "bad_limit"),
        (9, "", "wrong_length"),
    ];
    assert_eq!(
        locate_faults(&text),
        expected.map(|(line, column, code)| (line, column.into(), code))
    );
}

#[test]
fn a_vague_unit_is_told_what_it_must_be() {
    for (limit, right) in [
        ("3天", "自然日 (d) (holidays count) or 工作日 (wd) (holidays do not count)"),
        ("4小时", "紧急工作时 (h) (holidays count) or 工作时 (wh) (holidays do not count)"),
    ] {
        let faults =
            read_matrix(&format!("{HEADER}\nA,handle,,,,,,,,,{limit},,,o,b\n")).unwrap_err();
        let (zh, en) = faults[0].render_table_message();
        assert!(en.starts_with("Line 2, column limit: ") && en.ends_with(right), "{en}");
        assert!(zh.starts_with("第 2 行“limit”列：时限单位不明"), "{zh}");
    }
}

#[test]
fn columns_are_exactly_those_of_the_matrix() {
    let wrong = HEADER.replace("rank", "rnk").replace("redo", "id");
    let expected = [
        (1, "rnk", "unknown_column"),
        (1, "id", "duplicate_column"),
        (1, "rank", "missing_column"),
        (1, "redo", "missing_column"),
    ];
    assert_eq!(
        locate_faults(&wrong),
        expected.map(|(line, column, code)| (line, column.into(), code))
    );
    assert_eq!(locate_faults("").len(), 15);
}

#[test]
fn tables_are_bounded() {
    let row = "A,handle,,,,,,,,,3天,,,o,b\n";
    assert_eq!(locate_faults(&format!("{HEADER}\n{}", row.repeat(300))).len(), Matrix::MAX_FAULTS);
    let row = row.replace('天', "d");
    let many = format!("{HEADER}\n{}", row.repeat(Matrix::MAX_ROWS + 1));
    assert_eq!(locate_faults(&many), [(5_002, String::new(), "too_many_rows")]);
    assert_eq!(locate_faults(&" ".repeat(Matrix::MAX_CSV + 1)), [(1, String::new(), "too_large")]);
}

#[test]
fn a_quoted_line_break_does_not_shift_the_lines_told() {
    let text = format!("{HEADER}\r\nA,handle,,,,,,,,,3d,,,o,\"a\nb\"\r\nB,x,,,,,,,,,3d,,,o,b\r\n");
    assert_eq!(locate_faults(&text), [(4, "duty".to_owned(), "unknown_word")]);
    for (end, line) in [("\n", 3), ("\r\n", 3), ("\n\n", 5), ("\r\n\r\n", 5)] {
        let rows = ["A,handle,,,,,,,,,3d,,,o,b", "B,x,,,,,,,,,3d,,,o,b", ""].join(end);
        let text = format!("\u{feff}{HEADER}{end}{rows}");
        assert_eq!(locate_faults(&text), [(line, "duty".to_owned(), "unknown_word")], "{end:?}");
    }
}

#[test]
fn an_empty_table_is_an_empty_matrix_and_areas_come_from_the_tree() {
    assert_eq!(read_matrix(&format!("{HEADER}\n")).unwrap(), Matrix::default());
    let code = &WORLD.areas.get(STREET).unwrap().code;
    let resolve =
        |code: &str| -> Option<AreaId> { WORLD.areas.find_by_code(code).map(|area| area.id) };
    let text = format!("{HEADER}\nA,handle,{code},,,,,,,,3d,,,o,b\n");
    let matrix = Matrix::parse_csv(&text, resolve).unwrap();
    assert_eq!((matrix.rows[0].area, matrix.rows[0].limit), (Some(STREET), Limit::days(3)));
}
