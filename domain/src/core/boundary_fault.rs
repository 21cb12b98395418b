//! What can be wrong with a boundary.

use serde::{Deserialize, Serialize};

use crate::core::labelled_enum::labelled_enum;

labelled_enum! {
    /// What is wrong with a boundary.
    FaultCode {
        /// No polygon, or a polygon without a shell.
        Empty = "empty", "没有多边形";
        /// A ring of fewer than three corners.
        TooShort = "too_short", "环的点数不足";
        /// A ring that does not end where it began.
        Open = "open_ring", "环没有闭合";
        /// A number that is not a longitude or latitude.
        OutOfRange = "out_of_range", "坐标超出范围";
        /// Latitude and longitude are swapped.
        Swapped = "swapped", "经纬度写反";
        /// Wider than half of the earth: it crosses the 180th meridian, or a number is wrong.
        Antimeridian = "antimeridian", "跨越180度经线";
        /// Two of its edges cross.
        SelfIntersection = "self_intersection", "边界自相交";
        /// More corners than a boundary may have.
        TooManyCorners = "too_many_corners", "点数过多";
        /// It encloses no ground.
        NoExtent = "no_extent", "没有面积";
    }
}
