//! How a tenant treats personal data, as a document: the notice, the purposes and legal grounds of
//! processing, and how long each class of data is kept.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    core::{
        labelled_enum::labelled_enum,
        tabular_import::{At, Fault, Faults},
        text::{Code, Line, Prose},
        time::saturating_sub,
    },
};

labelled_enum! {
    /// The legal ground on which personal data is processed (个人信息保护法 Art. 13, 29).
    Basis {
        /// The subject agreed.
        Consent = "consent", "同意";
        /// The subject agreed to exactly this, apart from anything else.
        SeparateConsent = "separate_consent", "单独同意";
        /// A statutory duty or power.
        StatutoryDuty = "statutory_duty", "履行法定职责";
        /// Life, health or property in an emergency.
        Emergency = "emergency", "紧急情况";
        /// Something else a law allows.
        OtherLaw = "other_law", "法律规定的其他情形";
    }
}

labelled_enum! {
    /// A class of data with its own retention.
    DataClass {
        /// The audit log.
        Audit = "audit", "审计日志";
        /// Records of who saw whose data.
        Disclosures = "disclosures", "明文查看记录";
        /// Records of consents.
        Consents = "consents", "同意记录";
        /// Contacts given with reports, from the end of the matter on.
        ReporterContacts = "reporter_contacts", "上报人联系方式";
        /// Logins that are over.
        Sessions = "sessions", "登录会话";
        /// Points of patrols.
        Tracks = "tracks", "巡查轨迹";
        /// Last known positions of people on duty.
        Positions = "positions", "在岗位置";
        /// Deliveries to other parties, from their final result on.
        Deliveries = "deliveries", "投递记录";
        /// Messages to people.
        Messages = "messages", "站内消息";
        /// Files that nothing names.
        Uploads = "uploads", "未使用的上传文件";
        /// Answers of households to forms, on visits and otherwise.
        FormAnswers = "form_answers", "走访表单内容";
    }
}

impl DataClass {
    /// The fewest and the most days it may be kept, and the rule behind the fewest.
    pub const fn bounds(self) -> (u32, u32, &'static str) {
        match self {
            Self::Audit | Self::Sessions => (183, 3660, "网络安全法：网络日志留存不少于六个月"),
            Self::Disclosures => {
                (1096, 3660, "网络数据安全管理条例第十二条、个人信息保护法第五十六条：不少于三年")
            }
            Self::Consents => (1096, 3660, "个人信息保护法第五十六条：处理情况记录不少于三年"),
            Self::ReporterContacts | Self::FormAnswers => {
                (30, 3660, "个人信息保护法第十九条：实现目的所必要的最短时间")
            }
            Self::Tracks => (1, 1096, "个人信息保护法第十九条、第二十八条：行踪轨迹属敏感信息"),
            Self::Uploads => (1, 90, "个人信息保护法第十九条：实现目的所必要的最短时间"),
            Self::Positions => (1, 7, "个人信息保护法第十九条：仅用于就近派发"),
            Self::Deliveries | Self::Messages => {
                (7, 1096, "个人信息保护法第十九条：实现目的所必要的最短时间")
            }
        }
    }
}

/// The document a tenant publishes about personal data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// The notice shown before data is collected.
    pub notice: Notice,
    /// The purposes of processing.
    pub purposes: Vec<Processing>,
    /// How long each class is kept, in days.
    pub retention: Retention,
}

/// The notice (个人信息保护法 Art. 17).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Its version; a consent names it.
    pub version: Code,
    /// The title of the notice.
    pub title: Line,
    /// The text, in full.
    pub text: Prose,
}

/// One purpose for which data is processed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processing {
    /// The code by which a consent names it.
    pub code: Code,
    /// Its name, for people.
    pub label: Line,
    /// The legal ground.
    pub basis: Basis,
}

/// How many days each class is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// See [`DataClass::Audit`].
    pub audit: u32,
    /// See [`DataClass::Disclosures`].
    pub disclosures: u32,
    /// See [`DataClass::Consents`].
    pub consents: u32,
    /// See [`DataClass::ReporterContacts`].
    pub reporter_contacts: u32,
    /// See [`DataClass::Sessions`].
    pub sessions: u32,
    /// See [`DataClass::Tracks`].
    pub tracks: u32,
    /// See [`DataClass::Positions`].
    pub positions: u32,
    /// See [`DataClass::Deliveries`].
    pub deliveries: u32,
    /// See [`DataClass::Messages`].
    pub messages: u32,
    /// See [`DataClass::Uploads`].
    pub uploads: u32,
    /// See [`DataClass::FormAnswers`].
    pub form_answers: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            audit: 366,
            disclosures: 1096,
            consents: 1096,
            reporter_contacts: 730,
            sessions: 183,
            tracks: 183,
            positions: 1,
            deliveries: 90,
            messages: 183,
            uploads: 7,
            // Three yearly rounds: older answers say little, and are asked again.
            form_answers: 1096,
        }
    }
}

