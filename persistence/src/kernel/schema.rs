//! One schema for both engines, compared with the migrations of each by a test.

#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "the table macro is given its types this way")
)]

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    signing_keys (id) {
        id -> Uid, purpose -> Text, secret -> Binary, created_at -> Moment,
        activated_at -> Moment, retired_at -> Nullable<Moment>, public -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    tenants (tenant_id) {
        tenant_id -> Uid, code -> Text, name -> Text, created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    areas (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, parent_id -> Nullable<Uid>, kind -> Text, code -> Text,
        name -> Text, path -> Text, boundary -> Nullable<Doc>, created_at -> Moment,
        seq -> BigInt, state -> Nullable<Doc>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    area_boundaries (tenant_id, area_id, no) {
        tenant_id -> Uid, area_id -> Uid, no -> BigInt, boundary -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    area_imports (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, at -> Moment, digest -> Binary, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    policies (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, kind -> Text,
        published_at -> Moment, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    journal (tenant_id, flow_id, flow, seq) {
        tenant_id -> Uid, flow_id -> Uid, seq -> BigInt, flow -> Text, command_id -> Uid,
        part -> SmallInt, name -> Text, digest -> Binary, actor_id -> Uid, actor_name -> Text,
        at -> Moment, events -> Text, hash -> Binary, position -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    feeds (tenant_id) {
        tenant_id -> Uid, position -> BigInt, dense_from -> BigInt, holes -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    arrivals (tenant_id, command_id, actor_id) {
        tenant_id -> Uid, command_id -> Uid, client_at -> Moment, happened_at -> Moment,
        skew_ms -> BigInt, received_at -> Moment, flags -> Text, actor_id -> Uid,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    reports (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, number -> Text,
        status -> Text, path -> Text, reporter_id -> Uid, case_id -> Nullable<Uid>,
        received_at -> Moment, state -> Doc, patrol_id -> Nullable<Uid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    cases (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, number -> Text,
        stage -> Text, path -> Text, holder_id -> Uid, category -> Nullable<Text>,
        urgency -> Text, title -> Text, filed_at -> Moment, closed_at -> Nullable<Moment>,
        state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    case_units (tenant_id, unit_id, case_id) { tenant_id -> Uid, unit_id -> Uid, case_id -> Uid, }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    obligations (tenant_id, flow_id, flow, no, duty, unit_id) {
        tenant_id -> Uid, flow_id -> Uid, no -> BigInt, duty -> Text, unit_id -> Uid,
        flow -> Text, number -> Text, title -> Text, unit_name -> Text, started_at -> Moment,
        due_at -> Moment, term -> Doc, settled_at -> Nullable<Moment>, outcome -> Nullable<Text>,
        next_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    deferred_debts (tenant_id, flow_id, flow, no, duty, unit_id) {
        tenant_id -> Uid, flow_id -> Uid, flow -> Text, no -> BigInt, duty -> Text, unit_id -> Uid,
        next_at -> Moment, failures -> BigInt, retry_at -> Moment, why -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    people (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, account -> Text,
        account_key -> Text, name -> Text, state -> Doc, standing -> Text, shift_path -> Nullable<Text>,
        shift_until -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    grants (tenant_id, person_id, no) {
        tenant_id -> Uid, person_id -> Uid, no -> BigInt, role -> Text, area_id -> Uid,
        path -> Text, from_at -> Moment, until_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    passwords (tenant_id, person_id) {
        tenant_id -> Uid, person_id -> Uid, hash -> Text, changed_at -> Moment, origin -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    sessions (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, person_id -> Uid, refresh_hash -> Binary,
        created_at -> Moment, expires_at -> Moment, revoked_at -> Nullable<Moment>, method -> Text,
        device -> Text, address -> Text, used_at -> Moment, previous_hash -> Nullable<Binary>,
        rotated_at -> Nullable<Moment>, restriction -> Nullable<Text>, ended -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    second_factors (tenant_id, person_id) {
        tenant_id -> Uid, person_id -> Uid, secret -> Binary, created_at -> Moment,
        confirmed_at -> Nullable<Moment>, last_step -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    recovery_codes (tenant_id, person_id, digest) {
        tenant_id -> Uid, person_id -> Uid, digest -> Binary, used_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    identities (tenant_id, provider, subject) {
        tenant_id -> Uid, provider -> Text, subject -> Text, person_id -> Uid,
        secret -> Nullable<Binary>, linked_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    outside_tokens (id) {
        id -> Text, token -> Nullable<Binary>, expires_at -> Nullable<Moment>,
        leased_until -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    clients (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, name -> Text, scopes -> Text, per_minute -> BigInt,
        created_at -> Moment, created_by -> Uid, disabled_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    client_secrets (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, client_id -> Uid, kind -> Text, digest -> Binary,
        created_at -> Moment, expires_at -> Moment, used_at -> Nullable<Moment>,
        revoked_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    personal_keys (tenant_id, subject_id, kind) {
        tenant_id -> Uid, subject_id -> Uid, kind -> Text, key_id -> Text,
        wrapped -> Nullable<Binary>, created_at -> Moment, destroyed_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    personal (tenant_id, subject_id, kind, field) {
        tenant_id -> Uid, subject_id -> Uid, field -> Text, sealed -> Binary,
        blind -> Nullable<Binary>, updated_at -> Moment, kind -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    disclosures (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, person_id -> Nullable<Uid>, report_id -> Nullable<Uid>,
        by_id -> Uid, by_name -> Text, fields -> Text, purpose -> Text, reason -> Text,
        at -> Moment, digest -> Binary, household_id -> Nullable<Uid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    consents (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, person_id -> Uid, purpose -> Text, answer -> Text,
        version -> Text, edition -> BigInt, at -> Moment, digest -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    audit (tenant_id, seq) {
        tenant_id -> Uid, seq -> BigInt, at -> Moment, act -> Text, verdict -> Text,
        actor_id -> Nullable<Uid>, actor_name -> Text, subject_id -> Nullable<Uid>,
        address -> Text, detail -> Text, hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    audit_heads (tenant_id) {
        tenant_id -> Uid, seq -> BigInt, head -> Binary, base_seq -> BigInt, base_head -> Binary,
        unsaid_seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    tallies (tenant_id, class) {
        tenant_id -> Uid, class -> Text, count -> BigInt, sum -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    retention_runs (tenant_id, class) {
        tenant_id -> Uid, class -> Text, ran_at -> Moment, cutoff -> Moment,
        removed -> BigInt, total -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    patrols (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, number -> Text,
        status -> Text, path -> Text, worker_id -> Nullable<Uid>, plan_id -> Nullable<Uid>,
        from_at -> Moment, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    patrol_plans (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, standing -> Text,
        path -> Text, created_at -> Moment, next_at -> Nullable<Moment>, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    tracks (tenant_id, patrol_id) {
        tenant_id -> Uid, patrol_id -> Uid, points -> BigInt, last_seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    track_batches (tenant_id, patrol_id, first_seq) {
        tenant_id -> Uid, patrol_id -> Uid, first_seq -> BigInt, last_seq -> BigInt,
        points -> BigInt, received_at -> Moment, blob -> Binary, person_id -> Nullable<Uid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    positions (tenant_id, person_id) {
        tenant_id -> Uid, person_id -> Uid, patrol_id -> Uid, at -> Moment, sealed -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    households (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, path -> Text,
        building -> Nullable<Text>, group_code -> Nullable<Text>, special -> SmallInt,
        standing -> Text, registered_at -> Moment, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    household_people (tenant_id, household_id, person_id, role) {
        tenant_id -> Uid, household_id -> Uid, person_id -> Uid, role -> Text, from_at -> Moment,
        until_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    visits (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, household_id -> Uid,
        campaign_id -> Nullable<Uid>, worker_id -> Nullable<Uid>, path -> Text, status -> Text,
        outcome -> Nullable<Text>, made_at -> Moment, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    campaigns (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, path -> Text, status -> Text,
        made_at -> Moment, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    campaign_households (tenant_id, campaign_id, household_id) {
        tenant_id -> Uid, campaign_id -> Uid, household_id -> Uid, grid_id -> Uid, path -> Text,
        worker_id -> Nullable<Uid>, asked_at -> Moment, visit_id -> Nullable<Uid>,
        outcome -> Nullable<Text>, visited_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    forms (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, code -> Text,
        withdrawn -> SmallInt, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    form_answers (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, household_id -> Uid, form_id -> Uid, edition -> BigInt,
        visit_id -> Nullable<Uid>, by_id -> Uid, at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    numbers (tenant_id, number) {
        tenant_id -> Uid, number -> Text, flow_id -> Uid,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    burden (tenant_id, flow_id, flow, seq) {
        tenant_id -> Uid, flow_id -> Uid, seq -> BigInt, person_id -> Uid, path -> Text,
        what -> Text, at -> Moment, required -> SmallInt, typed -> SmallInt, reused -> SmallInt,
        repeated -> SmallInt, photos -> SmallInt, flow -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    webhooks (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, name -> Text, url -> Text, area_id -> Uid, path -> Text,
        types -> Text, envelope -> Text, status -> Text, why -> Nullable<Text>,
        position -> BigInt, failing_since -> Nullable<Moment>, created_at -> Moment,
        created_by -> Uid, changed_at -> Moment, approved_by -> Nullable<Uid>,
        approved_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    verified_phones (tenant_id, person_id) {
        tenant_id -> Uid, person_id -> Uid, blind -> Binary, at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    webhook_secrets (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, webhook_id -> Uid, sealed -> Binary, created_at -> Moment,
        expires_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    deliveries (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, channel -> Text, target_id -> Uid, event_id -> Uid,
        kind -> Text, flow_id -> Uid, position -> BigInt, part -> SmallInt, content -> Text,
        state -> Text, attempts -> Integer, created_at -> Moment, next_at -> Nullable<Moment>,
        leased_until -> Nullable<Moment>, leased_by -> Nullable<Uid>,
        ended_at -> Nullable<Moment>, why -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    attempts (tenant_id, delivery_id, no) {
        tenant_id -> Uid, delivery_id -> Uid, no -> Integer, at -> Moment, took_ms -> Integer,
        status -> Nullable<Integer>, outcome -> Text, request -> Text, response -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    feed_readers (tenant_id, id) {
        tenant_id -> Uid, id -> Text, position -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    messages (tenant_id, person_id, id) {
        tenant_id -> Uid, person_id -> Uid, id -> Uid, kind -> Text, title -> Text, body -> Text,
        flow -> Text, flow_id -> Uid, at -> Moment, read_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    message_preferences (tenant_id, person_id) {
        tenant_id -> Uid, person_id -> Uid, document -> Text, changed_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    wechat_quotas (tenant_id, person_id, id) {
        tenant_id -> Uid, person_id -> Uid, id -> Text, remaining -> Integer,
        changed_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    media (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, by_id -> Uid, status -> Text,
        public -> SmallInt, at -> Moment, state -> Doc, swept_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    media_marks (tenant_id, media_id) {
        tenant_id -> Uid, media_id -> Uid, look -> BigInt, band_a -> BigInt, band_b -> BigInt,
        band_c -> BigInt, band_d -> BigInt, taken_at -> Nullable<Moment>, lng -> Nullable<BigInt>,
        lat -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    media_links (tenant_id, media_id, flow_id, kind, by_id) {
        tenant_id -> Uid, media_id -> Uid, flow_id -> Uid, kind -> Text, by_id -> Uid, at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    media_uploads (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, by_id -> Uid, bytes -> BigInt, received -> BigInt,
        sha256 -> Nullable<Text>, details -> Doc, begun_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    media_parts (tenant_id, upload_id, first) {
        tenant_id -> Uid, upload_id -> Uid, first -> BigInt, bytes -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    content_reviews (tenant_id, id) {
        tenant_id -> Uid, id -> Uid, seq -> BigInt, head -> Binary, subject -> Text,
        about_id -> Uid, path -> Text, status -> Text, opened_at -> Moment,
        asked_at -> Nullable<Moment>, state -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::types::sql::*;
    outside_checks (id) {
        id -> Text, owner_id -> Nullable<Uid>, review_id -> Nullable<Uid>,
        suggestion -> Nullable<Text>, label -> Nullable<BigInt>, at -> Moment,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    cases,
    case_units,
    reports,
    obligations,
    deferred_debts,
    patrol_plans,
    people,
    grants,
    passwords,
    personal_keys,
    patrols,
    track_batches,
    positions,
    households,
    household_people,
    disclosures,
    campaigns,
    campaign_households,
    webhooks,
    deliveries,
    media,
    media_links,
    media_marks,
    content_reviews
);
