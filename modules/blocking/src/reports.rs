//! Where reports go, and how the administrators read them: a command that counts them by whom they name.

use crate::report::{Reason, Reported};
use bocage_api::{
    BoxFuture, Clock, Command, Entropy, Host, Records, StanzaError, State,
    commands::{CommandCall, CommandCaller, CommandPlace, CommandStep, Lang},
    store::Page,
};
use jid::BareJid;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Reports of one account that count, in [`WINDOW`].
const MAX_REPORTS: usize = 20;
const WINDOW: Duration = Duration::from_secs(86_400);
/// Accounts that are counted.
const MAX_REPORTERS: usize = 10_000;
/// Reports that a list looks at, newest or not: keys are random.
const SHOWN: usize = 1_000;
/// Lines of a list.
const LINES: usize = 100;

/// How much each account reported lately: in memory alone (H08).
#[derive(Default)]
pub struct Counts(Mutex<HashMap<BareJid, (Duration, usize)>>);

/// Takes reports.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) host: Host,
    pub(crate) records: Records<Reported>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) counts: State<Counts>,
}

impl Inbox {
    /// Keeps a report. Whoever blocks is not told when it could not be kept: the block holds either way (XEP-0377
    /// section 6).
    pub(crate) async fn take(&self, reporter: &BareJid, reported: Reported) {
        if !self.may(reporter) {
            return;
        }
        match self.records.put(self.host.domain.as_str(), &self.entropy.id(), &reported).await {
            Ok(()) => tracing::info!("a report came in"),
            Err(error) => tracing::warn!(%error, "a report could not be kept"),
        }
    }

    fn may(&self, reporter: &BareJid) -> bool {
        let now = self.clock.mono();
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_REPORTERS {
            counts.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
        }
        if counts.len() >= MAX_REPORTERS && !counts.contains_key(reporter) {
            return false;
        }
        let (since, count) = counts.entry(reporter.clone()).or_insert((now, 0));
        if now.saturating_sub(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= MAX_REPORTS
    }

    /// One line for each address that is reported, the most reported first.
    async fn lines(&self, lang: Lang) -> Result<Vec<String>, StanzaError> {
        let page = Page { limit: SHOWN, ..Page::default() };
        let mut by_jid: BTreeMap<String, Vec<Reported>> = BTreeMap::new();
        for (_, report) in self.records.list(self.host.domain.as_str(), page).await? {
            by_jid.entry(report.jid.clone()).or_default().push(report);
        }
        let mut all: Vec<_> = by_jid.into_iter().collect();
        all.sort_by_key(|(_, reports)| std::cmp::Reverse(reports.len()));
        all.truncate(LINES);
        Ok(all.iter().map(|(jid, reports)| line(jid, reports, lang)).collect())
    }
}

fn line(jid: &str, reports: &[Reported], lang: Lang) -> String {
    let spam = reports.iter().filter(|report| report.reason == Reason::Spam).count();
    let abuse = reports.len() - spam;
    let words: Vec<&str> = reports.iter().filter_map(|report| report.text.as_deref()).collect();
    let words = if words.is_empty() { String::new() } else { format!(" — {}", words.join(" · ")) };
    match lang {
        Lang::En => format!("{jid}: {spam} for spam, {abuse} for abuse{words}"),
        Lang::Fr => format!("{jid} : {spam} pour spam, {abuse} pour abus{words}"),
    }
}

impl Command for Inbox {
    fn node(&self) -> &'static str {
        "reports"
    }
    fn title(&self, lang: Lang) -> &'static str {
        lang.pick("Reports", "Signalements")
    }
    fn places(&self) -> &'static [CommandPlace] {
        &[CommandPlace::Server]
    }
    fn allowed(&self, who: &CommandCaller) -> bool {
        matches!(who, CommandCaller::Admin(_) | CommandCaller::Operator)
    }
    fn step<'a>(&'a self, call: &'a CommandCall) -> BoxFuture<'a, Result<CommandStep, StanzaError>> {
        Box::pin(async {
            let lines = self.lines(call.lang).await?;
            let none = call.lang.pick("There are no reports.", "Il n’y a aucun signalement.");
            Ok(CommandStep::done(if lines.is_empty() { none.to_owned() } else { lines.join("\n") }))
        })
    }
}
