//! Personal data: its kinds, the form of each, and how it is masked.
//!
//! Values are stored encrypted outside the journal; here is only what a value must look like, its
//! masked form, and the purposes for which a person may see it unmasked.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::{fold::normalise_width, labelled_enum::labelled_enum, text::Line};

labelled_enum! {
    /// One kind of personal data.
    Field {
        /// The name of a resident; the names of staff are part of the public record.
        Name = "name", "姓名";
        /// A mobile phone.
        Phone = "phone", "手机号";
        /// The citizen identification number (GB 11643).
        IdNumber = "id_number", "公民身份号码";
        /// The home address.
        Address = "address", "住址";
        /// The number of staff that residents call; it stands in public notices.
        OfficePhone = "office_phone", "公开联系电话";
        /// Unit, floor and room of a household, as JSON.
        Room = "room", "房号";
        /// The special-care groups a member belongs to, as JSON.
        Groups = "groups", "特殊群体";
        /// Relation, date of birth and consent of a member of a household, as JSON.
        Details = "details", "成员情况";
        /// The answers of a household to a form, as JSON.
        Answers = "answers", "表单内容";
        /// A photo as it was sent, with whatever the camera wrote into it.
        Original = "original", "原始照片";
    }
}

impl Field {
    /// The fields of users, and of contacts of reports.
    pub const OF_PEOPLE: &[Self] =
        &[Self::Name, Self::Phone, Self::IdNumber, Self::Address, Self::OfficePhone];

    /// The fields of members of a household.
    pub const OF_MEMBERS: &[Self] =
        &[Self::Name, Self::Phone, Self::IdNumber, Self::Groups, Self::Details];

    /// The fields of a household that may be seen unmasked: its room, and those of its members.
    pub const OF_HOUSEHOLDS: &[Self] =
        &[Self::Name, Self::Phone, Self::IdNumber, Self::Room, Self::Groups, Self::Details];
}

labelled_enum! {
    /// Why a person sees personal data unmasked.
    Purpose {
        /// To ask the reporter: reached, solved, satisfied.
        Callback = "callback", "回访核实";
        /// To find the reporter while handling.
        Handling = "handling", "办理联系";
        /// To correct or complete the data.
        Correction = "correction", "更正核对";
        /// At the request of the data subject.
        SubjectRequest = "subject_request", "应本人请求";
        /// Supervision or inspection.
        Supervision = "supervision", "监督检查";
        /// At the request of an authority, by law.
        Judicial = "judicial", "依法协助";
        /// Life, health or property is in danger.
        Emergency = "emergency", "紧急情况";
        /// To visit and look after a household.
        Visit = "visit", "走访服务";
    }
}

labelled_enum! {
    /// The kinds of data subjects.
    SubjectKind {
        /// A person who can log in.
        Person = "person", "人员";
        /// The contact given with a report.
        Report = "report", "上报联系人";
        /// A household as a whole.
        Household = "household", "家庭";
        /// A member of a household.
        Member = "member", "家庭成员";
        /// The answers of a household to a form.
        Form = "form", "表单";
    }
}

/// A data subject: its kind and its identity. The same identity as a person and as a report means
/// two subjects with a key each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DataSubject {
    /// The kind of subject.
    pub kind: SubjectKind,
    /// The identity of the subject.
    pub id: Uuid,
}

impl DataSubject {
    /// The subject `id` of a kind.
    pub const fn new(kind: SubjectKind, id: Uuid) -> Self {
        Self { kind, id }
    }
}

/// Why a value was refused. The value itself is never repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Not a mobile phone number of the mainland.
    Phone,
    /// Not a telephone number.
    OfficePhone,
    /// Not 17 digits and a digit or `X`.
    IdForm,
    /// The date of birth in it does not exist.
    IdDate,
    /// The check digit is wrong.
    IdCheck,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Phone => "a mobile phone number has 11 digits and begins with 13 to 19",
            Self::OfficePhone => "a telephone number has 5 to 20 digits and hyphens",
            Self::IdForm => "an identification number has 17 digits and a digit or X",
            Self::IdDate => "the date of birth in the identification number does not exist",
            Self::IdCheck => "the check digit of the identification number does not fit",
        })
    }
}

