"""Edwards25519 in plain numbers (RFC 8032, 5.1), for points that no library hands out: of low and mixed order."""

from __future__ import annotations

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
ZERO: Point = (0, 1)


def add(one: Point, other: Point) -> Point:
    """Add two points."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P,
    )


def negative(point: Point) -> Point:
    """Return the point that adds up to zero with this one."""
    return (-point[0] % P, point[1])


def times(number: int, point: Point) -> Point:
    """Multiply a point."""
    found = ZERO
    while number:
        if number & 1:
            found = add(found, point)
        point = add(point, point)
        number >>= 1
    return found


def written(point: Point) -> bytes:
    """Write a point in 32 bytes."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def x_of(y: int, sign: int) -> int | None:
    """Return the x that belongs to a y; None: no point has that y."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P:
        return None
    return x if x % 2 == sign else -x % P


def point(y: int, sign: int = 0) -> Point:
    """Return the point with this y."""
    x = x_of(y, sign)
    assert x is not None
    return x, y


BASE = point(4 * pow(5, -1, P) % P)
_EIGHT = point(0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7)
LOW_ORDER = [times(n, _EIGHT) for n in range(8)]
"""The eight points of low order; the first is zero."""
