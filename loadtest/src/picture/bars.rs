//! Servers side by side: a panel a case, a bar a server, each panel with a scale of its own.

use plotters::prelude::{
    BLACK, Color as _, DrawingArea, IntoDrawingArea as _, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::IntoFont as _;

use super::{COLOURS, Undrawn, thousands};

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Bars that are compared with each other.
#[derive(Debug)]
pub(crate) struct Panel {
    /// What they show.
    pub(crate) title: String,
    /// From above.
    pub(crate) bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug)]
pub(crate) struct Bar {
    /// Whose it is.
    pub(crate) name: String,
    /// How long it is.
    pub(crate) value: f64,
}

const WIDTH: i32 = 900;
const TITLE: i32 = 40;
const HEAD: i32 = 26;
const BAR: i32 = 20;
const GAP: i32 = 14;
const NAMES: i32 = 80;
const FIGURES: i32 = 110;

/// Draws panels below each other. Bars of the same name have the same colour.
pub(crate) fn bars(title: &str, panels: &[Panel]) -> Result<String, Undrawn> {
    let height: i32 = panels.iter().map(height).sum::<i32>() + TITLE;
    let mut names: Vec<&str> = Vec::new();
    for bar in panels.iter().flat_map(|panel| &panel.bars) {
        if !names.contains(&bar.name.as_str()) {
            names.push(&bar.name);
        }
    }
    let mut svg = String::new();
    {
        let size = (WIDTH as u32, height.unsigned_abs());
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        text(&root, title, (10, 10), 20)?;
        let mut top = TITLE;
        for panel in panels {
            draw(&root, panel, top, &names)?;
            top += self::height(panel);
        }
        root.present()?;
    }
    Ok(svg)
}

fn height(panel: &Panel) -> i32 {
    HEAD + panel.bars.len() as i32 * BAR + GAP
}

fn draw(root: &Area<'_>, panel: &Panel, top: i32, names: &[&str]) -> Result<(), Undrawn> {
    text(root, &panel.title, (10, top), 15)?;
    let longest = panel.bars.iter().map(|bar| bar.value).fold(1e-9, f64::max);
    for (at, bar) in panel.bars.iter().enumerate() {
        let y = top + HEAD + at as i32 * BAR;
        let share = (bar.value / longest).clamp(0.0, 1.0);
        let end = NAMES + (share * f64::from(WIDTH - NAMES - FIGURES)) as i32;
        let colour = names.iter().position(|name| *name == bar.name).unwrap_or(0);
        let colour = COLOURS[colour % COLOURS.len()];
        root.draw(&Rectangle::new([(NAMES, y), (end, y + BAR - 4)], colour.filled()))?;
        text(root, &bar.name, (20, y + 2), 13)?;
        text(root, &thousands(bar.value), (end + 6, y + 2), 13)?;
    }
    Ok(())
}

fn text(root: &Area<'_>, text: &str, at: (i32, i32), size: i32) -> Result<(), Undrawn> {
    let style = ("sans-serif", size).into_font().color(&BLACK.mix(0.85));
    Ok(root.draw(&Text::new(text.to_owned(), at, style))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar { name: name.to_owned(), value }
    }

    /// The widths and colours of all rectangles but the background.
    fn rectangles(svg: &str) -> Vec<(i32, &str)> {
        fn word<'a>(tag: &'a str, name: &str) -> &'a str {
            let from = tag.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
            tag[from..].split('"').next().unwrap()
        }
        let tags = svg.split("<rect").skip(2);
        tags.map(|tag| (word(tag, "width").parse().unwrap(), word(tag, "fill"))).collect()
    }

    #[test]
    fn each_server_has_a_bar_as_long_as_its_share_and_one_colour() {
        let panels = [
            Panel { title: "chat".into(), bars: vec![bar("a", 50.0), bar("b", 100.0)] },
            Panel { title: "fanout".into(), bars: vec![bar("b", 1_234_567.0)] },
        ];
        let svg = bars("all", &panels).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for text in ["all", "chat", "fanout", "1,234,567"] {
            assert!(svg.contains(text), "{text}");
        }
        let [(half, a), (full, b), (alone, again)] = rectangles(&svg)[..] else { panic!("{svg}") };
        assert!((full - 2 * half).abs() <= 1 && full == alone, "{half} {full} {alone}");
        assert!(a != b && b == again);
    }

    #[test]
    fn nothing_and_zero_have_a_picture() {
        let zero = Panel { title: String::new(), bars: vec![bar("a", 0.0)] };
        for panels in [vec![], vec![zero]] {
            assert!(bars("", &panels).unwrap().starts_with("<svg "));
        }
    }
}
