-- Files and what names them, and whether content of the public may be shown to other members of the
-- public. The bytes are stored elsewhere.

create table media (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    by_id blob not null,
    status text not null,
    public integer not null,
    at integer not null,
    state text not null,
    swept_at integer,
    primary key (tenant_id, id)
) strict, without rowid;
create index media_at on media (tenant_id, at, id);
create index media_by on media (tenant_id, by_id, at, id);
create index media_unswept on media (tenant_id, id) where status = 'gone' and swept_at is null;

-- The look of a photo, and where and when it was taken as far as that may be kept.
create table media_marks (
    tenant_id blob not null,
    media_id blob not null,
    look integer not null,
    band_a integer not null,
    band_b integer not null,
    band_c integer not null,
    band_d integer not null,
    taken_at integer,
    lng integer,
    lat integer,
    primary key (tenant_id, media_id)
) strict, without rowid;
create index media_marks_a on media_marks (tenant_id, band_a);
create index media_marks_b on media_marks (tenant_id, band_b);
create index media_marks_c on media_marks (tenant_id, band_c);
create index media_marks_d on media_marks (tenant_id, band_d);

create table media_links (
    tenant_id blob not null,
    media_id blob not null,
    flow_id blob not null,
    kind text not null,
    by_id blob not null,
    at integer not null,
    primary key (tenant_id, media_id, flow_id)
) strict, without rowid;

-- Files that are sent in pieces.
create table media_uploads (
    tenant_id blob not null,
    id blob not null,
    by_id blob not null,
    bytes integer not null,
    received integer not null,
    sha256 text,
    details text not null,
    begun_at integer not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index media_uploads_begun on media_uploads (tenant_id, begun_at);

create table media_parts (
    tenant_id blob not null,
    upload_id blob not null,
    first integer not null,
    bytes integer not null,
    primary key (tenant_id, upload_id, first)
) strict, without rowid;

create table content_reviews (
    tenant_id blob not null,
    id blob not null,
    seq integer not null,
    head blob not null,
    subject text not null,
    about_id blob not null,
    path text not null,
    status text not null,
    opened_at integer not null,
    asked_at integer,
    state text not null,
    primary key (tenant_id, id)
) strict, without rowid;
create index content_reviews_at on content_reviews (tenant_id, status, opened_at, id);
create index content_reviews_about on content_reviews (tenant_id, about_id);

-- Checks by outside services that answer later, by their own number for it: the answer may arrive
-- first.
create table outside_checks (
    id text not null,
    owner_id blob,
    review_id blob,
    suggestion text,
    label integer,
    at integer not null,
    primary key (id)
) strict, without rowid;
