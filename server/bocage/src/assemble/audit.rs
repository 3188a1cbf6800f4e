//! What is stored, in words (H10): a table a line.

use bocage_api::{clock, config::Span};
use bocage_store::{Lifetime, TableAudit};
use std::fmt::Write as _;

/// The lines. What no row is left of is listed too: that nothing is there is an answer.
pub(super) fn report(tables: &[TableAudit]) -> String {
    let mut text = String::new();
    for table in tables.iter().filter(|table| table.personal) {
        let oldest = table.oldest.map_or_else(|| "its rows bear no time".to_owned(), |at| format!("oldest {}", clock::stamp(at)));
        let oldest = if table.rows == 0 { "empty".to_owned() } else { oldest };
        let _ = writeln!(text, "{}: {}; {}; {} rows, {oldest}", table.table, table.what, lifetime(table.lifetime), table.rows);
    }
    text
}

fn lifetime(lifetime: Lifetime) -> String {
    match lifetime {
        Lifetime::Seconds(seconds) => format!("kept {} at most", Span::seconds(seconds.unsigned_abs())),
        Lifetime::Account => "kept until its owner changes it or the account goes".to_owned(),
        Lifetime::Server => "kept for good".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h10_a_line_says_what_how_long_how_much_and_how_old() {
        let table = |lifetime, rows, oldest| TableAudit { table: "t".into(), what: "w", personal: true, lifetime, rows, oldest };
        let tables = [table(Lifetime::Seconds(7 * 86_400), 2, Some(1_700_000_000)), table(Lifetime::Account, 0, None)];
        let expected = "t: w; kept 7d at most; 2 rows, oldest 2023-11-14T22:13:20Z\n\
            t: w; kept until its owner changes it or the account goes; 0 rows, empty\n";
        assert_eq!(report(&tables), expected);
        assert!(report(&[TableAudit { personal: false, ..table(Lifetime::Server, 1, None) }]).is_empty());
    }
}
