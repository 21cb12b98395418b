//! The sealed data of households: rooms, and the data of their members: how it is written, read,
//! and masked.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use domain::{
    core::{
        id::{CommandId, PersonId, TenantId},
        text::Line,
        time::local_day,
    },
    flows::household::{Household, Member, SpecialGroup, is_child},
    people::personal::{DataSubject, Field, IdNumber, Phone, SubjectKind},
    rules::refusal::Refusal,
};
use persistence::{
    Write,
    people::vault::{self, KeyOwner},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{
        caller::Caller,
        clock::derive_id,
        state::App,
        vault::{LookUp, Values},
    },
    http::{
        problem::{Code, Problem, Reply},
        view,
    },
};

/// The place in the building.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomBody {
    /// 单元。
    #[schema(value_type = Option<String>, max_length = 120, example = "2单元")]
    pub unit: Option<Line>,
    /// 楼层。
    #[schema(value_type = Option<String>, max_length = 120, example = "3层")]
    pub floor: Option<Line>,
    /// 房号。
    #[schema(value_type = Option<String>, max_length = 120, example = "301")]
    pub room: Option<Line>,
}

/// A member of the household.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MemberBody {
    /// The account of the member, when it is known. 对应的居民账号。
    pub person_id: Option<Uuid>,
    /// 姓名。
    #[schema(value_type = Option<String>, max_length = 120, example = "张小三")]
    pub name: Option<Line>,
    /// 手机号。
    #[schema(value_type = Option<String>, max_length = 20, example = "13800005678")]
    pub phone: Option<Phone>,
    /// 公民身份号码。
    #[schema(value_type = Option<String>, max_length = 18)]
    pub id_number: Option<IdNumber>,
    /// The groups of special care this person belongs to. 特殊群体。
    #[schema(value_type = Vec<String>, max_items = 18, example = json!(["elderly_alone"]))]
    pub groups: Vec<SpecialGroup>,
    /// The relation to the head of the household. 与户主关系。
    #[schema(value_type = Option<String>, max_length = 120, example = "户主")]
    pub relation: Option<Line>,
    /// 出生日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    pub birth: Option<NaiveDate>,
    /// Whether a guardian agreed, for a child under 14. 监护人同意。
    pub guardian_consent: Option<bool>,
}

/// Changes of a member; fields that are left out stay.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberChange {
    /// The identity of the member. 成员标识。
    pub id: Uuid,
    /// 姓名。
    #[schema(value_type = Option<String>, max_length = 120)]
    pub name: Option<Line>,
    /// 手机号。
    #[schema(value_type = Option<String>, max_length = 20)]
    pub phone: Option<Phone>,
    /// 公民身份号码。
    #[schema(value_type = Option<String>, max_length = 18)]
    pub id_number: Option<IdNumber>,
    /// All groups of special care, in place of those before. 特殊群体（整体替换）。
    #[schema(value_type = Option<Vec<String>>, max_items = 18)]
    pub groups: Option<Vec<SpecialGroup>>,
    /// 与户主关系。
    #[schema(value_type = Option<String>, max_length = 120)]
    pub relation: Option<Line>,
    /// 出生日期。
    #[serde(default, deserialize_with = "crate::http::body::time::read_optional_date")]
    pub birth: Option<NaiveDate>,
    /// 监护人同意。
    pub guardian_consent: Option<bool>,
}

/// The other stored data of a member.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The relation to the head of the household.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<Line>,
    /// The date of birth, as given or read from the identification number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth: Option<NaiveDate>,
    /// Whether a guardian agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardian_consent: Option<bool>,
}

impl MemberBody {
    /// The account of this member, where staff linked one.
    pub fn person(&self) -> Option<Uuid> {
        self.person_id
    }

