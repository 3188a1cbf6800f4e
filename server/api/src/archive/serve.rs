//! Queries as clients write them (XEP-0313 section 4, XEP-0059) and their answers: what archives of accounts and of rooms
//! have in common. Who may ask is for the module to say, before.

use super::{Archive, ArchivePage, ArchiveQuery, MAX_IDS, MAX_PAGE, Part, ResultHead, StanzaId};
use crate::{clock::UnixSeconds, error::StanzaError, handles::Reply, ns};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;
use std::sync::Arc;
use xmpp_parsers::{
    data_forms::{DataForm, DataFormType, Field, FieldType},
    mam::{Fin, Query},
    rsm::{First, SetQuery, SetResult},
};

/// Rows of a page when nothing is asked.
const PAGE: usize = 50;
/// Bytes of a `queryid`: it comes back with every result.
const MAX_QUERYID: usize = 256;
/// Fields that a query may have, with their types.
const FIELDS: [(&str, FieldType); 7] = [
    ("with", FieldType::JidSingle),
    ("start", FieldType::TextSingle),
    ("end", FieldType::TextSingle),
    ("before-id", FieldType::TextSingle),
    ("after-id", FieldType::TextSingle),
    ("ids", FieldType::ListMulti),
    ("include-groupchat", FieldType::Boolean),
];

/// A query that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MamQuery {
    /// What it asks for. The store knows no limit to who may see what: it is the caller's to narrow it.
    pub query: ArchiveQuery,
    /// Comes back with every result.
    pub queryid: Option<String>,
    /// The newest first.
    pub flipped: bool,
}

impl MamQuery {
    /// Reads `<query/>`.
    ///
    /// # Errors
    /// `bad-request`, `jid-malformed`, `item-not-found` for ids that cannot be this server's, `feature-not-implemented`
    /// for fields that are not known (XEP-0313 section 4.1.5).
    pub fn parse(query: Element) -> Result<Self, StanzaError> {
        let Query { queryid, node, form, set, flip_page } = Query::try_from(query).map_err(|_| StanzaError::bad_request())?;
        if node.is_some() {
            return Err(StanzaError::feature_not_implemented());
        }
        let queryid = queryid.map(|id| id.0);
        if queryid.as_ref().is_some_and(|id| id.len() > MAX_QUERYID) {
            return Err(StanzaError::policy_violation());
        }
        let mut query = ArchiveQuery { limit: PAGE, ..ArchiveQuery::default() };
        if let Some(form) = form {
            read_form(&form, &mut query)?;
        }
        if let Some(set) = set {
            read_set(set, &mut query)?;
        }
        Ok(Self { query, queryid, flipped: flip_page })
    }

    /// Streams the results to the asker, from the archive's owner; resolves to what ends the query.
    ///
    /// # Errors
    /// `item-not-found` when a row that was named is not there; the store's.
    pub async fn serve(self, archives: &dyn Archive, owner: &BareJid, asker: Jid, reply: &Reply) -> Result<Element, StanzaError> {
        let page = archives.page(owner, self.query).await?.ok_or_else(StanzaError::item_not_found)?;
        // Who asked their own bare JID takes results from nobody else; who named nobody takes these, too.
        let head = ResultHead { archive: Some(owner.clone().into()), asker, queryid: self.queryid };
        let end = fin(&page);
        let rows: Box<dyn Iterator<Item = _> + Send> =
            if self.flipped { Box::new(page.rows.iter().rev()) } else { Box::new(page.rows.iter()) };
        for row in rows {
            if !reply.send_frozen(Arc::new(row.result(&head))).await {
                break;
            }
        }
        Ok(end)
    }
}

