//! The table of problems: code, status, title, and what it means and what helps.
//!
//! A refusal of the domain has the same code here as there. Only this file knows which status goes
//! with which problem: 401 means bad credentials, 403 a known refusal, 404 hides what the caller
//! must not know exists, 409 that another request was faster or it exists already, 412 a stale
//! `If-Match`, 422 a rule of the domain.

use actix_web::http::StatusCode;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The stable machine code.
    pub name: &'static str,
    /// The HTTP status.
    pub status: StatusCode,
    /// The title in Chinese and English.
    pub title: (&'static str, &'static str),
    /// What it means and what helps, in Chinese and English.
    pub help: (&'static str, &'static str),
}

macro_rules! codes {
    ($($variant:ident $name:literal $status:ident $zh:literal $en:literal $help_zh:literal $help_en:literal;)+) => {
        /// The code of a problem.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code { $(#[doc = $en] $variant,)+ }

        impl Code {
            /// Every one of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its row of the table.
            pub const fn row(self) -> Row {
                match self { $(Self::$variant => Row {
                    name: $name,
                    status: StatusCode::$status,
                    title: ($zh, $en),
                    help: ($help_zh, $help_en),
                },)+ }
            }

            /// Where it is explained; the `type` of the problem.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("/problems/", $name),)+ }
            }
        }
    };
}

