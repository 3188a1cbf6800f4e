//! Elements as records: what a client gave to keep (private XML, vCards) is stored as a small tree of serde's, not as
//! XML text, so that no parser and no writer has to agree about prefixes to give the same element back.
//!
//! Depth is bounded both ways: serde_json refuses to read what nests 128 deep, and one element nests twice.

use crate::{error::StanzaError, store::StoreError};
use minidom::{Element, Node};
use rxml::{Namespace, NcName, strings::validate_cdata};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;

/// Elements nested deeper than this are not stored.
pub const MAX_DEPTH: usize = 32;

/// An element as it is stored. Namespaces equal to the parent's are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementRecord {
    #[serde(rename = "n")]
    name: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// Namespace (empty for none), name, value.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<(String, String, String)>,
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<NodeRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum NodeRecord {
    Text(String),
    Element(ElementRecord),
}

/// By hand, because serde's own untagged enums copy the rest of the tree at each level.
impl<'de> Deserialize<'de> for NodeRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = NodeRecord;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or an element")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<NodeRecord, E> {
                Ok(NodeRecord::Text(text.to_owned()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<NodeRecord, A::Error> {
                ElementRecord::deserialize(de::value::MapAccessDeserializer::new(map)).map(NodeRecord::Element)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Why an element cannot be stored, or a record is no element.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// Deeper than [`MAX_DEPTH`].
    #[error("the element nests too deep")]
    TooDeep,
    /// The stored tree is no XML.
    #[error("the record is no element")]
    NotXml,
}
impl From<RecordError> for StanzaError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::TooDeep => Self::policy_violation().with_text("the element nests too deep"),
            RecordError::NotXml => StoreError::Corrupt("record is no element").into(),
        }
    }
}

impl ElementRecord {
    /// Of an element.
    ///
    /// # Errors
    /// When it nests deeper than [`MAX_DEPTH`].
    pub fn of(element: &Element) -> Result<Self, RecordError> {
        Self::below(element, None, MAX_DEPTH)
    }

    /// The element again.
    ///
    /// # Errors
    /// When the stored tree is no XML: never for what [`ElementRecord::of`] made.
    pub fn element(&self) -> Result<Element, RecordError> {
        self.under("", MAX_DEPTH)
    }

    /// Bytes that it takes in the store.
    pub fn stored_len(&self) -> usize {
        serde_json::to_vec(self).map_or(usize::MAX, |bytes| bytes.len())
    }

    fn below(element: &Element, parent: Option<&str>, depth: usize) -> Result<Self, RecordError> {
        let depth = depth.checked_sub(1).ok_or(RecordError::TooDeep)?;
        let own = element.ns();
        let attribute = |((ns, name), value): ((&Namespace<'_>, &NcName), &String)| {
            (ns.as_str().to_owned(), name.as_str().to_owned(), value.clone())
        };
        let node = |node: &Node| {
            Ok(match node {
                Node::Text(text) => NodeRecord::Text(text.clone()),
                Node::Element(child) => NodeRecord::Element(Self::below(child, Some(&own), depth)?),
            })
        };
        Ok(Self {
            name: element.name().to_owned(),
            attributes: element.attrs().iter().map(attribute).collect(),
            nodes: element.nodes().map(node).collect::<Result<_, _>>()?,
            namespace: (parent != Some(&own)).then_some(own),
        })
    }

    fn under(&self, parent: &str, depth: usize) -> Result<Element, RecordError> {
        let depth = depth.checked_sub(1).ok_or(RecordError::TooDeep)?;
        let namespace = self.namespace.as_deref().unwrap_or(parent);
        ncname(&self.name)?;
        let mut element = Element::bare(self.name.as_str(), cdata(namespace)?);
        for (ns, name, value) in &self.attributes {
            let ns = if ns.is_empty() { Namespace::NONE } else { Namespace::from(cdata(ns)?.to_owned()) };
            element.attrs_mut().insert(ns, ncname(name)?, cdata(value)?.to_owned());
        }
        for node in &self.nodes {
            match node {
                NodeRecord::Text(text) => element.append_text_node(cdata(text)?),
                NodeRecord::Element(child) => drop(element.append_child(child.under(namespace, depth)?)),
            }
        }
        Ok(element)
    }
}

fn ncname(text: &str) -> Result<NcName, RecordError> {
    NcName::try_from(text).map_err(|_| RecordError::NotXml)
}
fn cdata(text: &str) -> Result<&str, RecordError> {
    validate_cdata(text).map_err(|_| RecordError::NotXml).map(|()| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again(element: &Element) -> Element {
        let bytes = serde_json::to_vec(&ElementRecord::of(element).unwrap()).unwrap();
        serde_json::from_slice::<ElementRecord>(&bytes).unwrap().element().unwrap()
    }
    fn nested(depth: usize) -> Element {
        (1..depth).fold(Element::bare("e", "x"), |inner, _| Element::builder("e", "x").append(inner).build())
    }

    #[test]
    fn what_was_stored_comes_back_whole() {
        let xml = "<a xmlns='one' k='v' xml:lang='fr'>t<b xmlns='two'><c/></b> &lt;u<d xmlns=''/></a>";
        let element: Element = xml.parse().unwrap();
        assert_eq!(again(&element), element);
    }

    #[test]
    fn the_stored_form_stays_readable_by_later_versions() {
        let stored = r#"{"n":"a","s":"one","a":[["","k","v"]],"c":["t",{"n":"b","s":"two","c":[{"n":"c"}]}]}"#;
        let element: Element = "<a xmlns='one' k='v'>t<b xmlns='two'><c/></b></a>".parse().unwrap();
        assert_eq!(serde_json::from_str::<ElementRecord>(stored).unwrap().element().unwrap(), element);
        assert_eq!(serde_json::to_string(&ElementRecord::of(&element).unwrap()).unwrap(), stored);
    }

    #[test]
    fn depth_is_bounded_both_ways() {
        assert_eq!(again(&nested(MAX_DEPTH)), nested(MAX_DEPTH));
        assert_eq!(ElementRecord::of(&nested(MAX_DEPTH + 1)), Err(RecordError::TooDeep));
        let deep = format!("{}{}", r#"{"n":"a","c":["#.repeat(MAX_DEPTH + 1), "]}".repeat(MAX_DEPTH + 1));
        assert_eq!(serde_json::from_str::<ElementRecord>(&deep).unwrap().element(), Err(RecordError::TooDeep));
    }

    #[test]
    fn a_damaged_record_is_an_error_and_no_element() {
        for stored in [r#"{"n":"a b"}"#, r#"{"n":"a","a":[["","<","v"]]}"#, r#"{"n":"a","c":["\u0000"]}"#, r#"{"n":""}"#] {
            let record: ElementRecord = serde_json::from_str(stored).unwrap();
            assert_eq!(record.element(), Err(RecordError::NotXml), "{stored}");
        }
    }

    fn element() -> impl Strategy<Value = Element> {
        let leaf = ("[a-z]{1,3}", "[a-z:]{1,6}", "[ -~]{0,9}").prop_map(|(name, ns, text)| {
            Element::builder(name, ns).attr(NcName::try_from("k").unwrap(), text.as_str()).append(text.as_str()).build()
        });
        leaf.prop_recursive(6, 24, 4, |inner| {
            ("[a-z]{1,3}", "[a-z:]{1,6}", prop::collection::vec(inner, 0..4))
                .prop_map(|(name, ns, children)| Element::builder(name, ns).append_all(children).build())
        })
    }
    proptest! {
        #[test]
        fn any_tree_survives(element in element()) {
            prop_assert_eq!(again(&element), element);
        }
    }
}