/// A mobile phone number of the mainland: 11 digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// The digits without spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Phone {
    type Error = Fault;

    /// Spaces, hyphens and the country code are left out; full-width digits are digits.
    fn try_from(text: String) -> Result<Self, Fault> {
        const MOST: usize = 32;
        if text.chars().nth(MOST).is_some() {
            return Err(Fault::Phone);
        }
        let plain = normalise_width(&text);
        let plain: String = plain.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let local = ["+86", "0086", "86"]
            .iter()
            .find_map(|code| plain.strip_prefix(code).filter(|rest| rest.len() == 11))
            .unwrap_or(&plain);
        let mobile = local.len() == 11
            && local.bytes().all(|byte| byte.is_ascii_digit())
            && local.starts_with('1')
            && matches!(local.as_bytes().get(1), Some(b'3'..=b'9'));
        if mobile { Ok(Self(local.to_owned())) } else { Err(Fault::Phone) }
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&mask_phone(&self.0))
    }
}

/// A telephone number that residents call: a mobile phone, a landline with its area code or a
/// hotline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OfficePhone(String);

impl OfficePhone {
    /// The number as dialled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OfficePhone {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        const MOST: usize = 64;
        if text.chars().nth(MOST).is_some() {
            return Err(Fault::OfficePhone);
        }
        let plain = normalise_width(&text);
        let plain = plain.trim();
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let bytes = plain.as_bytes();
        let dialled = (5..=20).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
            && ends(bytes.first())
            && ends(bytes.last());
        if dialled { Ok(Self(plain.to_owned())) } else { Err(Fault::OfficePhone) }
    }
}

impl From<OfficePhone> for String {
    fn from(phone: OfficePhone) -> Self {
        phone.0
    }
}

/// A citizen identification number (GB 11643-1999): 18 characters, checked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdNumber(String);

impl IdNumber {
    /// The number, with a capital `X`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The date of birth in it.
    pub fn birth(&self) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(self.0.get(6..14)?, "%Y%m%d").ok()
    }
}

impl TryFrom<String> for IdNumber {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        const MOST: usize = 64;
        if text.chars().nth(MOST).is_some() {
            return Err(Fault::IdForm);
        }
        let number = normalise_width(&text).trim().to_ascii_uppercase();
        let bytes = number.as_bytes();
        let (Some(body), Some(last), 18) = (bytes.get(..17), bytes.get(17), bytes.len()) else {
            return Err(Fault::IdForm);
        };
        let formed = body.iter().all(u8::is_ascii_digit)
            && (last.is_ascii_digit() || *last == b'X')
            && body.first() != Some(&b'0');
        if !formed {
            return Err(Fault::IdForm);
        }
        let part = |range: std::ops::Range<usize>| -> u32 {
            number.get(range).and_then(|digits| digits.parse().ok()).unwrap_or_default()
        };
        let year = i32::try_from(part(6..10)).unwrap_or_default();
        let date = chrono::NaiveDate::from_ymd_opt(year, part(10..12), part(12..14));
        if date.is_none() || !(1850..2200).contains(&year) {
            return Err(Fault::IdDate);
        }
        if check_digit(body) == *last { Ok(Self(number)) } else { Err(Fault::IdCheck) }
    }
}

/// The check digit of ISO 7064, MOD 11-2.
fn check_digit(body: &[u8]) -> u8 {
    const DIGITS: &[u8; 11] = b"0123456789X";
    let rest = body
        .iter()
        .fold(0_usize, |rest, byte| (rest + usize::from(byte.saturating_sub(b'0'))) * 2 % 11);
    DIGITS.get((12 - rest) % 11).copied().unwrap_or(b'?')
}

impl From<IdNumber> for String {
    fn from(number: IdNumber) -> Self {
        number.0
    }
}

