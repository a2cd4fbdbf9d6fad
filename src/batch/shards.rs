//! Parts of a plan for several machines.

use std::fmt;
use std::str::FromStr;

/// Part `index` of `count`: jobs `index`, `index + count`, `index + 2 count`, .. of the plan.
///
/// Every job is in exactly one of the parts 0 to `count - 1`. Neighbours in a plan, which tend to cost alike, go to
/// different parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0 on.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
}

impl Shard {
    /// Whether the job at this place of the plan belongs to the part.
    #[must_use]
    pub fn holds(self, place: usize) -> bool {
        place % self.count == self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `K/N`, K from 0 to N - 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.trim().parse().ok()?, n.trim().parse().ok()?)));
        match numbers {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            Some((index, count)) => Err(format!("shard {index} of {count}: shards count from 0 to {count} - 1")),
            None => Err(format!("`{text}`: expected K/N, such as 0/4 for the first of four")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn shards_part_any_plan() {
        for count in 1..=7 {
            for jobs in 0..20 {
                let owners = |place| (0..count).filter(|index| Shard { index: *index, count }.holds(place)).count();
                assert!((0..jobs).all(|place| owners(place) == 1), "{jobs} jobs in {count} shards");
            }
        }
        assert_eq!("2/3".parse::<Shard>().unwrap(), Shard { index: 2, count: 3 });
        for wrong in ["3/3", "0/0", "-1/2", "1", "a/b", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
