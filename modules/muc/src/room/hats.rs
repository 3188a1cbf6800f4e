//! Hats (XEP-0317): given by the room, shown by the room; what clients claim never gets here.

use crate::xml::{self, HATS};
use minidom::Element;
use rxml::xml_ncname;

/// `<hats/>` of these URIs and titles.
pub(super) fn element(hats: &[(String, String)]) -> Element {
    let hat = |(uri, title): &(String, String)| {
        let mut hat = Element::bare("hat", HATS);
        xml::set(&mut hat, xml_ncname!("uri"), uri);
        xml::set(&mut hat, xml_ncname!("title"), title);
        hat
    };
    Element::builder("hats", HATS).append_all(hats.iter().map(hat)).build()
}
