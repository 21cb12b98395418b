//! What the database could not do, without its words.

use domain::{core::journal::FlowKind, flows::labels::labels_of};
use persistence::StoreError;
use uuid::Uuid;

use super::{Code, Problem, refusal::already_exists};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded => Self::new(Code::Overloaded),
            StoreError::Closed | StoreError::Unavailable(_) => {
                Self::new(Code::Unavailable).because(error)
            }
            StoreError::Exists("account") => already_exists(Code::AccountTaken, "account"),
            // Two requests under the same key at the same moment; the second finds the first.
            StoreError::Exists("command") => Self::new(Code::LostRace),
            StoreError::Exists(what) => already_exists(Code::AlreadyExists, what),
            StoreError::Unreadable { flow, id, .. } => unreadable(flow, id).because(error),
            StoreError::Inconsistent(_) | StoreError::Unusable(_) | StoreError::Database(_) => {
                Self::new(Code::Internal).because(error)
            }
        }
    }
}

/// Names the flow: everything else goes on, and asking again does not help.
fn unreadable(flow: FlowKind, id: Uuid) -> Problem {
    let (name, (zh, en)) = (flow.name(), labels_of(flow).names);
    Problem::new(Code::Internal)
        .detail(
            format!(
                "{zh}（{name} {id}）的记录中有本版本无法读取的内容，因此不能查看或办理；其他事项不受影响。\
                 请管理员运行 gridwhistle verify。"
            ),
            format!(
                "The record of this {en} ({name} {id}) has content that this version cannot read, so it \
                 can be neither shown nor handled; nothing else is affected. An administrator \
                 should run `gridwhistle verify`."
            ),
        )
        .with("flow", name)
        .with("flow_id", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_never_quoted() {
        let secret = || "relation \"people\" does not exist".to_owned();
        for (error, code) in [
            (StoreError::Overloaded, Code::Overloaded),
            (StoreError::Closed, Code::Unavailable),
            (StoreError::Unavailable(secret()), Code::Unavailable),
            (StoreError::Exists("account"), Code::AccountTaken),
            (StoreError::Exists("command"), Code::LostRace),
            (StoreError::Exists("area code"), Code::AlreadyExists),
            (StoreError::Inconsistent(secret()), Code::Internal),
            (
                StoreError::Unreadable { flow: FlowKind::Case, id: Uuid::nil(), why: secret() },
                Code::Internal,
            ),
            (StoreError::Unusable(secret()), Code::Internal),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.code(), code);
            assert!(!problem.to_string().contains("relation"));
        }
    }
}
