//! A run over time: above, how late deliveries were; below, how many there were.

use plotters::chart::ChartContext;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, Color as _, DrawingArea, IntoDrawingArea as _,
    IntoLogRange as _, LineSeries, PathElement, Ranged, SVGBackend, SeriesLabelPosition,
    TRANSPARENT, WHITE,
};

use super::{COLOURS, Undrawn, thousands};
use crate::timeline::{SLICE_NS, Slice};

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Points = Vec<(f64, f64)>;

const SIZE: (u32, u32) = (900, 600);
const SLICE_S: f64 = SLICE_NS as f64 / 1e9;

/// Draws a run.
pub(crate) fn run(title: &str, slices: &[Slice]) -> Result<String, Undrawn> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(title, ("sans-serif", 20))?;
        let (above, below) = root.split_vertically(300);
        latencies(&above, slices)?;
        deliveries(&below, slices)?;
        root.present()?;
    }
    Ok(svg)
}

fn latencies(area: &Area<'_>, slices: &[Slice]) -> Result<(), Undrawn> {
    let of = |value: fn(&Slice) -> u64| -> Points {
        let heard = slices.iter().enumerate().filter(|(_, slice)| slice.deliveries > 0);
        heard.map(|(at, slice)| (middle_s(at), value(slice) as f64 / 1000.0)).collect()
    };
    let series = [
        ("p50", of(|slice| slice.p50_ns)),
        ("p99", of(|slice| slice.p99_ns)),
        ("maximum", of(|slice| slice.max_ns)),
    ];
    let values = || series.iter().flat_map(|(_, points)| points.iter().map(|point| point.1));
    let lowest = values().fold(f64::INFINITY, f64::min).clamp(1.0, 1e9) / 2.0;
    let highest = values().fold(lowest * 10.0, f64::max) * 2.0;
    let mut chart = frame(area).build_cartesian_2d(whole(slices), (lowest..highest).log_scale())?;
    mesh(&mut chart, "", "latency, us")?;
    for ((name, points), colour) in series.into_iter().zip(COLOURS) {
        line(&mut chart, name, points, colour)?;
    }
    legend(&mut chart)
}

fn deliveries(area: &Area<'_>, slices: &[Slice]) -> Result<(), Undrawn> {
    let per_s = |(at, slice): (usize, &Slice)| (middle_s(at), slice.deliveries as f64 / SLICE_S);
    let points: Points = slices.iter().enumerate().map(per_s).collect();
    let highest = points.iter().map(|point| point.1).fold(1.0, f64::max) * 1.1;
    let mut chart = frame(area).build_cartesian_2d(whole(slices), 0.0..highest)?;
    mesh(&mut chart, "seconds", "deliveries per s")?;
    line(&mut chart, "deliveries", points, COLOURS[3])?;
    legend(&mut chart)
}

fn middle_s(slice: usize) -> f64 {
    (slice as f64 + 0.5) * SLICE_S
}

fn whole(slices: &[Slice]) -> std::ops::Range<f64> {
    0.0..slices.len().max(1) as f64 * SLICE_S
}

fn frame<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(10).margin_right(20).x_label_area_size(30).y_label_area_size(90);
    builder
}

fn mesh<Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<RangedCoordf64, Y>>,
    below: &str,
    beside: &str,
) -> Result<(), Undrawn>
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc(below)
        .y_desc(beside)
        .x_label_formatter(&|second| format!("{second:.1}"))
        .y_label_formatter(&|value| thousands(*value))
        .bold_line_style(BLACK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .draw()?;
    Ok(())
}

fn line<'a, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, Y>>,
    name: &str,
    points: Points,
    colour: plotters::style::RGBColor,
) -> Result<(), Undrawn>
where
    Y: Ranged<ValueType = f64>,
{
    let drawn = chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    drawn
        .label(name)
        .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2)));
    Ok(())
}

fn legend<'a, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, Y>>,
) -> Result<(), Undrawn>
where
    Y: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many points each line of a picture has.
    fn points(svg: &str) -> Vec<usize> {
        let lines = svg.split("<polyline ").skip(1);
        let of = |line: &str| {
            let from = line.find("points=\"").unwrap() + 8;
            line[from..].split('"').next().unwrap().split_whitespace().count()
        };
        lines.map(of).collect()
    }

    #[test]
    fn a_picture_is_svg_and_holds_every_slice_of_every_series() {
        let slice = |n: u64| Slice {
            deliveries: 1000 + n,
            p50_ns: 100_000 + n,
            p99_ns: 300_000,
            max_ns: 5_000_000,
        };
        let slices: Vec<_> = (0..37).map(slice).collect();
        let svg = run("a chat & its <servers>", &slices).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg:.100}");
        assert!(svg.contains("a chat &amp; its &lt;servers&gt;"), "the title");
        for name in ["p50", "p99", "maximum", "deliveries", "latency, us"] {
            assert!(svg.contains(name), "{name}");
        }
        let whole = points(&svg).into_iter().filter(|&count| count == 37).count();
        assert_eq!(whole, 4, "three latencies and the deliveries: {:?}", points(&svg));
    }

    #[test]
    fn silence_leaves_a_gap_in_the_latencies_only() {
        let mut slices = vec![Slice { deliveries: 5, p50_ns: 9, p99_ns: 9, max_ns: 9 }; 20];
        slices[7] = Slice::default();
        let counts = points(&run("", &slices).unwrap());
        assert_eq!(counts.iter().filter(|&&count| count == 19).count(), 3, "{counts:?}");
        assert_eq!(counts.iter().filter(|&&count| count == 20).count(), 1, "{counts:?}");
    }

    #[test]
    fn the_emptiest_and_the_worst_run_have_a_picture() {
        let worst = Slice { deliveries: u64::MAX, p50_ns: 0, p99_ns: u64::MAX, max_ns: u64::MAX };
        for slices in [vec![], vec![Slice::default()], vec![worst]] {
            assert!(run("x", &slices).unwrap().starts_with("<svg "));
        }
    }
}
