-- Answers of households are removed when their time is over, oldest first.
create index form_answers_at on form_answers (tenant_id, at);