impl Code {
    /// The stable machine code.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The code called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

codes! {
    BadRequest "bad_request" BAD_REQUEST "请求无法理解" "The request cannot be understood"
        "请求本身不完整或不合 HTTP 规范，请检查后重发。"
        "The request is incomplete or not proper HTTP; correct it and send it again.";
    InvalidBody "invalid_body" BAD_REQUEST "请求正文不符合要求" "The request body is not valid"
        "请按 errors 中的位置（JSON 指针）修改正文后重发。"
        "Correct the body at the places (JSON pointers) given in errors and send it again.";
    InvalidQuery "invalid_query" BAD_REQUEST "查询参数不符合要求" "A query parameter is not valid"
        "请按 errors 中的参数名修改查询参数；不认识的参数不会被忽略。"
        "Correct the parameters named in errors; unknown parameters are not ignored.";
    InvalidPath "invalid_path" BAD_REQUEST "网址中的编号不符合要求" "A part of the path is not valid"
        "请检查网址中的编号：应当是 UUID，由服务器返回，或由客户端建立时自行生成。"
        "Check the identifier in the path: it is a UUID, as this server returned it or a client made it.";
    InvalidHeader "invalid_header" BAD_REQUEST "请求头不符合要求" "A request header is not valid"
        "请按 errors 中的请求头名称修改后重发。"
        "Correct the header named in errors and send it again.";
    IdempotencyKeyRequired "idempotency_key_required" BAD_REQUEST
        "缺少 Idempotency-Key 请求头" "The Idempotency-Key header is missing"
        "每次写操作都要带一个新的 UUID；网络中断后用同一个 UUID 重发，不会重复办理。"
        "Every write carries a new UUID; sent again under the same UUID it is not done twice.";
    IdempotencyKeyInvalid "idempotency_key_invalid" BAD_REQUEST
        "Idempotency-Key 请求头不是可用的 UUID" "The Idempotency-Key header is not a UUID that can be used"
        "请使用版本 4 或 7 的 UUID，例如 018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e，每次新操作换一个。"
        "Use a UUID of version 4 or 7 such as 018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e, a new one for each new action.";
    Unauthenticated "unauthenticated" UNAUTHORIZED "请先登录" "Log in first"
        "没有登录，或登录已失效。请用刷新令牌换取新的访问令牌，或重新登录。"
        "There is no valid access token. Use the refresh token to get a new one, or log in again.";
    CredentialsInvalid "credentials_invalid" UNAUTHORIZED
        "账号或密码不正确" "The account or the password is wrong"
        "请核对后重试；忘记密码请联系管理员重置。"
        "Check both and try again; an administrator can reset a forgotten password.";
    AccountClosed "account_closed" FORBIDDEN "账号已停用" "The account is closed"
        "请联系管理员恢复账号。"
        "Ask an administrator to open it again.";
    LoginIncomplete "login_incomplete" FORBIDDEN "登录还没有完成" "The login is not complete"
        "required 说明要先做什么：second_factor 为绑定动态口令，password 为修改密码；完成后即可使用。"
        "required says what to do first: second_factor to enrol one, password to choose a new one.";
    NotPermitted "not_permitted" FORBIDDEN "没有权限" "Not permitted"
        "您的角色在这个区域没有所需的权限，请联系管理员授权，或转给有权限的同事办理。"
        "None of your roles allows this over that area; ask an administrator or a colleague.";
    NotFound "not_found" NOT_FOUND "找不到" "Not found"
        "它不存在，或者不在您可以查看的范围内。"
        "It does not exist, or it is not yours to see.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED
        "这个网址不支持这种请求方法" "This address does not support the method"
        "请使用 Allow 响应头列出的方法。"
        "Use one of the methods listed in the Allow header.";
    Timeout "timeout" REQUEST_TIMEOUT "请求正文传输超时" "The request body took too long"
        "网络太慢，正文没有按时传完。请用同一个 Idempotency-Key 重发。"
        "The body did not arrive in time; send it again under the same Idempotency-Key.";
    LostRace "lost_race" CONFLICT "别人抢先了一步" "Somebody was faster"
        "同一时刻有人先办理了。请重新读取最新状态，再决定是否继续。"
        "Somebody acted at the same moment; read the latest state and decide again.";
    CursorOutdated "cursor_outdated" GONE "同步游标已失效，请重新开始" "The cursor no longer fits; start over"
        "游标属于其他人，或者服务器数据已恢复到更早的状态。请清空本机缓存，不带 since 重新同步；未上传的队列请保留并照常上传。"
        "It is another person's, or the database was restored to an earlier day. Drop what was cached and sync without since; keep what was not sent yet and send it as usual.";
    AccountTaken "account_taken" CONFLICT "账号已被使用" "The account name is taken"
        "请换一个账号名。"
        "Choose another account name.";
    AlreadyExists "already_exists" CONFLICT "已经存在" "It exists already"
        "同样的内容已经存在，不必重复建立；如果是重发，请使用原来的 Idempotency-Key。"
        "It need not be made again; a retry must use its original Idempotency-Key.";
    Stale "stale" PRECONDITION_FAILED "内容已被更新" "It has changed meanwhile"
        "您看到的不是最新版本（If-Match 不符）。请重新读取后再操作。"
        "If-Match names an older version; read the latest and decide again.";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "请求正文太大" "The request body is too large"
        "请把正文控制在限定大小以内，必要时分批提交。"
        "Keep the body within the limit; send several smaller requests if need be.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE
        "正文格式不受支持" "The format of the body is not supported"
        "请使用 Content-Type: application/json，编码 UTF-8，不要压缩。"
        "Send Content-Type: application/json in UTF-8, not compressed.";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY
        "Idempotency-Key 已用于另一个请求" "The Idempotency-Key was used for another request"
        "同一个 Idempotency-Key 只能重发完全相同的请求；新的操作请换一个 UUID。"
        "A key can only repeat exactly the same request; use a new UUID for a new action.";
    PasswordUnacceptable "password_unacceptable" UNPROCESSABLE_ENTITY
        "密码不符合要求" "The password is not acceptable"
        "长度见 min 和 max；reason 为 guessable 的太容易猜到，请换成几个不相干的词，不要用常见密码、姓名、账号、日期或键盘顺序。"
        "min and max give the length; a guessable one is too common: take several unrelated words, no names, dates or rows of keys.";
    OldPasswordWrong "old_password_wrong" UNPROCESSABLE_ENTITY
        "原密码不正确" "The old password is wrong"
        "修改自己的密码用 /me/password，并提供正确的原密码；忘记密码请联系管理员重置。"
        "Change your own password with /me/password and the old one; an administrator can reset a forgotten one.";
    ProofRequired "proof_required" UNPROCESSABLE_ENTITY
        "需要再次证明是本人" "Prove once more that it is you"
        "请在 proof 中提供 accepted 所列的一种：密码、动态口令（或恢复码），或者已绑定微信的 wx.login code；login 表示请重新登录后再做。"
        "Give one of those in accepted as proof: the password, a code of the second factor, or a code of a WeChat identity that is linked; login means to log in anew and then try again.";
    ProofWrong "proof_wrong" UNPROCESSABLE_ENTITY
        "没有证明是本人" "The proof is wrong"
        "密码不正确，或者所给的微信不是这个账号已经绑定的；请核对后重试。"
        "The password is wrong, or that WeChat identity is not linked to this account; check it and try again.";
    SecondFactorRequired "second_factor_required" UNAUTHORIZED
        "还需要动态口令" "A second factor is needed"
        "密码正确。请在 expires_in 秒内把 challenge 和动态口令（或恢复码）提交到 /auth/second_factor。"
        "The password is right. Send challenge and a code to /auth/second_factor within expires_in seconds.";
    CodeInvalid "code_invalid" UNPROCESSABLE_ENTITY "动态口令不正确" "The code is wrong"
        "口令每 30 秒更换，每个只能用一次；请核对手机时间，等下一个口令再试，或使用恢复码。"
        "Codes change every 30 seconds and work once; check the clock of your phone, wait for the next, or use a recovery code.";
    SecondFactorState "second_factor_state" UNPROCESSABLE_ENTITY
        "动态口令现在不能这样操作" "Not possible with the second factor as it is"
        "state 说明现状：none 未绑定，pending 等待确认，confirmed 已启用，required 按规定不能停用。"
        "state says how it is: none, pending (confirm it), confirmed, or required (it cannot be removed).";
    AccountPersonal "account_personal" UNPROCESSABLE_ENTITY
        "账号不能是手机号或证件号" "An account is no phone or identification number"
        "账号会永久留在记录中，不能包含个人信息；请另取账号。"
        "Accounts stay on record for ever and hold nothing personal; choose another.";
    NoticeOutdated "notice_outdated" UNPROCESSABLE_ENTITY
        "个人信息处理规则已经更新" "The privacy notice has another version now"
        "请重新阅读 GET /privacy 的 notice，再对 version 所示的版本表示同意。"
        "Read the notice of GET /privacy again and answer for the version it names.";
    TooManyRequests "too_many_requests" TOO_MANY_REQUESTS "尝试太频繁" "Too many attempts"
        "请等待 Retry-After 响应头给出的秒数后再试。"
        "Wait for the seconds given in the Retry-After header.";
    Internal "internal" INTERNAL_SERVER_ERROR "服务器内部错误" "Internal error"
        "不是您的问题。请稍后用同一个 Idempotency-Key 重试；仍不行请把 trace_id 告诉管理员。"
        "Not your fault. Try again later under the same Idempotency-Key; if it persists, tell an administrator the trace_id.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "系统繁忙" "Too busy"
        "请在 Retry-After 给出的秒数后，用同一个 Idempotency-Key 重试。"
        "Try again after the seconds in Retry-After, under the same Idempotency-Key.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "服务暂时不可用" "Temporarily unavailable"
        "数据库暂时连接不上或服务正在重启。请稍后用同一个 Idempotency-Key 重试，不会重复办理。"
        "The database cannot be reached or the server is restarting. Try again under the same Idempotency-Key; nothing is done twice.";
    TokenRefused "token_refused" BAD_REQUEST
        "令牌请求不符合要求" "The token request is not valid"
        "请按 error 和 error_description（RFC 6749）修改后重试。"
        "error and error_description (RFC 6749) say what to correct.";
    ClientUnknown "client_unknown" UNAUTHORIZED
        "接入系统未登记或密钥不正确" "The client is unknown or its secret is wrong"
        "请核对 client_id 和密钥；密钥可能已到期或作废，请联系管理员重新签发。"
        "Check client_id and secret; the secret may be over or revoked, an administrator can issue another.";
    InsufficientScope "insufficient_scope" FORBIDDEN
        "令牌的权限范围不够" "The token's scope does not allow this"
        "scope 是令牌现有的范围：read 可读取，report 可上报；需要更大范围请联系管理员。"
        "scope says what the token has: read to read, report to report; an administrator can give more.";
    TooManySecrets "too_many_secrets" UNPROCESSABLE_ENTITY
        "有效密钥已满" "The client has as many secrets as it can"
        "请先作废不再使用的密钥；同时有效的数量见 max。"
        "Revoke one that is no longer used; max says how many work at a time.";
    OutsideUnavailable "outside_unavailable" SERVICE_UNAVAILABLE
        "外部登录服务暂时没有响应" "An outside service does not answer"
        "微信或统一认证暂时没有正常响应，请在 Retry-After 给出的秒数后重试。"
        "WeChat or the identity provider does not answer as it should; try again after the seconds in Retry-After.";
    OutsideRefused "outside_refused" FORBIDDEN
        "外部登录服务拒绝了这次登录" "An outside service refused this login"
        "微信认为此账号存在风险，或统一认证没有同意；请联系其客服，或改用账号密码登录。"
        "WeChat considers the account a risk, or the provider did not consent; ask them, or log in with a password.";
    NoSuchAccount "no_such_account" FORBIDDEN
        "这里没有对应的账号" "There is no account for you here"
        "统一认证通过了，但本系统没有与之对应的账号；请联系管理员登记。"
        "The provider vouches for you, but no account here matches; ask an administrator to register one.";
    MediaUnacceptable "media_unacceptable" UNPROCESSABLE_ENTITY
        "不能接收这个文件" "The file is not taken"
        "reason 说明原因，accepted 是可以接收的格式；iPhone 照片请选择“兼容性最佳”或转为 JPEG 后上传。"
        "reason says why, accepted lists the formats that are taken; send photos of an iPhone as JPEG (Most Compatible).";
    ChecksumMismatch "checksum_mismatch" UNPROCESSABLE_ENTITY
        "文件与校验值不符" "The file differs from its digest"
        "传输中可能出错：请重新计算 SHA-256 并用同一个编号重新上传。"
        "It may have been damaged on its way: send it again under the same identity.";
    UploadOffset "upload_offset" CONFLICT
        "分段位置不对" "The piece is not the next one"
        "offset 是服务器已收到的字节数，请从这个位置继续上传。"
        "offset says how many bytes are here; go on from there.";
    LinkInvalid "link_invalid" FORBIDDEN
        "链接无效或已过期" "The link is not valid, or no longer"
        "文件链接只在短时间内有效：请重新读取案卷、上报或文件，得到新的链接。"
        "Links to files live for minutes; read the case, the report or the file again for a new one.";
    StorageUnavailable "storage_unavailable" SERVICE_UNAVAILABLE
        "文件存储暂时不可用" "The storage of files does not answer"
        "请稍后用同一个编号重试；上报和办理不受影响。"
        "Try again under the same identity in a moment; reports and cases are not affected.";
    RangeInvalid "range_invalid" RANGE_NOT_SATISFIABLE
        "请求的范围超出文件" "The range lies beyond the file"
        "bytes 是文件的字节数；请在这个范围内读取，或去掉 Range 请求头。"
        "bytes says how many the file has; ask within them, or leave Range out.";
    WrongState "wrong_state" UNPROCESSABLE_ENTITY "当前状态不能这样操作" "Not possible in this state"
        "possible 列出了现在可以做的操作。"
        "possible lists what can be done now.";
    OutsideJurisdiction "outside_jurisdiction" UNPROCESSABLE_ENTITY
        "不能派遣给辖区以外的单位" "That unit is outside the holder's area"
        "只能派给案卷所在辖区内的单位；需要其他部门请吹哨，需要上级请上呈。"
        "Dispatch goes to units within the holder's area; whistle for departments, escalate upwards.";
    NoLevelAbove "no_level_above" UNPROCESSABLE_ENTITY "已经没有上一级" "There is no level above"
        "案卷已在最高一级，请在本级派遣。"
        "The case is at the highest level; dispatch it here.";
    NotAStreet "not_a_street" UNPROCESSABLE_ENTITY "只有街道（镇）可以吹哨" "Only a street blows the whistle"
        "请先把案卷上呈到街道，再吹哨。"
        "Escalate the case to its street first.";
    NotADepartment "not_a_department" UNPROCESSABLE_ENTITY
        "不是服务本街道的部门" "Not a department that serves this street"
        "请从服务本街道的部门中选择。"
        "Choose a department that serves this street.";
    NamedTwice "named_twice" UNPROCESSABLE_ENTITY "同一部门被重复点名" "A department is named twice"
        "一次吹哨中每个部门只能出现一次，主办部门不能同时是协办部门。"
        "A whistle names each department once; the lead does not also co-operate.";
    TooManyDepartments "too_many_departments" UNPROCESSABLE_ENTITY
        "点名的部门太多" "Too many departments are named"
        "请只点名确实需要到场的部门，其余的另行协调。"
        "Name only the departments that have to be on the spot.";
    NotSummoned "not_summoned" UNPROCESSABLE_ENTITY
        "这次吹哨没有叫这个部门" "This department is not summoned"
        "请核对部门；只有被本次吹哨点名的部门可以操作。"
        "Check the department; only those named by the current whistle can act.";
    CooperatingPending "cooperating_pending" UNPROCESSABLE_ENTITY
        "协办部门还没有反馈" "Co-operating departments are still at work"
        "主办部门最后反馈；请等待 units 中的部门反馈后再提交。"
        "The lead answers last; wait for the departments in units.";
    AlreadyRated "already_rated" UNPROCESSABLE_ENTITY "已经评价过" "Rated already"
        "每个部门每轮只评价一次。"
        "A department is rated once a round.";
    Claimed "claimed" UNPROCESSABLE_ENTITY
        "已有人领取" "Somebody else went to look"
        "请等待领取人的结果；到 until 仍未完成的，可以领取。"
        "Wait for what comes of it; from until on somebody else may go.";
    NotClaimed "not_claimed" UNPROCESSABLE_ENTITY
        "您没有领取这项任务" "You did not take this look"
        "只有领取人能退回或转交；任务现在空着，可以直接领取。"
        "Only who took it gives it back or passes it on; it is free, so that you may take it.";
    NotAVerifier "not_a_verifier" UNPROCESSABLE_ENTITY
        "此人不能在该处核查" "This person may not look there"
        "请转交给对该网格有核查权限、没有参与处置的人员，或者退回。"
        "Pass it on to somebody who may verify in that grid and did not handle it, or give it back.";
    FirstReceiver "first_receiver" UNPROCESSABLE_ENTITY
        "首接单位不得推诿" "Who received it first leads it"
        "首接单位退单须提出应由谁承办；权责清单规定由本单位主办的，请继续办理。"
        "Say whose it is instead; what the list of responsibilities names as the unit's own, it handles.";
    HandlerVerifies "handler_verifies" UNPROCESSABLE_ENTITY
        "处置人不能核查自己办的事" "Who handled it does not verify it"
        "请由没有参与处置的同事到现场核查。"
        "Let somebody who did not handle it look on the spot.";
    AnswersContradict "answers_contradict" UNPROCESSABLE_ENTITY
        "回访的几个回答互相矛盾" "The answers contradict each other"
        "接通才填“是否解决”和“是否满意”，没有接通就都不填。"
        "Give solved and satisfied exactly when somebody was reached.";
    AlreadyAnswered "already_answered" UNPROCESSABLE_ENTITY
        "这个上报人已经评价过" "This reporter answered already"
        "评价已经记录，与首个公众上报人（全部由工作人员上报的为首个上报人）的回访一并计算；不满意结案的，可以在期限内重开。"
        "It is kept and counts when the first reporter of the public is asked, the first of all where only staff reported; a closed case can be reopened in time.";
    WindowOver "window_over" UNPROCESSABLE_ENTITY "重开期限已过" "The window for reopening is over"
        "请重新上报，新的上报可以引用原来的案卷编号。"
        "Report it anew; the text can name the old case.";
    NotJoinable "not_joinable" UNPROCESSABLE_ENTITY
        "这个案卷不能再并入上报" "The case takes no more reports"
        "只有未结案的案卷可以并入，请立新案或选择别的案卷。"
        "Only open cases take further reports; file a new case or name another.";
    TooManyComments "too_many_comments" UNPROCESSABLE_ENTITY
        "案卷的批注已满" "The case holds as many remarks as it can"
        "请继续办理；需要说明的情况写在办理步骤的备注里。"
        "Go on with its steps; what needs saying can be said in their notes.";
    TooManyReports "too_many_reports" UNPROCESSABLE_ENTITY
        "案卷并入的上报已满" "The case holds as many reports as it can"
        "请为这次上报另立新案。"
        "File a new case for this report.";
    TooManyGrants "too_many_grants" UNPROCESSABLE_ENTITY
        "授权数量已满" "The person holds as many grants as allowed"
        "请先收回不再需要的授权。"
        "Revoke grants that are no longer needed first.";
AreaRetired "area_retired" UNPROCESSABLE_ENTITY "区划已撤销" "The area is no more"
        "撤销的区划只能查阅和办结原有事项，新的事项请选择承接它的区划。"
        "Nothing new happens in an area that is no more; name one that succeeds it.";
    BadAreaCode "bad_area_code" UNPROCESSABLE_ENTITY "区划代码不符合规则" "The code of the area is in no scheme"
        "代码的位数和字符要符合该级别的规则。"
        "The code must have the digits of its level.";
    WrongLevel "wrong_level" UNPROCESSABLE_ENTITY "上下级关系不对" "The levels do not fit"
        "下级要比上级低：市、区县、街道、社区、网格；合并和承接只能在同一级之间；最高一级不能撤销。"
        "An area lies in one of a higher level; only areas of one kind merge or succeed each other; the root stays.";
    ChildrenLeft "children_left" UNPROCESSABLE_ENTITY "还有下级" "Something still lies in it"
        "请先把下级划转、合并或撤销。"
        "Transfer, merge or retire what lies in it first.";
    DutiesLeft "duties_left" UNPROCESSABLE_ENTITY "还有未了事项" "It still owes something"
        "请指定承接区划，由它办完未了事项；或者先办结再撤销。"
        "Name a successor that answers for what is left, or finish it first.";
    EffectOutside "effect_outside" UNPROCESSABLE_ENTITY "生效日期不合适" "The day of effect does not fit"
        "生效日期不能早于已定的变更，最多提前一年。"
        "Nothing takes effect before what was decided already, nor more than a year ahead.";
    BadBoundary "bad_boundary" UNPROCESSABLE_ENTITY "边界有错误" "The boundary is not sound"
        "请按 errors 中的位置修改边界；自相交可以要求自动修复。"
        "Correct the boundary at the places given in errors; crossings can be repaired on request.";
    NotAGrid "not_a_grid" UNPROCESSABLE_ENTITY "不是网格" "It is not a grid"
        "请选择网格。"
        "Name a grid.";
    NoSuchGrant "no_such_grant" UNPROCESSABLE_ENTITY "没有这项授权" "There is no such grant"
        "此人在该区域没有这个角色，请核对角色和区域。"
        "The person does not hold this role over that area; check both.";
    UnknownPerson "unknown_person" UNPROCESSABLE_ENTITY "没有这个人员" "There is no such person"
        "请检查人员编号。"
        "Check the identifier of the person.";
    OwnRights "own_rights" UNPROCESSABLE_ENTITY
        "不能改变自己的权限" "Nobody changes the own rights"
        "授权、收回、移交和停用须由另一位管理员办理。"
        "Ask another administrator to grant, revoke, hand over or suspend.";
    ProgramPassword "program_password" UNPROCESSABLE_ENTITY
        "接入系统没有密码" "A program has no password"
        "接入系统用密钥证明身份，不能设置密码，也不能登录；请在 /clients 管理它的密钥。"
        "A program proves who it is by its secrets; manage them below /clients.";
    ProgramRole "program_role" UNPROCESSABLE_ENTITY
        "接入系统只能担任 integrator，人员不能" "Programs have the role integrator, and people have not"
        "请用 POST /clients 登记接入系统，它只能是 integrator；人员请选择其他角色。"
        "Register a program with POST /clients: it has the role integrator and no other. Choose another role for a person.";
    RolesApart "roles_apart" UNPROCESSABLE_ENTITY
        "两个角色不得由同一人担任" "Nobody holds both roles"
        "授权与审计须分开：请先收回原角色，或授予另一人。"
        "Who gives power does not audit it: revoke the one first, or grant the other to somebody else.";
    LastAdministrator "last_administrator" UNPROCESSABLE_ENTITY
        "至少要留下一位长期有效的管理员" "An administrator who stays must remain"
        "收回他人的管理员角色的人，自己必须在该区域长期担任管理员（没有截止时间）。"
        "Who takes the administrator role from another must hold it over that area, without an end.";
    OpenWork "open_work" UNPROCESSABLE_ENTITY
        "还有未办结的事项无人接手" "Open work would be left to nobody"
        "请用 to_person_id 指定接任者，岗位和待办随即移交；收回授权或停用账号前，先移交岗位或授权他人。"
        "Name a successor in to_person_id, who takes over the posts and finds the work in the inbox; before a role is taken back or an account closed, hand the post over or grant the role to another.";
    NotOnDuty "not_on_duty" UNPROCESSABLE_ENTITY "现在不在岗" "Not on duty"
        "请先上岗。"
        "Go on duty first.";
    ShiftTooLong "shift_too_long" UNPROCESSABLE_ENTITY "值班时间过长" "The shift is too long"
        "请缩短值班时间；最长小时数见 hours。"
        "End it earlier; hours gives the most.";
    OutsideTenant "outside_tenant" UNPROCESSABLE_ENTITY
        "位置不在本市（县）范围内" "The place is outside this city"
        "请检查坐标和 coord_type；确实不在本市的事项请向当地反映。"
        "Check the coordinates and coord_type; what lies elsewhere is reported there.";
    PlaceMissing "place_missing" UNPROCESSABLE_ENTITY "缺少位置" "The place is missing"
        "请提供坐标或者区域编号，至少一个。"
        "Give a point or an area, at least one of them.";
    NotATerritory "not_a_territory" UNPROCESSABLE_ENTITY
        "部门不能作为事发地点" "A department is not a place"
        "请选择网格、社区、街道等地域，而不是部门。"
        "Name a grid, community, street or district.";
    ClientTime "client_time_out_of_range" UNPROCESSABLE_ENTITY
        "手机时间偏差太大" "The client's time is too far off"
        "请校准手机时间后重发；允许的范围见 earliest 和 latest。"
        "Correct the phone's clock; earliest and latest give what is accepted.";
    EmptyPeriod "empty_period" UNPROCESSABLE_ENTITY "结束时间早于开始时间" "The period is empty"
        "截止时间必须晚于现在。"
        "The end must be later than now.";
    UnknownCategory "unknown_category" UNPROCESSABLE_ENTITY
        "事项类别不存在" "There is no such category"
        "请从事项目录中选择类别代码。"
        "Choose a code from the catalogue.";
    UnknownArea "unknown_area" UNPROCESSABLE_ENTITY "区域不存在" "There is no such area"
        "请检查区域编号。"
        "Check the identifier of the area.";
    Unsound "unsound" UNPROCESSABLE_ENTITY
        "文件有错误，没有生效" "The document has faults"
        "整份文件都没有生效；请按 errors 中的位置（JSON 指针）逐处修改后重新发布。"
        "Nothing of it is in force; correct the places (JSON pointers) in errors and publish it again.";
    TooManyAsks "too_many_asks" UNPROCESSABLE_ENTITY
        "案卷的申请已满" "As many requests wait as a case can hold"
        "请先审批或撤回已有的申请。"
        "Decide or withdraw requests that wait.";
    TooManySupervisions "too_many_supervisions" UNPROCESSABLE_ENTITY
        "案卷的督办已满" "The case was supervised as often as it can be"
        "请在已有的督办上跟进；补充意见请用批注。"
        "Follow up the supervisions there are; add a remark.";
    AskedAlready "asked_already" UNPROCESSABLE_ENTITY "已经申请过" "Asked already"
        "同样的申请已经提出；请等待结果，或由申请人撤回后重新提出。"
        "The same was asked before; wait for what comes of it, or withdraw it and ask again.";
    NoSuchAsk "no_such_ask" UNPROCESSABLE_ENTITY
        "没有这件待办的申请" "There is no such open request"
        "它可能已经审批、撤回或失效；请重新读取案卷，核对编号。"
        "It may be decided, withdrawn or void; read the case again and check the number.";
    NoSuchSupervision "no_such_supervision" UNPROCESSABLE_ENTITY
        "没有这件待答复的督办" "No such supervision waits for an answer"
        "它可能已经答复，或者是不需要答复的催办；请重新读取案卷，核对编号。"
        "It may be answered, or ask for no answer; read the case again and check the number.";
    SignsTwice "signs_twice" UNPROCESSABLE_ENTITY
        "申请人或已签字的人不能再签" "Who asked or signed before does not sign"
        "每一级审批由不同的人签字，申请人自己不签；请由另一位有权限的同事审批。"
        "Each signature is somebody else's and none is the asker's; let a colleague decide.";
    NotAsker "not_asker" UNPROCESSABLE_ENTITY
        "只有申请人可以撤回" "Only who asked takes it back"
        "请由申请人本人撤回；审批人不同意的，请在审批时拒绝。"
        "Let the person who asked withdraw it; who has to sign it can refuse instead.";
    NothingToExtend "nothing_to_extend" UNPROCESSABLE_ENTITY
        "没有可以延期或挂账的时限" "No clock runs that could be extended or stopped"
        "只有单位正在办理、时限正在计时的案卷可以申请延期或挂账。"
        "More time or a standstill is asked for while a unit works and its clock runs.";
    Overdue "overdue" UNPROCESSABLE_ENTITY "已经到期" "It was due already"
        "延期和挂账要在到期之前申请；请尽快办理，超期的事实可以事后申诉。"
        "Ask before it is due; finish the work now, and appeal against the overdue fact later.";
    Spent "spent" UNPROCESSABLE_ENTITY
        "次数已经用完" "Given as often as the rules allow"
        "规则允许的次数见 times；请按现有时限继续办理。"
        "times says how often the rules allow it; go on within the time there is.";
    TooMuchTime "too_much_time" UNPROCESSABLE_ENTITY
        "申请的时间不符合规则" "Not an extension the rules give"
        "申请的时间要大于零，并且一次不超过 most。"
        "Ask for more than nothing and for no more than most at once.";
    OutsideWindow "outside_window" UNPROCESSABLE_ENTITY
        "时间不在允许的范围内" "The time is outside of what is possible"
        "请选择 earliest 之后、不晚于 latest 的时间。"
        "Choose a time after earliest and not after latest.";
    Suspended "suspended" UNPROCESSABLE_ENTITY "案卷正在挂账" "The case stands still"
        "请等到 until，或者先恢复办理，再继续操作。"
        "Wait until until, or resume the case first.";
    NotSuspended "not_suspended" UNPROCESSABLE_ENTITY
        "案卷没有挂账" "The case does not stand still"
        "案卷正在正常办理，不需要恢复；请直接继续操作。"
        "There is nothing to resume; go on with its steps.";
    NoSuchBreach "no_such_breach" UNPROCESSABLE_ENTITY
        "没有这条超期记录" "There is no such overdue fact"
        "请重新读取案卷，从它的超期记录中选择编号。"
        "Read the case again and choose the number of one of its overdue facts.";
    NothingDue "nothing_due" UNPROCESSABLE_ENTITY
        "现在没有到时的催办措施" "No measure is due now"
        "催办、督办等措施由系统按时自动采取，每项一次；不需要再做什么。"
        "The system takes each measure once and in its time; nothing needs to be done.";
    NotInvolved "not_involved" UNPROCESSABLE_ENTITY
        "这个单位没有参与案卷" "The unit has nothing to do with the case"
        "只能督办持有或办理过这个案卷的单位；请从中选择。"
        "Supervise the unit that holds the case or one that had to do with it.";
    Appointed "appointed" UNPROCESSABLE_ENTITY
        "已经裁定由这个单位承办" "An arbiter said that it is this unit's"
        "裁定之后不能再退单或提出争议；请继续办理，时间不够的可以申请延期。"
        "It is neither given back nor contested; handle it, or ask for more time.";
    NotAdmitted "not_admitted" UNPROCESSABLE_ENTITY
        "准入清单不允许交给社区" "Not on the list of what communities may be given"
        "请派给街道或部门；确需社区承办的，先由管理员修订社区事项准入清单。"
        "Dispatch it to the street or a department, or have the list of admissions amended first.";
    UnknownRank "unknown_rank" UNPROCESSABLE_ENTITY "没有这个哨级" "There is no such rank of whistle"
        "请从本市（县）吹哨规则的 ranks 中选择代码。"
        "Choose a code from the ranks of this tenant's whistling rules.";
    UnknownTopic "unknown_topic" UNPROCESSABLE_ENTITY
        "没有这个吹哨事由" "There is no such topic of whistles"
        "请从本市（县）吹哨规则的 topics 中选择代码。"
        "Choose a code from the topics of this tenant's whistling rules.";
    ArrivalUnproven "arrival_unproven" UNPROCESSABLE_ENTITY
        "不能证明已经到场" "The arrival is not proven"
        "请在现场定位后报到；定位不准或没有信号的，请在 note 中说明。"
        "Give a point on the spot, or say in note why there is none or why it is far away.";
    LeadMissing "lead_missing" UNPROCESSABLE_ENTITY
        "吹哨不能没有主办部门" "A whistle is never without a lead"
        "免除主办部门或唯一的部门时，请同时指定接替它的部门。"
        "When the lead or the only department is excused, name the one that takes its place.";
    NothingRaised "nothing_raised" UNPROCESSABLE_ENTITY
        "没有等待协调的提请" "The district is not asked to coordinate"
        "街道提请之后才能协调，每次提请协调一次；请重新读取案卷。"
        "The district coordinates once after the street asked for it; read the case again.";
    NotJoined "not_joined" UNPROCESSABLE_ENTITY
        "这件上报不在案卷中" "The report is not part of this case"
        "请核对编号；只能拆分已经并入这个案卷的上报。"
        "Check the identifier; only reports that were joined to this case are taken out.";
    ForeignChannel "foreign_channel" UNPROCESSABLE_ENTITY
        "这不是您的上报渠道" "Reports do not come by this way from you"
        "请不填 channel，或填自己的渠道；只有工作人员和接入系统可以登记其他渠道的上报。"
        "Leave channel out, or name your own; only staff and systems write down what came by another way.";
    Anonymous "anonymous" UNPROCESSABLE_ENTITY
        "匿名上报没有联系人" "Nobody is named with an anonymous report"
        "匿名上报不登记联系人，不能自行处置，也没有人能查看上报人；需要回音的请选择保密上报。"
        "Nobody can be reached or seen behind it; a confidential report is the way to be answered.";
    Erased "erased" UNPROCESSABLE_ENTITY
        "个人信息已经删除" "The personal data was erased"
        "应本人要求或者保存期满，个人信息已经删除且不能恢复，也不再登记新的。"
        "It was erased on request or when its time was over; it cannot be restored, and none is kept anew.";
    InOffice "in_office" UNPROCESSABLE_ENTITY
        "在岗人员不能删除" "Whoever holds an office stays on record"
        "履行职务的记录依法保留；请先由管理员撤销授权，本人的联系方式可以随时自行清空。"
        "The record of an office is kept by law; have the roles revoked first. The contact can be emptied at any time.";
    NoSuchPurpose "no_such_purpose" UNPROCESSABLE_ENTITY
        "没有需要同意的这个目的" "There is no such purpose to consent to"
        "请从 GET /privacy 的 purposes 中选择依据为同意或单独同意的目的。"
        "Choose from the purposes of GET /privacy whose basis is consent or separate_consent.";
    FirstReport "first_report" UNPROCESSABLE_ENTITY
        "立案的上报不能拆分" "The first report stays with its case"
        "案卷因这件上报而立，不能没有它；可以拆分后来并入的上报。"
        "The case was opened for this report; those joined later can be taken out.";
    NotYourPatrol "not_your_patrol" UNPROCESSABLE_ENTITY
        "这是别人的巡查" "The patrol is somebody else's"
        "谁开始的巡查由谁暂停、结束和上传轨迹；请操作自己的巡查。"
        "Whoever started a patrol pauses and ends it and sends its points; use one of your own.";
    LateUnexplained "late_unexplained" UNPROCESSABLE_ENTITY
        "补录须说明原因" "A late entry needs a reason"
        "事情过去很久才录入的是补录，请在 late_reason 中说明原因。"
        "What is told long afterwards is a late entry; say why in late_reason.";
    NoSuchPatrol "no_such_patrol" UNPROCESSABLE_ENTITY
        "没有您的这次巡查" "There is no such patrol of yours"
        "patrol_id 应为自己进行中的巡查；不在巡查途中的上报请去掉 patrol_id。"
        "patrol_id names a patrol of one's own that is under way; leave it out otherwise.";
    NotOnPatrol "not_on_patrol" UNPROCESSABLE_ENTITY
        "当时不在巡查途中" "The patrol was not under way then"
        "上报时间应在巡查开始之后、结束之前；不在途中的上报请去掉 patrol_id。"
        "The report lies outside the patrol; leave patrol_id out.";
    NotInAGrid "not_in_a_grid" UNPROCESSABLE_ENTITY
        "家庭要登记在网格里" "A household lies in a grid"
        "请选择所在的网格，不能是社区、街道或部门。"
        "Name the grid it lies in, not a community, a street or a department.";
    TooMany "too_many" UNPROCESSABLE_ENTITY
        "超出数量上限" "More than there can be"
        "what 说明是什么，max 是上限；请减少或分开办理。"
        "what says of what, max is the limit; give fewer, or do it in parts.";
    NoSuchMember "no_such_member" UNPROCESSABLE_ENTITY
        "这户没有这个成员" "The household has no such member"
        "请重新读取这户的 members，核对编号。"
        "Read the members of the household again and check the identifier.";
    NotPaired "not_paired" UNPROCESSABLE_ENTITY
        "没有这样的结对" "There is no such pairing"
        "此人没有以这种方式与这户结对；请查看这户的 pairings。"
        "The person is not paired with the household in this way; look at its pairings.";
    GuardianConsentMissing "guardian_consent_missing" UNPROCESSABLE_ENTITY
        "缺少监护人同意" "The consent of a guardian is missing"
        "不满十四周岁儿童的个人信息，须取得监护人同意后登记：取得后填 guardian_consent 为 true。"
        "Data of children under 14 is kept with the consent of a guardian: set guardian_consent once it is given.";
    NobodyMet "nobody_met" UNPROCESSABLE_ENTITY
        "没有见到人" "Nobody was met"
        "家中无人、拒访或已搬离的走访没有意见和表单；见到人的，请把 outcome 改为 met。"
        "Who was not met gave no opinions or answers; set outcome to met if somebody was.";
    PurposeMissing "purpose_missing" UNPROCESSABLE_ENTITY
        "缺少走访目的" "A visit is for something"
        "请至少选择一个目的：宣传、扶助、帮教、文明指导、收集意见或排查。"
        "Choose at least one purpose.";
    NotOnList "not_on_list" UNPROCESSABLE_ENTITY
        "这户不在名单上" "The household is not on the list"
        "这次行动的名单中没有这户；请先由组织者加入名单，或作为普通走访记录。"
        "Have it put on the list of the campaign, or record the visit without it.";
    EmptyList "empty_list" UNPROCESSABLE_ENTITY
        "名单是空的" "The list is empty"
        "请先选出要走访的家庭。"
        "Choose households to visit first.";
    BadAnswers "bad_answers" UNPROCESSABLE_ENTITY
        "表单需要补充或修改" "The form needs more, or something else"
        "请按 errors 中的位置填写或修改；没有列出的字段已经自动带出。"
        "Fill in or correct the places in errors; all other fields are known.";
    SwitchedOff "switched_off" UNPROCESSABLE_ENTITY
        "这项功能没有开启" "This is switched off"
        "打卡、里程和排名默认关闭；开启须在办理规则 performance 中写明理由并公布，见 GET /public/switches。"
        "Check-ins, mileage and rankings are off; the rules of conduct turn them on with a published reason.";
    EvidenceMissing "evidence_missing" UNPROCESSABLE_ENTITY
        "缺少处置后的照片" "A photo of how it is afterwards is missing"
        "这类事项的办理标准要求照片：请在 media 中附上 role 为 after 的照片；照片可以在反馈之后上传。"
        "The standard of this category demands one: name it in media with the role `after`; it may arrive later.";
}
