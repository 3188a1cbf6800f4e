//! Hats (XEP-0317): given by the room's admins through commands, shown by the room; what clients claim never gets here.
//!
//! A conversation needs no memory: asked without a form it answers with one, and a form that comes back does it.

use super::{
    Env, Room,
    form::{Form, Submitted},
    model::Affiliation,
};
use crate::xml::{self, HATS};
use bocage_api::{StanzaError, commands::NS_COMMANDS, ns};
use jid::{BareJid, Jid};
use minidom::Element;
use rxml::xml_ncname;

const COMMANDS: &str = "urn:xmpp:hats:commands";
const TITLE: &str = "hats#title";
const URI: &str = "hats#uri";
const JID: &str = "hats#jid";
/// Hats of a room, hats of one person, bytes of a name.
const MAX_HATS: usize = 50;
const MAX_WORN: usize = 10;
const MAX_BYTES: usize = 512;

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

impl Room {
    /// A command of the room (XEP-0050): only those of hats, and only for admins.
    pub(crate) fn command(&mut self, env: &Env, command: &Element, from: &Jid) -> Result<Element, StanzaError> {
        if !self.exists || self.locked || self.affiliation(&from.to_bare()) < Affiliation::Admin {
            return Err(StanzaError::forbidden());
        }
        let node = command.attr(xml_ncname!("node")).unwrap_or_default();
        let what = node.strip_prefix(COMMANDS).and_then(|rest| rest.strip_prefix(':')).ok_or_else(StanzaError::item_not_found)?;
        let given = command.get_child("x", ns::DATA_FORMS).map(|form| Submitted::of(form, COMMANDS));
        let given = given.map(|given| given.ok_or_else(StanzaError::bad_request)).transpose()?;
        let result = match (what, given) {
            ("list", _) => Some(self.list_hats()),
            ("list-assigned", _) => Some(self.list_worn()),
            ("create" | "destroy" | "assign" | "unassign", None) => {
                let form = hat_form(what);
                return Ok(answer(command, env.entropy.id(), ("executing", Some(form))));
            }
            ("create", Some(given)) => self.create_hat(&given).map(|()| None)?,
            ("destroy", Some(given)) => self.destroy_hat(env, &given).map(|()| None)?,
            ("assign" | "unassign", Some(given)) => self.wear(env, &given, what == "assign").map(|()| None)?,
            _ => return Err(StanzaError::item_not_found()),
        };
        Ok(answer(command, env.entropy.id(), ("completed", result)))
    }

    fn create_hat(&mut self, given: &Submitted) -> Result<(), StanzaError> {
        let text = |var| given.one(var).filter(|text| !text.is_empty() && text.len() <= MAX_BYTES);
        let (title, uri) = (text(TITLE).ok_or_else(StanzaError::bad_request)?, text(URI).ok_or_else(StanzaError::bad_request)?);
        if self.state.hats.iter().any(|(known, _)| known == uri) {
            return Err(StanzaError::conflict());
        }
        if self.state.hats.len() >= MAX_HATS {
            return Err(StanzaError::resource_constraint());
        }
        self.state.hats.push((uri.to_owned(), title.to_owned()));
        self.store_room();
        Ok(())
    }

    fn destroy_hat(&mut self, env: &Env, given: &Submitted) -> Result<(), StanzaError> {
        let uri = given.one(URI).ok_or_else(StanzaError::bad_request)?;
        if !self.state.hats.iter().any(|(known, _)| known == uri) {
            return Err(StanzaError::item_not_found());
        }
        self.state.hats.retain(|(known, _)| known != uri);
        self.store_room();
        let worn = |hats: &[(String, String)]| hats.iter().any(|(hat, _)| hat == uri);
        let wearers: Vec<BareJid> = self.grants.iter().filter(|(_, g)| worn(&g.hats)).map(|(who, _)| who.clone()).collect();
        for who in wearers {
            self.take_off(env, &who, uri);
        }
        Ok(())
    }

