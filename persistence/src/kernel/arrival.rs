//! Arrivals: what phones said about commands they had kept offline.

use diesel::{
    prelude::*,
    sql_types::{BigInt, Text},
};
use domain::core::{
    arrival::{Arrival, Oddity},
    id::{CommandId, PersonId, TenantId},
    journal::Entry,
};

use crate::kernel::{
    connection::Db,
    error::StoreError,
    rows::rows,
    schema::arrivals,
    types::{At, Id, sql},
};

type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub(crate) struct ArrivalRow {
    tenant_id: Id,
    command_id: Id,
    client_at: At,
    happened_at: At,
    skew_ms: i64,
    received_at: At,
    flags: String,
    actor_id: Id,
}

rows! {
    ArrivalRow in "arrivals" {
        tenant_id: Id => sql::Uid, "uuid";
        command_id: Id => sql::Uid, "uuid";
        client_at: At => sql::Moment, "timestamptz";
        happened_at: At => sql::Moment, "timestamptz";
        skew_ms: i64 => BigInt, "bigint";
        received_at: At => sql::Moment, "timestamptz";
        flags: String => Text, "text";
        actor_id: Id => sql::Uid, "uuid";
    }
    key (tenant_id, command_id, actor_id) changes ()
}

impl ArrivalRow {
    pub(crate) fn new(entry: &Entry, arrival: &Arrival) -> Self {
        let flags: Vec<&str> = arrival.oddities.iter().map(|oddity| oddity.name()).collect();
        Self {
            tenant_id: Id(entry.tenant.0),
            command_id: Id(arrival.command.0),
            client_at: At(arrival.client_at),
            happened_at: At(arrival.happened_at),
            skew_ms: arrival.skew.ms(),
            received_at: At(arrival.received_at),
            flags: flags.join(" "),
            actor_id: Id(entry.actor.0),
        }
    }
}

/// A command that a phone had kept offline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfflineCommand {
    /// The identity of the command.
    pub command: CommandId,
    /// The person who entered it.
    pub actor: PersonId,
    /// When it was entered, by the phone's clock.
    pub client_at: domain::Instant,
    /// The same, by the server's clock.
    pub happened_at: domain::Instant,
    /// What is odd about the time.
    pub oddities: Vec<Oddity>,
}

/// The arrivals of these commands; those that no phone had kept are left out.
pub fn load_for_commands(
    db: &mut Db,
    tenant: TenantId,
    commands: &[CommandId],
) -> Result<Vec<OfflineCommand>> {
    type Row = (Id, Id, At, At, String);
    let rows: Vec<Row> = arrivals::table
        .filter(arrivals::tenant_id.eq(Id(tenant.0)))
        .filter(arrivals::command_id.eq_any(commands.iter().map(|command| Id(command.0))))
        .select((
            arrivals::command_id,
            arrivals::actor_id,
            arrivals::client_at,
            arrivals::happened_at,
            arrivals::flags,
        ))
        .load(db)?;
    let kept = |(command, actor, client, happened, flags): Row| OfflineCommand {
        command: CommandId(command.0),
        actor: PersonId(actor.0),
        client_at: client.0,
        happened_at: happened.0,
        oddities: flags.split_whitespace().filter_map(Oddity::parse).collect(),
    };
    Ok(rows.into_iter().map(kept).collect())
}
