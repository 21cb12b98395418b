//! The kinds of flows a phone holds, and how those of each kind are read.

use std::collections::BTreeSet;

use chrono::Duration;
use domain::{
    Instant,
    core::{
        id::{PersonId, TenantId},
        journal::FlowKind,
    },
    flows::{
        campaign::Campaign,
        case::state::Case,
        change::Versioned,
        form::Form,
        household::{Household, Standing},
        patrol::Patrol,
        report::Report,
        visit::Visit,
    },
};
use persistence::{
    Db, StoreError,
    flows::{
        campaign as campaigns, case as cases, form as forms, household as households,
        patrol as patrols, report as reports, visit as visits,
    },
    kernel::journal::Keyset,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sight::Scopes;

/// How many days back closed items are part of the first picture.
const DAYS: i64 = 30;

/// A kind of flow a phone holds, in the order of the first picture.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    #[default]
    Case,
    Report,
    Patrol,
    Visit,
    Household,
    Form,
    Campaign,
    /// Households the caller is paired with now, and those the caller was paired with since then.
    /// Not part of the picture: read when a pairing begins or ends.
    Pairing {
        since: Instant,
    },
}

impl Kind {
    /// The kinds that entries of the feed are about.
    pub(super) const ALL: [Self; 7] = [
        Self::Case,
        Self::Report,
        Self::Patrol,
        Self::Visit,
        Self::Household,
        Self::Form,
        Self::Campaign,
    ];

    /// The kind that is sent after this one.
    pub(super) const fn next(self) -> Option<Self> {
        match self {
            Self::Case => Some(Self::Report),
            Self::Report => Some(Self::Patrol),
            Self::Patrol => Some(Self::Visit),
            Self::Visit => Some(Self::Household),
            Self::Household => Some(Self::Form),
            Self::Form => Some(Self::Campaign),
            Self::Campaign | Self::Pairing { .. } => None,
        }
    }

    /// The flows of this kind.
    pub(super) const fn flow_kind(self) -> FlowKind {
        match self {
            Self::Case => FlowKind::Case,
            Self::Report => FlowKind::Report,
            Self::Patrol => FlowKind::Patrol,
            Self::Visit => FlowKind::Visit,
            Self::Household | Self::Pairing { .. } => FlowKind::Household,
            Self::Form => FlowKind::Form,
            Self::Campaign => FlowKind::Campaign,
        }
    }

    /// The most of them on a page: a form takes up to 64 kB, a campaign a megabyte of memory.
    pub(super) fn page(self, limit: usize) -> usize {
        match self {
            Self::Form | Self::Campaign => limit.min(10),
            Self::Case
            | Self::Report
            | Self::Patrol
            | Self::Visit
            | Self::Household
            | Self::Pairing { .. } => limit,
        }
    }
}

/// What is sent about one flow.
pub(super) enum Found {
    Case(Box<Versioned<Case>>),
    Report(Box<Versioned<Report>>),
    Patrol(Box<Versioned<Patrol>>),
    Visit(Box<Versioned<Visit>>),
    Household(Box<Versioned<Household>>),
    Form(Box<Versioned<Form>>),
    Campaign(Box<Versioned<Campaign>>),
    /// It left the view of the caller by its last change.
    Left(FlowKind, Uuid),
}

impl Found {
    /// Its place in the list of its kind.
    pub(super) fn place(&self) -> (Instant, Uuid) {
        match self {
            Self::Case(case) => (case.state.filed_at, case.state.id.0),
            Self::Report(report) => (report.state.received_at, report.state.id.0),
            Self::Patrol(patrol) => (patrol.state.window.from, patrol.state.id.0),
            Self::Visit(visit) => (visit.state.made_at, visit.state.id.0),
            Self::Household(household) => (household.state.registered_at, household.state.id.0),
            Self::Form(form) => (form.state.at, form.state.id.0),
            Self::Campaign(campaign) => (campaign.state.made_at, campaign.state.id.0),
            Self::Left(_, id) => (Instant::UNIX_EPOCH, *id),
        }
    }

    /// When it was created.
    pub(super) fn made_at(&self) -> Instant {
        match self {
            Self::Patrol(patrol) => patrol.state.created_at,
            Self::Case(_)
            | Self::Report(_)
            | Self::Visit(_)
            | Self::Household(_)
            | Self::Form(_)
            | Self::Campaign(_)
            | Self::Left(..) => self.place().0,
        }
    }
}

