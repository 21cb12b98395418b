//! A track as GPX 1.1, for other programs: a segment for every stretch, so that gaps stay gaps.
//! Points with a mark are left out, because GPX has no word for them.

use std::fmt::Write;

use super::Seen;

/// The document; `name` is escaped.
pub fn render_document(name: &str, stretches: &[Vec<Seen>]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <gpx version=\"1.1\" creator=\"GridWhistle\" xmlns=\"http://www.topografix.com/GPX/1/1\">\n<trk><name>",
    );
    out.push_str(&escape_xml(name));
    out.push_str("</name>\n");
    for stretch in stretches {
        out.push_str("<trkseg>\n");
        for Seen { fix, point, .. } in stretch {
            let at = fix.at().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "<trkpt lat=\"{:.7}\" lon=\"{:.7}\"><time>{at}</time></trkpt>",
                point.lat, point.lng
            );
        }
        out.push_str("</trkseg>\n");
    }
    out.push_str("</trk>\n</gpx>\n");
    out
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
