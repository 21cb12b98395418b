drop table outside_checks;
drop table content_reviews;
drop table media_parts;
drop table media_uploads;
drop table media_links;
drop table media_marks;
drop table media;