impl Retention {
    /// How many days a class is kept.
    pub const fn days(&self, class: DataClass) -> u32 {
        match class {
            DataClass::Audit => self.audit,
            DataClass::Disclosures => self.disclosures,
            DataClass::Consents => self.consents,
            DataClass::ReporterContacts => self.reporter_contacts,
            DataClass::Sessions => self.sessions,
            DataClass::Tracks => self.tracks,
            DataClass::Positions => self.positions,
            DataClass::Deliveries => self.deliveries,
            DataClass::Messages => self.messages,
            DataClass::Uploads => self.uploads,
            DataClass::FormAnswers => self.form_answers,
        }
    }

    /// Records older than this are no longer kept.
    pub fn cutoff_for(&self, class: DataClass, now: Instant) -> Instant {
        saturating_sub(now, Duration::days(i64::from(self.days(class))))
    }
}

const NOTICE: &str = "我们为受理、办理和回访您反映的事项处理您的个人信息：账号、姓名、手机号，以及您主动提供的\
住址、位置和照片。姓名、手机号、证件号和住址加密保存，页面上脱敏显示；工作人员查看明文须说明理由并留下记录，\
您可以查询这些记录。您可以选择匿名或者保密上报；不提供手机号也可以上报。您可以随时查询、复制、更正、删除您的\
个人信息，撤回同意不影响此前的处理。上报事项办结后，联系方式按保存期限到期删除。";

impl Default for Privacy {
    fn default() -> Self {
        let purposes = [
            ("handling", "受理和办理诉求", Basis::StatutoryDuty),
            ("callback", "回访与满意度评价", Basis::StatutoryDuty),
            ("notification", "办理进展消息通知", Basis::Consent),
            ("publicity", "公示中出现个人信息", Basis::SeparateConsent),
            ("track", "巡查轨迹", Basis::SeparateConsent),
            ("photo_place", "照片拍摄位置", Basis::SeparateConsent),
        ]
        .into_iter()
        .map(|(code, label, basis)| Processing {
            code: Code::from_static(code),
            label: Line::from_static(label),
            basis,
        })
        .collect();
        let (notice, retention) = (Notice::default(), Retention::default());
        Self { notice, purposes, retention }
    }
}

impl Default for Notice {
    fn default() -> Self {
        Self {
            version: Code::from_static("1"),
            title: Line::from_static("个人信息处理规则"),
            text: Prose::from_static(NOTICE),
        }
    }
}

impl Privacy {
    /// The most purposes.
    pub const MOST: usize = 50;

    /// The purpose for which tracks of patrols are recorded.
    pub const TRACK: &'static str = "track";

    /// The purpose for which the place of a photo is kept.
    pub const PHOTO_PLACE: &'static str = "photo_place";

    /// The purpose with this code; none when it needs no consent or does not exist.
    pub fn find_consentable(&self, code: &str) -> Option<&Processing> {
        let asked = |basis| matches!(basis, Basis::Consent | Basis::SeparateConsent);
        self.purposes.iter().find(|one| one.code.as_str() == code && asked(one.basis))
    }

    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::for_list("purposes");
        for class in DataClass::ALL.iter().copied() {
            let (least, most, why) = class.bounds();
            let days = self.retention.days(class);
            if !(least..=most).contains(&days) {
                let column = format!("retention/{}", class.name());
                let fault = Fault::new(At::Whole, (column, "out_of_range"), &days.to_string());
                let zh = format!("{least} 到 {most} 天（{why}）");
                faults.push(fault.with_expected(zh, format!("{least} to {most} days ({why})")));
            }
        }
        if self.purposes.len() > Self::MOST {
            let given = self.purposes.len().to_string();
            let fault = Fault::new(At::Whole, ("purposes", "too_many_rows"), &given);
            faults.push(fault.with_fact("max", Self::MOST));
        }
        for (index, one) in self.purposes.iter().enumerate().take(Self::MOST) {
            if self.purposes.iter().take(index).any(|other| other.code == one.code) {
                let fault =
                    Fault::new(At::Row(index), ("code", "duplicate_code"), one.code.as_str());
                faults.push(fault.with_expected("各不相同的编号", "a code that no other row has"));
            }
        }
        faults.into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_sound() {
        let privacy = Privacy::default();
        assert_eq!(privacy.check(), Vec::new());
        assert_eq!(privacy.purposes.len(), 6);
        assert!(privacy.notice.text.as_str().contains("匿名"));
        assert!(privacy.find_consentable("notification").is_some());
        assert!(
            privacy.find_consentable("handling").is_none()
                && privacy.find_consentable("x").is_none()
        );
    }

    #[test]
    fn nothing_is_kept_shorter_than_the_law_says() {
        let retention =
            Retention { audit: 182, disclosures: 1095, consents: 4000, ..Retention::default() };
        let faults = Privacy { retention, ..Privacy::default() }.check();
        let at: Vec<String> = faults.iter().map(Fault::pointer).collect();
        assert_eq!(at, ["/retention/audit", "/retention/disclosures", "/retention/consents"]);
    }
}
