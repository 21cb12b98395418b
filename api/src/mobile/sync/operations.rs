//! Which operations a phone may keep and send later: those that move something of the field.
//! Nothing that gives rights or opens data is among them.

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Its name in the API.
    pub name: &'static str,
    /// Where it is asked, from `/api/v1` on.
    pub path: &'static str,
}

const fn operation(name: &'static str, path: &'static str) -> Operation {
    Operation { name, path }
}

/// All of them, as the OpenAPI document has them (a test compares).
pub const OPERATIONS: &[Operation] = &[
    operation("submit_report", "/reports"),
    operation("claim_report", "/reports/{id}/claim"),
    operation("confirm_report", "/reports/{id}/confirm"),
    operation("file_report", "/reports/{id}/file"),
    operation("join_report", "/reports/{id}/join"),
    operation("refuse_report", "/reports/{id}/refuse"),
    operation("unjoin_report", "/reports/{id}/unjoin"),
    operation("claim_case", "/cases/{id}/claim"),
    operation("call_back_case", "/cases/{id}/callback"),
    operation("close_case", "/cases/{id}/close"),
    operation("comment_case", "/cases/{id}/comment"),
    operation("dispatch_case", "/cases/{id}/dispatch"),
    operation("escalate_case", "/cases/{id}/escalate"),
    operation("feed_back_case", "/cases/{id}/feedback"),
    operation("reopen_case", "/cases/{id}/reopen"),
    operation("return_case", "/cases/{id}/return"),
    operation("sign_case", "/cases/{id}/sign"),
    operation("start_case", "/cases/{id}/start"),
    operation("verify_case", "/cases/{id}/verify"),
    operation("blow_whistle", "/cases/{id}/whistle"),
    operation("call_off_whistle", "/cases/{id}/call_off"),
    operation("coordinate_whistle", "/cases/{id}/coordinate"),
    operation("raise_whistle", "/cases/{id}/raise"),
    operation("arrive_summons", "/cases/{id}/summonses/{unit_id}/arrive"),
    operation("contact_summons", "/cases/{id}/summonses/{unit_id}/contact"),
    operation("contest_summons", "/cases/{id}/summonses/{unit_id}/contest"),
    operation("feed_back_summons", "/cases/{id}/summonses/{unit_id}/feedback"),
    operation("rate_street", "/cases/{id}/summonses/{unit_id}/rate_street"),
    operation("rate_summons", "/cases/{id}/summonses/{unit_id}/rate"),
    operation("release_summons", "/cases/{id}/summonses/{unit_id}/release"),
    operation("rule_summons", "/cases/{id}/summonses/{unit_id}/rule"),
    operation("send_back_summons", "/cases/{id}/summonses/{unit_id}/send_back"),
    operation("sign_summons", "/cases/{id}/summonses/{unit_id}/sign"),
    operation("appeal_case", "/cases/{id}/appeal"),
    operation("arbitrate_case", "/cases/{id}/arbitrate"),
    operation("decide_request", "/cases/{id}/requests/{no}/decide"),
    operation("extend_case", "/cases/{id}/extend"),
    operation("reply_supervision", "/cases/{id}/supervisions/{no}/reply"),
    operation("resume_case", "/cases/{id}/resume"),
    operation("rule_case", "/cases/{id}/rule"),
    operation("supervise_case", "/cases/{id}/supervise"),
    operation("suspend_case", "/cases/{id}/suspend"),
    operation("withdraw_request", "/cases/{id}/requests/{no}/withdraw"),
    operation("plan_patrol", "/patrols"),
    operation("begin_patrol", "/patrols/begin"),
    operation("start_patrol", "/patrols/{id}/start"),
    operation("pause_patrol", "/patrols/{id}/pause"),
    operation("resume_patrol", "/patrols/{id}/resume"),
    operation("finish_patrol", "/patrols/{id}/finish"),
    operation("cancel_patrol", "/patrols/{id}/cancel"),
    operation("note_patrol", "/patrols/{id}/note"),
    operation("upload_points", "/patrols/{id}/points"),
    operation("submit_visit", "/visits"),
    operation("plan_visit", "/visits/plan"),
    operation("record_visit", "/visits/{id}/record"),
    operation("correct_visit", "/visits/{id}/correct"),
    operation("cancel_visit", "/visits/{id}/cancel"),
    operation("register_household", "/households"),
    operation("update_household", "/households/{id}/update"),
    operation("answer_household_form", "/households/{id}/forms/{form_id}"),
    operation("start_shift", "/me/shift/start"),
    operation("end_shift", "/me/shift/end"),
];

impl Operation {
    /// The one called `name`.
    pub fn find(name: &str) -> Option<Self> {
        OPERATIONS.iter().copied().find(|operation| operation.name == name)
    }

    /// The names in its path, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
    }

    /// Its address with these values in the path; none when one is missing or is no plain word.
    pub fn address(self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut address = "/api/v1".to_owned();
        for part in self.path.split('/').skip(1) {
            address.push('/');
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => {
                    let value = value(name)?;
                    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                    if value.is_empty() || value.len() > 64 || !value.bytes().all(plain) {
                        return None;
                    }
                    address.push_str(&value);
                }
                None => address.push_str(part),
            }
        }
        Some(address)
    }

    /// Where what it moves is read; none when it begins something, or moves the caller.
    pub fn reads(self, id: &str) -> Option<String> {
        let kind = self.path.strip_suffix('/').unwrap_or(self.path).split('/').nth(1)?;
        self.path.contains("/{id}").then(|| format!("/api/v1/{kind}/{id}"))
    }

    /// Whether it moves the caller: going on duty and off.
    pub fn is_about_the_caller(self) -> bool {
        self.path.starts_with("/me/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_in_the_document_and_in_its_place() {
        let document = crate::server::document();
        for operation in OPERATIONS {
            let pointer = operation.path.replace('~', "~0").replace('/', "~1");
            let found = document.pointer(&format!("/paths/~1api~1v1{pointer}/post/operationId"));
            assert_eq!(found.and_then(|id| id.as_str()), Some(operation.name), "{operation:?}");
        }
    }

    #[test]
    fn an_address_takes_plain_words_only() {
        let operation = Operation::find("decide_request").unwrap();
        assert_eq!(operation.names().collect::<Vec<_>>(), ["id", "no"]);
        let with = |no: &str| {
            operation.address(|name| Some(if name == "id" { "a-1".into() } else { no.into() }))
        };
        assert_eq!(with("2").as_deref(), Some("/api/v1/cases/a-1/requests/2/decide"));
        for bad in ["", "..", "2/3", "2?x", "%2f", &"9".repeat(65)] {
            assert_eq!(with(bad), None, "{bad}");
        }
        assert_eq!(operation.reads("a-1").as_deref(), Some("/api/v1/cases/a-1"));
        assert_eq!(Operation::find("submit_report").unwrap().reads("x"), None);
        assert_eq!(Operation::find("grant_role"), None);
    }
}