fn read_form(form: &DataForm, query: &mut ArchiveQuery) -> Result<(), StanzaError> {
    if form.type_ != DataFormType::Submit || form.form_type() != Some(ns::MAM) {
        return Err(StanzaError::bad_request());
    }
    for field in &form.fields {
        let value = field.values.first().map(String::as_str).unwrap_or_default();
        match field.var.as_deref() {
            Some("FORM_TYPE") => {}
            Some("with") => query.with = Some(Jid::new(value).map_err(|_| StanzaError::jid_malformed())?),
            Some("start") => query.start = Some(moment(value)?),
            Some("end") => query.end = Some(moment(value)?),
            Some("before-id") => query.before_id = Some(id(value)?),
            Some("after-id") => query.after_id = Some(id(value)?),
            Some("ids") if field.values.len() > MAX_IDS => return Err(StanzaError::policy_violation()),
            Some("ids") => query.ids = Some(field.values.iter().map(|value| id(value)).collect::<Result<_, _>>()?),
            // There are no messages of rooms in archives of accounts.
            Some("include-groupchat") => {}
            _ => return Err(StanzaError::feature_not_implemented()),
        }
    }
    Ok(())
}

fn read_set(set: SetQuery, query: &mut ArchiveQuery) -> Result<(), StanzaError> {
    query.limit = set.max.unwrap_or(PAGE).min(MAX_PAGE);
    let named = |id: &Option<String>| id.as_deref().filter(|id| !id.is_empty()).map(self::id).transpose();
    query.part = match (named(&set.after)?, named(&set.before)?, set.before.is_some(), set.index) {
        (Some(_), Some(_), ..) => return Err(StanzaError::bad_request()),
        (Some(after), None, ..) => Part::After(after),
        (None, Some(before), ..) => Part::Before(before),
        (None, None, true, _) => Part::Last,
        (None, None, false, Some(index)) => Part::Index(index as u64),
        (None, None, false, None) => Part::First,
    };
    Ok(())
}

fn id(text: &str) -> Result<StanzaId, StanzaError> {
    StanzaId::parse(text).ok_or_else(StanzaError::item_not_found)
}

/// A XEP-0082 DateTime; rows know whole seconds.
fn moment(text: &str) -> Result<UnixSeconds, StanzaError> {
    let moment: jiff::Timestamp = text.parse().map_err(|_| StanzaError::bad_request())?;
    Ok(moment.as_second())
}

/// `<fin/>` of a page. Where a client that pages backwards begins, the index is left out: it would say that the page ends
/// the whole, and slixmpp asks for no more then.
#[must_use]
pub fn fin(page: &ArchivePage) -> Element {
    let size = |number: u64| usize::try_from(number).ok();
    let ends = page.index.is_some_and(|index| Some(index + page.rows.len() as u64) == page.count);
    let index = page.index.filter(|_| page.complete || !ends).and_then(size);
    let first = page.rows.first().map(|row| First { index, item: row.id.to_string() });
    let set = SetResult { first, last: page.rows.last().map(|row| row.id.to_string()), count: page.count.and_then(size) };
    Fin { complete: page.complete, set }.into()
}

/// The form that says what can be asked (XEP-0313 section 4.1.5).
#[must_use]
pub fn query_form() -> Element {
    let field = |(var, kind): &(&str, FieldType)| {
        let mut field: Element = Field::new(var, kind.clone()).into();
        if *var == "ids" {
            let validate = Element::builder("validate", "http://jabber.org/protocol/xdata-validate")
                .attr(xml_ncname!("datatype").to_owned(), "xs:string")
                .append(Element::bare("open", "http://jabber.org/protocol/xdata-validate"));
            field.append_child(validate.build());
        }
        field
    };
    let kind = Element::builder("field", ns::DATA_FORMS)
        .attr(xml_ncname!("var").to_owned(), "FORM_TYPE")
        .attr(xml_ncname!("type").to_owned(), "hidden")
        .append(Element::builder("value", ns::DATA_FORMS).append(ns::MAM));
    let form = Element::builder("x", ns::DATA_FORMS)
        .attr(xml_ncname!("type").to_owned(), "form")
        .append(kind)
        .append_all(FIELDS.iter().map(field));
    Element::builder("query", ns::MAM).append(form).build()
}

