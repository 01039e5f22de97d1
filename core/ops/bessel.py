"""Bessel's functions, those of imaginary arguments, and Airy's."""

from __future__ import annotations

import math

from ..define import elementwise_op as op
from ..table import S, floats
from .common import halves_in_float32
from .elementwise import abs_, cos, eq, exp, ge, le, log, lt, maximum, minimum, rsqrt, sign, sin, sqrt, where
from .series import chebyshev

_LINE = [S(floats(3, 4, low=-12, high=12)), S(), S(0), S.ints(4), S.of([-30.0, -8.0, -1e-3, 0.0, 0.5, 7.9, 8.1, 60.0, math.nan])]
_AHEAD = [S(floats(3, 4, low=0.3, high=12)), S(0), S.of([-1.0, 0.0, 1e-3, 0.5, 1.9, 2.1, 7.9, 8.1, 30.0, math.nan])]

# Near the origin functions of x or x^2, from there on of 1 / x, without the factor that grows, falls or swings.
_I0_NEAR = (
    0.33839763720473803, -0.3046826723431984, 0.17162090152220877, -0.09490109704804764, 0.04930528423967071,
    -0.02373741480589947, 0.010546460394594998, -0.004324309995050576, 0.0016394756169413357, -0.0005763755745385824,
    0.00018850288509584165, -5.754195010082104e-05, 1.6448448070728896e-05, -4.4167383584587505e-06, 1.1173875391201037e-06,
    -2.670793853940612e-07, 6.046995022541919e-08, -1.300025009986248e-08, 2.6598237246823866e-09, -5.189795601635263e-10,
    9.675809035373237e-11, -1.726826291441556e-11, 2.95505266312964e-12, -4.856446783111929e-13, 7.676185498604936e-14,
    -1.1685332877993451e-14, 1.715391285555133e-15, -2.431279846547955e-16, 3.3307945188222384e-17,
)  # fmt: skip
_I1_NEAR = (
    0.12629359322181682, -0.17641651835783406, 0.1026436586898471, -0.05294598120809499, 0.024726449030626516,
    -0.010564084894626197, 0.004156422944312888, -0.0015135724506312532, 0.0005122859561685758, -0.00016176081582589674,
    4.781565107550054e-05, -1.3273163656039436e-05, 3.4702513081376785e-06, -8.568720264695455e-07, 2.0032947535521353e-07,
    -4.445059128796328e-08, 9.381537386495773e-09, -1.8872497517228294e-09, 3.625590281552117e-10, -6.663489723502027e-11,
    1.1736186298890901e-11, -1.9839743977649436e-12, 3.223793365945575e-13, -5.042185504727912e-14, 7.600684294735408e-15,
    -1.1055969477353862e-15, 1.5536319577362005e-16, -2.111421214358166e-17,
)  # fmt: skip
_I0_FAR = (
    0.4022452055070544, 0.0033691164782556943, 6.889758346916825e-05, 2.8913705208347567e-06, 2.0489185894690638e-07,
    2.266668990498178e-08, 3.3962320257083865e-09, 4.94060238822497e-10, 1.1889147107846439e-11, -3.1499165279632416e-11,
    -1.3215811840447713e-11, -1.7941785315068062e-12, 7.180124451383666e-13, 3.8527783827421426e-13, 1.54008621752141e-14,
    -4.150569347287222e-14, -9.554846698828307e-15, 3.8116806693526224e-15, 1.7725601330565263e-15, -3.425485619677219e-16,
    -2.8276239805165836e-16, 3.461222867697461e-17, 4.46562142029676e-17,
)  # fmt: skip
_I1_FAR = (
    0.38928811750914005, -0.009761097491361469, -0.00011058893876262371, -3.882564808877691e-06, -2.512236237870209e-07,
    -2.6314688468895196e-08, -3.835380385964237e-09, -5.589743462196584e-10, -1.8974958123505413e-11, 3.2526035830154884e-11,
    1.4125807436613782e-11, 2.0356285441470896e-12, -7.198551776245908e-13, -4.0835511110921974e-13, -2.1015418427726643e-14,
    4.272440016711951e-14, 1.0420276984128802e-14, -3.8144030724370075e-15, -1.8803547755107825e-15, 3.3082023109209285e-16,
    2.96262899764595e-16, -3.209525921993424e-17, -4.6503053684893586e-17,
)  # fmt: skip
_K0_NEAR = (
    0.8433977275772223, 0.787078990859296, 0.06152577860244072, 0.0019458946141853283, 3.3247998700597626e-05,
    3.5563825166277007e-07, 2.6056207418988497e-09, 1.3895141631982779e-11, 5.635214661841847e-14, 1.7966278703136082e-16,
)  # fmt: skip
_K1_NEAR = (
    -0.5089237845320825, -0.2114356597763456, -0.010725575310322739, -0.0002513233586483403, -3.4112002554142968e-06,
    -3.026704146655771e-08, -1.89459722399161e-10, -8.819221396228751e-13, -3.1733487638923218e-15,
)  # fmt: skip
_K0_FAR = (
    1.2201515410329777, -0.0314481013119645, 0.0015698838857300533, -0.00012849549581627802, 1.39498137188765e-05,
    -1.8317555227191195e-06, 2.766813639445015e-07, -4.660489897687948e-08, 8.574034017414225e-09, -1.6975345093890614e-09,
    3.5773972814003283e-10, -7.957489244477396e-11, 1.8559491149549264e-11, -4.514597883374519e-12, 1.1403405882073441e-12,
    -2.9800969231481784e-13, 8.032890775068375e-14, -2.2275133267462965e-14, 6.340076476276646e-15, -1.848593377920907e-15,
    5.5120559994043335e-16, -1.6782311257549006e-16, 5.2103917776435543e-17, -1.6475805939842632e-17,
)  # fmt: skip
_K1_FAR = (
    1.3603130952422213, 0.10392373657681724, -0.002857816859622779, 0.00019521551847135162, -1.936197974166083e-05,
    2.406484947837217e-06, -3.5019606030878126e-07, 5.7410841254500495e-08, -1.0345762465678097e-08, 2.0150497551970347e-09,
    -4.1903547593419254e-10, 9.218315187605315e-11, -2.129967838427791e-11, 5.139639673482343e-12, -1.2891739609498229e-12,
    3.348419666052243e-13, -8.976705182010146e-14, 2.4771544242195988e-14, -7.0198370892147685e-15, 2.038703166239861e-15,
    -6.057047270643018e-16, 1.8380935752430455e-16, -5.689462849193648e-17, 1.7940510478863572e-17,
)  # fmt: skip
_J0_NEAR = (
    0.15772797147489012, -0.008723442352852221, 0.2651786132033368, -0.37009499387264977, 0.15806710233209725,
    -0.034893769411408884, 0.004819180069467605, -0.00046062616620627504, 3.246032882100508e-05, -1.7619469077621507e-06,
    7.608163592418782e-08, -2.679253530557673e-09, 7.848696314479465e-11, -1.9438346867370164e-12, 4.125320595634374e-14,
    -7.588508125447546e-16, 1.2218515873961411e-17,
)  # fmt: skip
_J1_NEAR = (
    0.08104484632565812, -0.1489751450676521, 0.1609992623572097, -0.08268049176681791, 0.022213639654966037,
    -0.003646940600769276, 0.0004050337728354822, -3.255554866857259e-05, 1.9858774049915165e-06, -9.521984756750436e-08,
    3.687133759097148e-09, -1.178026622695885e-10, 3.160154580348003e-12, -7.221755239651773e-14, 1.4232144003513942e-15,
    -2.4441972916190464e-17,
)  # fmt: skip
_Y0_NEAR = (
    -0.03314611320328494, -0.2744743055297453, 0.17903431407718265, 0.26156734625504663, -0.17730201278114358,
    0.04719668959576339, -0.007287962479552079, 0.0007531135932577742, -5.632079141056987e-05, 3.206532537654801e-06,
    -1.44072332740187e-07, 5.248794787330516e-09, -1.5837552541812015e-10, 4.02633081830612e-12, -8.747341203310769e-14,
    1.6434898714919468e-15, -2.6977881152566837e-17,
)  # fmt: skip
_Y1_NEAR = (
    0.0025380132357417816, -0.01608717304766875, -0.09591204536083074, 0.08445197259652346, -0.028328123944594365,
    0.005289897544167113, -0.0006414551451326356, 5.505982873338744e-05, -3.53808001868935e-06, 1.7707804556154404e-07,
    -7.11055004989928e-09, 2.344337905911516e-10, -6.4651518414115946e-12, 1.51429151205002e-13, -3.0511859694473254e-15,
    5.34668038572867e-17,
)  # fmt: skip
_P0 = (
    0.9994603493475187, -0.0005365220468132117, 3.0751847875194745e-06, -5.1705945376060975e-08, 1.6306464635151382e-09,
    -7.86409137723707e-11, 5.168262387349193e-12, -4.3045788699253914e-13, 4.3265957431549404e-14, -5.069034095935236e-15,
    6.748072215733873e-16, -1.0011513723467786e-16, 1.6305919233744186e-17,
)  # fmt: skip
_Q0 = (
    -0.12444683684269607, 0.0005470815954089319, -5.9315987288485175e-06, 1.4377965798375193e-07, -5.817532749493056e-09,
    3.376097523734991e-10, -2.565397936797308e-11, 2.404916100281365e-12, -2.6690625482579414e-13, 3.4041800321963686e-14,
    -4.87994410531204e-15, 7.729703176242605e-16, -1.3348852171502517e-16, 2.4865952389390515e-17,
)  # fmt: skip
_P1 = (
    1.0009030408600137, 0.0008989898330859408, -3.987284300488908e-06, 6.177633960644299e-08, -1.8718907491063067e-09,
    8.816898659582339e-11, -5.704863640395645e-12, 4.699195515230542e-13, -4.6842237839904895e-14, 5.452674896044717e-15,
    -7.221180842274018e-16, 1.0667689114335412e-16, -1.7312313216116335e-17,
)  # fmt: skip
_Q1 = (
    0.3742222965562826, -0.0007702178839325664, 7.3108922063643636e-06, -1.676782510726674e-07, 6.583354662120443e-09,
    -3.749090950541556e-10, 2.8121750359748866e-11, -2.61145253946232e-12, 2.8774212663332235e-13, -3.649001916061838e-14,
    5.206626366226707e-15, -8.215318025458595e-16, 1.4141084390211833e-16, -2.626761589838529e-17,
)  # fmt: skip
_AI_NEAR = (
    0.15168947628223672, -0.005228692408472365, -0.007183007563342123, -0.2750085825170078, 0.15267285652736612,
    0.11299722901833571, -0.12930163519980795, 0.021717950423082666, 0.024911850702736413, -0.01433585742189573,
    0.000696689451639598, 0.001974398933529019, -0.0007230393972252199, -1.6112414526177467e-05, 8.133273673249939e-05,
    -2.0775365813975462e-05, -1.6054762687164758e-06, 2.0560158255601387e-06, -3.825520517284178e-07, -4.913870596184178e-08,
    3.514168642051892e-08, -4.846385010860496e-09, -8.897812059422213e-10, 4.329786248648808e-10, -4.414745597439301e-11,
    -1.1096862995764342e-11, 4.024832028797832e-12, -2.9609936249846454e-13, -1.0257635127287476e-13, 2.920579876829024e-14,
    -1.4619955511486232e-15, -7.35505053091767e-16, 1.6986548408182807e-16,
)  # fmt: skip
_AI_FAR = (
    0.2776956095117059, -0.004172967562045923, 0.00020669586013998011, -1.7280997841068207e-05, 1.928052166797157e-06,
    -2.605774398776262e-07, 4.051516883512395e-08, -7.022240440986223e-09, 1.3286081997701028e-09, -2.703558037129289e-10,
    5.852297782838998e-11, -1.3363584416519756e-11, 3.1978547149289153e-12, -7.976813559559603e-13, 2.0651347541109665e-13,
    -5.52899978215978e-14, 1.526165619010181e-14, -4.331979304955806e-15, 1.2616239319898747e-15, -3.7626070399357594e-16,
    1.1471616156264618e-16, -3.570144365109208e-17, 1.1326462271400218e-17,
)  # fmt: skip
_AI_F = (
    0.9996723415461005, -0.0003255483561055322, 2.069745155969119e-06, -3.890961736474424e-08, 1.3645959446950337e-09,
    -7.265563438866682e-11, 5.234675629062907e-12, -4.749669415821452e-13, 5.172156139604189e-14, -6.533725295545284e-15,
    9.33927407277721e-16, -1.4823330512580455e-16, 2.5745988399644002e-17,
)  # fmt: skip
_AI_G = (
    0.10367292060240754, -0.0004876590546880043, 5.918966615799484e-06, -1.6033936357715113e-07, 7.2005020784274245e-09,
    -4.603660075499646e-10, 3.827639155352089e-11, -3.902410097628651e-12, 4.68550028267878e-13, -6.435487756925923e-14,
    9.895065893966152e-15, -1.6752498240625319e-15, 3.082702523827549e-16, -6.102008414765739e-17, 1.288377394708893e-17,
)  # fmt: skip


