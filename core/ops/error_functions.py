"""The functions of the normal distribution's integral: inverse and scaled error functions, and their second forms."""

from __future__ import annotations

import math

from ..define import elementwise_op as op
from ..table import S, floats
from .common import halves_in_float32
from .elementwise import abs_, eq, erf, exp, ge, gt, le, log, log1p, lt, minimum, round_half_even, sqrt, where
from .series import chebyshev

_SQRT2 = math.sqrt(2)
_SHARE = [
    S(floats(3, 4, low=-0.95, high=0.95)),
    S(),
    S(0),
    S.of([-1.5, -1.0, 2.0**-17 - 1, -1e-9, 0.0, 0.75, 0.9, 1.0, math.nan]),
]
_CHANCE = [S(floats(3, 4, low=0.02, high=0.98)), S(0), S.of([-0.5, 0.0, 1e-30, 1e-5, 0.2, 0.5, 1 - 2.0**-17, 1.0, 2.0, math.nan])]
_LINE = [S(3, 4), S(), S(0), S.ints(4), S.of([-math.inf, -5.0, -1.0, -0.2, 0.0, 0.3, 3.0, 40.0, math.inf, math.nan])]

# erfinv(x) / x for x^2 in [0, 0.5625]; the point above which the normal distribution has q, over s = sqrt(-log(q)), for 1/s from
# 1/4 to 0.6935 and below 1/4; erfcx(x) / w for w = 3 / (3 + x).
_CENTRE = (
    0.9744859196197088, 0.09767121365429762, 0.0106798426748877, 0.00145839261934236, 0.00022139561793534646,
    3.5754642695386944e-05, 6.013052435846527e-06, 1.0405605281919531e-06, 1.8393099988652242e-07, 3.3048595802566894e-08,
    6.015922964924221e-09, 1.1067505460742694e-09, 2.0540500062873634e-10, 3.8404854958353785e-11, 7.226135143013051e-12,
    1.3670906380006421e-12, 2.598708098538055e-13, 4.960649711523937e-14, 9.504612363589054e-15, 1.8271407438754928e-15,
    3.5229350975383005e-16, 6.810937482440025e-17, 1.319990081950303e-17,
)  # fmt: skip
_TAIL = (
    1.0618500020169386, -0.24927421830042254, -0.015758580352666366, 0.000941868348487088, -7.904396517553416e-05,
    8.224928192175206e-06, -1.0231473452137988e-06, 1.4655689537962574e-07, -2.3151897299348645e-08, 3.895851425654075e-09,
    -6.839028982746024e-10, 1.2395758205520202e-10, -2.3085484435239053e-11, 4.40521695539244e-12, -8.59175221088633e-13,
    1.7082750999182848e-13, -3.453594764230995e-14, 7.082692762670164e-15, -1.47053992563651e-15, 3.0861426078047667e-16,
    -6.538408436824318e-17, 1.39704898003535e-17,
)  # fmt: skip
_FAR = (
    1.3598719511812467, -0.058362176591639794, -0.007612497019916049, 0.0004876593746721891, -5.802278057868946e-05,
    1.0178782296301036e-05, -2.227289894117428e-06, 5.587617706343138e-07, -1.5409450720662568e-07, 4.554180975758227e-08,
    -1.4182690991692371e-08, 4.6007176491685316e-09, -1.542033753478115e-09, 5.308891570299885e-10, -1.8690995383454738e-10,
    6.706519086551754e-11, -2.4458567071555374e-11, 9.046877524330992e-12, -3.3879670524490226e-12, 1.2826989064492962e-12,
    -4.903786833209928e-13, 1.8911159395784703e-13, -7.350361004005016e-14, 2.8772706548088704e-14, -1.1335889397834713e-14,
    4.492527840253797e-15, -1.7900858708042384e-15, 7.168327496166001e-16, -2.883746974476505e-16, 1.1650500125037876e-16,
    -4.725508632319406e-17, 1.923761148432699e-17,
)  # fmt: skip
_SCALED = (
    0.4711460746602906, 0.37715894969156577, 0.11803603344749546, 0.028362346699695153, 0.004871757757605546,
    0.00045985238787654427, -2.143022238105315e-05, -1.301447369924135e-05, -8.809283582853514e-07, 2.7464800479702846e-07,
    4.415991899223785e-08, -6.398408385575483e-09, -1.6768357212484645e-09, 1.9473354700890025e-10, 6.247441303469389e-11,
    -8.124557552244496e-12, -2.330314613222566e-12, 4.191038539225333e-13, 8.19333526881303e-14, -2.3352472107929263e-14,
    -2.2442585649165363e-15, 1.2811435298050507e-15, 1.1054582965396302e-18, -6.44579513564904e-17,
)  # fmt: skip

