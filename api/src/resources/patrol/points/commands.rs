//! Accepting points of a track.

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use domain::{area::coordinate::CoordType, flows::track::MOST_AT_ONCE};
use uuid::Uuid;

use super::{PointsBody, PointsView, Sending};
use crate::{
    app::{caller::Caller, state::App},
    engine::step::{CommandContext, Extracting, Origin, extract},
    http::{
        answer::Answer,
        body::zipped::MAX_BYTES,
        params::read_path,
        problem::{Code, Problem, Reply},
    },
};

/// The context of an upload of points: the patrol and the caller; the `Idempotency-Key` is only
/// validated.
pub struct PointsContext {
    app: Data<App>,
    caller: Caller,
    patrol: Uuid,
}

impl CommandContext for PointsContext {
    const MAX_BODY: usize = MAX_BYTES;

    fn read(app: Data<App>, caller: Caller, origin: &impl Origin) -> Reply<Self> {
        let patrol = read_path(&origin.segments())?;
        origin.key()?;
        Ok(Self { app, caller, patrol })
    }
}

impl FromRequest for PointsContext {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        extract(request, payload)
    }
}

/// Stores the points of the caller's own patrol that are new and may be accepted.
pub async fn upload_points(context: PointsContext, body: PointsBody) -> Reply<Answer<PointsView>> {
    let PointsContext { app, caller, patrol: id } = context;
    let PointsBody { coord_type, points } = body;
    if points.len() > MOST_AT_ONCE {
        let (zh, en) = (
            "每批最多 2000 个点；请分批上传。",
            "At most 2000 points are accepted at a time; upload them in parts.",
        );
        return Err(Problem::new(Code::InvalidBody).error("/points", "too_many_items", zh, en));
    }
    let world = app.world(caller.tenant)?;
    let coord_type = coord_type.map_or(CoordType::Wgs84, Into::into);
    let sending = Sending { app: &app, caller: &caller, world: &world, id };
    let fates = sending.store_points(&points, coord_type).await?;
    Ok(Answer::of_account(PointsView::new(&points, &fates)))
}
