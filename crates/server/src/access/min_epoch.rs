//! `X-Rescind-Min-Epoch` on a question: it is answered only from a memory that has applied at least
//! this change, as the admin API has told its number.
//!
//! A revocation that was answered needs none of this: it holds everywhere already. It is for what
//! nobody waited for: a change whose answer was lost, or power that was given (a suspension lifted, a
//! scope more) and is to be used at once on another node.
//!
//! The naive way takes the header from whoever sends it. Behind a proxy that is the client, who can
//! then make requests wait, and find out by trying how far the log has come, which is every tenant's
//! business together. So proxies' questions are looked at for it only if the configuration says so; and
//! the gateway, whose clients all are strangers, never does, and does not pass it on.

use crate::http::problem::RETRY_AFTER_OUTAGE;
use crate::http::{Problem, ProblemType};
use http::HeaderName;
use rescind_guard::fields::{Fields, text};
use rescind_node::Verifier;
use rescind_store::Epoch;

pub static MIN_EPOCH: HeaderName = HeaderName::from_static("x-rescind-min-epoch");

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MinEpochFault {
    #[error("X-Rescind-Min-Epoch must be there once at most, and be a whole number")]
    Malformed,
    #[error("this node has not come as far as X-Rescind-Min-Epoch says")]
    Behind,
}

/// Waits, if the headers say so. Whoever asks is inside.
pub async fn wait(verifier: &Verifier, headers: &impl Fields) -> Result<(), MinEpochFault> {
    match read(headers)? {
        Some(epoch) => verifier.reached(epoch).await.map_err(|_| MinEpochFault::Behind),
        None => Ok(()),
    }
}

fn read(headers: &impl Fields) -> Result<Option<Epoch>, MinEpochFault> {
    let mut values = headers.values(&MIN_EPOCH);
    let Some(value) = values.next() else { return Ok(None) };
    let digits = text(value).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let epoch = digits.filter(|_| values.next().is_none()).and_then(|text| text.parse().ok());
    epoch.map(Some).ok_or(MinEpochFault::Malformed)
}

impl From<MinEpochFault> for Problem {
    fn from(fault: MinEpochFault) -> Self {
        let detail = format!("{fault}.");
        match fault {
            MinEpochFault::Malformed => Self::bad_request(detail),
            MinEpochFault::Behind => {
                Self::of(ProblemType::Unavailable, detail).retry_after(RETRY_AFTER_OUTAGE)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn said(values: &[&str]) -> Result<Option<Epoch>, MinEpochFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&MIN_EPOCH, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        read(&headers)
    }

    #[test]
    fn one_whole_number_is_an_epoch_and_nothing_else_is() {
        assert_eq!(said(&[]), Ok(None));
        for (text, epoch) in [("0", 0), ("007", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(said(&[text]), Ok(Some(epoch)));
        }
        let malformed: [&[&str]; 9] = [
            &[""],
            &["+7"],
            &["-7"],
            &["7.0"],
            &["7 7"],
            &["7,8"],
            &["18446744073709551616"],
            &["\u{664}"],
            &["7", "7"],
        ];
        for values in malformed {
            assert_eq!(said(values), Err(MinEpochFault::Malformed), "{values:?}");
        }
    }
}
