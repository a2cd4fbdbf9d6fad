//! The host path against the reference, on shapes around every edge of the tiling.
