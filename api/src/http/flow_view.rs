//! Views of flows: each field named once, with its description, its type and what it says; and the
//! envelope, which says the same of every flow.

use domain::{
    core::labelled_enum::Named as _,
    flows::{flow::Flow, lifecycle::Lifecycle},
};

use crate::http::view::OwedView;

/// The view of a flow, and `new`, which makes it of a stored state and what else is given.
///
/// A field without a type is of the envelope: `id`, `number`, `seq`; `status`, `standing` or `stage`,
/// and its `…_label`; `owed`; `possible`. What several fields look at stands after `where`.
macro_rules! flow_view {
    (
        $(#[$outer:meta])*
        $view:ident of $flow:ty as $state:ident, given ($($given:ident: $type:ty),*) {
            $($fields:tt)*
        }
        $(where { $($before:tt)* })?
    ) => {
        $crate::http::flow_view::flow_view! {
            @next [stored $state]
            [$(#[$outer])* $view of $flow, ($($given: $type),*), { $($($before)*)? }]
            {} $($fields)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* id; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* id: uuid::Uuid}
            domain::flows::flow::Flow::id; $($rest)*
        }
    };
    (@next [$stored:ident $state:ident] $head:tt $done:tt $(#[$doc:meta])* number; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @next [$stored $state] $head $done
            $(#[$doc])* number: String = $state.number.clone(); $($rest)*
        }
    };
    (@next [$stored:ident $state:ident] $head:tt $done:tt $(#[$doc:meta])* seq; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @next [$stored $state] $head $done
            $(#[$doc])* seq: i64 = $stored.seq; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* status; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* status: &'static str}
            $crate::http::flow_view::name_stage; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* status_label; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* status_label: &'static str}
            $crate::http::flow_view::label_stage; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* standing; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* standing: &'static str}
            $crate::http::flow_view::name_stage; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* standing_label; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* standing_label: &'static str}
            $crate::http::flow_view::label_stage; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* stage; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* stage: &'static str}
            $crate::http::flow_view::name_stage; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* stage_label; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* stage_label: &'static str}
            $crate::http::flow_view::label_stage; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* owed; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* owed: Vec<$crate::http::view::OwedView>}
            $crate::http::flow_view::list_owed; $($rest)*
        }
    };
    (@next $of:tt $head:tt $done:tt $(#[$doc:meta])* possible; $($rest:tt)*) => {
        $crate::http::flow_view::flow_view! {
            @read $of $head $done {$(#[$doc])* possible: Vec<&'static str>}
            domain::flows::lifecycle::Lifecycle::list_possible; $($rest)*
        }
    };
    // What a function reads off the state.
    (
        @read [$stored:ident $state:ident] $head:tt $done:tt
        {$($field:tt)*} $read:expr; $($rest:tt)*
    ) => {
        $crate::http::flow_view::flow_view! {
            @next [$stored $state] $head $done $($field)* = $read($state); $($rest)*
        }
    };
    (
        @next $of:tt $head:tt {$($done:tt)*}
        $(#[$doc:meta])* $field:ident: $type:ty = $is:expr; $($rest:tt)*
    ) => {
        $crate::http::flow_view::flow_view! {
            @next $of $head {$($done)* $(#[$doc])* $field: $type = $is;} $($rest)*
        }
    };
    (
        @next [$stored:ident $state:ident]
        [
            $(#[$outer:meta])* $view:ident of $flow:ty,
            ($($given:ident: $given_type:ty),*), { $($before:tt)* }
        ]
        {$($(#[$doc:meta])* $field:ident: $type:ty = $is:expr;)*}
    ) => {
        $(#[$outer])*
        #[derive(serde::Serialize, utoipa::ToSchema)]
        pub struct $view {
            $($(#[$doc])* $field: $type,)*
        }

        impl $view {
            /// What is shown of a stored state.
            pub(crate) fn new(
                $stored: &domain::flows::change::Versioned<$flow>,
                $($given: $given_type,)*
            ) -> Self {
                let $state = &$stored.state;
                $($before)*
                Self { $($field: $is,)* }
            }
        }
    };
}
pub(crate) use flow_view;

/// The name of the stage a flow is in.
pub(crate) fn name_stage<F: Lifecycle>(flow: &F) -> &'static str {
    flow.stage().name()
}

/// What people call the stage a flow is in.
pub(crate) fn label_stage<F: Lifecycle>(flow: &F) -> &'static str {
    flow.stage().label()
}

/// What is owed in a flow, by whom and by when.
pub(crate) fn list_owed<F: Flow>(flow: &F) -> Vec<OwedView> {
    flow.obligations().iter().map(OwedView::from).collect()
}
