//! Data forms (XEP-0004) as commands write and read them.

use super::bad_payload;
use crate::{error::StanzaError, ns};
use minidom::Element;
use xmpp_parsers::data_forms::{DataForm, DataFormType, Field, FieldType, Option_};

/// Fields of what is submitted, at most.
const MAX_FIELDS: usize = 64;
/// Bytes of what is submitted, at most: names and values.
const MAX_BYTES: usize = 16 * 1024;

/// What was submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(Vec<(String, Vec<String>)>);

impl Answers {
    /// Reads the form in `parent`; `None` when there is none.
    ///
    /// # Errors
    /// [`bad_payload`] when it is no form, or too large.
    pub(super) fn read(parent: &Element) -> Result<Option<Self>, StanzaError> {
        let Some(form) = parent.get_child("x", ns::DATA_FORMS) else { return Ok(None) };
        let form = DataForm::try_from(form.clone()).map_err(|_| bad_payload())?;
        // A cancelled form counts as a submitted one (XEP-0050 section 3.5.1).
        if !matches!(form.type_, DataFormType::Submit | DataFormType::Cancel) || form.fields.len() > MAX_FIELDS {
            return Err(bad_payload());
        }
        let fields = form.fields.into_iter().filter_map(|field| Some((field.var?, field.values)));
        let answers = Self(fields.collect());
        if answers.bytes() > MAX_BYTES { Err(bad_payload()) } else { Ok(Some(answers)) }
    }
    /// For what is submitted by other ways than an iq.
    #[must_use]
    pub fn of(fields: &[(&str, &str)]) -> Self {
        Self(fields.iter().map(|(var, value)| ((*var).to_owned(), vec![(*value).to_owned()])).collect())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(var, values)| var.len() + values.iter().map(String::len).sum::<usize>()).sum()
    }
    /// The values of a field.
    #[must_use]
    pub fn many(&self, var: &str) -> &[String] {
        self.0.iter().find(|(name, _)| name == var).map(|(_, values)| values.as_slice()).unwrap_or_default()
    }
    /// The first value of a field, unless it is empty.
    #[must_use]
    pub fn one(&self, var: &str) -> Option<&str> {
        self.many(var).first().map(|value| value.trim()).filter(|value| !value.is_empty())
    }
    /// A boolean field; `false` when it is missing.
    #[must_use]
    pub fn is_set(&self, var: &str) -> bool {
        matches!(self.one(var), Some("1" | "true"))
    }
}

/// A form with title and instructions.
#[must_use]
pub fn form(title: &str, instructions: &str, fields: Vec<Field>) -> DataForm {
    let instructions = Some(instructions).filter(|text| !text.is_empty()).map(str::to_owned);
    DataForm { type_: DataFormType::Form, title: Some(title.to_owned()), instructions, fields }
}

fn field(var: &str, kind: FieldType, label: &str) -> Field {
    Field { label: Some(label.to_owned()), ..Field::new(var, kind) }
}
/// A field that is not shown.
#[must_use]
pub fn hidden(var: &str, value: &str) -> Field {
    Field::new(var, FieldType::Hidden).with_value(value)
}
/// A line of text between fields.
#[must_use]
pub fn fixed(text: &str) -> Field {
    Field { var: None, ..Field::new("", FieldType::Fixed).with_value(text) }
}
/// A line to be filled in.
#[must_use]
pub fn text(var: &str, label: &str, value: &str) -> Field {
    field(var, FieldType::TextSingle, label).with_value(value)
}
/// A box to be ticked.
#[must_use]
pub fn yes_no(var: &str, label: &str, value: bool) -> Field {
    field(var, FieldType::Boolean, label).with_value(if value { "1" } else { "0" })
}
/// A choice of one of `options` (value and label).
#[must_use]
pub fn list(var: &str, label: &str, (options, chosen): (&[(&str, &str)], &str)) -> Field {
    Field { options: self::options(options), ..field(var, FieldType::ListSingle, label) }.with_value(chosen)
}
/// Options by value and label.
#[must_use]
pub fn options(options: &[(&str, &str)]) -> Vec<Option_> {
    let option = |(value, label): &(&str, &str)| Option_ { label: Some((*label).to_owned()), value: (*value).to_owned() };
    options.iter().map(option).collect()
}
