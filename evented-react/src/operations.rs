//! Operations about subscribers: how far they are, what they have set aside, and what to do about it.

mod adopt;
mod aside;
mod lag;
mod manage;
mod prune;
mod rebuild;
mod resize;
mod schedules;
mod wait;

pub use adopt::{Adopt, adopt};
pub use aside::{
    ListAside, NotASetAsideId, RetryAside, SetAside, SetAsideId, SetAsideState, Skip, Which, retry,
    set_aside, skip,
};
#[cfg(feature = "metrics")]
pub(crate) use lag::lags;
pub use lag::{Lag, LagOf, lag};
pub use manage::{
    LiveWorker, Pause, SubscriberStatus, Subscribers, Unsubscribe, pause, resume, subscribers,
    subscribers_of, unsubscribe,
};
pub use prune::{Prune, Pruned, prune};
pub use rebuild::{Difference, DifferenceKind, Differences, Rebuild, Rebuilt, Verify, rebuild, verify};
pub use resize::{Resize, resize};
pub use schedules::{ScheduleStatus, Schedules, Unschedule, schedules, unschedule};
pub use wait::{WaitFor, Waited, wait_for};
