-- What households answered goes when its time is over, the oldest first.
create index form_answers_at on form_answers (tenant_id, at);
