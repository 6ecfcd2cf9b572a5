//! The logistic function, between a sum of weights and a score.

/// Returns the score of a sum of weights, from 0 to 1.
pub(super) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Returns the sum of weights of a score, within bounds that no rounding of the score passes.
pub(super) fn logit(score: f64) -> f64 {
    let bounded = score.clamp(1e-9, 1.0 - 1e-9);
    (bounded / (1.0 - bounded)).ln()
}
