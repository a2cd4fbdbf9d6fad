//! Lottery tickets through decision boundaries: does a pruned network that is rewound and trained again keep the orientation of
//! its decision-boundary polytope, where one with other first weights does not (2002.08838, figure 3 and section 4)?
//!
//! ```text
//! first weights - train - original network - smallest weights go - mask
//!   mask with the first weights (the ticket) or with other ones - train - pruned network - measures beside the original
//! ```
//!
//! The paper shows pictures; here the orientation is measured (M1 to M5, [`Measures`]) over several seeds, with a paired test of
//! signs. What comes out is reported, also where it does not support the claim.

mod mask;
mod measures;
mod options;
mod run;
mod summary;

pub use measures::{Measures, Picture};
pub use options::{LotteryOptions, Start};
pub use run::{Lottery, Original, Ticket, lottery};
pub use summary::{Rival, Spread, Summary, summaries};