# Cody's rational approximations for float64 (W. J. Cody, Math. Comp. 23, 1969), coefficients as published with Cephes, highest
# power first: erf(x) / x of x^2 up to 1, and exp(x^2) erfc(x) of x from 1 to 8 and beyond.
ERF_NEAR = (
    (
        9.604973739870516, 90.02601972038427, 2232.005345946843, 7003.325141128051, 55592.30130103949,
    ),
    (
        1.0, 33.56171416475031, 521.3579497801527, 4594.323829709801, 22629.000061389095, 49267.39426086359,
    ),
)  # fmt: skip
ERFC_MIDDLE = (
    (
        2.461969814735305e-10, 0.5641895648310689, 7.463210564422699, 48.63719709856814, 196.5208329560771, 526.4451949954773,
        934.5285271719576, 1027.5518868951572, 557.5353353693994,
    ),
    (
        1.0, 13.228195115474499, 86.70721408859897, 354.9377788878199, 975.7085017432055, 1823.9091668790973,
        2246.3376081871097, 1656.6630919416134, 557.5353408177277,
    ),
)  # fmt: skip
ERFC_FAR = (
    (
        0.5641895835477551, 1.275366707599781, 5.019050422511805, 6.160210979930536, 7.4097426995044895, 2.9788666537210022,
    ),
    (
        1.0, 2.2605286322011726, 9.396035249380015, 12.048953980809666, 17.08144507475659, 9.608968090632859,
        3.369076451000815,
    ),
)  # fmt: skip


def _centre(x):
    """erfinv(x) for |x| <= 0.75."""
    return x * chebyshev(x * x * (2 / 0.5625) - 1, _CENTRE)


def _upper(q):
    """The point above which the normal distribution has q <= 1/8."""
    s = sqrt(-log(q))
    w = 1 / s
    near, far = 0.6935 - 0.25, 1 / 4 - 1 / 28
    tail = chebyshev((w * 2 - (0.6935 + 0.25)) * (1 / near), _TAIL)
    return where(eq(q, 0), math.inf, s * where(gt(w, 0.25), tail, chebyshev((w * 2 - (1 / 4 + 1 / 28)) * (1 / far), _FAR)))


@op(
    vjp=lambda g, y: g * exp(y * y) * (math.sqrt(math.pi) / 2),
    promote="float",
    samples=_SHARE,
    inplace=True,
)
@halves_in_float32
def erfinv(x, /):
    """The inverse of erf, for x from -1 to 1; NaN outside.

    >>> import frazil as fz
    >>> fz.erfinv(fz.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    size = abs_(x)
    tail = _upper((1 - size) * 0.5) * (1 / _SQRT2)
    return where(le(size, 0.75), _centre(x), where(lt(x, 0), -tail, tail))


@op(
    vjp=lambda g, y: g * exp(y * y * 0.5) * math.sqrt(2 * math.pi),
    promote="float",
    samples=_CHANCE,
    methods=[],
    public=False,
)
@halves_in_float32
def ndtri(x, /):
    """The point below which the normal distribution has the share x; -inf at 0, inf at 1, NaN outside."""
    low = le(x, 0.125)
    tail = _upper(where(low, x, 1 - x))
    return where(low | gt(x, 0.875), where(low, -tail, tail), _centre(x * 2 - 1) * _SQRT2)


def exp_of_square(x, sign):
    """exp(sign * x^2): what x^2 loses by rounding is multiplied on, where it would be counted x^2 times."""
    whole = round_half_even(x * 16) * (1 / 16)
    return exp(whole * whole * sign) * exp((x - whole) * (x + whole) * sign)


def _scaled(x):
    """erfcx(x) for x >= 0."""
    w = 3 / (x + 3)
    return w * chebyshev(w * 2 - 1, _SCALED)


@op(
    vjp=lambda g, x, y: g * (x * y * 2 - 2 / math.sqrt(math.pi)),
    promote="float",
    samples=lambda: [S(3, 4), S(0), S.of([-math.inf, -3.0, 0.0, 5.0, 1e10, math.inf, math.nan])],
    methods=[],
    public=False,
)
@halves_in_float32
def erfcx(x, /):
    """exp(x^2) * erfc(x), which has a tail where erfc has none left."""
    y = _scaled(abs_(x))
    below = minimum(-x, 30.0)  # beyond, all overflow
    return where(ge(x, 0), y, where(lt(x, 0), exp_of_square(below, 1) * 2 - y, x + 1))


def _below(x):
    """The share of the normal distribution below x: a tail, and half of 1 + erf."""
    tail = exp_of_square(minimum(abs_(x), 40.0), -0.5) * _scaled(abs_(x) * (1 / _SQRT2)) * 0.5
    return where(lt(x, -1), tail, (erf(x * (1 / _SQRT2)) + 1) * 0.5)


@op(
    vjp=lambda g, x: g * exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi)),
    promote="float",
    samples=_LINE,
    methods=[],
    public=False,
)
@halves_in_float32
def ndtr(x, /):
    """The share of the normal distribution below x."""
    return _below(x)


@op(
    vjp=lambda g, x: g * math.sqrt(2 / math.pi) / erfcx(x * (-1 / _SQRT2)),
    promote="float",
    samples=_LINE,
    methods=[],
    public=False,
)
@halves_in_float32
def log_ndtr(x, /):
    """The logarithm of `ndtr`, with a tail where that has none left."""
    z = x * (1 / _SQRT2)
    tail = log(_scaled(abs_(z)) * 0.5) - x * x * 0.5
    return where(lt(x, -1), where(eq(x, -math.inf), -math.inf, tail), log1p(-_below(-x)))