/// Which flows of a kind are read.
pub(super) enum Which {
    /// The open ones, and those younger than some days before `now`; with `lost`, the time when a
    /// phone began to read, everything it may have got since then.
    Picture { now: Instant, lost: Option<Instant> },
    /// Those with these identities.
    These { ids: Vec<Uuid>, now: Instant },
}

/// The flows of a kind within these scopes.
pub(super) fn list_flows(
    db: &mut Db,
    scopes: &Scopes,
    kind: Kind,
    which: Which,
    keyset: Keyset,
) -> Result<Vec<Found>, StoreError> {
    let (now, lost, among) = match which {
        Which::Picture { now, lost } => (now, lost, None),
        Which::These { ids, now } => (now, None, Some(ids)),
    };
    let picture = among.is_none();
    let open = picture && lost.is_none();
    // What is to be forgotten may be closed by now, and as old as the first picture.
    let since = picture.then(|| lost.unwrap_or(now) - Duration::days(DAYS));
    match kind {
        Kind::Case => {
            let filter = cases::Filter { open, closed_since: lost, among, ..Default::default() };
            wrap(cases::list(db, &scopes.work, &filter, keyset), Found::Case)
        }
        Kind::Report => {
            let filter = reports::Filter { since, among, ..Default::default() };
            wrap(reports::list(db, &scopes.work, &filter, keyset), Found::Report)
        }
        Kind::Patrol => {
            let filter = patrols::Filter { since, among, ..Default::default() };
            wrap(patrols::list(db, &scopes.work, &filter, keyset), Found::Patrol)
        }
        Kind::Visit => {
            let (filter, scope) = (
                visits::Filter { since, among, ..Default::default() },
                (&scopes.homes, scopes.office),
            );
            wrap(visits::list(db, scope, &filter, keyset), Found::Visit)
        }
        Kind::Household => {
            let standing = open.then_some(Standing::Present);
            let filter =
                households::Filter { standing, among, paired_after: lost, ..Default::default() };
            let scope = (&scopes.homes, scopes.office);
            wrap(households::list(db, scope, &filter, now, keyset), Found::Household)
        }
        Kind::Pairing { since } => {
            // What ended at that very moment, too.
            let (mine, before) = (true, Some(since - Duration::milliseconds(1)));
            let filter = households::Filter { mine, paired_after: before, ..Default::default() };
            let scope = (&scopes.homes, scopes.office);
            wrap(households::list(db, scope, &filter, now, keyset), Found::Household)
        }
        Kind::Form => {
            let after = keyset.after.map_or(Uuid::nil(), |(_, id)| id);
            let tenant = scopes.work.tenant;
            let found = forms::load_by_id(db, tenant, among.as_deref(), after, keyset.limit);
            wrap(found, Found::Form)
        }
        Kind::Campaign => {
            let selection = campaigns::Selection { open, among, ..Default::default() };
            wrap(campaigns::list(db, &scopes.campaigns, &selection, keyset), Found::Campaign)
        }
    }
}

fn wrap<F>(
    found: Result<Vec<Versioned<F>>, StoreError>,
    of: impl Fn(Box<Versioned<F>>) -> Found,
) -> Result<Vec<Found>, StoreError> {
    Ok(found?.into_iter().map(|one| of(Box::new(one))).collect())
}

/// A flow that changed and concerns a caller.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Concerned {
    pub(super) kind: FlowKind,
    pub(super) flow: Uuid,
    /// Whether the caller could see it at its former place; when it cannot be seen any more, it is
    /// sent as gone.
    pub(super) was_seen: bool,
}

/// Those of these flows that the caller may see, and those that left the caller's view.
pub(super) fn list_these(
    db: &mut Db,
    scopes: &Scopes,
    now: Instant,
    flows: &[Concerned],
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let of_kind = flows.iter().filter(|one| one.kind == kind.flow_kind());
        let ids: BTreeSet<Uuid> = of_kind.map(|one| one.flow).collect();
        if !ids.is_empty() {
            let limit = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            let which = Which::These { ids: ids.into_iter().collect(), now };
            found.extend(list_flows(db, scopes, kind, which, Keyset { after: None, limit })?);
        }
    }
    let there: BTreeSet<Uuid> = found.iter().map(|one| one.place().1).collect();
    let left = flows.iter().filter(|one| one.was_seen && !there.contains(&one.flow));
    found.extend(left.map(|one| Found::Left(one.kind, one.flow)));
    Ok(found)
}

/// When a pairing of a person with a household begins or ends next.
pub(super) fn load_turn(
    db: &mut Db,
    (tenant, person): (TenantId, PersonId),
    now: Instant,
) -> Result<Option<Instant>, StoreError> {
    households::load_next_pairing_change(db, tenant, person, now)
}
