"""ML-DSA against the examples of the COSE working group (RFC 9964), which another implementation signed.

Each example's key comes from a seed of 32 zero bytes; its kid is the key's thumbprint, and its signature,
over an attached payload, was made by another library (Cloudflare's CIRCL). Sizes: FIPS 204, table 2.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from hypothesis import given
from hypothesis import strategies as st

from keys import cose
from keys.algorithms import EMITTED, SIGNATURE_BYTES, VERIFIED, Algorithm, PublicKey
from keys.cbor import decode, encode
from keys.document import open_document
from keys.errors import RefusedError
from keys.signer import LocalSigner, from_pem, generate
from tests.helpers import NOW, key, make_fleet, timestamp


@dataclass(frozen=True)
class Example:
    """One example, and what the standards say about its algorithm."""

    algorithm: Algorithm
    private: Any
    kid: str
    public_bytes: int
    signature_bytes: int
    signature: str = field(repr=False)

    @property
    def signer(self) -> LocalSigner:
        return LocalSigner(self.private.from_seed_bytes(bytes(32)))

    def message(self, signature: bytes | None = None) -> bytes:
        """The COSE_Sign1 as the example gives it."""
        header = encode({1: self.algorithm.value, 4: bytes.fromhex(self.kid)})
        value = base64.b64decode(self.signature) if signature is None else signature
        return b"\xd2" + encode([header, {}, PAYLOAD, value])


PAYLOAD = b"hello post quantum signatures"
ML_DSA_44 = Example(
    Algorithm.ML_DSA_44,
    mldsa.MLDSA44PrivateKey,
    "b8969ab4b37da9f0684e42647eb8a0be8b5b661ebf5d76f0583bf5b8d3a8059a",
    1_312,
    2_420,
    """
