//! What the database could not do, without its words.

use persistence::StoreError;

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
            StoreError::Inconsistent(_) | StoreError::Unusable(_) | StoreError::Database(_) => {
                Self::new(Code::Internal).because(error)
            }
        }
    }
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
            (StoreError::Unusable(secret()), Code::Internal),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.code(), code);
            assert!(!problem.to_string().contains("relation"));
        }
    }
}