    fn values(&self) -> BTreeMap<Field, String> {
        let details = Details {
            relation: self.relation.clone(),
            birth: self.birth,
            guardian_consent: self.guardian_consent,
        };
        let mut values = BTreeMap::new();
        values.extend(self.name.clone().map(|name| (Field::Name, name.into())));
        values.extend(self.phone.clone().map(|phone| (Field::Phone, phone.into())));
        values.extend(self.id_number.clone().map(|number| (Field::IdNumber, number.into())));
        if !self.groups.is_empty() {
            values.insert(Field::Groups, to_json(&self.groups));
        }
        if details != Details::default() {
            values.insert(Field::Details, to_json(&details));
        }
        values
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Parses the document of a field; none where there is none, or it was erased.
pub fn parse_document<T: for<'de> Deserialize<'de>>(
    values: Option<&Values>,
    field: Field,
) -> Option<T> {
    serde_json::from_str(values?.get(&field)?).ok()
}

/// Parses the groups a member belongs to.
pub fn parse_groups(values: Option<&Values>) -> Vec<SpecialGroup> {
    parse_document(values, Field::Groups).unwrap_or_default()
}

/// The date of birth in an identification number.
fn parse_birth(number: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(number.get(6..14)?, "%Y%m%d").ok()
}

/// Refuses a birth in the future, and what is kept of a child without a guardian's consent
/// (个人信息保护法 Art. 31); `at` is where the member stands in the body.
fn check_birth(app: &App, values: &BTreeMap<Field, String>, at: &str) -> Reply<()> {
    let details: Details = parse_document(Some(values), Field::Details).unwrap_or_default();
    let number = values.get(&Field::IdNumber).and_then(|number| parse_birth(number));
    let today = local_day(app.clock.now());
    for (birth, field) in [(details.birth, "birth"), (number, "id_number")] {
        if birth.is_some_and(|birth| birth > today) {
            let (zh, en) = ("出生日期不能晚于今天。", "Nobody is born after today.");
            let at = format!("{at}/{field}");
            return Err(Problem::new(Code::InvalidBody).error(at, "out_of_range", zh, en));
        }
    }
    let births = [details.birth, number].into_iter().flatten();
    let child = births.into_iter().any(|birth| is_child(birth, today));
    if child && details.guardian_consent != Some(true) {
        return Err(Refusal::GuardianConsentMissing.into());
    }
    Ok(())
}

fn require_values(values: &BTreeMap<Field, String>, index: usize) -> Reply<()> {
    if values.is_empty() {
        let (zh, en) = ("请至少填写姓名等一项内容。", "Give at least one item, such as the name.");
        let at = format!("/members/{index}");
        return Err(Problem::new(Code::InvalidBody).error(at, "empty", zh, en));
    }
    Ok(())
}

/// Sealed data, ready to be written with the change it belongs to.
pub struct Sealed<S> {
    /// To be written.
    pub writes: Vec<Write>,
    /// The members it belongs to.
    pub members: Vec<Member>,
    /// Whether one of them belongs to a group of special care.
    pub special: S,
    /// The part of the request's digest that stands for it; for a change, see
    /// [`fingerprint_changes`].
    pub fingerprint: Vec<u8>,
    /// How many values were given.
    pub given: u16,
}

fn room_values(room: Option<&RoomBody>) -> Vec<(Field, String)> {
    let said =
        |room: &&RoomBody| room.unit.is_some() || room.floor.is_some() || room.room.is_some();
    room.filter(said).map(|room| (Field::Room, to_json(room))).into_iter().collect()
}

fn borrow_values(values: &[(Field, String)]) -> Vec<(Field, &str)> {
    values.iter().map(|(field, value)| (*field, value.as_str())).collect()
}

/// The fingerprint of given texts, which does not reveal them.
fn fingerprint_texts(look_up: &LookUp, said: &[String]) -> Vec<u8> {
    look_up.fingerprint_texts(&said.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Seals all personal data of a new household.
pub async fn seal_household(
    app: &App,
    caller: &Caller,
    (household, key): (Uuid, CommandId),
    room: Option<&RoomBody>,
    members: &[MemberBody],
) -> Reply<Sealed<bool>> {
    let (tenant, now) = (caller.tenant, app.clock.now());
    let look_up = app.vault.ensure_look_up(&app.store, tenant, now).await?;
    let room = room_values(room);
    let mut said: Vec<String> = room.iter().map(|(_, value)| value.clone()).collect();
    let subject = DataSubject::new(SubjectKind::Household, household);
    let new = app.vault.new_subject_with(tenant, subject, &borrow_values(&room), &look_up, now)?;
    let mut sealed = Sealed {
        writes: vec![Write::Personal(Box::new(new))],
        members: Vec::with_capacity(members.len()),
        special: members.iter().any(|member| !member.groups.is_empty()),
        fingerprint: Vec::new(),
        given: u16::try_from(room.len()).unwrap_or_default(),
    };
    for (index, member) in members.iter().enumerate() {
        let added = seal_member(app, caller, (key, index), member, &look_up)?;
        said.extend(added.said);
        sealed.writes.push(added.write);
        sealed.members.push(added.member);
        sealed.given = sealed.given.saturating_add(added.given);
    }
    sealed.fingerprint = fingerprint_texts(&look_up, &said);
    Ok(sealed)
}

/// A new member.
struct Added {
    write: Write,
    member: Member,
    said: Vec<String>,
    given: u16,
}

fn seal_member(
    app: &App,
    caller: &Caller,
    (key, index): (CommandId, usize),
    body: &MemberBody,
    look_up: &LookUp,
) -> Reply<Added> {
    let values = body.values();
    require_values(&values, index)?;
    check_birth(app, &values, &format!("/members/{index}"))?;
    let (tenant, by) = (caller.tenant, caller.person);
    let id = derive_id(by, key, &format!("member {index}"));
    let given = u16::try_from(values.len()).unwrap_or(u16::MAX);
    let said = member_texts(index, &values);
    let values: Vec<(Field, String)> = values.into_iter().collect();
    let subject = DataSubject::new(SubjectKind::Member, id);
    let now = app.clock.now();
    let new = app.vault.new_subject_with(tenant, subject, &borrow_values(&values), look_up, now)?;
    let person = body.person_id.map(PersonId);
    let write = Write::Personal(Box::new(new));
    Ok(Added { write, member: Member { id, person }, said, given })
}

/// The changes of a household's sealed data.
#[derive(Clone, Copy)]
pub struct Changes<'a> {
    /// The new room; none when it is unchanged.
    pub room: Option<&'a RoomBody>,
    /// Members who are new.
    pub added: &'a [MemberBody],
    /// Members whose values change.
    pub changed: &'a [MemberChange],
    /// Members who do not belong to the household any more.
    pub removed: &'a [Uuid],
}

/// The fingerprint of the personal part of a change: of the values that were sent, whatever is
/// stored by now.
pub async fn fingerprint_changes(
    app: &App,
    caller: &Caller,
    changes: Changes<'_>,
) -> Reply<Vec<u8>> {
    let look_up = app.vault.ensure_look_up(&app.store, caller.tenant, app.clock.now()).await?;
    let mut said: Vec<String> =
        room_values(changes.room).into_iter().map(|(_, value)| value).collect();
    for one in changes.changed {
        let values = collect_changes(one, None).into_iter();
        said.push(one.id.to_string());
        said.extend(values.map(|(field, value)| format!("{}:{value}", field.name())));
    }
    for (index, member) in changes.added.iter().enumerate() {
        said.extend(member_texts(index, &member.values()));
    }
    Ok(fingerprint_texts(&look_up, &said))
}

/// The texts given for a new member.
fn member_texts(index: usize, values: &BTreeMap<Field, String>) -> Vec<String> {
    let said = values.iter().map(|(field, value)| format!("{}:{value}", field.name()));
    std::iter::once(format!("{index}")).chain(said).collect()
}

/// Refuses to change a member in two ways at once.
fn require_once(changed: &[MemberChange]) -> Reply<()> {
    let twice = |(index, one): (usize, &MemberChange)| {
        changed.iter().take(index).any(|other| other.id == one.id).then_some(index)
    };
    match changed.iter().enumerate().find_map(twice) {
        Some(index) => {
            let (zh, en) = ("同一成员只能变更一次。", "Each member can be changed only once.");
            let at = format!("/change_members/{index}/id");
            Err(Problem::new(Code::InvalidBody).error(at, "duplicate", zh, en))
        }
        None => Ok(()),
    }
}

/// Seals the changes of a household.
pub async fn seal_changes(
    app: &App,
    caller: &Caller,
    (household, key): (&Household, CommandId),
    changes: Changes<'_>,
) -> Reply<Sealed<Option<bool>>> {
    require_once(changes.changed)?;
    let (tenant, now) = (caller.tenant, app.clock.now());
    let look_up = app.vault.ensure_look_up(&app.store, tenant, now).await?;
    let ids: Vec<Uuid> = household.members.iter().map(|member| member.id).collect();
    let known = app
        .vault
        .load_values(&app.store, tenant, (SubjectKind::Member, ids.clone()), Field::OF_MEMBERS)
        .await?;
    let mut sealed = Sealed {
        writes: Vec::new(),
        members: Vec::new(),
        special: None,
        fingerprint: Vec::new(),
        given: 0,
    };
    let mut upserts = Vec::new();
    let room = room_values(changes.room);
    if !room.is_empty() {
        sealed.given += 1;
        upserts.push((DataSubject::new(SubjectKind::Household, household.id.0), room));
    }
    let mut cared: HashMap<Uuid, bool> =
        ids.iter().map(|id| (*id, !parse_groups(known.get(id)).is_empty())).collect();
    let named = changes.changed.iter().enumerate();
    for (index, one) in named.filter(|(_, one)| ids.contains(&one.id)) {
        let values = collect_changes(one, known.get(&one.id));
        let mut after: BTreeMap<Field, String> = known.get(&one.id).cloned().unwrap_or_default();
        after.extend(values.iter().cloned());
        check_birth(app, &after, &format!("/change_members/{index}"))?;
        cared.insert(one.id, !parse_groups(Some(&after)).is_empty());
        sealed.given = sealed.given.saturating_add(u16::try_from(values.len()).unwrap_or(u16::MAX));
        upserts.push((DataSubject::new(SubjectKind::Member, one.id), values));
    }
    for (subject, values) in upserts {
        let owner = KeyOwner::Subject(subject);
        let of = app.store.read(move |db| vault::load_key(db, tenant, owner)).await?;
        let of = of.filter(|key| key.wrapped.is_some()).ok_or(Refusal::Erased)?;
        let fields =
            app.vault.seal_values(tenant, (subject, &of), &borrow_values(&values), &look_up)?;
        sealed.writes.push(Write::Sealed(fields));
    }
    for (index, member) in changes.added.iter().enumerate() {
        let added = seal_member(app, caller, (key, index), member, &look_up)?;
        cared.insert(added.member.id, !member.groups.is_empty());
        sealed.writes.push(added.write);
        sealed.members.push(added.member);
        sealed.given = sealed.given.saturating_add(added.given);
    }
    if !changes.removed.is_empty() {
        let known = changes.removed.iter().filter(|id| ids.contains(id));
        let members = known.map(|id| DataSubject::new(SubjectKind::Member, *id));
        sealed.writes.push(Write::Forgotten(members.collect()));
        cared.retain(|id, _| !changes.removed.contains(id));
    }
    let special = cared.values().any(|cared| *cared);
    sealed.special = (special != household.special).then_some(special);
    Ok(sealed)
}

/// The values of a member that change.
fn collect_changes(one: &MemberChange, known: Option<&Values>) -> Vec<(Field, String)> {
    let mut values: Vec<(Field, String)> = Vec::new();
    values.extend(one.name.clone().map(|name| (Field::Name, name.into())));
    values.extend(one.phone.clone().map(|phone| (Field::Phone, phone.into())));
    values.extend(one.id_number.clone().map(|number| (Field::IdNumber, number.into())));
    values.extend(one.groups.as_ref().map(|groups| (Field::Groups, to_json(groups))));
    let before: Details = parse_document(known, Field::Details).unwrap_or_default();
    let details = Details {
        relation: one.relation.clone().or_else(|| before.relation.clone()),
        birth: one.birth.or(before.birth),
        guardian_consent: one.guardian_consent.or(before.guardian_consent),
    };
    if details != before {
        values.push((Field::Details, to_json(&details)));
    }
    values
}

/// A member, masked.
#[derive(Serialize, ToSchema)]
pub struct MemberView {
    /// The identity of the member. 成员标识。
    id: Uuid,
    /// The account of the member, when it is known.
    person_id: Option<Uuid>,
    /// Whether the data was erased. 是否已删除。
    erased: bool,
    /// 姓名（脱敏）。
    name: Option<String>,
    /// 手机号（脱敏）。
    phone: Option<String>,
    /// 公民身份号码（脱敏）。
    id_number: Option<String>,
    /// Whether this person belongs to a group of special care; which one is disclosed on the record
    /// only. 是否属于特殊群体。
    special: bool,
}

/// A group of special care.
#[derive(Serialize, ToSchema)]
pub struct SpecialView {
    /// The group the member belongs to. 特殊群体。
    #[schema(schema_with = view::special_group)]
    pub group: &'static str,
    /// The group in Chinese. 特殊群体名称。
    pub label: &'static str,
}

/// The sealed data of one household, opened.
pub struct Shown {
    household: Option<Values>,
    members: HashMap<Uuid, Values>,
}

impl Shown {
    /// Loads the data of a household.
    pub async fn load(app: &App, tenant: TenantId, household: &Household) -> Reply<Self> {
        let shown = Self::of_all(app, tenant, &[household]).await?.pop();
        shown.ok_or_else(|| Problem::new(Code::Internal))
    }

    /// Loads the data of several households, in their order.
    pub async fn of_all(
        app: &App,
        tenant: TenantId,
        households: &[&Household],
    ) -> Reply<Vec<Self>> {
        let (vault, fields) = (&app.vault, Field::OF_HOUSEHOLDS);
        let whole = households.iter().map(|household| household.id.0);
        let whole = (SubjectKind::Household, whole.collect());
        let members = households.iter().flat_map(|household| &household.members);
        let members = (SubjectKind::Member, members.map(|member| member.id).collect());
        let (mut whole, mut members) = futures_util::try_join!(
            vault.load_values(&app.store, tenant, whole, fields),
            vault.load_values(&app.store, tenant, members, fields),
        )?;
        let shown = households.iter().map(|household| {
            let ids = household.members.iter().map(|member| member.id);
            let own = ids.filter_map(|id| Some((id, members.remove(&id)?)));
            let own = own.collect();
            Self { household: whole.remove(&household.id.0), members: own }
        });
        Ok(shown.collect())
    }

    /// The values of one member; none when they were erased.
    pub fn find_member(&self, id: Uuid) -> Option<&Values> {
        self.members.get(&id)
    }

    /// The room, whole.
    pub fn room(&self) -> Option<RoomBody> {
        parse_document(self.household.as_ref(), Field::Room)
    }

    /// A mask in place of the room, where there is one.
    pub fn mask_room(&self) -> Option<String> {
        self.household.as_ref()?.get(&Field::Room).map(|room| Field::Room.mask_value(room))
    }

    /// A member, masked.
    pub fn mask_member(&self, member: Member) -> MemberView {
        let values = self.find_member(member.id);
        let masked = |field: Field| values?.get(&field).map(|value| field.mask_value(value));
        MemberView {
            id: member.id,
            person_id: member.person.map(|person| person.0),
            erased: values.is_none(),
            name: masked(Field::Name),
            phone: masked(Field::Phone),
            id_number: masked(Field::IdNumber),
            special: !parse_groups(values).is_empty(),
        }
    }
}
