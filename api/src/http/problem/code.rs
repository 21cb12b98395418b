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
        "请求不完整，或者不符合 HTTP 规范；请检查后重发。"
        "The request is incomplete or violates HTTP; check it and send it again.";
    InvalidBody "invalid_body" BAD_REQUEST "请求正文不符合要求" "The request body is not valid"
        "请按 errors 中的位置（JSON 指针）修改正文后重发。"
        "Correct the body at the places (JSON pointers) in `errors` and send it again.";
    InvalidQuery "invalid_query" BAD_REQUEST "查询参数不符合要求" "A query parameter is not valid"
        "请按 errors 中的参数名修改查询参数；接口没有的参数会被拒绝，不会忽略。"
        "Correct the parameters named in `errors`; a parameter the operation does not have is refused, not ignored.";
    InvalidPath "invalid_path" BAD_REQUEST "网址中的编号不符合要求" "An identifier in the path is not valid"
        "请按 errors 检查网址中的编号：一般是 UUID，由服务器返回，或由客户端建立时自行生成；申请、督办等的序号是整数。"
        "Check the identifier named in `errors`: usually a UUID that this server returned or a client generated; requests, supervisions and the like have a whole number.";
    InvalidHeader "invalid_header" BAD_REQUEST "请求头不符合要求" "A request header is not valid"
        "请按 errors 中的请求头名称修改后重发。"
        "Correct the header named in `errors` and send the request again.";
    IdempotencyKeyRequired "idempotency_key_required" BAD_REQUEST
        "缺少 Idempotency-Key 请求头" "The Idempotency-Key header is missing"
        "每次写操作都要带一个新的 UUID；网络中断后用同一个 UUID 重发，不会重复办理。"
        "Every write carries a new UUID; after a network failure, send it again with the same UUID and it is not carried out twice.";
    IdempotencyKeyInvalid "idempotency_key_invalid" BAD_REQUEST
        "Idempotency-Key 请求头不是可用的 UUID" "The Idempotency-Key header is not a usable UUID"
        "请使用版本 4 或 7 的 UUID，例如 018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e，每次新操作换一个。"
        "Use a UUID of version 4 or 7 such as 018f3f5e-9c4b-7d2a-8e21-5b0c6f1a2d3e, a new one for each new operation.";
    Unauthenticated "unauthenticated" UNAUTHORIZED "请先登录" "Log in first"
        "没有有效的访问令牌：没有登录，或登录已失效。请用刷新令牌换取新的访问令牌，或重新登录。"
        "There is no valid access token: you have not logged in, or the login has ended. Use the refresh token to get a new access token, or log in again.";
    CredentialsInvalid "credentials_invalid" UNAUTHORIZED
        "账号或密码不正确" "The account or the password is wrong"
        "请核对后重试；忘记密码请联系管理员重置。"
        "Check both and try again; if the password is forgotten, an administrator can reset it.";
    AccountClosed "account_closed" FORBIDDEN "账号已停用" "The account is closed"
        "请联系管理员恢复账号。"
        "Ask an administrator to reopen the account.";
    LoginIncomplete "login_incomplete" FORBIDDEN "登录还没有完成" "The login is not complete"
        "required 说明还要做什么：second_factor 为绑定动态口令，password 为修改密码；完成后即可使用。"
        "`required` says what is left to do: `second_factor` is to enrol a second factor, `password` is to change the password; after that the login can be used.";
    NotPermitted "not_permitted" FORBIDDEN "没有权限" "Not permitted"
        "您的角色在这个区域没有所需的权限，请联系管理员授权，或转给有权限的同事办理。"
        "None of your roles has the required permission over this area; ask an administrator for a grant, or pass the task to a colleague who has it.";
    NotFound "not_found" NOT_FOUND "找不到" "Not found"
        "它不存在，或者不在您可以查看的范围内。"
        "It does not exist, or you are not allowed to see it.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED
        "这个网址不支持这种请求方法" "This address does not support the request method"
        "请使用 Allow 响应头列出的方法。"
        "Use one of the methods listed in the Allow header.";
    Timeout "timeout" REQUEST_TIMEOUT "请求正文传输超时" "The request body took too long to arrive"
        "网络太慢，正文没有按时传完。请用同一个 Idempotency-Key 重发。"
        "The connection was too slow and the body did not arrive in time; send the request again with the same Idempotency-Key.";
    LostRace "lost_race" CONFLICT "另一个请求先完成了" "Another request was faster"
        "同一时刻另一个请求先办理了。请重新读取最新状态，再决定是否继续。"
        "Another request was carried out at the same moment; read the latest state, then decide whether to continue.";
    CursorOutdated "cursor_outdated" GONE
        "同步游标已失效，请重新开始" "The sync cursor is no longer valid; start again"
        "游标属于其他人，或者服务器数据已恢复到更早的状态。请清空本机缓存，不带 since 重新同步；未上传的队列请保留并照常上传。"
        "The cursor belongs to another person, or the server's data was restored to an earlier state. Clear the local cache and sync without `since`; keep the queue that was not uploaded yet and upload it as usual.";
    AccountTaken "account_taken" CONFLICT "账号已被使用" "The account name is taken"
        "请换一个账号名。"
        "Choose another account name.";
    AlreadyExists "already_exists" CONFLICT "已经存在" "It already exists"
        "同样的内容已经存在，不必重复建立；如果是重发，请使用原来的 Idempotency-Key。"
        "The same content already exists and need not be created again; a retry must use its original Idempotency-Key.";
    Stale "stale" PRECONDITION_FAILED "内容已被更新" "The content has changed"
        "您看到的不是最新版本（If-Match 不符）。请重新读取后再操作。"
        "You saw an older version (If-Match does not match); read the latest version before you continue.";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "请求正文太大" "The request body is too large"
        "请把正文控制在限定大小以内，必要时分批提交。"
        "Keep the body within the limit; split it into several requests if necessary.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE
        "正文格式不受支持" "The body format is not supported"
        "请使用 Content-Type: application/json，编码 UTF-8，不要压缩；导入和文件上传按接口说明的格式。"
        "Send Content-Type: application/json in UTF-8, not compressed; imports and file uploads take the formats their operation names.";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY
        "Idempotency-Key 已用于另一个请求" "The Idempotency-Key was used for another request"
        "同一个 Idempotency-Key 只能重发完全相同的请求；新的操作请换一个 UUID。"
        "An Idempotency-Key can only repeat exactly the same request; use a new UUID for a new operation.";
    PasswordUnacceptable "password_unacceptable" UNPROCESSABLE_ENTITY
        "密码不符合要求" "The password is not acceptable"
        "长度见 min 和 max；reason 为 guessable 表示太容易猜到，请换成几个不相干的词，不要用常见密码、姓名、账号、日期或键盘顺序。"
        "`min` and `max` give the length; the `reason` `guessable` means too easy to guess: use several unrelated words, no common password, name, account, date or keyboard row.";
    OldPasswordWrong "old_password_wrong" UNPROCESSABLE_ENTITY
        "原密码不正确" "The old password is wrong"
        "修改自己的密码用 /me/password，并提供正确的原密码；忘记密码请联系管理员重置。"
        "Change your own password at /me/password and give the correct old password; if it is forgotten, an administrator can reset it.";
    ProofRequired "proof_required" UNPROCESSABLE_ENTITY
        "需要再次证明是本人" "Prove again that it is you"
        "请在 proof 中提供 accepted 所列的一种：密码、动态口令（或恢复码），或者已绑定微信的 wx.login code；login 表示请重新登录后再做。"
        "Give one of the kinds in `accepted` as `proof`: the password, a code of the second factor (or a recovery code), or a wx.login code of a linked WeChat identity; `login` means: log in again, then retry.";
    ProofWrong "proof_wrong" UNPROCESSABLE_ENTITY
        "身份证明不正确" "The proof is wrong"
        "密码不正确，或者所给的微信没有绑定到这个账号；请核对后重试。"
        "The password is wrong, or the WeChat identity is not linked to this account; check it and try again.";
    SecondFactorRequired "second_factor_required" UNAUTHORIZED
        "还需要动态口令" "A second factor is needed"
        "密码正确。请在 expires_in 秒内把 challenge 和动态口令（或恢复码）提交到 /auth/second_factor。"
        "The password is right. Send `challenge` and a code of the second factor (or a recovery code) to /auth/second_factor within `expires_in` seconds.";
    CodeInvalid "code_invalid" UNPROCESSABLE_ENTITY
        "动态口令不正确" "The code of the second factor is wrong"
        "口令每 30 秒更换，每个只能用一次；请核对手机时间，等下一个口令再试，或使用恢复码。"
        "A code changes every 30 seconds and works once; check the clock of the phone and wait for the next code, or use a recovery code.";
    SecondFactorState "second_factor_state" UNPROCESSABLE_ENTITY
        "动态口令现在不能这样操作" "Not possible in the current state of the second factor"
        "state 是现在的状态：none 未绑定，pending 等待确认，confirmed 已启用，required 按规定不能停用。"
        "`state` is the current state: `none` is not enrolled, `pending` awaits confirmation, `confirmed` is in use, `required` must not be removed.";
    AccountPersonal "account_personal" UNPROCESSABLE_ENTITY
        "账号不能是手机号或证件号" "An account name must not be a phone or identity number"
        "账号会永久留在记录中，不能包含个人信息；请另取账号。"
        "Account names stay on record permanently and must not contain personal data; choose another one.";
    NoticeOutdated "notice_outdated" UNPROCESSABLE_ENTITY
        "个人信息处理规则已经更新" "The privacy notice has a new version"
        "请重新阅读 GET /privacy 的 notice，再对 version 所示的版本表示同意。"
        "Read `notice` in GET /privacy again, then consent to the version in `version`.";
    TooManyRequests "too_many_requests" TOO_MANY_REQUESTS "请求太频繁" "Too many requests"
        "请等待 Retry-After 响应头给出的秒数后再试。"
        "Wait for the seconds given in the Retry-After header, then try again.";
    Internal "internal" INTERNAL_SERVER_ERROR "服务器内部错误" "Internal server error"
        "不是您的问题。请稍后用同一个 Idempotency-Key 重试；仍不行请把 trace_id 告诉管理员。"
        "The fault is not yours. Try again later with the same Idempotency-Key; if it persists, give the `trace_id` to an administrator.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "系统繁忙" "The server is busy"
        "请在 Retry-After 响应头给出的秒数后，用同一个 Idempotency-Key 重试。"
        "Try again with the same Idempotency-Key after the seconds given in the Retry-After header.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "服务暂时不可用" "The service is temporarily unavailable"
        "数据库暂时连接不上或服务正在重启。请稍后用同一个 Idempotency-Key 重试，不会重复办理。"
        "The database cannot be reached or the server is restarting. Try again later with the same Idempotency-Key; nothing is carried out twice.";
    TokenRefused "token_refused" BAD_REQUEST
        "令牌请求不符合要求" "The token request is not valid"
        "请按 error 和 error_description（RFC 6749）修改后重试。"
        "Correct the request as `error` and `error_description` (RFC 6749) say, then try again.";
    ClientUnknown "client_unknown" UNAUTHORIZED
        "接入系统未登记或密钥不正确" "The client is unknown or its secret is wrong"
        "请核对 client_id 和密钥；密钥可能已到期或作废，请联系管理员重新签发。"
        "Check client_id and the secret; the secret may have expired or been revoked, and an administrator can issue a new one.";
    InsufficientScope "insufficient_scope" FORBIDDEN
        "令牌的权限范围不够" "The scope of the token is not sufficient"
        "scope 是令牌现有的范围：read 可读取，report 可上报；需要更大范围请联系管理员。"
        "`scope` is what the token has: `read` allows reading, `report` allows reporting; ask an administrator for a wider scope.";
    TooManySecrets "too_many_secrets" UNPROCESSABLE_ENTITY
        "有效密钥已满" "The client has the maximum number of valid secrets"
        "请先作废不再使用的密钥；同时有效的数量见 max。"
        "Revoke a secret that is no longer used first; `max` is how many can be valid at the same time.";
    OutsideUnavailable "outside_unavailable" SERVICE_UNAVAILABLE
        "外部登录服务暂时没有响应" "The external login service does not respond"
        "微信或统一认证暂时没有正常响应，请在 Retry-After 响应头给出的秒数后重试。"
        "WeChat or the identity provider does not respond properly; try again after the seconds given in the Retry-After header.";
    OutsideRefused "outside_refused" FORBIDDEN
        "外部登录服务拒绝了这次登录" "The external login service refused this login"
        "微信认为此账号存在风险，或统一认证没有同意；请联系其客服，或改用账号密码登录。"
        "WeChat considers the account a risk, or the identity provider did not consent; contact its support, or log in with account and password.";
    NoSuchAccount "no_such_account" FORBIDDEN
        "这里没有对应的账号" "No account here matches the login"
        "统一认证通过了，但本系统没有与之对应的账号；请联系管理员登记。"
        "The identity provider confirmed the login, but no account of this system matches; ask an administrator to register one.";
    MediaUnacceptable "media_unacceptable" UNPROCESSABLE_ENTITY
        "不能接收这个文件" "The file cannot be accepted"
        "reason 说明原因，accepted 是可以接收的格式；iPhone 照片请选择“兼容性最佳”或转为 JPEG 后上传。"
        "`reason` says why, `accepted` lists the accepted formats; on an iPhone choose Most Compatible, or convert photos to JPEG before uploading.";
    ChecksumMismatch "checksum_mismatch" UNPROCESSABLE_ENTITY
        "文件与校验值不符" "The file does not match its checksum"
        "传输中可能出错：请重新计算 SHA-256 并用同一个编号重新上传。"
        "It may have been damaged in transit: compute the SHA-256 again and upload the file again with the same id.";
    UploadOffset "upload_offset" CONFLICT
        "分段位置不对" "The piece starts at the wrong position"
        "offset 是服务器已收到的字节数，请从这个位置继续上传。"
        "`offset` is the number of bytes the server has received; continue the upload from there.";
    LinkInvalid "link_invalid" FORBIDDEN
        "链接无效或已过期" "The link is not valid or has expired"
        "文件链接只在短时间内有效：请重新读取案卷、上报或文件，得到新的链接。"
        "Links to files are valid for a short time only; read the case, the report or the file again to get a new link.";
    StorageUnavailable "storage_unavailable" SERVICE_UNAVAILABLE
        "文件存储暂时不可用" "The file storage is temporarily unavailable"
        "请稍后用同一个编号重试；上报和办理不受影响。"
        "Try again later with the same id; reporting and handling are not affected.";
    RangeInvalid "range_invalid" RANGE_NOT_SATISFIABLE
        "请求的范围超出文件" "The requested range lies beyond the file"
        "bytes 是文件的字节数；请在这个范围内读取，或去掉 Range 请求头。"
        "`bytes` is the size of the file; read within it, or leave the Range header out.";
    WrongState "wrong_state" UNPROCESSABLE_ENTITY "当前状态不能这样操作" "Not possible in the current state"
        "possible 列出了现在可以做的操作。"
        "`possible` lists the commands that are possible now.";
    OutsideJurisdiction "outside_jurisdiction" UNPROCESSABLE_ENTITY
        "不能派遣给辖区以外的单位" "The unit is outside the area of the unit that holds the case"
        "只能派遣给案卷持有单位辖区内的单位；需要其他部门请吹哨，需要上级请上呈。"
        "Dispatch only to a unit within the area of the unit that holds the case; blow the whistle for other departments, escalate for a higher level.";
    NoLevelAbove "no_level_above" UNPROCESSABLE_ENTITY "已经没有上一级" "There is no higher level"
        "案卷已在最高一级，请在本级派遣。"
        "The case is at the highest level; dispatch it there.";
    NotAStreet "not_a_street" UNPROCESSABLE_ENTITY
        "只有街道（镇）可以吹哨" "Only a street or town can blow the whistle"
        "请先把案卷上呈到街道，再吹哨。"
        "Escalate the case to the street first, then blow the whistle.";
    NotADepartment "not_a_department" UNPROCESSABLE_ENTITY
        "不是服务本街道的部门" "The unit is not a department that serves this street"
        "请从服务本街道的部门中选择。"
        "Choose one of the departments that serve this street.";
    NamedTwice "named_twice" UNPROCESSABLE_ENTITY "同一部门被重复点名" "A department is named twice"
        "一次吹哨中每个部门只能出现一次，主办部门不能同时是协办部门。"
        "A whistle names each department once; the lead cannot also be a cooperating department.";
    TooManyDepartments "too_many_departments" UNPROCESSABLE_ENTITY
        "点名的部门太多" "Too many departments are named"
        "请只点名确实需要到场的部门，其余的另行协调。"
        "Name only the departments that have to be on the spot, and coordinate the others separately.";
    NotSummoned "not_summoned" UNPROCESSABLE_ENTITY
        "这次吹哨没有点名这个部门" "This whistle does not summon the department"
        "请核对部门；只有被本次吹哨点名的部门可以操作。"
        "Check the department; only the departments named by the current whistle can act.";
    CooperatingPending "cooperating_pending" UNPROCESSABLE_ENTITY
        "协办部门还没有反馈" "Cooperating departments have not given feedback yet"
        "主办部门最后反馈；请等待 units 中的部门反馈后再提交。"
        "The lead gives feedback last; submit it after the departments in `units` have given theirs.";
    AlreadyRated "already_rated" UNPROCESSABLE_ENTITY "已经评价过" "Already rated"
        "每个部门每轮只评价一次。"
        "Each department is rated once in a round.";
    Claimed "claimed" UNPROCESSABLE_ENTITY
        "已有人领取" "Already claimed by another person"
        "请等待领取人的结果；到 until 仍未完成的，可以领取。"
        "Wait for the result of that person; if it is not finished by `until`, others can claim it.";
    NotClaimed "not_claimed" UNPROCESSABLE_ENTITY
        "您没有领取这项任务" "You have not claimed this check"
        "只有领取人能退回或转交；任务现在空着，可以直接领取。"
        "Only the person who claimed it can give it back or pass it on; it is free, so you can claim it.";
    NotAVerifier "not_a_verifier" UNPROCESSABLE_ENTITY
        "此人不能在该处核查" "This person cannot verify there"
        "请转交给对该网格有核查权限、没有参与处置的人员，或者退回。"
        "Pass it on to a person who may verify in that grid and did not handle the matter, or give it back.";
    FirstReceiver "first_receiver" UNPROCESSABLE_ENTITY
        "首接单位不得推诿" "The first receiver must not pass the case on"
        "首接单位退单须提出应由谁承办；权责清单规定由本单位主办的，请继续办理。"
        "A first receiver that returns a case must propose the unit that should handle it; what the responsibility list gives to the first receiver itself must be handled.";
    HandlerVerifies "handler_verifies" UNPROCESSABLE_ENTITY
        "处置人不能核查自己办的事项" "The handler cannot verify their own work"
        "请由没有参与处置的同事到现场核查。"
        "Let a colleague who did not take part in the handling verify it on the spot.";
    AnswersContradict "answers_contradict" UNPROCESSABLE_ENTITY
        "回访的几个回答互相矛盾" "The answers of the callback contradict each other"
        "接通（reached 为 true）才填“是否解决”（solved）和“是否满意”（satisfied），没有接通就都不填。"
        "Give `solved` and `satisfied` if the reporter was reached (`reached` is true), and leave both out otherwise.";
    AlreadyAnswered "already_answered" UNPROCESSABLE_ENTITY
        "这个上报人已经评价过" "This reporter has already answered"
        "评价已经记录，与首个公众上报人（全部由工作人员上报的为首个上报人）的回访一并计算；不满意结案的，可以在期限内重开。"
        "The answer is recorded and counts together with the callback of the first reporter from the public (of the first reporter, where only staff reported); a case that was closed without satisfaction can be reopened within the window.";
    WindowOver "window_over" UNPROCESSABLE_ENTITY "重开期限已过" "The window for reopening is over"
        "请重新上报，新的上报可以引用原来的案卷编号。"
        "Submit a new report; it can refer to the number of the old case.";
    NotJoinable "not_joinable" UNPROCESSABLE_ENTITY
        "这个案卷不能再并入上报" "No more reports can be joined to the case"
        "只有未结案的案卷可以并入，请立新案或选择别的案卷。"
        "Reports can be joined to open cases only; file a new case or choose another one.";
    TooManyComments "too_many_comments" UNPROCESSABLE_ENTITY
        "案卷的批注已满" "The case has the maximum number of comments"
        "请继续办理；需要说明的情况写在办理步骤的备注里。"
        "Continue with its steps; put what has to be said into the notes of the steps.";
    TooManyReports "too_many_reports" UNPROCESSABLE_ENTITY
        "案卷并入的上报已满" "The case has the maximum number of reports"
        "请为这次上报另立新案。"
        "File a new case for this report.";
    TooManyGrants "too_many_grants" UNPROCESSABLE_ENTITY
        "授权数量已满" "The person has the maximum number of grants"
        "请先收回不再需要的授权。"
        "First revoke grants that are no longer needed.";
