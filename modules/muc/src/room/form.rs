//! Data forms (XEP-0004) as rooms use them.

use crate::xml;
use bocage_api::ns;
use minidom::Element;
use rxml::xml_ncname;
use std::collections::BTreeMap;

/// Values that one field may have.
const MAX_VALUES: usize = 1_000;

/// A form under construction.
pub(crate) struct Form(Element);

impl Form {
    /// Of `kind` (`form`, `result`), with its FORM_TYPE.
    pub(crate) fn new(kind: &str, form_type: &str) -> Self {
        let mut form = Element::bare("x", ns::DATA_FORMS);
        xml::set(&mut form, xml_ncname!("type"), kind);
        Self(form).field("FORM_TYPE", "hidden", "", &[form_type])
    }
    pub(crate) fn title(mut self, title: &str) -> Self {
        self.0.append_child(xml::text("title", ns::DATA_FORMS, title));
        self
    }
    pub(crate) fn field(mut self, var: &str, kind: &str, label: &str, values: &[&str]) -> Self {
        self.0.append_child(field(var, kind, label, values));
        self
    }
    pub(crate) fn text(self, var: &str, label: &str, value: &str) -> Self {
        self.field(var, "text-single", label, &[value])
    }
    pub(crate) fn boolean(self, var: &str, label: &str, value: bool) -> Self {
        self.field(var, "boolean", label, &[if value { "1" } else { "0" }])
    }
    /// One of several, or some of them: value and what it is called.
    pub(crate) fn list(mut self, var: &str, (kind, label): (&str, &str), options: &[(&str, &str)], values: &[&str]) -> Self {
        let mut list = field(var, kind, label, values);
        for (value, label) in options {
            let mut option = Element::builder("option", ns::DATA_FORMS).append(xml::text("value", ns::DATA_FORMS, value)).build();
            xml::set(&mut option, xml_ncname!("label"), label);
            list.append_child(option);
        }
        self.0.append_child(list);
        self
    }
    pub(crate) fn required(mut self, var: &str, label: &str) -> Self {
        let mut field = field(var, "text-single", label, &[]);
        field.append_child(Element::bare("required", ns::DATA_FORMS));
        self.0.append_child(field);
        self
    }
    pub(crate) fn build(self) -> Element {
        self.0
    }
}

fn field(var: &str, kind: &str, label: &str, values: &[&str]) -> Element {
    let mut field = Element::bare("field", ns::DATA_FORMS);
    xml::set(&mut field, xml_ncname!("var"), var);
    xml::set(&mut field, xml_ncname!("type"), kind);
    if !label.is_empty() {
        xml::set(&mut field, xml_ncname!("label"), label);
    }
    for value in values {
        field.append_child(xml::text("value", ns::DATA_FORMS, value));
    }
    field
}

/// A submitted form.
#[derive(Debug, Default)]
pub(crate) struct Submitted(BTreeMap<String, Vec<String>>);

impl Submitted {
    /// Of `form_type`, or of none: an empty form says "as it is" (XEP-0045 section 10.1.2). `None` for another.
    pub(crate) fn of(form: &Element, form_type: &str) -> Option<Self> {
        let fields = form.children().filter(|el| el.is("field", ns::DATA_FORMS)).filter_map(|field| {
            let values = field.children().filter(|el| el.is("value", ns::DATA_FORMS)).take(MAX_VALUES);
            Some((field.attr(xml_ncname!("var"))?.to_owned(), values.map(Element::text).collect()))
        });
        let mut fields: BTreeMap<String, Vec<String>> = fields.collect();
        match fields.remove("FORM_TYPE") {
            Some(given) if given.iter().any(|given| given != form_type) => None,
            _ => Some(Self(fields)),
        }
    }
    pub(crate) fn all(&self, var: &str) -> Option<&[String]> {
        self.0.get(var).map(Vec::as_slice)
    }
    /// The value; an empty field is an empty text.
    pub(crate) fn one(&self, var: &str) -> Option<&str> {
        self.0.get(var).map(|values| values.first().map(String::as_str).unwrap_or_default())
    }
    pub(crate) fn boolean(&self, var: &str) -> Option<Result<bool, ()>> {
        self.one(var).map(|text| match text {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(()),
        })
    }
}
