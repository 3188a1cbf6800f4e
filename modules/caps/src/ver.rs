//! The verification string (XEP-0115 section 5): from a `disco#info` answer to a hash, or to why there is none.
//!
//! Stricter than the XEP in one thing: no part may hold `<`, which separates the parts of what is hashed. With it, one
//! answer could be read as another with the same hash.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bocage_api::{
    dep::rxml::{Namespace, xml_ncname},
    ns,
};
use minidom::Element;
use sha1::{Digest, Sha1};
use std::collections::BTreeSet;

/// Bytes of what is hashed, at most.
const MAX_TEXT: usize = 32 * 1024;

/// Why a `disco#info` answer has no verification string.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IllFormed {
    /// Not a `<query/>` of `disco#info`.
    #[error("no disco#info answer")]
    NotInfo,
    /// Two identities alike (section 5.4, rule 3.3).
    #[error("an identity is there twice")]
    IdentityTwice,
    /// Two features alike (section 5.4, rule 3.4).
    #[error("a feature is there twice")]
    FeatureTwice,
    /// Two forms of one FORM_TYPE, or a FORM_TYPE of several values (section 5.4, rule 3.5).
    #[error("a form type is there twice")]
    FormTwice,
    /// A part holds the separator.
    #[error("a part holds the separator")]
    Separator,
    /// Too much to hash.
    #[error("the answer is too large")]
    TooLarge,
}

/// Is `ver` the hash `hash` of the answer `info`? Any hash but SHA-1 is unknown and so never is.
#[must_use]
pub fn verify(ver: &str, hash: &str, info: &Element) -> bool {
    hash == crate::SHA1 && verification_string(info).is_ok_and(|own| own == ver)
}

/// The verification string of a `disco#info` answer under SHA-1.
///
/// # Errors
/// When the answer is ill-formed.
pub fn verification_string(info: &Element) -> Result<String, IllFormed> {
    Ok(STANDARD.encode(Sha1::digest(hashed_text(info)?)))
}

/// `S` of section 5.1.
fn hashed_text(info: &Element) -> Result<String, IllFormed> {
    if !info.is("query", ns::DISCO_INFO) {
        return Err(IllFormed::NotInfo);
    }
    let mut text = Text::default();
    for [category, kind, lang, name] in distinct(identities(info), IllFormed::IdentityTwice)? {
        text.push(&format!("{category}/{kind}/{lang}/{name}"))?;
    }
    for feature in distinct(features(info), IllFormed::FeatureTwice)? {
        text.push(feature)?;
    }
    for form in forms(info)? {
        form.write(&mut text)?;
    }
    Ok(text.0)
}

#[derive(Default)]
struct Text(String);
impl Text {
    fn push(&mut self, part: &str) -> Result<(), IllFormed> {
        if part.contains('<') {
            return Err(IllFormed::Separator);
        }
        if self.0.len() + part.len() >= MAX_TEXT {
            return Err(IllFormed::TooLarge);
        }
        self.0.push_str(part);
        self.0.push('<');
        Ok(())
    }
}

/// Sorted by bytes (i;octet), each once.
fn distinct<T: Ord>(parts: impl Iterator<Item = T>, twice: IllFormed) -> Result<BTreeSet<T>, IllFormed> {
    let mut set = BTreeSet::new();
    for part in parts {
        if !set.insert(part) {
            return Err(twice);
        }
    }
    Ok(set)
}

fn identities(info: &Element) -> impl Iterator<Item = [&str; 4]> {
    info.children().filter(|child| child.is("identity", ns::DISCO_INFO)).map(|identity| {
        let attribute = |name| identity.attr(name).unwrap_or_default();
        let lang = identity.attr_ns(&Namespace::XML, xml_ncname!("lang")).unwrap_or_default();
        [attribute(xml_ncname!("category")), attribute(xml_ncname!("type")), lang, attribute(xml_ncname!("name"))]
    })
}

fn features(info: &Element) -> impl Iterator<Item = &str> {
    let features = info.children().filter(|child| child.is("feature", ns::DISCO_INFO));
    features.map(|feature| feature.attr(xml_ncname!("var")).unwrap_or_default())
}

struct Form {
    kind: String,
    /// Names with their sorted values.
    fields: Vec<(String, Vec<String>)>,
}

impl Form {
    fn write(&self, text: &mut Text) -> Result<(), IllFormed> {
        text.push(&self.kind)?;
        for (var, values) in &self.fields {
            text.push(var)?;
            values.iter().try_for_each(|value| text.push(value))?;
        }
        Ok(())
    }
}

/// The forms that count, sorted by type. One without a hidden FORM_TYPE is passed over (section 5.4, rule 3.6).
fn forms(info: &Element) -> Result<Vec<Form>, IllFormed> {
    let mut forms = Vec::new();
    for x in info.children().filter(|child| child.is("x", ns::DATA_FORMS)) {
        forms.extend(form(x)?);
    }
    forms.sort_by(|a, b| a.kind.cmp(&b.kind));
    let kinds = forms.iter().map(|form| &form.kind);
    distinct(kinds, IllFormed::FormTwice)?;
    Ok(forms)
}

fn form(x: &Element) -> Result<Option<Form>, IllFormed> {
    let (mut kinds, mut fields, mut hidden) = (BTreeSet::new(), Vec::new(), true);
    for field in x.children().filter(|child| child.is("field", ns::DATA_FORMS)) {
        let var = field.attr(xml_ncname!("var")).unwrap_or_default();
        let values = field.children().filter(|child| child.is("value", ns::DATA_FORMS)).map(Element::text);
        if var == "FORM_TYPE" {
            hidden &= field.attr(xml_ncname!("type")) == Some("hidden");
            kinds.extend(values);
        } else {
            let mut values: Vec<_> = values.collect();
            values.sort_unstable();
            fields.push((var.to_owned(), values));
        }
    }
    fields.sort_unstable();
    let kind = kinds.pop_first();
    match kind {
        Some(_) if !kinds.is_empty() => Err(IllFormed::FormTwice),
        Some(kind) if hidden => Ok(Some(Form { kind, fields })),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
