//! Leaves of rooms that a lost connection causes are held back by a random delay (H27).
//!
//! This only states the longest delay; rooms draw it for each leave and release a held one before its occupant speaks.
#![forbid(unsafe_code)]

use bocage_api::{Checkpoints, InstallError, Module, RoomDefaults, config::Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Above this, rooms show people who are long gone.
const MOST: Span = Span::seconds(300);

/// The module.
pub struct LeaveJitter;

/// `[modules.leave_jitter]`
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The longest delay; "0s" for none, at most "5m".
    pub max: Span,
}
impl Default for Config {
    fn default() -> Self {
        Self { max: Span::seconds(20) }
    }
}

impl Module for LeaveJitter {
    const NAME: &'static str = "leave_jitter";
    type Config = Config;
    type Needs = ();

    fn install(config: Config, (): (), at: &mut Checkpoints) -> Result<(), InstallError> {
        if config.max > MOST {
            return Err(InstallError::new(format!("max is \"{}\", but it may be \"{MOST}\" at most", config.max)));
        }
        at.room_default(Delay(config.max.duration()));
        Ok(())
    }
}

struct Delay(Duration);
impl RoomDefaults for Delay {
    fn leave_jitter(&self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bocage_api::testing::FakeHost;

    fn delay(max: Span) -> Result<Duration, InstallError> {
        let installed = FakeHost::new().try_install::<LeaveJitter>(Config { max })?;
        Ok(installed.at.room_defaults.iter().map(|d| d.it.leave_jitter()).max().unwrap())
    }

    #[test]
    fn h27_leaves_are_delayed_by_default_and_can_be_immediate() {
        assert_eq!(delay(Config::default().max), Ok(Duration::from_secs(20)));
        assert_eq!(delay(Span::seconds(0)), Ok(Duration::ZERO));
        assert_eq!(delay(MOST), Ok(Duration::from_secs(300)));
    }

    #[test]
    fn a_delay_that_makes_ghosts_is_refused() {
        let refused = delay(Span::seconds(360)).unwrap_err().to_string();
        assert_eq!(refused, "max is \"6m\", but it may be \"5m\" at most");
    }
}
