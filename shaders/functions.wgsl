// Functions of one number that others are made of. No infinity comes up: arguments of exp are cut to where f32 holds its
// values.

const LEAST: f32 = 1.17549435e-38;
const LARGEST: f32 = 3.40282347e38;

fn growth(x: vec4<f32>) -> vec4<f32> {
    return exp(clamp(x, vec4(-87.0), vec4(88.5)));
}

fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + growth(-x));
}

// exp(x) - 1: the series where the difference would lose digits.
fn growth_less_one(x: vec4<f32>) -> vec4<f32> {
    let series = x * (1.0 + x * (1.0 / 2.0 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))));
    return select(growth(x) - 1.0, series, abs(x) < vec4(0.25));
}

// sinh / cosh of e^(2 |x|), and the series near 0.
fn hyperbolic_tangent(x: vec4<f32>) -> vec4<f32> {
    let s = x * x;
    let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
    return select(sign(x) * (1.0 - 2.0 / (1.0 + growth(2.0 * abs(x)))), series, abs(x) < vec4(0.3));
}

// A rational minimax form on -4..4, beyond which f32 rounds erf to one: odd over even polynomial, a few units in the last place.
fn error_function(t: vec4<f32>) -> vec4<f32> {
    let x = clamp(t, vec4(-4.0), vec4(4.0));
    let s = x * x;
    var p = vec4(-2.72614225801306e-10);
    p = p * s + 2.77068142495902e-08;
    p = p * s - 2.10102402082508e-06;
    p = p * s - 5.69250639462346e-05;
    p = p * s - 7.34990630326855e-04;
    p = p * s - 2.95459980854025e-03;
    p = p * s - 1.60960333262415e-02;
    var q = vec4(-1.45660718464996e-05);
    q = q * s - 2.13374055278905e-04;
    q = q * s - 1.68282697438203e-03;
    q = q * s - 7.37332916720468e-03;
    q = q * s - 1.42647390514189e-02;
    return x * p / q;
}

// ln(1 + exp(-|x|)).
fn softness(x: vec4<f32>) -> vec4<f32> {
    let t = growth(-abs(x));
    // Twice the inverse hyperbolic tangent of t / (2 + t).
    let u = t / (2.0 + t);
    let s = u * u;
    return 2.0 * u * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s / 13.0))))));
}
