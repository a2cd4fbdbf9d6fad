//! Convex polygons cut by half-planes.

/// A point of the plane.
pub type Point = [f64; 2];

/// An axis-parallel rectangle.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Bounds {
    /// Least coordinates.
    pub low: Point,
    /// Largest coordinates.
    pub high: Point,
}

impl Bounds {
    /// The square with the given centre and half side.
    #[must_use]
    pub fn square(centre: Point, half: f64) -> Self {
        Self { low: centre.map(|c| c - half), high: centre.map(|c| c + half) }
    }

    /// The corners, counterclockwise.
    #[must_use]
    pub fn corners(&self) -> Vec<Point> {
        let ([x0, y0], [x1, y1]) = (self.low, self.high);
        vec![[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    }

    /// The least square around the rectangle with the same centre.
    #[must_use]
    pub fn squared(&self) -> Self {
        let half = (0..2).map(|k| 0.5 * (self.high[k] - self.low[k])).fold(0.0, f64::max);
        Self::square(std::array::from_fn(|k| 0.5 * (self.low[k] + self.high[k])), half)
    }

    /// Whether a point lies in the rectangle.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        (0..2).all(|k| self.low[k] <= point[k] && point[k] <= self.high[k])
    }

    /// The least square-like rectangle around points, grown by `margin` times its extent; `None` without points.
    #[must_use]
    pub fn around(points: impl IntoIterator<Item = Point>, margin: f64) -> Option<Self> {
        let mut found: Option<Self> = None;
        for point in points {
            let bounds = found.get_or_insert(Self { low: point, high: point });
            bounds.low = std::array::from_fn(|k| bounds.low[k].min(point[k]));
            bounds.high = std::array::from_fn(|k| bounds.high[k].max(point[k]));
        }
        found.map(|Self { low, high }| {
            let extent = (high[0] - low[0]).max(high[1] - low[1]);
            let grow = if extent > 0.0 { margin * extent } else { 1.0 };
            Self { low: low.map(|c| c - grow), high: high.map(|c| c + grow) }
        })
    }
}

/// The part of a convex polygon where `normal . x + offset >= 0`; empty where nothing or only a corner is left.
#[must_use]
pub fn half_plane(polygon: &[Point], normal: Point, offset: f64) -> Vec<Point> {
    let value = |p: &Point| normal[0] * p[0] + normal[1] * p[1] + offset;
    let mut kept = Vec::with_capacity(polygon.len() + 1);
    for (at, p) in polygon.iter().enumerate() {
        let q = &polygon[(at + 1) % polygon.len()];
        let (a, b) = (value(p), value(q));
        if a >= 0.0 {
            kept.push(*p);
        }
        if (a > 0.0 && b < 0.0) || (a < 0.0 && b > 0.0) {
            let t = a / (a - b);
            kept.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
        }
    }
    if kept.len() < 3 { Vec::new() } else { kept }
}

/// The part of the line `through + t direction`, `t` between the two limits, that lies in a rectangle.
#[must_use]
pub fn line(through: Point, direction: Point, limits: [f64; 2], bounds: &Bounds) -> Option<[Point; 2]> {
    let [mut from, mut to] = limits;
    for k in 0..2 {
        if direction[k] == 0.0 {
            if through[k] < bounds.low[k] || through[k] > bounds.high[k] {
                return None;
            }
            continue;
        }
        let ends = [bounds.low[k], bounds.high[k]].map(|edge| (edge - through[k]) / direction[k]);
        from = from.max(ends[0].min(ends[1]));
        to = to.min(ends[0].max(ends[1]));
    }
    (from < to).then(|| [from, to].map(|t| [through[0] + t * direction[0], through[1] + t * direction[1]]))
}

/// Twice the signed area of a polygon, positive counterclockwise.
#[must_use]
pub fn doubled_area(polygon: &[Point]) -> f64 {
    let pairs = polygon.iter().zip(polygon.iter().cycle().skip(1));
    pairs.map(|(p, q)| p[0] * q[1] - p[1] * q[0]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_cut_in_half() {
        let square = Bounds::square([0.0, 0.0], 1.0).corners();
        let half = half_plane(&square, [1.0, 1.0], 0.0);
        assert_eq!(half.len(), 3, "{half:?}");
        assert!((doubled_area(&half) - 4.0).abs() < 1e-15);
        assert!(half_plane(&square, [1.0, 0.0], -2.0).is_empty());
        assert_eq!(half_plane(&square, [1.0, 0.0], 2.0), square);
    }

    #[test]
    fn a_ray_ends_at_the_border() {
        let bounds = Bounds::square([0.0, 0.0], 1.0);
        assert_eq!(line([0.0, 0.0], [1.0, 1.0], [0.0, f64::INFINITY], &bounds), Some([[0.0, 0.0], [1.0, 1.0]]));
        assert_eq!(line([2.0, 0.0], [1.0, 0.0], [0.0, f64::INFINITY], &bounds), None);
        assert_eq!(line([0.0, 3.0], [1.0, 0.0], [f64::NEG_INFINITY, f64::INFINITY], &bounds), None);
    }
}
