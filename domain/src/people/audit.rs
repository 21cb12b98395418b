//! The audit log (审计日志): actions that matter for security, in one hash-chained log a tenant.
//!
//! What happens to cases stands in the journal; this log says who logged in, who was granted what,
//! and who saw whose data. The oldest records are removed when their time is over; the chain then
//! begins at the hash of the last removed one.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Instant,
    core::{
        id::{PersonId, TenantId},
        journal::{Break, Hash},
        labelled_enum::labelled_enum,
    },
};

labelled_enum! {
    /// The kinds of actions.
    AuditAction {
        /// A person logged in, or tried to.
        Login = "login", "登录";
        /// A person logged out.
        Logout = "logout", "退出";
        /// A login was ended by its owner, by an administrator, or because its token had been
        /// copied.
        EndSession = "end_session", "结束登录";
        /// A second factor was enrolled, renewed or removed.
        SecondFactor = "second_factor", "变更动态口令";
        /// An account was linked to an identity at a provider.
        Link = "link", "绑定外部身份";
        /// Such a link was removed.
        Unlink = "unlink", "解除外部身份";
        /// A program requested a token.
        Token = "token", "签发令牌";
        /// A program was registered or disabled, or its secrets changed.
        Client = "client", "变更接入系统";
        /// A person was registered.
        Register = "register", "登记人员";
        /// A role was granted.
        Grant = "grant", "授权";
        /// A role was revoked.
        Revoke = "revoke", "撤销授权";
        /// A password was set.
        Password = "password", "重置密码";
        /// Something else about a person was changed.
        Person = "person", "变更人员";
        /// A policy was published.
        Publish = "publish", "发布规则";
        /// Personal data was stored or corrected.
        Contact = "contact", "登记联系方式";
        /// A person was looked up by a phone or an identification number.
        Search = "search", "按联系方式查找";
        /// Personal data was shown unmasked.
        Disclose = "disclose", "查看个人信息明文";
        /// A consent was given.
        Consent = "consent", "同意";
        /// A consent was withdrawn.
        Withdraw = "withdraw", "撤回同意";
        /// A person exported the person's own data.
        Export = "export", "导出个人信息";
        /// Personal data was erased.
        Erase = "erase", "删除个人信息";
        /// Data whose time was over was removed.
        Retention = "retention", "到期清理";
        /// A master key or a signing key was replaced.
        Rotate = "rotate", "轮换密钥";
        /// A person saw where another one walked, or is.
        Track = "track", "查看轨迹";
        /// A webhook was created, changed, removed, or stopped because it failed.
        Webhook = "webhook", "变更事件推送";
    }
}

labelled_enum! {
    /// The result of an action.
    Verdict {
        /// The action was done.
        Done = "done", "成功";
        /// The action was refused.
        Refused = "refused", "拒绝";
    }
}

/// An action, before it has its place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// When it was done.
    pub at: Instant,
    /// The kind of action.
    pub act: AuditAction,
    /// The result of the action.
    pub verdict: Verdict,
    /// The actor; none when no one was recognised.
    pub actor: Option<PersonId>,
    /// The name of an actor in office; never that of a resident.
    pub actor_name: String,
    /// The person or thing it was about.
    pub subject: Option<Uuid>,
    /// The network address it came from; empty when it did not come over the network.
    pub address: String,
    /// More facts, as the JSON text that is hashed; nothing personal.
    pub detail: String,
}

/// A note at its place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The tenant whose log it is in.
    pub tenant: TenantId,
    /// Its place in the log, from 1.
    pub seq: i64,
    /// The note at this place.
    pub note: Note,
    /// The hash of this record, which covers the one before.
    pub hash: Hash,
}

impl Record {
    /// The record that follows the hash `before`.
    pub fn new(tenant: TenantId, seq: i64, note: Note, before: Hash) -> Self {
        let mut record = Self { tenant, seq, note, hash: Hash::default() };
        record.hash = record.compute_hash(before);
        record
    }

    /// The hash this record must have.
    pub fn compute_hash(&self, before: Hash) -> Hash {
        let Note { at, act, verdict, actor, actor_name, subject, address, detail } = &self.note;
        let mut digest = Sha256::new();
        digest.update(before.0);
        digest.update(self.tenant.0.as_bytes());
        digest.update(self.seq.to_be_bytes());
        digest.update(at.timestamp_millis().to_be_bytes());
        let optional = [actor.map(|person| person.0), *subject];
        for id in optional {
            digest.update([u8::from(id.is_some())]);
            digest.update(id.unwrap_or_default().as_bytes());
        }
        for text in [act.name(), verdict.name(), actor_name, address, detail] {
            digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(text);
        }
        Hash(digest.finalize().into())
    }
}

/// The place where a log, or the rest of it, begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The place of a record; 0 before the first one.
    pub seq: i64,
    /// The hash of that record.
    #[serde(with = "crate::core::tally::hexadecimal")]
    pub hash: Hash,
}

/// Checks that `records` follow `from`, in order; returns where they end.
pub fn verify_chain<'a, I: IntoIterator<Item = &'a Record>>(
    from: Mark,
    records: I,
) -> Result<Mark, Break> {
    let mut mark = from;
    for record in records {
        let expected = mark.seq + 1;
        if record.seq != expected {
            return Err(Break::Order { expected, found: record.seq });
        }
        if record.compute_hash(mark.hash) != record.hash {
            return Err(Break::Content { seq: record.seq });
        }
        mark = Mark { seq: record.seq, hash: record.hash };
    }
    Ok(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<Record> {
        let tenant = TenantId(Uuid::from_u128(1));
        let mut before = Hash::default();
        let make = |seq| {
            let note = Note {
                at: chrono::DateTime::from_timestamp(1_800_000_000 + seq, 0).unwrap(),
                act: AuditAction::Login,
                verdict: Verdict::Done,
                actor: Some(PersonId(Uuid::from_u128(2))),
                actor_name: "网格员".to_owned(),
                subject: None,
                address: "127.0.0.1".to_owned(),
                detail: "{}".to_owned(),
            };
            let record = Record::new(tenant, seq, note, before);
            before = record.hash;
            record
        };
        (1..=4).map(make).collect()
    }

    #[test]
    fn a_log_is_whole_and_so_is_the_rest_of_it() {
        let log = log();
        let end = verify_chain(Mark::default(), &log).unwrap();
        assert_eq!(end, Mark { seq: 4, hash: log[3].hash });
        let from = Mark { seq: 2, hash: log[1].hash };
        assert_eq!(verify_chain(from, &log[2..]), Ok(end));
    }

    #[test]
    fn every_change_is_found_where_it_is() {
        let changes: [fn(&mut Note); 8] = [
            |note| note.at += chrono::Duration::milliseconds(1),
            |note| note.act = AuditAction::Logout,
            |note| note.verdict = Verdict::Refused,
            |note| note.actor = None,
            |note| note.actor_name.push('甲'),
            |note| note.subject = Some(Uuid::nil()),
            |note| note.address.clear(),
            |note| note.detail = "{ }".to_owned(),
        ];
        for change in changes {
            let mut log = log();
            change(&mut log[1].note);
            assert_eq!(verify_chain(Mark::default(), &log), Err(Break::Content { seq: 2 }));
        }
        let mut gap = log();
        gap.remove(1);
        assert_eq!(
            verify_chain(Mark::default(), &gap),
            Err(Break::Order { expected: 2, found: 3 })
        );
    }
}
