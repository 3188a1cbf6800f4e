//! `<stream:features/>` before authentication: both SASL profiles with one list of mechanisms, so that XEP-0474's hash
//! is the same for either.

use minidom::{Element, rxml::xml_ncname};

use crate::{Bindings, Inline, Mechanism, TokenOffer, fast, ns};

pub(super) fn features(offered: &[Mechanism], bindings: &Bindings, inline: &Inline) -> Element {
    Element::builder("features", ns::STREAM)
        .append(Element::builder("mechanisms", ns::SASL).append_all(mechanisms(offered, ns::SASL)).build())
        .append(authentication(offered, bindings, inline))
        .append_all(bindings.feature())
        .build()
}

fn mechanisms<'a>(offered: &'a [Mechanism], ns: &'static str) -> impl Iterator<Item = Element> + 'a {
    offered.iter().map(move |mechanism| Element::builder("mechanism", ns).append(mechanism.name()).build())
}

/// XEP-0388 section 2.1.
fn authentication(offered: &[Mechanism], bindings: &Bindings, inline: &Inline) -> Element {
    let fast = (inline.tokens == TokenOffer::On).then(|| fast::feature(bindings)).flatten();
    let nested = Element::builder("inline", ns::SASL2)
        .append(bind(&inline.bind2))
        .append_all(inline.sasl2.iter().cloned())
        .append_all(fast)
        .build();
    Element::builder("authentication", ns::SASL2).append_all(mechanisms(offered, ns::SASL2)).append(nested).build()
}

/// XEP-0386 section 3.1; its schema wants at least one feature in `<inline/>`.
fn bind(features: &[String]) -> Element {
    let listed = features
        .iter()
        .map(|feature| Element::builder("feature", ns::BIND2).attr(xml_ncname!("var").into(), feature.as_str()).build());
    let inline = (!features.is_empty()).then(|| Element::builder("inline", ns::BIND2).append_all(listed).build());
    Element::builder("bind", ns::BIND2).append_all(inline).build()
}
