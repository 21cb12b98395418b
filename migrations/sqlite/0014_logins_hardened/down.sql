alter table passwords drop column origin;