impl std::fmt::Debug for IdNumber {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&mask_id(&self.0))
    }
}

/// Personal data of one subject; unknown values are left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contact {
    /// The name of a resident.
    pub name: Option<Line>,
    /// The mobile phone number.
    pub phone: Option<Phone>,
    /// The identification number.
    pub id_number: Option<IdNumber>,
    /// The home address.
    pub address: Option<Line>,
    /// The number of staff that residents call.
    pub office_phone: Option<OfficePhone>,
}

impl Contact {
    /// From stored values, which were checked when they were entered.
    pub fn from_values(values: impl IntoIterator<Item = (Field, String)>) -> Self {
        let mut contact = Self::default();
        for (field, value) in values {
            match field {
                Field::Name => contact.name = Line::try_from(value).ok(),
                Field::Phone => contact.phone = Phone::try_from(value).ok(),
                Field::IdNumber => contact.id_number = IdNumber::try_from(value).ok(),
                Field::Address => contact.address = Line::try_from(value).ok(),
                Field::OfficePhone => contact.office_phone = OfficePhone::try_from(value).ok(),
                // Not of people, but of households and files.
                Field::Room | Field::Groups | Field::Details | Field::Answers | Field::Original => {
                }
            }
        }
        contact
    }

    /// Its values by field.
    pub fn values(&self) -> Vec<(Field, &str)> {
        let values = [
            (Field::Name, self.name.as_ref().map(Line::as_str)),
            (Field::Phone, self.phone.as_ref().map(Phone::as_str)),
            (Field::IdNumber, self.id_number.as_ref().map(IdNumber::as_str)),
            (Field::Address, self.address.as_ref().map(Line::as_str)),
            (Field::OfficePhone, self.office_phone.as_ref().map(OfficePhone::as_str)),
        ];
        values.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values().is_empty()
    }
}

impl Field {
    /// Whether a subject can be found by the whole value.
    pub const fn is_searchable(self) -> bool {
        match self {
            Self::Phone | Self::IdNumber => true,
            Self::Name
            | Self::Address
            | Self::OfficePhone
            | Self::Room
            | Self::Groups
            | Self::Details
            | Self::Answers
            | Self::Original => false,
        }
    }

    /// The masked form of a value.
    pub fn mask_value(self, value: &str) -> String {
        match self {
            Self::Name => mask_name(value),
            Self::Phone => mask_phone(value),
            Self::IdNumber => mask_id(value),
            Self::Address => mask_address(value),
            // It is public anyway.
            Self::OfficePhone => value.to_owned(),
            // Documents: the code that shows them masks their parts.
            Self::Room | Self::Groups | Self::Details | Self::Answers | Self::Original => {
                "****".to_owned()
            }
        }
    }
}

/// `张*`, `张*三`.
fn mask_name(name: &str) -> String {
    let count = name.chars().count();
    let mask = |(index, letter): (usize, char)| {
        if index == 0 || (index + 1 == count && count > 2) { letter } else { '*' }
    };
    if count == 1 { "*".to_owned() } else { name.chars().enumerate().map(mask).collect() }
}

/// Three digits, asterisks and four digits: `138****5678`.
fn mask_phone(phone: &str) -> String {
    mask_middle(phone, 3, 4)
}

/// Four digits, asterisks and four digits: `3301**********1234`.
fn mask_id(number: &str) -> String {
    mask_middle(number, 4, 4)
}

/// At most the first six characters, and never more than half of them.
fn mask_address(address: &str) -> String {
    const SHOWN: usize = 6;
    let shown = SHOWN.min(address.chars().count() / 2);
    address.chars().take(shown).chain("****".chars()).collect()
}

/// The first and the last letters, with a star for each one between; only stars for a value that is
/// too short for that.
fn mask_middle(value: &str, first: usize, last: usize) -> String {
    let count = value.chars().count();
    let hidden =
        |index: usize| count < first + last + 4 || (index >= first && index + last < count);
    value.chars().enumerate().map(|(i, letter)| if hidden(i) { '*' } else { letter }).collect()
}

