//! The operations a phone may keep and send later: those of field work. Each is run by the function
//! that answers a request for it. No operation that gives rights or discloses data is among them.

use crate::resources::{
    case::commands as case,
    form::commands as form,
    household::commands as household,
    patrol::{commands as patrol, points::commands as points},
    report::{commands as report, decision::commands as decision},
    request::commands as request,
    shift::commands as shift,
    visit::{commands as visit, record::commands as record},
    whistle::commands as whistle,
};

use domain::core::journal::FlowKind;

use super::offline_command::{Answering, OfflineCommand};

/// An operation that a phone may keep.
pub struct Operation {
    /// Its name in the API.
    pub name: &'static str,
    /// Its path, from `/api/v1` on.
    pub path: &'static str,
    /// The function that runs it.
    pub run: fn(OfflineCommand) -> Answering,
}

/// One row an operation: its path, and the function of its name.
macro_rules! operations {
    ($($path:literal => $module:ident::$name:ident;)+) => {
        &[$(Operation {
            name: stringify!($name),
            path: $path,
            run: |kept| kept.run($module::$name),
        }),+]
    };
}

/// All of them, as the OpenAPI document has them (a test compares).
pub static OPERATIONS: &[Operation] = operations! {
    "/reports" => report::submit_report;
    "/reports/{id}/claim" => decision::claim_report;
    "/reports/{id}/unclaim" => decision::unclaim_report;
    "/reports/{id}/confirm" => decision::confirm_report;
    "/reports/{id}/file" => decision::file_report;
    "/reports/{id}/join" => decision::join_report;
    "/reports/{id}/refuse" => decision::refuse_report;
    "/reports/{id}/unjoin" => decision::unjoin_report;
    "/cases/{id}/claim" => case::claim_case;
    "/cases/{id}/unclaim" => case::unclaim_case;
    "/cases/{id}/callback" => case::call_back_case;
    "/cases/{id}/close" => case::close_case;
    "/cases/{id}/comment" => case::comment_case;
    "/cases/{id}/dispatch" => case::dispatch_case;
    "/cases/{id}/escalate" => case::escalate_case;
    "/cases/{id}/feedback" => case::feed_back_case;
    "/cases/{id}/reopen" => case::reopen_case;
    "/cases/{id}/return" => case::return_case;
    "/cases/{id}/sign" => case::sign_case;
    "/cases/{id}/start" => case::start_case;
    "/cases/{id}/verify" => case::verify_case;
    "/cases/{id}/whistle" => whistle::blow_whistle;
    "/cases/{id}/call_off" => whistle::call_off_whistle;
    "/cases/{id}/coordinate" => whistle::coordinate_whistle;
    "/cases/{id}/raise" => whistle::raise_whistle;
    "/cases/{id}/summonses/{unit_id}/arrive" => whistle::arrive_summons;
    "/cases/{id}/summonses/{unit_id}/contact" => whistle::contact_summons;
    "/cases/{id}/summonses/{unit_id}/contest" => whistle::contest_summons;
    "/cases/{id}/summonses/{unit_id}/feedback" => whistle::feed_back_summons;
    "/cases/{id}/summonses/{unit_id}/rate_street" => whistle::rate_street;
    "/cases/{id}/summonses/{unit_id}/rate" => whistle::rate_summons;
    "/cases/{id}/summonses/{unit_id}/release" => whistle::release_summons;
    "/cases/{id}/summonses/{unit_id}/rule" => whistle::rule_summons;
    "/cases/{id}/summonses/{unit_id}/send_back" => whistle::send_back_summons;
    "/cases/{id}/summonses/{unit_id}/sign" => whistle::sign_summons;
    "/cases/{id}/appeal" => request::appeal_case;
    "/cases/{id}/arbitrate" => request::arbitrate_case;
    "/cases/{id}/requests/{no}/decide" => request::decide_request;
    "/cases/{id}/extend" => request::extend_case;
    "/cases/{id}/supervisions/{no}/reply" => request::reply_supervision;
    "/cases/{id}/resume" => request::resume_case;
    "/cases/{id}/rule" => request::rule_case;
    "/cases/{id}/supervise" => request::supervise_case;
    "/cases/{id}/suspend" => request::suspend_case;
    "/cases/{id}/requests/{no}/withdraw" => request::withdraw_request;
    "/patrols" => patrol::plan_patrol;
    "/patrols/begin" => patrol::begin_patrol;
    "/patrols/{id}/start" => patrol::start_patrol;
    "/patrols/{id}/pause" => patrol::pause_patrol;
    "/patrols/{id}/resume" => patrol::resume_patrol;
    "/patrols/{id}/finish" => patrol::finish_patrol;
    "/patrols/{id}/cancel" => patrol::cancel_patrol;
    "/patrols/{id}/note" => patrol::note_patrol;
    "/patrols/{id}/points" => points::upload_points;
    "/visits" => record::submit_visit;
    "/visits/plan" => visit::plan_visit;
    "/visits/{id}/record" => record::record_visit;
    "/visits/{id}/correct" => visit::correct_visit;
    "/visits/{id}/cancel" => visit::cancel_visit;
    "/households" => household::register_household;
    "/households/{id}/update" => household::update_household;
    "/households/{id}/forms/{form_id}" => form::answer_household_form;
    "/me/shift/start" => shift::start_shift;
    "/me/shift/end" => shift::end_shift;
};

