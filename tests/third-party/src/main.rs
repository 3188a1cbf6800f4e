//! Bocage with one module more: it greets whoever asks, and remembers how often it did.
#![forbid(unsafe_code)]

use bocage::Modules;
use bocage_api::{
    Action, Asker, BoxFuture, Checkpoints, Declared, DiscoEntry, DiscoPart, DiscoTarget, Entity, InstallError, IqKey, IqPayload,
    IqService, Module, Records, Reply, StanzaError, dep::minidom::Element,
};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

const GREETING: &str = "urn:example:greeting";

/// The module.
struct Greeter;

/// `[modules.greeter]`.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Settings {
    /// What it says.
    words: String,
}
impl Default for Settings {
    fn default() -> Self {
        Self { words: "hello".into() }
    }
}

/// How often somebody was greeted.
#[derive(Serialize, Deserialize)]
struct Count(u64);
impl Declared for Count {
    const COLLECTION: &'static str = "count";
}

impl Module for Greeter {
    const NAME: &'static str = "greeter";
    type Config = Settings;
    type Needs = Records<Count>;
    fn install(config: Settings, counts: Records<Count>, at: &mut Checkpoints) -> Result<(), InstallError> {
        let key = IqKey { entity: Entity::Server, action: Action::Get, name: "greet", namespace: GREETING };
        at.iq_service(key, Greetings { words: config.words, counts });
        at.disco_entry(Advert);
        Ok(())
    }
}

struct Greetings {
    words: String,
    counts: Records<Count>,
}
impl IqService for Greetings {
    fn answer(&self, asker: Asker, _: IqPayload, _: Reply) -> BoxFuture<'_, Result<Option<Element>, StanzaError>> {
        Box::pin(async move {
            let owner = asker.jid.to_bare().to_string();
            let count = self.counts.get(&owner, "all").await?.map_or(0, |count| count.value.0) + 1;
            self.counts.put(&owner, "all", &Count(count)).await?;
            Ok(Some(Element::builder("greeting", GREETING).append(format!("{} {count}", self.words)).build()))
        })
    }
}

struct Advert;
impl DiscoEntry for Advert {
    fn disco(&self, target: &DiscoTarget) -> DiscoPart {
        match target {
            DiscoTarget::Server(_) => DiscoPart::features([GREETING]),
            _ => DiscoPart::default(),
        }
    }
}

fn main() -> ExitCode {
    bocage::main(Modules::builtin().with::<Greeter>())
}