Jlcje3Ug/Uy4gD9ppuSrYT9IFkIM045kdOVIo3DG8KGIUc6Le7G0PGWLeVMD0PItI6rZr8cHeHerd9fMkpR7z4AOCWJtfOuAn3TS3ENSAL
Jy7MkqmTkBCHpC6uqmuQCd8A8mBV5gMszKKZW/nEVek8la253alwugfXeKm0lQFpsomobsJyu4EPlQa5YJQfpKyATeScuA+b1U9Rre92Zw
wG+Uv5SK12dasoqjJUlEdTqsDNvYWUdSpDhVLoRvtHa+PjHfDJEiLbXl1wvdsFtiSngQNlTU6exRT2vpHP6Po7hSmyZZqJ5wIn810AWTYu
1Rx1I79KjKfOsNpiFr6ndXZUjNmPWtb4cyb6zIswjevORGHx8sSxkL1JUO7FLLZtpwyZE+ikdoJqDqBe3Y8tPKU+SF/868TnrjOu6x2Nw+
5rjQnOoTg3fO6u1P71fYaMFjEeGMZLnfUBeRphQghQg4ULOtLnSQEpjAm3/E2HpmADHpVbOc+eb7vjyuWzY2D2th+QR3HVXVQvvGi+VGhz
j1uMROtiTaU1oRLAJm95ua56yZb+qyxYdMZfWacr9nG1aNBuV7ifb6Fo9IBQ+Gnp/guVSQSHWX4XRtf1TvBOyjJxC9RlWiJp/Zr9+gx2MM
Ca1ZJz1ddva8AmtiPl/uT+OXjvtP3F+QXYo0YlnK2c2K2CbN6oGPzKaAS9eN3dtw1G1yPsY5gP57suuNq4RpLLb2pWDrgDgdwNXe040d6J
Z3JwL5ljf2uamyB76G4qQBGHuyUPaCMPeEDs+Xh7tgc+LinxKHzXO98droMC/PI/lCMFxMmAeroDevZviyeAA8mKMAhPmtPy5MSzHrGz8g
Fwxw8DEPcZMqTgBlor157txw5Z+cwmGu2W/X6+yGviSQeJrQ3/x29MzMKO1nWnae35+Nbp/XjVk5Nof7GbZBYm9wu+18ZJajoTk75nUfUz
56+PIPnvMse1iyMf60IxqkB+z14L55IcRJpTerWIcbTO8vixISsYndyeIHsOvoE1vlNLMPJc4KozNxqUlx2ktreLsstwgDW1OfNwY0jR9u
8OKrnHQfH/zlvTTCDC3tYnLFgxiNL0hATL0Q9qp1n+yx5bh8dVVz2w2G7xf+zXIxF59HoZsLza+trZqLIN/h0nkswteNE8dnInOdbDFWO8
k4+wegvF2W06ToUhQYFbUmrHT6IQxIzh4v+j+qaCGRrqVaR2ps1+CrQpAhgLFESi4IMCwXYItYMdqkxACNu1TwtM5WbAae1I1KnFtUKBbz
FWzeDXMjuwcczMmO41ZyJI6HO1kH0CoVOlfld3xnZ/116DPfRoE8Kr5E3GSS6N5Eh/T6HRN31K4nPSiGnGYwukhl5lZ22dycoJmKAILpXH
gxTVQwaPb9OKJ728mPi1/voh5wTkvIrH7UbqXAPrcAzw5Um4ocULXQUb18JYiTj3yfVJnnuVQwseVnouNrSlUlKCnX+zGcftq04ZEI+ip4
TJbsECfxn1cUSBMrbIxEQaenSI3dpTC4S6AiESDJUxHqs3ZgsTKacDZRF+67t+AkDMUFLscj4BIcKhdQU8diuIlDrHuWXRAjnEuPjTmhpX
rOCXoWMcfpPDaryKCFohoYoUtiHP9JNpcHiR4G5QjkGXCyZJDI9cA4vLLmKnLSRZH1Y8Qv7T36NTn3Xay8eRiRlkIiCgHaSDosBBM2DkJM
bMMN/FAoWKV//cINMLtXwWWafUvrZ5TEZ1Uk6BOifjgHVH0LwW6RJC15JbAfCozwP1xuhncQNzrQLlOBb4KiGyyfNZ59WG7AWQwKF4CmdV
4XI5gevYZtJR4goKWy3AjgW+syV5eqfCdGWWxTSWTMdR/zQdSeOci2+KkDVJd5GJxXMrhBq941Lt3/n/tn8gucJ9MAeJlKyWyCULNCjGWn
FMBckciXoY7lj5CFVwYr1zNESp1z7YmmN8YhQ+RuHLNyPGqP0t8NkNA7bN+05sAz9nxRqAO26up54Oz+SjsixdyVHVFoPqcWFJlYxZq0Px
CF2OWJaqPI2XLVSZjT3isnwtZ+AFm3jf9vgEzUkd+uAwi0yJg+ocV0tEFN+Mp3L7tg3Ekkn426ucQzVwFok/eksusowKjeY1FXtxfiCtYN
WlLTfi6/W4fc3Mzd0fQIJdVrlI5gAVEY6JiPYADdFXzpKg8OwdVFmJAxfuhhoNKfcwUzEEeIbhkYuEONHfU05oXJPy8RMXsACwvX2nZuXx
1KCBanr4eL5Mjcj90gir1cf5iqDogncjh+9QMvYOcafBxjCo6s3eKnxehid7IOExfNi5iS6FCWR9VRQ9zMoH/91njVhW6quT9V33L/TJCR
Rt5UOTru0JXL2fwaJLf3lQy4DrQj7RFM3CHllZOypfy73xYTgQ/WPI3UXjm8W9AtcTKM/qh9Lerdp1CJyn1FKeC1tk+4h/w4y5UxAzOGJV
xqFVr5VEeyFUNU5tFjt1K++R8ki1Bo8+YgNlyMSXz8vmGTDQzwg4cwgxD0hb+iPDG/LQGQDoATUqOIyXIS71i2qB9QgvCIMUM6fKjA35EM
xGKzbWH1MjJe7uVAVHtsB8c4sBDa9zhPjPAZdXYRAeVW6GOYSN/QSe5TYLubYrs4rvD8hJcNrT54wPNBNXMEKr5SgFta7FRby0MUL11Eqc
HSts3z3tIJB/AuvHjnj1mL6t0PwfqmdlYO3/vXqDtheVvCm2++THxukJcTnbuFtUqLRGo38v1qfbUo8cXaX+Nngj+Po5ra4L0jGW9okFni
3jz8uq1r7HEEZBVs1yvnDVlQB1lTKG/rYF9omHRlhnUOOu92ew6AE2RTwas4j/VGK/wDFu14k36iNd2IPp/tvWb5BgtUInKsl0f+MQmieo
lAP8HCOAzLHj8ZkHdYKqVl+6RiEJLFZl8veAP17P2vhoeOwEWngOo3Ub0yMzzQL++LTrk4b1H6el87uBxV+w3jjJBbpAAtrfzFEjv1Yb7y
0yxAV33Eh3NhYsaURCedkXq9DSMg+3FSmcEEPe+1gqIP7DGQpsDkhDYJEDiIicEixKE63HMDGglp48GpAI2EZ8TE1ZyEjZyiRB7FewIDT9
WHK0z3UYXV+xTmrxrq0OFyfbQts5h38B1nRVj3tZsODxA2Pj9QXYKnwMfK3RYYIzVBQk9XWWR2d32Aprjf5u78/QUVGWyOmcPP0uvyAgsM
FiArMzdITlJWV6S1vsPK0tTV1t0AAAAAAAAAAAAAAA4jLkU=
""",
)
ML_DSA_65 = Example(
    Algorithm.ML_DSA_65,
    mldsa.MLDSA65PrivateKey,
    "b788acf242f1f1d6532926d816e76e1636874267f2a48c84c4e65789ab80cc02",
    1_952,
    3_309,
    """