impl Operation {
    /// The operation of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    /// The names of its path parameters, in order.
    pub fn path_names(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
    }

    /// The segments of its path with these values; none when one is missing or is no plain word.
    pub fn segments(
        &self,
        value: impl Fn(&str) -> Option<String>,
    ) -> Option<Vec<(String, String)>> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let segment = |name: &str| {
            let value = value(name)?;
            let fits = !value.is_empty() && value.len() <= 64 && value.bytes().all(plain);
            fits.then(|| (name.to_owned(), value))
        };
        self.path_names().map(segment).collect()
    }

    /// The kind of flow it changes, as its path names it (`cases`); none when it begins one, or
    /// concerns the caller.
    pub fn moves(&self) -> Option<&'static str> {
        self.path.split_once("/{id}").and_then(|(kind, _)| kind.strip_prefix('/'))
    }

    /// The kind of what it makes or moves, as its address says.
    pub fn kind(&self) -> Option<&'static str> {
        self.path.split('/').nth(1)
    }

    /// The kind of what it moves, where that is looked at by itself.
    pub fn moved_kind(&self) -> Option<FlowKind> {
        Some(match self.moves()? {
            "cases" => FlowKind::Case,
            "reports" => FlowKind::Report,
            "patrols" => FlowKind::Patrol,
            "visits" => FlowKind::Visit,
            "households" => FlowKind::Household,
            _ => return None,
        })
    }

    /// Whether it is a remark, which is right whatever became of the steps before it.
    pub fn is_remark(&self) -> bool {
        ["comment_case", "note_patrol"].contains(&self.name)
    }

    /// Whether it changes the caller: going on duty and off.
    pub fn is_about_the_caller(&self) -> bool {
        self.path.starts_with("/me/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_in_the_document_and_in_its_place() {
        let document = crate::server::build_openapi();
        for operation in OPERATIONS {
            let pointer = operation.path.replace('~', "~0").replace('/', "~1");
            let found = document.pointer(&format!("/paths/~1api~1v1{pointer}/post/operationId"));
            assert_eq!(found.and_then(|id| id.as_str()), Some(operation.name), "{pointer}");
        }
    }

    #[test]
    fn a_path_takes_plain_words_only() {
        let operation = Operation::find("decide_request").unwrap();
        assert_eq!(operation.path_names().collect::<Vec<_>>(), ["id", "no"]);
        let with = |no: &str| {
            operation.segments(|name| Some(if name == "id" { "a-1".into() } else { no.into() }))
        };
        let segments =
            [("id", "a-1"), ("no", "2")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(with("2"), Some(segments.to_vec()));
        for bad in ["", "..", "2/3", "2?x", "%2f", &"9".repeat(65)] {
            assert_eq!(with(bad), None, "{bad}");
        }
        assert_eq!(operation.moves(), Some("cases"));
        assert_eq!(Operation::find("submit_report").unwrap().moves(), None);
        assert!(Operation::find("grant_role").is_none());
    }
}
