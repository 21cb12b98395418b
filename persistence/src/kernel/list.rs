//! Lists of flows: of one tenant, within a scope, newest first, in pages by a key. Each list has
//! its own filters; everything else is here.

use diesel::{
    query_builder::Query,
    query_dsl::methods::FilterDsl,
    sql_types::{BigInt, Binary},
};

use crate::kernel::types::{Doc, Id, sql};

/// The columns from which the state of a flow is read: `id`, `seq`, `head`, `state`.
pub(crate) type StateColumns = (sql::Uid, BigInt, Binary, sql::Doc);

/// The values of these columns.
pub(crate) type StateRow = (Id, i64, Vec<u8>, Doc);

/// Narrows a query by the optional parts of a filter.
pub(crate) trait Narrow: Sized {
    /// Only the rows for which a condition holds, where there is one.
    #[must_use]
    fn only<C>(self, condition: Option<C>) -> Self
    where
        Self: FilterDsl<C, Output = Self>,
    {
        match condition {
            Some(condition) => FilterDsl::filter(self, condition),
            None => self,
        }
    }
}

impl<Q: Query> Narrow for Q {}

/// Names the column by which the flows of a table are listed, and defines for its module: a boxed
/// `Condition`; the condition `within` an area; the condition `visible_in` any of some areas or by
/// another condition; `of_tenant`, the query of all flows of a tenant; and `load_page`.
macro_rules! flow_list {
    ($flow:ident in $table:ident by $at:ident) => {
        /// A condition built at run time.
        type Condition = Box<
            dyn diesel::BoxableExpression<
                    $table::table,
                    $crate::kernel::connection::MultiBackend,
                    SqlType = diesel::sql_types::Bool,
                >,
        >;

        type Flows = $table::BoxedQuery<
            'static,
            $crate::kernel::connection::MultiBackend,
            $crate::kernel::list::StateColumns,
        >;

        /// Lies in the area at `path`, or below it.
        fn within(path: &domain::area::tree::Path) -> Condition {
            let end = $crate::kernel::flow::prefix_end(path);
            Box::new($table::path.ge(path.0.clone()).and($table::path.lt(end)))
        }

        /// Lies in one of the areas at `paths`, or is visible by itself.
        fn visible_in(paths: &[domain::area::tree::Path], by_itself: Condition) -> Condition {
            paths.iter().fold(by_itself, |any, path| Box::new(any.or(within(path))))
        }

        /// All flows of a tenant.
        fn of_tenant(tenant: domain::core::id::TenantId) -> Flows {
            $table::table
                .select(($table::id, $table::seq, $table::head, $table::state))
                .filter($table::tenant_id.eq($crate::kernel::types::Id(tenant.0)))
                .into_boxed()
        }

        /// One page of a query, newest first.
        fn load_page(
            query: Flows,
            db: &mut $crate::kernel::connection::Db,
            page: $crate::kernel::journal::Keyset,
        ) -> Result<Vec<domain::flows::change::Versioned<$flow>>> {
            let before = page.after.map(|(at, id)| {
                let (at, id) = ($crate::kernel::types::At(at), $crate::kernel::types::Id(id));
                $table::$at.lt(at).or($table::$at.eq(at).and($table::id.lt(id)))
            });
            let newest = $crate::kernel::list::Narrow::only(query, before)
                .order(($table::$at.desc(), $table::id.desc()))
                .limit(page.limit);
            let rows: Vec<$crate::kernel::list::StateRow> = newest.load(db)?;
            rows.into_iter()
                .map(|row| $crate::kernel::flow::rebuild_state(stringify!($table), row))
                .collect()
        }
    };
}
/// Lies in one of the areas at `paths`, in a list of [`flow_list`].
macro_rules! within_any {
    ($table:ident, $paths:expr) => {
        visible_in($paths, Box::new($table::id.eq(Id(uuid::Uuid::nil()))))
    };
}

pub(crate) use {flow_list, within_any};