1b0kSJA+T4H7lJFY7v3rk+L0DljT/+VwPSOVSutUey9JAia35LxhepAVas1q+mYsCl/oO+H54tRYQ2+bkRnIU8cfp8dZG2Rx2daDZtW/Eo
M8GCrJJ/fw7dgW5S7OpxXGbnHjUCkIP9JtDxYEDh2nSzeJUEKfroIprwSVEEVJ4t6QnW+L4J/PyYLghCXaZjwYHoYlELZH8vZ57Ba3Im+u
apuQ2BMceAqYSyMcRYERVkcMFDpammESSFMrV01AwO+XKCZIkq2X1SPKkUao+WWZbdoTvH6s3pBAp3RaknkMLsZnLYpmV2FJXIc93Uudw0
fbeGzP6r+09YS66QhvQ2Oa3gH2yBqPFdPAHsmq8LBGmcOBY95llnzJIazGaTXNvqQ/OT2fZTA6RkDAgaYHP3Yv14xTKRHsxgQAaI4ynXvK
ctJP7HyM0wcTDw37N84zNHBQHZ4v8WgQ7eH8gRhz/os4zxxlbRknwZDSQMACBRS55x9q0U/uO6rDREERxqGhZ23JIDbkgcNbnbKaYoL6YZ
qLARAmW4cPV8m0LUiyI8NIsGIfVWVP7XNbrpNEuuEX3rWDq1TmaibzYEaMR+PkD1UxJxZLs+uAPRfLdtGNV22ULbfBi1hw+yZpmxPpHxXH
WzXVXrKxD2/61hfuLHe2v68vwbKkyycDpSiVn4DQLpMlyIr/lc1RNRy2mS5OBP8SSWjXkAVu75ZmTtAVxFY+xxgHAi9rkthUKg/toLgZCs
LbXqnJZ4Ns2jiDnOO9X0Y2m9t1L+yLBH9PtGCNayGvwpRWSsnZQ1ZiN/em3M68GAXO9gMD9gWNQ7e2EszhIjLlqJX55SN9pUYbjuF5B7fK
6wjSVIj4DHhshJED1MRMLGvKG1fpo7VfMHycKZ4yKp7IGr/MXzj+A2+xf6NDdI73RvDjE1DQWkfQ83ACtVYk35WDHHLdzi39kTgoebFnP1
/LFgDGXVYANO4WPutcERZO+I7+2H9ONk/Nbp1s6jhKYq+7rzSmtL29GycKczqATS9YcDzJmpHozojZkvaFsI1+3m02/IIeUJTMaQhYlvYL
Kp2crLDE13vUTquU8RY4tHmMPkYrjgIOTyLw4UeCBR8W8tfLMU3CTUggVJ/yetRYQI0aZj9fX8IqTpIf8myX+oTF8S01rZyJMQ0MnAdbo3
MCSh3CCPXxfFkrW1w730EpvzBLK3MdODuET/xIojTA0H/4/1UGGfa27/PK05nBorYb1Kpop/2Gz2Yfc6MJw7r6UStvyB93AoV9NQdElYvn
BQqsbR8EC/2GbfOHJ987/R/ziW9oVQ38tSDDCP6k0XFnkLG21R75yBXgXVN8ZEYIk7652Cw1A5OtFZkuHBuhb/Wah8XW+hm06I4sQz4Olv
/GqKfUn4R2n/kFe++NrzU+hRaoUiR+Lxf/E8gb4mb/98kWybcmqDBYxmrANmM17m57B5CVzzZ795o8w42mLVPoSjsaTKl/QN0Ufg1skN7F
qpPBeAlohPx3GKZ17ueQDkyzzMNgGgi/AAPDoCnKYqGSTMW7g7KYF/iSxaXnJTq+tTbVjYhQCJFKlLsnR/iiJHjzVJDW+Wk9D/UAcyia3a
ditigjqeSxNEeGQtnxxE4gVZvFUG32uvdgVsnPvxW7cTTNlfKVJ/AGoKSevEu46Mz+N1eh9hyDol70TShW8V0TJy3nO/5ybfandbGBV8hd
QZ0gp2FNwY63Tfsmr4n7KZbrzv4329/zfT0kCEEfmq119tLK4SK/kOUa1sT2u/hcUKUOeK+vhvpeNn0AxP2t4nFIlJ+420het5UNY8kAEz
E9tBDs+bMUqUwQLci/fp4n/9vt1kuUQbxoelNIdHOcUnWdGvITv469kW5FZWGXP4IuJqrmgnsG7E/NRcFGrFxmNxaOAkwYj5MxXdV+f7ih
KHnRqD+9JCE2ih2/VImLSHlRwkrSU1oDRNf3OAgI1EsgesFrSQxRFV0nXaO4Y/d1oTyEg/BcdqprZOj6+W+y/3hnI2HRORg6vjlXxvQxs0
J3ni+pawfeelMEadcJbAFWfAwex9NVbQrGNqlIKoSu8gh60sK7tfxJc5wW13EgNSmxE02g0Dc6TiMFdBcRohAWoTLNIT/ihns3RloQO2jh
bOatoMvh2ioFkPKm0a+o4G4ptNw8muIe9spn48NKDo9D36oIgtJOf8x3D/KEUO+hm4jeg+gyfkmbFVUpdFRzzp4dqB6c4PoagWEAyNCHQb
/IJg+wpmJMNztYI7WHs00W0b3bagNQH26MysWbh37nUcyEHyKQ64w3+/EZuT2+awpwDj7o56aXuA0aMEpx48Hr5zSkEqhAPIDZyjCWw6dk
v49lJEJ+/SZIIQo4f9z70F5Lu2w1NDd1AySzIEWKr/VV/kF2W7gnw8Q9gL7h70XdOZPQarEkXpyVqnl29UuheqAxyGlOmxZ6mGzCieU08T
WfFK4zX3xBaD3IXMr07itMHN0hFlUvOWrI1lZ+D0WMjMA0IIbDHA+L/6OsDTFnexBJTEXmjmZDKz8nCiXNOJwSaUOx2HesY5bYii3zLHTv
95udvxUEs81VvLv6irKhaXnfpTYxpdfZSL3CbDfu2dLihVM40Ck2W2O2siq8IR7SrB05dFUNLXg75Miyhv2IaKfCIboVpSexzNFMUPyFkH
AWkwaR9E9ZOpxO06HOwk8CZzW3GSdf4nrwNtI0uuuBLF1gurri8rcDLwrTSgnPmFN6i2I/Jm7uKBUayqc1rzAK1s4+M8mCtG2zdHnV462A
iyKxRTRR3uXbrCagOuZJkJF7cGDuSCgeG4xIYhiowg03H2If3URmJUxdPKsI/AfclrQcg9dVN3/gNj0RlpgCQxzU8v9cuS6zYlkfEs9vaf
zSVycwkjWqdazdkVxaCUAxlKJ7LzsRz1EkD/6wpFfTg91JUD0wIe4Z6D7xtdfwqiQ8ektpl44e8zkR7MMgNRoeRZ7h9nK+iNsvD1dVdYRo
pFCdBn9e2vtFM0F50TF6QTDkUyABnNwxEyIseTPw0S86cbI0YcuevwcsP3ABeXyRJLt/OXeMezk+6t7uL2/Z7XbznRYpFyK/m/aHYeMHQ4
ZJ7n4AQueAHoxG10H7IWsTq40kPGCNfVzGzHWNQpyQuawdwSdTFL1Qb71OQXZ8jo7AIoI3W0+eLXe3jBwA39UnwHUG0IA90rmWNTUoHLlH
PwPDf8NLIqyj/qZjDcH1PnzpOMnb41UAdv1yRnUQfyy98YY4nxiUkvY4jaQ7r2+epymC9mXcseyfhhAh7pdKu40ONtqBh9u12+DHEA8MB/
tsBwLoTpWR7jxs2cokggeVVlWe1pHb2X3Aux8FLWSpOOJgeVGSqHb5e/NAl+tDgMsW50FfWAIf333snfjlIVdbYtYYv8Mxt+/D6pI5T3Og
gI3xXoeUgYZJ2Wde3z2q7TxRcKhD1Ei9HsXS6OXf1CVOM09K0n1zthT+D4VCoKZE9vgkQi6OHhDNEluTY9pvAVNUuqJEkh+JYOvET5etGi
kzCsatvOMmmSLpoZkP655MiafjQ2igS3n122LNqEryugKFlN6WZnT6Ee0hY0ki+OW028C5yciZiB3Kuo1nJNEUsjGx3DCIM3pFBw9YRsdC
9hhLDwoeVf6HvzeCLPw92zVsOX74XZwcDGXbGRqdA0aQlsLOQrkZFFcI4+6LNejXLbHHONOkOJrplvlgTqaQPmGsC75WyLoQjNoA0b3MaQ
RkRwXJqFityM3Aj0RJ7xH00OKFUFhkeKxsioyK7TknypDjsx/I9XIqporQKGQsFHBrirDkEyATBfnxqJny3dX7bv+ZhdDlcAmVa8JPHSx7
Qg6zcWooTfZAjjjO3Ex+wcEcIFyFZ82osS1NjZdpEBW+UyFgpaFzHYr1vRejXw2VjKQjq/0cY0b5Ryun16pwuEX/NDrN+RU6qTm80QHwV4
+v6E1Mx3xbZ+/zvbxb6ie3A9TKPLXE9JQ4Vf9RJReyxXU1vMp3JufCzHOdxlz4BbAYFnzhMk6lV4+a8DeOsoHCo7KP2rV3WkJJu+WHwGB3
6yDB3atnLUIGy8sNSLRhuSve5CSUCPEy46NuY+jr2NztY+8VDaIcgmS9xlN5o58DMYlebViURNnb1W92JiUtcUWQXat+1Eqw0UcH+xwZGY
GW2o/HOIBWp6WfsOGcwF2IzmpggCxz+deFtImSMYrpkzlwRPQ8OHCcMZ71qOaKRSvFt5vYauUJgeWPfLxYx+F5RoBKsBnBilcMSZ6LQlpg
AgHvY6QPfZGLYOye66ZoIBzatGJMNf3AFM368ud0ngVvGV8e78GUlCDlVpxGG8JviIsaygQYVSrS3BxbYubJcrYLpkM0TVLL2t4yhkl1la
WtwcQNDxA2bMnb+fsOIkRdXnuhTHWfv9HUAAAAAAAAAAAAAAAAAAAAAAAABggPGB8l
""",
)
DIGESTS = {
    Algorithm.ML_DSA_44: "662dd8373250badecbbf5f637791cdc81773277cea5b6d237d6a8c1c9a09505c",
    Algorithm.ML_DSA_65: "9668576da54152cc578b740106d17e4ada88fb3a28471fd3296c22e606c86812",
}
"""SHA-256 of each example's whole message."""
EXAMPLES = pytest.mark.parametrize("example", [ML_DSA_44, ML_DSA_65], ids=lambda e: e.algorithm.name)


