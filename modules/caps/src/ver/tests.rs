//! The vectors of XEP-0115 sections 5.2 and 5.3, and what is ill-formed.

use super::*;
use bocage_api::testing::xml;
use proptest::prelude::*;

const SIMPLE: &str = "<identity category='client' name='Exodus 0.9.1' type='pc'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/caps'/>\
    <feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/disco#info'/>";
const SIMPLE_VER: &str = "QgayPKawpkPSDYmwT/WM94uAlu0=";

const COMPLEX: &str = "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
    <identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
    <x xmlns='jabber:x:data' type='result'>\
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
    <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>\
    <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
    <field var='software_version'><value>0.11</value></field><field var='software'><value>Psi</value></field></x>";
const COMPLEX_VER: &str = "q07IKJEyjvHSyhy//CH0CxmKi8w=";

fn info(children: &str) -> Element {
    xml(&format!("<query xmlns='http://jabber.org/protocol/disco#info'>{children}</query>"))
}
fn form(fields: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='result'>{fields}</x>")
}
fn form_type(value: &str) -> String {
    format!("<field var='FORM_TYPE' type='hidden'><value>{value}</value></field>")
}

#[test]
fn the_examples_of_the_xep_agree_in_any_order() {
    assert!(verify(SIMPLE_VER, "sha-1", &info(SIMPLE)));
    assert!(verify(COMPLEX_VER, "sha-1", &info(COMPLEX)));
}

#[test]
fn a_hash_that_does_not_agree_or_is_unknown_is_never_valid() {
    assert!(!verify(SIMPLE_VER, "sha-1", &info(COMPLEX)));
    assert!(!verify(SIMPLE_VER, "sha-256", &info(SIMPLE)));
    assert!(!verify(SIMPLE_VER, "", &info(SIMPLE)));
    assert!(!verify(SIMPLE_VER, "sha-1", &info(&SIMPLE.replace("muc", "mub"))));
    assert!(!verify("QgayPKawpkPSDYmwT/WM94uAlu0", "sha-1", &info(SIMPLE)));
}

#[test]
fn repeated_parts_make_the_whole_answer_ill_formed() {
    let ill = |children: &str| verification_string(&info(&format!("{SIMPLE}{children}"))).unwrap_err();
    assert_eq!(ill("<identity category='client' name='Exodus 0.9.1' type='pc'/>"), IllFormed::IdentityTwice);
    assert_eq!(ill("<feature var='http://jabber.org/protocol/muc'/>"), IllFormed::FeatureTwice);
    assert_eq!(ill(&form(&form_type("a")).repeat(2)), IllFormed::FormTwice);
    assert_eq!(ill(&form(&format!("{}{}", form_type("a"), form_type("b")))), IllFormed::FormTwice);
    assert_eq!(verification_string(&xml("<query xmlns='x'/>")), Err(IllFormed::NotInfo));
}

#[test]
fn equal_values_of_one_form_type_are_one() {
    let twice = "<field var='FORM_TYPE' type='hidden'><value>a</value><value>a</value></field>";
    assert_eq!(verification_string(&info(&form(twice))), verification_string(&info(&form(&form_type("a")))));
}

#[test]
fn forms_without_a_hidden_type_are_passed_over() {
    let untyped = form("<field var='os'><value>Mac</value></field>");
    let visible = form("<field var='FORM_TYPE'><value>a</value></field><field var='os'><value>Mac</value></field>");
    for ignored in [untyped, visible] {
        assert!(verify(SIMPLE_VER, "sha-1", &info(&format!("{SIMPLE}{ignored}"))));
    }
}

#[test]
fn the_separator_cannot_make_one_answer_look_like_another() {
    let honest = "<identity category='client' type='pc'/><feature var='a'/><feature var='b'/>";
    let forged = "<identity category='client' type='pc'/><feature var='a&lt;b'/>";
    assert!(verification_string(&info(honest)).is_ok());
    assert_eq!(verification_string(&info(forged)), Err(IllFormed::Separator));
    let name = "<identity category='client' type='pc' name='x&lt;a&lt;b'/>";
    assert_eq!(verification_string(&info(name)), Err(IllFormed::Separator));
}

#[test]
fn size_is_bounded() {
    let many: String = (0..4000).map(|n| format!("<feature var='feature:{n}'/>")).collect();
    assert_eq!(verification_string(&info(&many)), Err(IllFormed::TooLarge));
}

proptest! {
    #[test]
    fn features_count_as_a_set(features in prop::collection::btree_set("[a-z:#]{1,12}", 0..20), seed in any::<prop::sample::Index>()) {
        let mut shuffled: Vec<_> = features.iter().cloned().collect();
        if !shuffled.is_empty() {
            let by = seed.index(shuffled.len());
            shuffled.rotate_left(by);
        }
        let query = |list: &mut dyn Iterator<Item = String>| info(&list.map(|f| format!("<feature var='{f}'/>")).collect::<String>());
        let sorted = verification_string(&query(&mut features.into_iter()));
        prop_assert_eq!(sorted, verification_string(&query(&mut shuffled.into_iter())));
    }
}