/// `<metadata/>` of an archive (XEP-0313 section 5).
#[must_use]
pub fn metadata(bounds: Option<(super::Bound, super::Bound)>) -> Element {
    let mut metadata = Element::bare("metadata", ns::MAM);
    if let Some((start, end)) = bounds {
        for (name, bound) in [("start", start), ("end", end)] {
            let bound = Element::builder(name, ns::MAM)
                .attr(xml_ncname!("id").to_owned(), bound.id.to_string())
                .attr(xml_ncname!("timestamp").to_owned(), crate::clock::stamp(bound.stamp));
            metadata.append_child(bound.build());
        }
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        archive::{ArchiveRow, ArchivedMessage},
        error::Condition,
        stanza::MessageType,
    };
    use bytes::Bytes;

    fn parse(inner: &str) -> Result<MamQuery, StanzaError> {
        MamQuery::parse(format!("<query xmlns='urn:xmpp:mam:2' queryid='q'>{inner}</query>").parse().unwrap())
    }
    fn form(fields: &str) -> String {
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>\
             {fields}</x>"
        )
    }
    fn field(var: &str, value: &str) -> String {
        form(&format!("<field var='{var}'><value>{value}</value></field>"))
    }
    fn condition(inner: &str) -> Condition {
        parse(inner).unwrap_err().condition
    }

    #[test]
    fn fields_are_read() {
        let asked = parse(&field("with", "a@b/c")).unwrap();
        assert_eq!(
            (asked.query.with, asked.queryid.as_deref(), asked.query.limit),
            (Some("a@b/c".parse().unwrap()), Some("q"), PAGE)
        );
        assert_eq!(parse(&field("start", "2023-11-14T22:13:20.9Z")).unwrap().query.start, Some(1_700_000_000));
        assert_eq!(parse(&field("end", "2023-11-14T22:13:20Z")).unwrap().query.end, Some(1_700_000_000));
        let id = StanzaId([7; 16]);
        assert_eq!(parse(&field("ids", &id.to_string())).unwrap().query.ids, Some(vec![id]));
        assert!(parse("<flip-page/>").unwrap().flipped);
        assert!(parse(&field("include-groupchat", "true")).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_an_error_of_its_kind() {
        assert_eq!(condition(&field("{x}y", "1")), Condition::FeatureNotImplemented);
        assert_eq!(condition(&field("with", "@")), Condition::JidMalformed);
        assert_eq!(condition(&field("start", "yesterday")), Condition::BadRequest);
        assert_eq!(condition(&field("after-id", "28482-98726-73623")), Condition::ItemNotFound);
        assert_eq!(condition("<x xmlns='jabber:x:data' type='submit'/>"), Condition::BadRequest);
        let many: String = (0..=MAX_IDS).map(|n| format!("<value>{n:032x}</value>")).collect();
        assert_eq!(condition(&form(&format!("<field var='ids'>{many}</field>"))), Condition::PolicyViolation);
    }

    #[test]
    fn parts_are_those_of_xep_0059() {
        let part = |inner: &str| {
            parse(&format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>")).map(|q| (q.query.part, q.query.limit))
        };
        let id = StanzaId([7; 16]);
        assert_eq!(part("<max>3</max>"), Ok((Part::First, 3)));
        assert_eq!(part("<max>99999</max><before/>"), Ok((Part::Last, MAX_PAGE)));
        assert_eq!(part(&format!("<after>{id}</after>")), Ok((Part::After(id), PAGE)));
        assert_eq!(part(&format!("<before>{id}</before>")), Ok((Part::Before(id), PAGE)));
        assert_eq!(part("<index>5</index>"), Ok((Part::Index(5), PAGE)));
        assert_eq!(part("<after>x</after>").unwrap_err().condition, Condition::ItemNotFound);
    }

    #[test]
    fn who_pages_backwards_is_not_told_that_the_last_page_ends_the_whole() {
        let message = ArchivedMessage {
            from: "b@x".into(),
            to: "a@x".into(),
            kind: MessageType::Chat,
            message_id: None,
            lang: None,
            payload: Bytes::new(),
        };
        let row = ArchiveRow { position: 1, id: StanzaId([7; 16]), stamp: 0, kept: true, message };
        let index = |complete, index| {
            let page = ArchivePage { rows: vec![row.clone()], complete, count: Some(3), index: Some(index) };
            Fin::try_from(fin(&page)).unwrap().set.first.unwrap().index
        };
        assert_eq!((index(false, 2), index(false, 1), index(true, 2)), (None, Some(1), Some(2)));
    }

    #[test]
    fn the_form_names_every_field() {
        let form = query_form().get_child("x", ns::DATA_FORMS).cloned().unwrap();
        assert_eq!(form.children().count(), FIELDS.len() + 1);
    }
}