@EXAMPLES
def test_the_thumbprint_is_the_kid_that_the_example_gives(example: Example) -> None:
    public = example.signer.public
    assert public.thumbprint.hex() == example.kid
    assert len(public.x) == example.public_bytes
    assert public.to_cose() == {1: 7, 3: example.algorithm.value, -1: public.x}
    assert PublicKey.from_cose(decode(encode(public.to_cose()))) == public


@EXAMPLES
def test_the_message_of_the_example_is_written_and_verified_byte_for_byte(example: Example) -> None:
    data = example.message()
    assert hashlib.sha256(data).hexdigest() == DIGESTS[example.algorithm]
    message = cose.parse(data, cose.TAG_SIGN1)
    (signature,) = message.signatures
    assert (signature.alg, len(signature.value)) == (example.algorithm, example.signature_bytes)
    cose.check(message, signature, example.signer.public, payload=PAYLOAD)
    signed = encode(["Signature1", message.protected, b"", PAYLOAD])
    assert message.to_be_signed(signature, PAYLOAD) == signed


@EXAMPLES
@given(data=st.data())
def test_one_flipped_bit_is_refused(example: Example, data: st.DataObject) -> None:
    value = bytearray(base64.b64decode(example.signature))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    message = cose.parse(example.message(bytes(value)), cose.TAG_SIGN1)
    with pytest.raises(RefusedError, match="BAD_SIGNATURE"):
        cose.check(message, message.signatures[0], example.signer.public, payload=PAYLOAD)


