//! Asking the stream's leader whether the log still ends where it is known to end.

use super::NatsLog;
use super::api::{Unanswered, code};
use crate::AppendError;
use crate::stream::probed;

impl NatsLog {
    /// Asks the stream's leader for its last record, and compares.
    pub(super) async fn probe_now(&mut self) -> Result<(), AppendError> {
        self.land_all().await?;
        self.refuse_if_replaced()?;
        let silent = |error: Unanswered| AppendError::Unavailable(error.into_error());
        let last = match self.api.get_last(&self.subjects).await {
            Err(error) if error.code() == Some(code::NO_STREAM) => None,
            last => last.map_err(silent)?,
        };
        probed(&self.api.stream, self.pipe.tip(), last.as_ref())
    }
}
