//! Contact addresses of the service (XEP-0157 1.1.1), as a form in the server's `disco#info`.
//!
//! By default the admins of the host are whom to write to about abuse, administration and support.
#![forbid(unsafe_code)]

use bocage_api::{
    Checkpoints, DiscoEntry, DiscoPart, DiscoTarget, Host, InstallError, Module,
    dep::rxml::{NcNameStr, xml_ncname},
    ns,
};
use minidom::Element;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The module.
pub struct Contact;

/// `[modules.contact]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Lists of URIs by purpose.
    pub addresses: Addresses,
}

/// Lists of URIs such as "mailto:abuse@village.example"; "{domain}" stands for the domain of the accounts, "{admins}"
/// alone for the addresses of all admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Addresses {
    /// To report abuse.
    pub abuse: Vec<String>,
    /// To reach the administrators.
    pub admin: Vec<String>,
    /// To say what one thinks.
    pub feedback: Vec<String>,
    /// To ask about sales.
    pub sales: Vec<String>,
    /// To report a security problem.
    pub security: Vec<String>,
    /// Where the state of the service is shown.
    pub status: Vec<String>,
    /// To get help.
    pub support: Vec<String>,
}

const ADMINS: &str = "{admins}";

impl Default for Addresses {
    fn default() -> Self {
        let admins = || vec![ADMINS.to_owned()];
        let none = Vec::new;
        Self {
            abuse: admins(),
            admin: admins(),
            feedback: none(),
            sales: none(),
            security: none(),
            status: none(),
            support: admins(),
        }
    }
}

impl Module for Contact {
    const NAME: &'static str = "contact";
    type Config = Config;
    type Needs = (Host,);

    fn install(config: Config, (host,): (Host,), at: &mut Checkpoints) -> Result<(), InstallError> {
        let Addresses { abuse, admin, feedback, sales, security, status, support } = config.addresses;
        let lists = [
            ("abuse", abuse),
            ("admin", admin),
            ("feedback", feedback),
            ("sales", sales),
            ("security", security),
            ("status", status),
            ("support", support),
        ];
        let mut fields = Vec::new();
        for (purpose, written) in lists {
            let values = written.iter().map(|text| uris(purpose, text, &host)).collect::<Result<Vec<_>, _>>()?.concat();
            if !values.is_empty() {
                fields.push(field(&format!("{purpose}-addresses"), "list-multi", &values));
            }
        }
        if !fields.is_empty() {
            at.disco_entry(Form(form(fields)));
        }
        Ok(())
    }
}

/// The URIs that a line of the configuration means.
fn uris(purpose: &str, written: &str, host: &Host) -> Result<Vec<String>, InstallError> {
    if written == ADMINS {
        return Ok(host.admins.iter().map(xmpp_uri).collect());
    }
    let uri = written.replace("{domain}", host.domain.as_str());
    if !is_uri(&uri) {
        let what = "write a URI such as \"mailto:abuse@village.example\", or \"{admins}\"";
        return Err(InstallError::new(format!("addresses.{purpose} has \"{written}\": {what}")));
    }
    Ok(vec![uri])
}

/// A scheme and something behind it, without spaces or controls (RFC 3986 section 3).
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme)
        && !rest.is_empty()
        && !rest.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"{}".contains(c))
}

/// RFC 5122 section 2.2: what a URI reserves is escaped.
fn xmpp_uri(jid: &jid::BareJid) -> String {
    let mut uri = "xmpp:".to_owned();
    for byte in jid.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(byte)),
            _ if b"-._~!$()*+,;=@[]:".contains(&byte) => uri.push(char::from(byte)),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

fn form(fields: Vec<Element>) -> Element {
    Element::builder("x", ns::DATA_FORMS)
        .attr(owned(xml_ncname!("type")), "result")
        .append(field("FORM_TYPE", "hidden", &[ns::SERVER_INFO.to_owned()]))
        .append_all(fields)
        .build()
}
fn field(var: &str, kind: &str, values: &[String]) -> Element {
    let value = |text: &String| Element::builder("value", ns::DATA_FORMS).append(text.as_str()).build();
    Element::builder("field", ns::DATA_FORMS)
        .attr(owned(xml_ncname!("var")), var)
        .attr(owned(xml_ncname!("type")), kind)
        .append_all(values.iter().map(value))
        .build()
}
fn owned(name: &NcNameStr) -> bocage_api::dep::rxml::NcName {
    name.to_owned()
}

struct Form(Element);
impl DiscoEntry for Form {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        match target {
            DiscoTarget::Server(_) => DiscoPart { forms: vec![self.0.clone()], ..DiscoPart::default() },
            _ => DiscoPart::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::{FakeHost, xml};

    fn shown(host: &FakeHost, addresses: Addresses) -> Result<Option<Element>, InstallError> {
        let at = host.try_install::<Contact>(Config { addresses })?;
        assert_eq!(at.disco(&DiscoTarget::Account), DiscoPart::default());
        Ok(at.disco(&DiscoTarget::Server(host.host.domain.clone())).forms.pop())
    }
    fn nobody() -> Addresses {
        Addresses { abuse: vec![], admin: vec![], support: vec![], ..Addresses::default() }
    }

    #[test]
    fn by_default_the_admins_are_whom_to_write_to() {
        let form = shown(&FakeHost::new(), Addresses::default()).unwrap().unwrap();
        let field = |var: &str| {
            format!("<field type='list-multi' var='{var}-addresses'><value>xmpp:admin@bocage.example</value></field>")
        };
        let fields = ["abuse", "admin", "support"].map(field).concat();
        let expected = format!(
            "<x xmlns='jabber:x:data' type='result'><field type='hidden' var='FORM_TYPE'>\
            <value>http://jabber.org/network/serverinfo</value></field>{fields}</x>"
        );
        assert_eq!(form, xml(&expected));
    }

    #[test]
    fn lists_are_shown_in_the_order_written_with_the_domain_filled_in() {
        let security = ["mailto:security@{domain}", "{admins}", "https://x.example/a?b=c#d"].map(str::to_owned).to_vec();
        let form = shown(&FakeHost::new(), Addresses { security, ..nobody() }).unwrap().unwrap();
        let values: Vec<_> = form.children().nth(1).unwrap().children().map(Element::text).collect();
        assert_eq!(values, ["mailto:security@bocage.example", "xmpp:admin@bocage.example", "https://x.example/a?b=c#d"]);
    }

    #[test]
    fn without_addresses_there_is_no_form() {
        assert_eq!(shown(&FakeHost::new(), nobody()).unwrap(), None);
        let mut host = FakeHost::new();
        host.host.admins = [].into();
        assert_eq!(shown(&host, Addresses::default()).unwrap(), None);
    }

    #[test]
    fn what_is_no_uri_is_refused_by_name() {
        for bad in ["admin@village.example", "mailto:", "1a:b", "mailto:a b", ":x", "{admins} ", "xmpp:{domian}"] {
            let refused = shown(&FakeHost::new(), Addresses { status: vec![bad.into()], ..nobody() }).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("addresses.status has \"{bad}\": ")), "{refused}");
        }
    }

    #[test]
    fn addresses_of_admins_are_escaped_in_uris() {
        let uri = |jid: &str| xmpp_uri(&jid.parse().unwrap());
        assert_eq!(uri("a%b?c#d@x.example"), "xmpp:a%25b%3Fc%23d@x.example");
        assert_eq!(uri("é@x.example"), "xmpp:%C3%A9@x.example");
    }
}
