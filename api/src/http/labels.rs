//! What people call commands.

use domain::core::journal::FlowKind;

/// What people call a command about households, visits, campaigns and forms.
pub fn of_visits(flow: FlowKind, command: &str) -> Option<&'static str> {
    Some(match (flow, command) {
        (FlowKind::Household, "register") => "登记",
        (FlowKind::Household, "update") => "更新",
        (FlowKind::Household, "pair") => "结对",
        (FlowKind::Household, "unpair") => "解除结对",
        (FlowKind::Household, "answer") => "填表",
        (FlowKind::Household, "leave") => "迁出",
        (FlowKind::Household, "return") => "恢复在册",
        (FlowKind::Household, "erase") => "删除个人信息",
        (FlowKind::Visit, "plan") => "计划走访",
        (FlowKind::Visit, "record") => "记录走访",
        (FlowKind::Visit, "correct") => "更正",
        (FlowKind::Visit, "cancel") => "取消",
        (FlowKind::Campaign, "begin") => "发起",
        (FlowKind::Campaign, "assign") => "分派名单",
        (FlowKind::Campaign, "publish") => "启动",
        (FlowKind::Campaign, "complete") => "网格完成",
        (FlowKind::Campaign, "close") => "结束",
        (FlowKind::Form, "publish") => "发布",
        (FlowKind::Form, "withdraw") => "停用",
        (FlowKind::Media, "upload") => "上传",
        (FlowKind::Media, "drop") => "删除文件",
        (FlowKind::ContentReview, "open_review") => "送审",
        (FlowKind::ContentReview, "ask") => "自动检测",
        (FlowKind::ContentReview, "hear") => "检测结果",
        (FlowKind::ContentReview, "queue") => "转人工审核",
        (FlowKind::ContentReview, "decide") => "审核",
        _ => return None,
    })
}