@EXAMPLES
@pytest.mark.parametrize("change", [-1, 1])
def test_a_signature_of_another_length_is_refused(example: Example, change: int) -> None:
    value = base64.b64decode(example.signature)
    other = value[:-1] if change < 0 else value + b"\0"
    assert not example.signer.public.verify(other, b"")
    assert len(value) == SIGNATURE_BYTES[example.algorithm] == example.signature_bytes


@EXAMPLES
def test_what_we_sign_has_the_raw_size_and_is_never_the_same_twice(example: Example) -> None:
    # Hedged signing (FIPS 204, algorithm 2): a fault or a weak random source alone gives no key away.
    signer = example.signer
    one, two = signer.sign(b"x"), signer.sign(b"x")
    assert len(one) == len(two) == example.signature_bytes
    assert one != two
    assert signer.public.verify(one, b"x")
    assert signer.public.verify(two, b"x")
    assert not signer.public.verify(one, b"y")


def test_one_parameter_set_does_not_pass_for_the_other() -> None:
    small, large = ML_DSA_44.signer.public, ML_DSA_65.signer.public
    message = cose.parse(ML_DSA_44.message(), cose.TAG_SIGN1)
    with pytest.raises(RefusedError, match="ALGORITHM_MISMATCH"):
        cose.check(message, message.signatures[0], large, payload=PAYLOAD)
    for stated, public in ((-49, small), (-48, large), (-48, key("one").public)):
        with pytest.raises(RefusedError, match="MALFORMED"):
            PublicKey.from_cose({1: 7, 3: stated, -1: public.x})
    with pytest.raises(RefusedError, match="UNSUPPORTED"):
        PublicKey.from_cose({1: 7, 3: -50, -1: bytes(2_592)})  # ML-DSA-87
    assert {small.algorithm, large.algorithm} <= EMITTED & VERIFIED


@EXAMPLES
@pytest.mark.parametrize("passphrase", [b"", b"correct horse"])
def test_a_key_survives_its_pem(example: Example, passphrase: bytes) -> None:
    again = from_pem(example.signer.to_pem(passphrase), passphrase, where="one.pem")
    assert again.public == example.signer.public
    assert again.public.verify(again.sign(b"x"), b"x")
    assert generate(example.algorithm).public.algorithm is example.algorithm


def test_a_key_of_another_parameter_set_is_unsupported() -> None:
    pem = mldsa.MLDSA87PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(Exception, match="none of Ed25519, P-256, ML-DSA-44 and ML-DSA-65"):
        from_pem(pem, b"", where="one.pem")


@EXAMPLES
def test_a_document_signed_with_it_opens(example: Example) -> None:
    fleet = make_fleet(algorithm=example.algorithm)
    body = timestamp(fleet)
    genuine = open_document(fleet.seal(body), type(body), fleet.root, fleet=fleet.id, now=NOW)
    assert genuine.body == body
