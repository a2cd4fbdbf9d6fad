//! Labels of units: which of them are one, which cannot go, and which may only go in equal numbers.

/// The label of an element that belongs to no unit and therefore stays.
pub(super) const NONE: u32 = u32::MAX;

/// Sets of labels between which removals are shared out evenly: every bucket keeps the same number of labels.
#[derive(Debug, Clone)]
pub(super) struct Balance {
    /// Labels with their bucket.
    pub(super) buckets: Vec<(u32, u32)>,
}

/// Labels, in classes that go together.
#[derive(Debug, Default)]
pub(super) struct Classes {
    parent: Vec<u32>,
    /// Why the class of a root cannot go: an index into `reasons`.
    frozen: Vec<Option<u32>>,
    /// Whether other units change with it, as in a layer norm.
    coupled: Vec<bool>,
    reasons: Vec<String>,
    pub(super) balances: Vec<Balance>,
    /// The class that a label had before units went, where the graph is what is left of another one.
    origin: Vec<u32>,
    /// The first place where classes met that were apart before.
    pub(super) conflict: Option<String>,
    /// What is being looked at.
    pub(super) place: String,
    /// Whether whole heads are units in place of their dimensions.
    pub(super) by_heads: bool,
}

impl Classes {
    /// No labels yet, of units or of whole heads.
    pub(super) fn by(by_heads: bool) -> Self {
        Self { by_heads, ..Self::default() }
    }

    /// New labels.
    pub(super) fn fresh(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.one(NONE)).collect()
    }

    /// New labels of units that had these classes.
    pub(super) fn seeded(&mut self, origins: &[u32]) -> Vec<u32> {
        origins.iter().map(|origin| self.one(*origin)).collect()
    }

    fn one(&mut self, origin: u32) -> u32 {
        let label = u32::try_from(self.parent.len()).unwrap_or(NONE - 1);
        self.parent.push(label);
        self.frozen.push(None);
        self.coupled.push(false);
        self.origin.push(origin);
        label
    }

    /// The label that stands for the class of another one.
    pub(super) fn root(&self, label: u32) -> u32 {
        let mut at = label;
        while at != NONE && self.parent[at as usize] != at {
            at = self.parent[at as usize];
        }
        at
    }

    /// Makes one class of two; what meets an element that stays, stays.
    pub(super) fn tie(&mut self, a: u32, b: u32) {
        if a == NONE || b == NONE {
            let label = a.min(b);
            if label != NONE {
                self.freeze(&[label], "meets values that cannot go");
            }
            return;
        }
        let (a, b) = (self.shortened(a), self.shortened(b));
        if a == b {
            return;
        }
        let (root, other) = (a.min(b), a.max(b));
        self.parent[other as usize] = root;
        if self.frozen[root as usize].is_none() {
            self.frozen[root as usize] = self.frozen[other as usize];
        }
        self.coupled[root as usize] |= self.coupled[other as usize];
        match (self.origin[root as usize], self.origin[other as usize]) {
            (NONE, theirs) => self.origin[root as usize] = theirs,
            (_, NONE) => {}
            (ours, theirs) if ours != theirs => {
                self.conflict.get_or_insert_with(|| self.place.clone());
            }
            _ => {}
        }
    }

    /// The root of a label, with the way to it shortened.
    fn shortened(&mut self, label: u32) -> u32 {
        let root = self.root(label);
        let mut at = label;
        while self.parent[at as usize] != root {
            at = std::mem::replace(&mut self.parent[at as usize], root);
        }
        root
    }

    /// Keeps units for ever.
    pub(super) fn freeze(&mut self, labels: &[u32], why: &str) {
        let mut reason = None;
        for label in labels.iter().filter(|label| **label != NONE) {
            let root = self.shortened(*label) as usize;
            if self.frozen[root].is_none() {
                self.frozen[root] = Some(*reason.get_or_insert_with(|| {
                    self.reasons.push(if self.place.is_empty() {
                        why.to_owned()
                    } else {
                        format!("{} {why}", self.place)
                    });
                    u32::try_from(self.reasons.len() - 1).unwrap_or(0)
                }));
            }
        }
    }

    /// Notes that what is left of the others changes when one of these goes.
    pub(super) fn couple(&mut self, labels: &[u32]) {
        for label in labels.iter().filter(|label| **label != NONE) {
            let root = self.shortened(*label) as usize;
            self.coupled[root] = true;
        }
    }

    /// Why a label cannot go.
    pub(super) fn reason(&self, label: u32) -> Option<&str> {
        let root = self.root(label);
        if root == NONE {
            return Some("is not a unit");
        }
        self.frozen[root as usize].and_then(|at| self.reasons.get(at as usize)).map(String::as_str)
    }

    /// Whether statistics are taken over the class of a label.
    pub(super) fn is_coupled(&self, label: u32) -> bool {
        let root = self.root(label);
        root != NONE && self.coupled[root as usize]
    }

    /// The class that a label had before.
    pub(super) fn origin(&self, label: u32) -> u32 {
        match self.root(label) {
            NONE => NONE,
            root => self.origin[root as usize],
        }
    }
}
