//! Links that say where somebody is at home (H29): an upload's address names the server of who uploaded it.

use minidom::{Element, Node};

/// Does a text or an attribute anywhere in `el` link to `home`, or to a host below it?
pub(super) fn name_home(el: &Element, home: &str) -> bool {
    let attributes = el.attrs().iter().any(|(_, value)| links_to(value, home));
    attributes
        || el.nodes().any(|node| match node {
            Node::Text(text) => links_to(text, home),
            Node::Element(child) => name_home(child, home),
        })
}

fn links_to(text: &str, home: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>)".contains(c)).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        host == home || host.strip_suffix(home).is_some_and(|above| above.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::xml;

    fn names(payload: &str) -> bool {
        name_home(&xml(&format!("<message xmlns='jabber:client'>{payload}</message>")), "home.example")
    }

    #[test]
    fn h29_links_to_the_own_server_are_seen_wherever_they_stand() {
        assert!(names("<body>see https://upload.home.example/a/b.jpg there</body>"));
        assert!(names("<body>AESGCM://UPLOAD.home.example:5443/x#k</body>"));
        assert!(names("<x xmlns='jabber:x:oob'><url>https://u@home.example/x</url></x>"));
        assert!(names(
            "<s xmlns='urn:xmpp:sfs:0'><url-data xmlns='http://jabber.org/protocol/url-data' target='https://home.example'/></s>"
        ));
        assert!(!names("<body>https://nohome.example/ and https://elsewhere.example/home.example</body>"));
        assert!(!names("<body>home.example is a name</body>"));
    }
}
