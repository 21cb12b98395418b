-- Files and what names them, and whether content of the public may be shown to other members of the
-- public. The bytes are stored elsewhere.

create table media (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    by_id uuid not null,
    status text collate "C" not null,
    public smallint not null,
    at timestamptz not null,
    state text not null,
    swept_at timestamptz,
    primary key (tenant_id, id)
);
create index media_at on media (tenant_id, at, id);
create index media_by on media (tenant_id, by_id, at, id);
create index media_unswept on media (tenant_id, id) where status = 'gone' and swept_at is null;

-- The look of a photo, and where and when it was taken as far as that may be kept.
create table media_marks (
    tenant_id uuid not null,
    media_id uuid not null,
    look bigint not null,
    band_a bigint not null,
    band_b bigint not null,
    band_c bigint not null,
    band_d bigint not null,
    taken_at timestamptz,
    lng bigint,
    lat bigint,
    primary key (tenant_id, media_id)
);
create index media_marks_a on media_marks (tenant_id, band_a);
create index media_marks_b on media_marks (tenant_id, band_b);
create index media_marks_c on media_marks (tenant_id, band_c);
create index media_marks_d on media_marks (tenant_id, band_d);

create table media_links (
    tenant_id uuid not null,
    media_id uuid not null,
    flow_id uuid not null,
    kind text collate "C" not null,
    by_id uuid not null,
    at timestamptz not null,
    primary key (tenant_id, media_id, flow_id)
);

-- Files that are sent in pieces.
create table media_uploads (
    tenant_id uuid not null,
    id uuid not null,
    by_id uuid not null,
    bytes bigint not null,
    received bigint not null,
    sha256 text collate "C",
    details text not null,
    begun_at timestamptz not null,
    primary key (tenant_id, id)
) with (fillfactor = 75);
create index media_uploads_begun on media_uploads (tenant_id, begun_at);

create table media_parts (
    tenant_id uuid not null,
    upload_id uuid not null,
    first bigint not null,
    bytes bigint not null,
    primary key (tenant_id, upload_id, first)
);

create table content_reviews (
    tenant_id uuid not null,
    id uuid not null,
    seq bigint not null,
    head bytea not null,
    subject text collate "C" not null,
    about_id uuid not null,
    path text collate "C" not null,
    status text collate "C" not null,
    opened_at timestamptz not null,
    asked_at timestamptz,
    state text not null,
    primary key (tenant_id, id)
) with (fillfactor = 75);
create index content_reviews_at on content_reviews (tenant_id, status, opened_at, id);
create index content_reviews_about on content_reviews (tenant_id, about_id);

-- Checks by outside services that answer later, by their own number for it: the answer may arrive
-- first.
create table outside_checks (
    id text collate "C" not null,
    owner_id uuid,
    review_id uuid,
    suggestion text collate "C",
    label bigint,
    at timestamptz not null,
    primary key (id)
);