/// Whether a text looks like personal data: an account name must not, because it stands in the
/// journal for ever.
pub fn looks_personal(text: &str) -> bool {
    Phone::try_from(text.to_owned()).is_ok() || IdNumber::try_from(text.to_owned()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Result<String, Fault> {
        Phone::try_from(text.to_owned()).map(String::from)
    }

    fn id(text: &str) -> Result<String, Fault> {
        IdNumber::try_from(text.to_owned()).map(String::from)
    }

    #[test]
    fn a_phone_is_eleven_digits_however_it_is_written() {
        for given in [
            "13812345678",
            "+86 138-1234-5678",
            "008613812345678",
            "8613812345678",
            "１３８１２３４５６７８",
            "＋８６　１３８－１２３４－５６７８",
        ] {
            assert_eq!(phone(given), Ok("13812345678".to_owned()), "{given}");
        }
        for bad in
            ["", "1381234567", "12812345678", "138123456789", "1381234567８９", "+1 13812345678"]
        {
            assert_eq!(phone(bad), Err(Fault::Phone), "{bad}");
        }
        assert_eq!(phone(&"1".repeat(10_000)), Err(Fault::Phone));
    }

    #[test]
    fn an_identification_number_is_checked() {
        // The example of GB 11643-1999.
        assert_eq!(id("11010519491231002x"), Ok("11010519491231002X".to_owned()));
        assert_eq!(id("440524188001010014"), Ok("440524188001010014".to_owned()));
        assert_eq!(id("110105194912310021"), Err(Fault::IdCheck));
        assert_eq!(id("11010519490231002X"), Err(Fault::IdDate));
        for bad in ["", "11010519491231002", "1101051949123100AX", "01010519491231002X"] {
            assert_eq!(id(bad), Err(Fault::IdForm), "{bad}");
        }
    }

    #[test]
    fn every_wrong_digit_is_found() {
        let right = "11010519491231002X";
        for place in 0..17 {
            for digit in '0'..='9' {
                let mut changed: Vec<char> = right.chars().collect();
                if changed[place] == digit {
                    continue;
                }
                changed[place] = digit;
                let changed: String = changed.into_iter().collect();
                assert!(id(&changed).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn masks_leave_what_is_customary() {
        for (field, value, shown) in [
            (Field::Name, "张三", "张*"),
            (Field::Name, "张小三", "张*三"),
            (Field::Name, "欧阳小三", "欧**三"),
            (Field::Name, "张", "*"),
            (Field::Phone, "13812345678", "138****5678"),
            (Field::IdNumber, "11010519491231002X", "1101**********002X"),
            (Field::Address, "黄石港区武汉路1号2单元301", "黄石港区武汉****"),
            (Field::Address, "一号", "一****"),
        ] {
            assert_eq!(field.mask_value(value), shown);
        }
        assert_eq!(format!("{:?}", Phone::try_from("13812345678".to_owned())), "Ok(138****5678)");
    }

    #[test]
    fn what_residents_call_is_a_number_and_shown() {
        let dialled = |text: &str| OfficePhone::try_from(text.to_owned()).map(String::from);
        for good in ["13812345678", "0714-6512345", "12345", " 400-800-1234 "] {
            assert_eq!(dialled(good).as_deref(), Ok(good.trim()));
        }
        for bad in ["", "1234", "-12345", "12345-", "0714 6512345", "一二三四五", &"1".repeat(21)]
        {
            assert_eq!(dialled(bad), Err(Fault::OfficePhone), "{bad}");
        }
        assert_eq!(Field::OfficePhone.mask_value("0714-6512345"), "0714-6512345");
    }

    #[test]
    fn accounts_are_no_phones() {
        assert!(looks_personal("13812345678") && looks_personal("11010519491231002X"));
        assert!(!looks_personal("wangge-1") && !looks_personal("123456"));
    }
}