    fn wear(&mut self, env: &Env, given: &Submitted, puts_on: bool) -> Result<(), StanzaError> {
        let uri = given.one(URI).ok_or_else(StanzaError::bad_request)?;
        let who = given.one(JID).ok_or_else(StanzaError::bad_request)?;
        let who = Jid::new(who).map_err(|_| StanzaError::jid_malformed())?;
        // Where nobody sees addresses, people are named by their nicks.
        let who = match who.resource() {
            Some(nick) if who.to_bare() == self.jid => {
                self.by_nick(nick.as_str()).map(|occupant| occupant.bare.clone()).ok_or_else(StanzaError::item_not_found)?
            }
            _ => who.to_bare(),
        };
        if !puts_on {
            self.take_off(env, &who, uri);
            return Ok(());
        }
        let hat = self.state.hats.iter().find(|(known, _)| known == uri).cloned().ok_or_else(StanzaError::item_not_found)?;
        self.has_room_for(&who)?;
        let grant = self.grants.entry(who.clone()).or_default();
        if grant.hats.len() >= MAX_WORN {
            return Err(StanzaError::resource_constraint());
        }
        if !grant.hats.contains(&hat) {
            grant.hats.push(hat);
        }
        self.hats_changed(env, &who);
        Ok(())
    }

    fn take_off(&mut self, env: &Env, who: &BareJid, uri: &str) {
        if let Some(grant) = self.grants.get_mut(who) {
            grant.hats.retain(|(hat, _)| hat != uri);
            if grant.is_void() {
                self.grants.remove(who);
            }
            self.hats_changed(env, who);
        }
    }

    fn hats_changed(&mut self, env: &Env, who: &BareJid) {
        self.store_grant(who);
        let hats = self.grants.get(who).map(|grant| grant.hats.clone()).unwrap_or_default();
        let seated: Vec<_> = self.occupants.iter().filter(|(_, o)| o.bare == *who).map(|(key, _)| key.clone()).collect();
        for key in seated {
            if let Some(occupant) = self.occupants.get_mut(&key) {
                occupant.hats.clone_from(&hats);
                occupant.forget_shown();
            }
            self.show(env, &key, &[]);
        }
    }

    fn list_hats(&self) -> Element {
        table(&[TITLE, URI], self.state.hats.iter().map(|(uri, title)| vec![title.clone(), uri.clone()]))
    }
    /// By address where that is seen, else by nick or not at all.
    fn list_worn(&self) -> Element {
        let hidden = self.config().whois == super::model::SeenBy::Nobody;
        let name = |who: &BareJid| {
            let inside = self.occupants.values().find(|occupant| occupant.bare == *who);
            if hidden { inside.map(|occupant| occupant.jid.to_string()).unwrap_or_default() } else { who.to_string() }
        };
        let rows = self.grants.iter().flat_map(|(who, grant)| {
            let name = name(who);
            grant.hats.iter().map(move |(uri, title)| vec![name.clone(), uri.clone(), title.clone()])
        });
        table(&[JID, URI, TITLE], rows)
    }
}

fn hat_form(what: &str) -> Element {
    let form = Form::new("form", COMMANDS);
    match what {
        "create" => form.title("Creating a hat").required(TITLE, "Title").required(URI, "URI"),
        "destroy" => form.title("Destroying a hat").required(URI, "URI"),
        _ => form.title("Whose hat").required(JID, "Address").required(URI, "URI"),
    }
    .build()
}

/// A form of rows (XEP-0004 section 3.4).
fn table(columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Element {
    let field = |var: &str| {
        let mut field = Element::bare("field", ns::DATA_FORMS);
        xml::set(&mut field, xml_ncname!("var"), var);
        field
    };
    let mut form = Form::new("result", COMMANDS).build();
    let reported = Element::builder("reported", ns::DATA_FORMS).append_all(columns.iter().map(|var| field(var))).build();
    form.append_child(reported);
    for row in rows {
        let fields = columns.iter().zip(row).map(|(var, value)| {
            let mut field = field(var);
            field.append_child(xml::text("value", ns::DATA_FORMS, &value));
            field
        });
        form.append_child(Element::builder("item", ns::DATA_FORMS).append_all(fields).build());
    }
    form
}

fn answer(command: &Element, fresh: String, (status, form): (&str, Option<Element>)) -> Element {
    let mut answer = Element::bare("command", NS_COMMANDS);
    xml::set(&mut answer, xml_ncname!("node"), command.attr(xml_ncname!("node")).unwrap_or_default());
    let session = command.attr(xml_ncname!("sessionid")).map_or(fresh, str::to_owned);
    xml::set(&mut answer, xml_ncname!("sessionid"), &session);
    xml::set(&mut answer, xml_ncname!("status"), status);
    if let Some(form) = form {
        answer.append_child(form);
    }
    answer
}
