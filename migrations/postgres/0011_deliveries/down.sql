drop table wechat_quotas;
drop table message_preferences;
drop table messages;
drop table feed_readers;
drop table attempts;
drop table deliveries;
drop table webhook_secrets;
drop table webhooks;
