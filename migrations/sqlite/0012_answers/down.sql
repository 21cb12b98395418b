drop index form_answers_at;
