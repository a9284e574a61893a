"""What can go wrong with a key in a token: one row a cause, and what python-pkcs11 calls it."""

from __future__ import annotations

from enum import Enum
from typing import Final

from keys.errors import InputError, TocsinError, UnavailableError

MODULE_VARIABLE: Final = "TOCSIN_PKCS11_MODULE"
"""Environment variable with the path of the PKCS#11 module, for URIs that name none."""

PIN_BYTES_MAX: Final = 256


class Trouble(Enum):
    """Class of the error, code, message, mend. Nothing in a row comes from a token, a URI or a person."""

    TOKEN_MISSING = (
        UnavailableError,
        "KEY_TOKEN_MISSING",
        "The token is not there.",
        "Put it in, and check its name with 'pkcs11-tool --list-slots' or 'softhsm2-util --show-slots'.",
    )
    AMBIGUOUS = (
        InputError,
        "KEY_AMBIGUOUS",
        "Several tokens or keys fit.",
        "Name one: add token=, serial=, object= or id= to the URI.",
    )
    MISSING = (
        InputError,
        "KEY_MISSING",
        "The token holds no such private key.",
        "See what it holds with 'pkcs11-tool --login --list-objects'.",
    )
    EXISTS = (
        InputError,
        "KEY_EXISTS",
        "The token already holds something with this name.",
        "Choose another object= or id=; nothing was written.",
    )
    NO_PUBLIC_KEY = (
        InputError,
        "KEY_UNREADABLE",
        "The token holds no readable public key or certificate beside the private key, or several.",
        "Keep exactly one public key or certificate under the private key's id.",
    )
    NOT_SIGNING = (
        InputError,
        "KEY_NOT_SIGNING",
        "The token does not let this key sign.",
        "Use a key whose CKA_SIGN is true, or make a new one.",
    )
    UNSUPPORTED = (
        InputError,
        "KEY_UNSUPPORTED",
        "This kind of key is not one that we use in a token.",
        "Use an Ed25519 or P-256 key that the token supports; keep an ML-DSA key in a file.",
    )
    WRONG_SIGNATURE = (
        UnavailableError,
        "KEY_WRONG_SIGNATURE",
        "The token's signature is not one of the public key beside it; nothing was signed.",
        "Check that private and public key under this id belong together.",
    )
    WRONG_PIN = (
        InputError,
        "KEY_PASSPHRASE",
        "The token does not take this PIN; it was tried once.",
        "Make sure of it before you try again: a token locks after a few wrong ones.",
    )
    NO_PIN = (
        InputError,
        "KEY_PASSPHRASE",
        f"The token needs a PIN, 1 to {PIN_BYTES_MAX} bytes of UTF-8.",
        "Give it at the prompt, in TOCSIN_PASSPHRASE or in a pin-source file.",
    )
    NO_PIN_FILE = (
        InputError,
        "KEY_PIN_FILE",
        "The file with the PIN cannot be read.",
        "Check the pin-source of the URI.",
    )
    PIN_UNSET = (
        UnavailableError,
        "KEY_PIN_UNSET",
        "The token's user PIN was never set, or has expired.",
        "Set it with the token's own tool.",
    )
    PIN_LOCKED = (
        UnavailableError,
        "KEY_PIN_LOCKED",
        "The token has locked its PIN after too many wrong ones.",
        "Unlock it with the security officer's PIN, or sign with another key of the role.",
    )
    READ_ONLY = (
        UnavailableError,
        "KEY_TOKEN_READ_ONLY",
        "The token takes no new key.",
        "Take its write protection off, or use another token.",
    )
    NO_EXTRA = (
        UnavailableError,
        "KEY_EXTRA",
        "Keys in tokens need the Python package python-pkcs11.",
        "Install it: pip install 'tocsin[pkcs11]'.",
    )
    NO_MODULE = (
        InputError,
        "KEY_MODULE_UNNAMED",
        "Nothing says which PKCS#11 module drives the token.",
        f"Add ?module-path=/path/to/module.so to the URI, or set {MODULE_VARIABLE} to its absolute path.",
    )
    BAD_MODULE = (
        UnavailableError,
        "KEY_MODULE",
        "The PKCS#11 module is missing, is not one, or does not start.",
        "Name the module that came with the token, such as /usr/lib/softhsm/libsofthsm2.so.",
    )

    BUSY = (
        UnavailableError,
        "KEY_TOKEN_BUSY",
        "Another program has kept the token busy for half a minute.",
        "See what waits for it, such as a PIN pad or a hanging command, and try again.",
    )
    FAILED = (
        UnavailableError,
        "KEY_TOKEN_FAILED",
        "The token or its module failed.",
        "Look into the module's own log, and put the token in again.",
    )

    def at(self, where: str, why: str = "") -> TocsinError:
        """Return the error to raise, with the place where it happened and, if known, why."""
        kind, code, message, mend = self.value
        told = f"{message.removesuffix('.')} ({why})." if why else message
        error: TocsinError = kind(code, told, mend=mend, where=where)
        return error


TOLD: Final = {
    "PinIncorrect": Trouble.WRONG_PIN,
    "PinInvalid": Trouble.WRONG_PIN,
    "PinLenRange": Trouble.WRONG_PIN,
    "PinLocked": Trouble.PIN_LOCKED,
    "PinExpired": Trouble.PIN_UNSET,
    "UserPinNotInitialized": Trouble.PIN_UNSET,
    "DeviceRemoved": Trouble.TOKEN_MISSING,
    "TokenNotPresent": Trouble.TOKEN_MISSING,
    "TokenNotRecognised": Trouble.TOKEN_MISSING,
    "SlotIDInvalid": Trouble.TOKEN_MISSING,
    "MechanismInvalid": Trouble.UNSUPPORTED,
    "DomainParamsInvalid": Trouble.UNSUPPORTED,
    "TokenWriteProtected": Trouble.READ_ONLY,
    "SessionReadOnly": Trouble.READ_ONLY,
}
"""Name of an exception of python-pkcs11 -> trouble; any other is :attr:`Trouble.FAILED`."""
