//! `[retention]`: everything expires (H01). A period that the operator sets above `max` is a mistake; a default above a
//! lower `max` is cut to it.

use super::mistakes::Collector;
use bocage_api::config::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

/// How long things are kept at most. Users may shorten, nobody may lengthen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Retention {
    /// Archives of accounts.
    pub messages: Span,
    /// Archives of rooms.
    pub rooms: Span,
    /// Messages that wait for somebody who is offline.
    pub offline: Span,
    /// Uploaded files.
    pub uploads: Span,
    /// Unused invitations.
    pub invites: Span,
    /// Reports of abuse.
    pub reports: Span,
    /// Push registrations since their last use.
    pub push: Span,
    /// No period may be longer. Itself at most 366d.
    pub max: Span,
}

const LONGEST: Span = Span::days(366);

impl Default for Retention {
    fn default() -> Self {
        let week = Span::days(7);
        let month = Span::days(30);
        Self {
            messages: week,
            rooms: week,
            offline: week,
            uploads: week,
            invites: week,
            reports: month,
            push: month,
            max: Span::days(31),
        }
    }
}

impl Retention {
    fn periods(&mut self) -> [(&'static str, &mut Span); 7] {
        [
            ("messages", &mut self.messages),
            ("rooms", &mut self.rooms),
            ("offline", &mut self.offline),
            ("uploads", &mut self.uploads),
            ("invites", &mut self.invites),
            ("reports", &mut self.reports),
            ("push", &mut self.push),
        ]
    }

    /// `given` is what the operator wrote, without the defaults.
    pub(super) fn validate(&mut self, path: &str, given: &Table, at: &mut Collector) {
        let max = self.max;
        if max > LONGEST {
            at.wrong(path, "max", format!("found \"{max}\"; allowed: up to {LONGEST}"));
        }
        for (key, period) in self.periods() {
            if *period > max && given.contains_key(key) {
                at.wrong(path, key, format!("found \"{period}\"; allowed: up to \"max\", which is {max}"));
            }
            *period = (*period).min(max);
        }
    }
}
