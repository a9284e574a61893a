"""What several tests of the patch track do."""

from advisories.report import Block
from advisories.states import PatchState
from tests.device_sim.core.world import FLEET, PowerCutError, World
from tests.helpers import DAY, NOW, offer

P = PatchState
WRITE = [P.OFFERED, P.DOWNLOADING, P.DOWNLOADED, P.VERIFIED]
TRIAL = [*WRITE, P.INSTALLING, P.INSTALLED, P.REBOOTING, P.TESTING]


def world(**profile) -> World:
    """A device that is switched on and connected."""
    made = World(**profile)
    made.connect()
    return made


def survive(w: World, *, seconds: float) -> None:
    """Switch on, connect and let time pass, and once more after every power cut."""
    while True:
        try:
            w.start()
            w.pump()
            w.connect()
            w.advance(seconds)
        except PowerCutError:
            continue
        return


def name(patch: bytes) -> str:
    """The journal's name of a patch."""
    return patch.hex()[:16]


def until(w: World, patch: bytes, state: PatchState) -> None:
    """Stop the world when the patch has reached a state, with whatever waits still waiting."""
    while w.queue:
        w.run(w.queue.popleft()())
        if w.agent.patches and w.patch_track(patch).state is state:
            return
    raise AssertionError(f"never {state.name}")


def offered(w: World, *others: tuple[int, bytes]) -> bytes:
    """Roll out, but leave the offer in the queue."""
    patch = w.patch()
    w.current(patches=((7, patch), *others))
    w.version += 1
    body = offer(FLEET, version=w.version, digest=patch, deadline=NOW + DAY)
    w.deliver(w.topics.device(w.profile.id, "offer"), w.seal(body))
    return patch


def cancel(w: World, patch: bytes) -> bytes:
    w.version += 5
    return w.seal(offer(FLEET, version=w.version, digest=patch, deadline=NOW + DAY, cancel=True))


def lossy(w: World, pattern: str) -> None:
    """Lose or spoil blocks by a repeating pattern of letters."""
    count = iter(pattern * 1_000)

    def fault(block: Block) -> Block | None:
        match next(count):
            case "x":
                return None
            case "d":
                return Block(digest=bytes(32), offset=block.offset, data=block.data)
            case "l":
                return Block(digest=block.digest, offset=block.offset, data=block.data + b"!")
            case "f":
                return Block(digest=block.digest, offset=block.offset + (1 << 20), data=block.data)
        return block

    w.deaf = fault