AreaRetired "area_retired" UNPROCESSABLE_ENTITY "区划已撤销" "The area is retired"
        "撤销的区划只能查阅和办结原有事项，新的事项请选择承接它的区划。"
        "A retired area can be read and its open work finished; for anything new choose an area that succeeds it.";
    BadAreaCode "bad_area_code" UNPROCESSABLE_ENTITY
        "区划代码不符合规则" "The area code does not follow the rules"
        "代码的位数和字符要符合该级别的规则。"
        "The length and the characters of the code must follow the rules of its level.";
    WrongLevel "wrong_level" UNPROCESSABLE_ENTITY "上下级关系不对" "The levels do not fit"
        "下级区划的级别要低于上级：市、区县、街道、社区、网格依次降低；合并和承接只能在同一级之间；最高一级不能撤销。"
        "An area lies in an area of a higher level: city, district, street, community, grid, from high to low; only areas of one level merge or succeed each other; the highest area cannot be retired.";
    ChildrenLeft "children_left" UNPROCESSABLE_ENTITY "还有下级区划" "The area still contains other areas"
        "请先把下级划转、合并或撤销。"
        "First transfer, merge or retire the areas it contains.";
    DutiesLeft "duties_left" UNPROCESSABLE_ENTITY "还有未了事项" "The area still has open obligations"
        "请指定承接区划，由它办完未了事项；或者先办结再撤销。"
        "Name a successor that finishes them, or finish them before the area is retired.";
    EffectOutside "effect_outside" UNPROCESSABLE_ENTITY
        "生效日期不在允许的范围内" "The effective date is outside the permitted range"
        "生效日期不能早于已定的变更，最多提前一年设定。"
        "The effective date must not be before a change that is already decided, nor more than a year ahead.";
    BadBoundary "bad_boundary" UNPROCESSABLE_ENTITY "边界有错误" "The boundary has faults"
        "请按 errors 中的位置修改边界；自相交可以要求自动修复。"
        "Correct the boundary at the places in `errors`; on request, self-intersections are repaired automatically.";
    NotAGrid "not_a_grid" UNPROCESSABLE_ENTITY "不是网格" "The area is not a grid"
        "请选择网格。"
        "Choose a grid.";
    NoSuchGrant "no_such_grant" UNPROCESSABLE_ENTITY "没有这项授权" "There is no such grant"
        "此人在该区域没有这个角色，请核对角色和区域。"
        "The person does not hold this role over the area; check the role and the area.";
    UnknownPerson "unknown_person" UNPROCESSABLE_ENTITY "没有这个人员" "There is no such person"
        "请检查人员编号。"
        "Check the id of the person.";
    OwnRights "own_rights" UNPROCESSABLE_ENTITY
        "不能改变自己的权限" "You cannot change your own rights"
        "授权、收回、移交和停用须由另一位管理员办理。"
        "Another administrator has to grant, revoke, hand over or suspend.";
    ProgramPassword "program_password" UNPROCESSABLE_ENTITY
        "接入系统没有密码" "A program has no password"
        "接入系统用密钥证明身份，不能设置密码，也不能登录；请在 /clients 管理它的密钥。"
        "A program authenticates with its secrets: it has no password and cannot log in; manage its secrets under /clients.";
    ProgramRole "program_role" UNPROCESSABLE_ENTITY
        "接入系统只能担任 integrator，人员不能" "The role integrator is for programs only, and their only role"
        "请用 POST /clients 登记接入系统，它只能是 integrator；人员请选择其他角色。"
        "Register a program with POST /clients, where its only role is integrator; choose another role for a person.";
    RolesApart "roles_apart" UNPROCESSABLE_ENTITY
        "两个角色不得由同一人担任" "One person must not hold both roles"
        "授权与审计须分开：请先收回原角色，或授予另一人。"
        "Granting and auditing are kept apart: first revoke the role the person has, or grant the other role to another person.";
    LastAdministrator "last_administrator" UNPROCESSABLE_ENTITY
        "至少要留下一位长期有效的管理员" "A permanent administrator must remain"
        "收回他人管理员角色的人，自己必须在该区域长期担任管理员（没有截止时间）。"
        "Whoever revokes the administrator role of another person must hold it over that area permanently (without an end).";
    OpenWork "open_work" UNPROCESSABLE_ENTITY
        "还有未办结的事项无人接手" "Open work would be left without anyone to do it"
        "请用 to_person_id 指定接任者，岗位和待办随即移交；收回授权或停用账号前，先移交岗位或授权他人。"
        "Name a successor in `to_person_id`, who takes over the appointments and the open tasks at once; before revoking a grant or suspending an account, hand the appointment over or grant the role to another person.";
    NotOnDuty "not_on_duty" UNPROCESSABLE_ENTITY "现在不在岗" "Not on duty"
        "请先上岗。"
        "Go on duty first.";
    ShiftTooLong "shift_too_long" UNPROCESSABLE_ENTITY "值班或巡查时间过长" "The shift or patrol is too long"
        "请缩短时间；最长小时数见 hours。"
        "Shorten the time; `hours` is the maximum number of hours.";
    OutsideTenant "outside_tenant" UNPROCESSABLE_ENTITY
        "位置不在本市（县）范围内" "The place is outside this city or county"
        "请检查坐标和 coord_type；确实不在本市的事项请向当地反映。"
        "Check the coordinates and `coord_type`; report a matter outside this city or county to the authorities there.";
    OutsideArea "outside_area" UNPROCESSABLE_ENTITY
        "坐标不在所填区域内" "The point is not in the area"
        "坐标与 area_id 矛盾：请更正其一，或只填其中一项；距离见 metres，允许的见 most。"
        "The point contradicts the area: correct one of them or leave one out; `metres` is its distance, `most` the distance that is allowed.";
    PlaceMissing "place_missing" UNPROCESSABLE_ENTITY "缺少位置" "The place is missing"
        "请提供坐标或者区域编号，至少一个。"
        "Give coordinates or the id of an area, at least one of them.";
    NotATerritory "not_a_territory" UNPROCESSABLE_ENTITY
        "部门不能作为事发地点" "A department cannot be the place of an incident"
        "请选择网格、社区、街道等地域，而不是部门。"
        "Choose a territory such as a grid, a community or a street, not a department.";
    ClientTime "client_time_out_of_range" UNPROCESSABLE_ENTITY
        "手机时间偏差太大" "The clock of the phone is too far off"
        "请校准手机时间后重发；允许的范围见 earliest 和 latest。"
        "Correct the clock of the phone and send the request again; `earliest` and `latest` give the accepted range.";
    EmptyPeriod "empty_period" UNPROCESSABLE_ENTITY
        "结束时间不晚于开始时间" "The period does not end after it begins"
        "结束时间必须晚于开始时间；今后才生效的期限，还必须晚于现在。"
        "The end must be later than the start; for a period that is yet to come, also later than now.";
    UnknownCategory "unknown_category" UNPROCESSABLE_ENTITY
        "事项类别不存在" "There is no such category"
        "请从事项目录中选择类别代码。"
        "Choose a category code from the catalogue.";
    UnknownArea "unknown_area" UNPROCESSABLE_ENTITY "区域不存在" "There is no such area"
        "请检查区域编号。"
        "Check the id of the area.";
    Unsound "unsound" UNPROCESSABLE_ENTITY
        "文件有错误，没有生效" "The document has faults and is not in force"
        "整份文件都没有生效；请按 errors 中的位置（JSON 指针）逐处修改后重新发布。"
        "No part of the document is in force; correct it at the places (JSON pointers) in `errors` and publish it again.";
    TooManyAsks "too_many_asks" UNPROCESSABLE_ENTITY
        "案卷待审批的申请已满" "The case has the maximum number of open requests"
        "请先审批或撤回已有的申请。"
        "First decide or withdraw existing requests.";
    TooManySupervisions "too_many_supervisions" UNPROCESSABLE_ENTITY
        "案卷的督办已满" "The case has the maximum number of supervisions"
        "请在已有的督办上跟进；补充意见请用批注。"
        "Follow up the existing supervisions; put further remarks into comments.";
    AskedAlready "asked_already" UNPROCESSABLE_ENTITY "已经申请过" "Already requested"
        "同样的申请已经提出；请等待结果，或由申请人撤回后重新提出。"
        "The same request was already made; wait for the result, or let the requester withdraw it and ask again.";
    NoSuchAsk "no_such_ask" UNPROCESSABLE_ENTITY
        "没有这件待办的申请" "There is no such open request"
        "它可能已经审批、撤回或失效；请重新读取案卷，核对编号。"
        "It may have been decided or withdrawn, or be void; read the case again and check the number.";
    NoSuchSupervision "no_such_supervision" UNPROCESSABLE_ENTITY
        "没有这件待答复的督办" "There is no such supervision that awaits an answer"
        "它可能已经答复，或者是不需要答复的催办；请重新读取案卷，核对编号。"
        "It may have been answered, or be a reminder that needs no answer; read the case again and check the number.";
    SignsTwice "signs_twice" UNPROCESSABLE_ENTITY
        "申请人或已签字的人不能再签" "The requester and earlier signers cannot sign"
        "每一级审批由不同的人签字，申请人自己不签；请由另一位有权限的同事审批。"
        "Each level of approval is signed by a different person, never by the requester; let another colleague with the permission decide.";
    NotAsker "not_asker" UNPROCESSABLE_ENTITY
        "只有申请人可以撤回" "Only the requester can withdraw the request"
        "请由申请人本人撤回；审批人不同意的，请在审批时拒绝。"
        "Let the requester withdraw it; an approver who disagrees refuses it in the decision.";
    NothingToExtend "nothing_to_extend" UNPROCESSABLE_ENTITY
        "没有可以延期或挂账的时限" "No deadline can be extended or stopped"
        "只有单位正在办理、时限正在计时的案卷可以申请延期或挂账。"
        "An extension or a standstill can be requested only while a unit is handling the case and its deadline is running.";
    Overdue "overdue" UNPROCESSABLE_ENTITY "已经到期" "The deadline has passed"
        "延期和挂账要在到期之前申请；请尽快办理，超期的事实可以事后申诉。"
        "Request an extension or a standstill before the deadline; finish the work soon, and appeal against the breach afterwards.";
    Spent "spent" UNPROCESSABLE_ENTITY
        "次数已经用完" "The permitted number of times is used up"
        "规则允许的次数见 times；请按现有时限继续办理。"
        "`times` is how often the rules allow it; continue within the current deadline.";
    TooMuchTime "too_much_time" UNPROCESSABLE_ENTITY
        "申请的时间不符合规则" "The requested time does not follow the rules"
        "申请的时间要大于零，并且一次不超过 most。"
        "Request more than zero and no more than `most` at a time.";
    OutsideWindow "outside_window" UNPROCESSABLE_ENTITY
        "时间不在允许的范围内" "The time is outside the permitted range"
        "请选择 earliest 之后、不晚于 latest 的时间。"
        "Choose a time after `earliest` and not later than `latest`.";
    Suspended "suspended" UNPROCESSABLE_ENTITY "案卷正在挂账" "The case is at a standstill"
        "请等到 until 所示的时间，或者先恢复办理，再继续操作。"
        "Wait until the time in `until`, or resume the case first, then continue.";
    NotSuspended "not_suspended" UNPROCESSABLE_ENTITY
        "案卷没有挂账" "The case is not at a standstill"
        "案卷正在正常办理，不需要恢复；请直接继续操作。"
        "The case is being handled normally and need not be resumed; continue with its steps.";
    NoSuchBreach "no_such_breach" UNPROCESSABLE_ENTITY
        "没有这条超期记录" "There is no such breach"
        "请重新读取案卷，从它的超期记录中选择编号。"
        "Read the case again and choose the number of one of its breaches.";
    NothingDue "nothing_due" UNPROCESSABLE_ENTITY
        "现在没有到时间的催办措施" "No measure is due now"
        "催办、督办等措施由系统按时自动采取，每项一次；不需要再做什么。"
        "The system takes each measure on time and once; nothing more needs to be done.";
    NotInvolved "not_involved" UNPROCESSABLE_ENTITY
        "这个单位没有参与案卷" "The unit is not involved in the case"
        "只能督办持有或办理过这个案卷的单位；请从中选择。"
        "Only a unit that holds or handled the case can be supervised; choose one of them.";
    Appointed "appointed" UNPROCESSABLE_ENTITY
        "已经裁定由这个单位承办" "This unit was appointed by arbitration"
        "裁定之后不能再退单或提出争议；请继续办理，时间不够的可以申请延期。"
        "After arbitration it can be neither returned nor disputed; continue handling, and request an extension if the time is too short.";
    NotAdmitted "not_admitted" UNPROCESSABLE_ENTITY
        "准入清单不允许交给社区" "The admission list does not allow it to be given to a community"
        "请派给街道或部门；确需社区承办的，先由管理员修订社区事项准入清单。"
        "Dispatch it to a street or a department; if a community has to handle it, an administrator must amend the admission list first.";
    UnknownRank "unknown_rank" UNPROCESSABLE_ENTITY "没有这个哨级" "There is no such whistle rank"
        "请从本市（县）吹哨规则的 ranks 中选择代码。"
        "Choose a code from `ranks` in the whistle rules of this city or county.";
    UnknownTopic "unknown_topic" UNPROCESSABLE_ENTITY
        "没有这个吹哨事由" "There is no such whistle topic"
        "请从本市（县）吹哨规则的 topics 中选择代码。"
        "Choose a code from `topics` in the whistle rules of this city or county.";
    ArrivalUnproven "arrival_unproven" UNPROCESSABLE_ENTITY
        "不能证明已经到场" "The arrival is not proven"
        "请在现场定位后报到；定位不准或没有信号的，请在 note 中说明。"
        "Report in with a position measured on the spot; if it is inaccurate or there is no signal, say so in `note`.";
    LeadMissing "lead_missing" UNPROCESSABLE_ENTITY
        "吹哨不能没有主办部门" "A whistle must have a lead department"
        "免除主办部门或唯一的部门时，请同时指定接替它的部门。"
        "When the lead or the only department is excused, name the department that takes its place.";
    NothingRaised "nothing_raised" UNPROCESSABLE_ENTITY
        "没有等待协调的提请" "No request for coordination is open"
        "街道提请之后才能协调，每次提请协调一次；请重新读取案卷。"
        "Coordination is possible after the street has requested it, once for each request; read the case again.";
    NotJoined "not_joined" UNPROCESSABLE_ENTITY
        "这件上报不在案卷中" "The report is not part of this case"
        "请核对编号；只能拆分已经并入这个案卷的上报。"
        "Check the id; only reports that were joined to this case can be taken out of it.";
    ForeignChannel "foreign_channel" UNPROCESSABLE_ENTITY
        "这不是您的上报渠道" "This is not your reporting channel"
        "请不填 channel，或填自己的渠道；只有工作人员和接入系统可以登记其他渠道的上报。"
        "Leave `channel` out, or give your own; only staff and programs can register reports of other channels.";
    Anonymous "anonymous" UNPROCESSABLE_ENTITY
        "匿名上报没有联系人" "An anonymous report has no contact"
        "匿名上报不登记联系人，不能自行处置，也没有人能查看上报人；需要回音的请选择保密上报。"
        "An anonymous report registers no contact, cannot be handled by the reporter, and nobody can see who reported; choose a confidential report if you need an answer.";
    Erased "erased" UNPROCESSABLE_ENTITY
        "个人信息已经删除" "The personal data was erased"
        "应本人要求或者保存期满，个人信息已经删除，不能恢复，也不再登记新的。"
        "The personal data was erased at the person's request or at the end of its retention; it cannot be restored, and no new data is registered.";
    InOffice "in_office" UNPROCESSABLE_ENTITY
        "在岗人员不能删除" "A person in office cannot be erased"
        "履行职务的记录依法保留；请先由管理员撤销授权，本人的联系方式可以随时自行清空。"
        "The record of official duties is kept by law; an administrator has to revoke the grants first. The person can clear their contact details at any time.";
    NoSuchPurpose "no_such_purpose" UNPROCESSABLE_ENTITY
        "没有这个需要同意的目的" "There is no such purpose that needs consent"
        "请从 GET /privacy 的 purposes 中选择依据为同意（consent）或单独同意（separate_consent）的目的。"
        "Choose from `purposes` in GET /privacy a purpose whose basis is `consent` or `separate_consent`.";
    FirstReport "first_report" UNPROCESSABLE_ENTITY
        "立案的上报不能拆分" "The report a case was filed for cannot be taken out"
        "案卷因这件上报而立，不能没有它；可以拆分后来并入的上报。"
        "The case was filed for this report and cannot be without it; reports that were joined later can be taken out.";
    NotYourPatrol "not_your_patrol" UNPROCESSABLE_ENTITY
        "这是别人的巡查" "The patrol belongs to another person"
        "谁开始的巡查由谁暂停、结束和上传轨迹；请操作自己的巡查。"
        "Only the person who started a patrol pauses it, ends it and uploads its track; use a patrol of your own.";
    LateUnexplained "late_unexplained" UNPROCESSABLE_ENTITY
        "补录须说明原因" "A late entry needs a reason"
        "事情过去很久才录入的是补录，请在 late_reason 中说明原因。"
        "What is entered long after the event is a late entry; give the reason in `late_reason`.";
    NoSuchPatrol "no_such_patrol" UNPROCESSABLE_ENTITY
        "您没有这次巡查" "You have no such patrol"
        "patrol_id 应为自己进行中的巡查；不在巡查途中的上报请去掉 patrol_id。"
        "`patrol_id` must be a patrol of your own that is under way; leave it out for a report that was not made on a patrol.";
    NotOnPatrol "not_on_patrol" UNPROCESSABLE_ENTITY
        "当时不在巡查途中" "The patrol was not under way at that time"
        "上报时间应在巡查开始之后、结束之前；不在途中的上报请去掉 patrol_id。"
        "The time of the report must lie between the start and the end of the patrol; leave `patrol_id` out for a report that was not made on it.";
    NotInAGrid "not_in_a_grid" UNPROCESSABLE_ENTITY
        "家庭必须登记在网格里" "A household must be registered in a grid"
        "请选择所在的网格，不能是社区、街道或部门。"
        "Choose the grid it lies in, not a community, a street or a department.";
    TooMany "too_many" UNPROCESSABLE_ENTITY
        "超出数量上限" "The limit is exceeded"
        "what 说明是什么，max 是上限；请减少或分开办理。"
        "`what` says what is limited, `max` is the limit; reduce the number, or split the work.";
    NoSuchMember "no_such_member" UNPROCESSABLE_ENTITY
        "这户没有这个成员" "The household has no such member"
        "请重新读取这户的 members，核对编号。"
        "Read `members` of the household again and check the id.";
    NotPaired "not_paired" UNPROCESSABLE_ENTITY
        "没有这样的结对" "There is no such pairing"
        "此人没有以这种方式与这户结对；请查看这户的 pairings。"
        "The person is not paired with the household in this way; see `pairings` of the household.";
    GuardianConsentMissing "guardian_consent_missing" UNPROCESSABLE_ENTITY
        "缺少监护人同意" "The consent of a guardian is missing"
        "不满十四周岁儿童的个人信息，须取得监护人同意后登记：取得后把 guardian_consent 填为 true。"
        "Personal data of a child under 14 is registered only with the consent of a guardian: obtain it, then set `guardian_consent` to true.";
    NobodyMet "nobody_met" UNPROCESSABLE_ENTITY
        "没有见到人" "Nobody was met"
        "家中无人、拒访或已搬离的走访没有意见和表单；见到人的，请把 outcome 改为 met。"
        "A visit where nobody was at home, the visit was refused or the household has moved has no opinions and no forms; if somebody was met, set `outcome` to `met`.";
    PurposeMissing "purpose_missing" UNPROCESSABLE_ENTITY
        "缺少走访目的" "The purpose of the visit is missing"
        "请至少选择一个目的：宣传、扶助、帮教、文明指导、收集意见或排查。"
        "Choose at least one purpose: publicity, assistance, guidance, civility, opinions or check.";
    NotOnList "not_on_list" UNPROCESSABLE_ENTITY
        "这户不在名单上" "The household is not on the list"
        "这次行动的名单中没有这户；请先由组织者加入名单，或作为普通走访记录。"
        "The list of this campaign does not have the household; have the organizer add it, or record an ordinary visit.";
    EmptyList "empty_list" UNPROCESSABLE_ENTITY
        "名单是空的" "The list is empty"
        "请先选出要走访的家庭。"
        "First choose the households to visit.";
    BadAnswers "bad_answers" UNPROCESSABLE_ENTITY
        "表单需要补充或修改" "The form has to be completed or corrected"
        "请按 errors 中的位置填写或修改；没有列出的字段不必修改。"
        "Fill in or correct the fields at the places in `errors`; fields that are not listed need no change.";
    SwitchedOff "switched_off" UNPROCESSABLE_ENTITY
        "这项功能没有开启" "This feature is switched off"
        "打卡、里程和排名默认关闭；开启须在办理规则 performance 中写明理由并公布，见 GET /public/switches。"
        "Check-ins, mileage and rankings are off by default; to switch one on, `performance` in the handling rules must give a reason that is published, see GET /public/switches.";
    EvidenceMissing "evidence_missing" UNPROCESSABLE_ENTITY
        "缺少处置后的照片" "A photo taken after the handling is missing"
        "这类事项的办理标准要求照片：请在 media 中附上 role 为 after 的照片；照片可以在反馈之后上传。"
        "The standard of this category requires a photo: attach one with the role `after` in `media`; the photo can be uploaded after the feedback.";
}
