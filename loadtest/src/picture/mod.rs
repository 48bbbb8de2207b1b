//! Pictures as SVG: a run over time, and servers side by side. Knows neither how figures are made
//! nor where a picture goes. The rule it keeps: whatever the figures are, there is a picture.

mod bars;
mod run;

use plotters::style::RGBColor;

pub(crate) use bars::{Bar, Panel, bars};
pub(crate) use run::run;

/// Colours that can be told apart by those who see no red or no green (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(127, 127, 127),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Undrawn(String);

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>>
    for Undrawn
{
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// With the thousands apart.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