def _pieces(size, near, far):
    """A function of |x| in two pieces, below 8 and from there on over sqrt(|x|)."""
    inner = chebyshev(minimum(size, 8.0) * (1 / 4) - 1, near)
    outer = maximum(size, 8.0)
    return inner, chebyshev((16 / outer) - 1, far) * rsqrt(outer)


def _scaled(order, x):
    """exp(-|x|) I(|x|)."""
    size = abs_(x)
    near, far = _pieces(size, *((_I0_NEAR, _I0_FAR), (_I1_NEAR, _I1_FAR))[order])
    return where(lt(size, 8.0), near * size if order else near, far)


def _over(y, x, at_zero):
    """y / x, and its limit at 0."""
    zero = eq(x, 0)
    return where(zero, at_zero, y / where(zero, 1, x))


@op(vjp=lambda g, x: g * i1(x), promote="float", takes="real floats", samples=_LINE, inplace=True)
@halves_in_float32
def i0(x, /):
    """The modified Bessel function of the first kind, of order 0.

    >>> import frazil as fz
    >>> fz.i0(fz.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    return exp(abs_(x)) * _scaled(0, x)


@op(vjp=lambda g, x, y: g * (i1e(x) - sign(x) * y), promote="float", takes="real floats", samples=_LINE, methods=[], public=False)
@halves_in_float32
def i0e(x, /):
    """exp(-|x|) * i0(x)."""
    return _scaled(0, x)


@op(
    vjp=lambda g, x, y: g * (i0(x) - _over(y, x, 0.5)),
    promote="float",
    takes="real floats",
    samples=_LINE,
    methods=[],
    public=False,
)
@halves_in_float32
def i1(x, /):
    """The modified Bessel function of the first kind, of order 1."""
    return sign(x) * exp(abs_(x)) * _scaled(1, x)


@op(
    vjp=lambda g, x, y: g * (i0e(x) - sign(x) * y - _over(y, x, 0.5)),
    promote="float",
    takes="real floats",
    samples=_LINE,
    methods=[],
    public=False,
)
@halves_in_float32
def i1e(x, /):
    """exp(-|x|) * i1(x)."""
    return sign(x) * _scaled(1, x)


def _second(order, x, scaled):
    """K(x), times exp(x) when `scaled`."""
    small = minimum(x, 2.0)
    t = small * small * 0.5 - 1
    if order:
        near = small * chebyshev(t, _K1_NEAR) + log(small) * i1(small) + 1 / small
    else:
        near = chebyshev(t, _K0_NEAR) - log(small) * i0(small)
    large = maximum(x, 2.0)
    far = chebyshev(4 / large - 1, _K1_FAR if order else _K0_FAR) * rsqrt(large)
    y = where(le(x, 2.0), near * exp(small) if scaled else near, far if scaled else far * exp(-large))
    return where(eq(x, 0), math.inf, y)


@op(vjp=lambda g, x: -g * modified_bessel_k1(x), promote="float", takes="real floats", samples=_AHEAD, methods=[], public=False)
@halves_in_float32
def modified_bessel_k0(x, /):
    """The modified Bessel function of the second kind, of order 0; NaN below 0."""
    return _second(0, x, False)


@op(
    vjp=lambda g, x, y: -g * (modified_bessel_k0(x) + y / x),
    promote="float",
    takes="real floats",
    samples=_AHEAD,
    methods=[],
    public=False,
)
@halves_in_float32
def modified_bessel_k1(x, /):
    """The modified Bessel function of the second kind, of order 1; NaN below 0."""
    return _second(1, x, False)


@op(
    vjp=lambda g, x, y: g * (y - scaled_modified_bessel_k1(x)),
    promote="float",
    takes="real floats",
    samples=_AHEAD,
    methods=[],
    public=False,
)
@halves_in_float32
def scaled_modified_bessel_k0(x, /):
    """exp(x) * modified_bessel_k0(x)."""
    return _second(0, x, True)


@op(
    vjp=lambda g, x, y: g * (y - scaled_modified_bessel_k0(x) - y / x),
    promote="float",
    takes="real floats",
    samples=_AHEAD,
    methods=[],
    public=False,
)
@halves_in_float32
def scaled_modified_bessel_k1(x, /):
    """exp(x) * modified_bessel_k1(x)."""
    return _second(1, x, True)


def _waves(size, p, q):
    """Amplitudes of the waves that J and Y are far out, over sqrt(pi x / 2), and sine and cosine of x."""
    w = 8 / maximum(size, 8.0)
    t = w * w * 2 - 1
    scale = rsqrt(maximum(size, 8.0)) * math.sqrt(1 / math.pi)
    return chebyshev(t, p) * scale, chebyshev(t, q) * (w * 0.125) * scale, sin(size), cos(size)


def _near(size, coefficients):
    small = minimum(size, 8.0)
    return chebyshev(small * small * (1 / 32) - 1, coefficients)


@op(vjp=lambda g, x: -g * bessel_j1(x), promote="float", takes="real floats", samples=_LINE, methods=[], public=False)
@halves_in_float32
def bessel_j0(x, /):
    """The Bessel function of the first kind, of order 0."""
    size = abs_(x)
    p, q, s, c = _waves(size, _P0, _Q0)
    return where(lt(size, 8.0), _near(size, _J0_NEAR), where(eq(size, math.inf), 0, p * (c + s) - q * (s - c)))


@op(
    vjp=lambda g, x, y: g * (bessel_j0(x) - _over(y, x, 0.5)),
    promote="float",
    takes="real floats",
    samples=_LINE,
    methods=[],
    public=False,
)
@halves_in_float32
def bessel_j1(x, /):
    """The Bessel function of the first kind, of order 1."""
    size = abs_(x)
    p, q, s, c = _waves(size, _P1, _Q1)
    far = where(eq(size, math.inf), 0, p * (s - c) + q * (s + c))
    return where(lt(size, 8.0), x * _near(size, _J1_NEAR), where(lt(x, 0), -far, far))


@op(vjp=lambda g, x: -g * bessel_y1(x), promote="float", takes="real floats", samples=_AHEAD, methods=[], public=False)
@halves_in_float32
def bessel_y0(x, /):
    """The Bessel function of the second kind, of order 0; NaN below 0."""
    p, q, s, c = _waves(x, _P0, _Q0)
    far = where(eq(x, math.inf), 0, p * (s - c) + q * (c + s))
    near = _near(x, _Y0_NEAR) + log(x) * (2 / math.pi) * _near(x, _J0_NEAR)
    return where(ge(x, 8.0), far, where(eq(x, 0), -math.inf, near))


@op(
    vjp=lambda g, x, y: g * (bessel_y0(x) - y / x), promote="float", takes="real floats", samples=_AHEAD, methods=[], public=False
)
@halves_in_float32
def bessel_y1(x, /):
    """The Bessel function of the second kind, of order 1; NaN below 0."""
    p, q, s, c = _waves(x, _P1, _Q1)
    far = where(eq(x, math.inf), 0, q * (s - c) - p * (s + c))
    near = x * _near(x, _Y1_NEAR) + (log(x) * x * _near(x, _J1_NEAR) - 1 / x) * (2 / math.pi)
    return where(ge(x, 8.0), far, where(eq(x, 0), -math.inf, near))


@op(
    vjp=lambda g, x: g * _slope_of_sinc(x),
    promote="float",
    takes="real floats",
    samples=lambda: [*_LINE[:4], S.of([-3.0, -0.1, 0.0, 1e-3, 0.6, 40.0, math.inf, math.nan])],
    methods=[],
    public=False,
)
@halves_in_float32
def spherical_bessel_j0(x, /):
    """sin(x) / x, and 1 at 0."""
    return where(eq(abs_(x), math.inf), 0, _over(sin(x), x, 1.0))


def _slope_of_sinc(x):
    """The slope of sin(x) / x, near 0, where that cancels, as a series."""
    near = lt(abs_(x), 0.5)
    u = x * x
    total = 0.0
    for k in range(8, 0, -1):
        total = total * u + (-1) ** k * 2 * k / math.factorial(2 * k + 1)
    away = where(near, 1, x)
    return where(near, x * total, (cos(away) - sin(away) / away) / away)


@op(
    promote="float",
    takes="real floats",
    samples=lambda: [
        S(floats(3, 4, low=-9, high=6), grad=False),
        S(0, grad=False),
        S.of([-12.0, -5.0, 0.0, 2.0, 2.1, 12.0, math.nan]),
    ],
    methods=[],
    public=False,
)
@halves_in_float32
def airy_ai(x, /):
    """Airy's function Ai."""
    near = chebyshev((minimum(maximum(x, -5.0), 2.0) + 1.5) * (1 / 3.5), _AI_NEAR)
    ahead = maximum(x, 2.0)
    power = ahead * sqrt(ahead) * (2 / 3)
    first = 2 * math.sqrt(2) * (2 / 3)
    right = chebyshev(2 * first / power - 1, _AI_FAR) * exp(-power) * rsqrt(sqrt(ahead))
    back = maximum(-x, 5.0)
    cubed = back * sqrt(back)
    phase = cubed * (2 / 3) + math.pi / 4
    w = 125 / (cubed * cubed)
    left = sin(phase) * chebyshev(w * 2 - 1, _AI_F) - cos(phase) * chebyshev(w * 2 - 1, _AI_G) / cubed
    left = left * rsqrt(sqrt(back)) * (1 / math.sqrt(math.pi))
    return where(lt(x, -5.0), left, where(ge(x, 2.0), right, near))
