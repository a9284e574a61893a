"""Mosquitto with the written configuration: what a device with a valid certificate tries, and cannot have.

Everything is judged by delivery: who was meant to be harmed still gets what is theirs, and only that; who tried
gets nothing. A message that everybody may have, sent last, tells that all before it has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from advisories.topics import Topics
from gateway.service.asking.visitor import Door, Message, NoAnswer, Visitor
from gateway.service.broker.secret import broker_secret
from keys.errors import UnavailableError
from tests.cli.conftest import no_passphrase, template  # noqa: F401 - a fixture
from tests.gateway.broker.stage import Running, certified, name_of, running

pytestmark = pytest.mark.mosquitto
T = Topics()
FENCE = T.notice("fence", "fence")
PRODUCT = "thermostat"


@dataclass(frozen=True)
class Stage:
    """A running broker, and two devices: one tries, the other is to be harmed."""

    broker: Running
    attacker: str
    victim: str

    @property
    def gateways(self) -> Door:
        return self.broker.gateways

    def attack(self, client_id: str = "", **options: object) -> Visitor:
        return Visitor(self.broker.door(self.attacker), client_id or self.attacker, **options)  # type: ignore[arg-type]

    def suffer(self) -> Visitor:
        return self.broker.visit(self.victim)

    def watch(self) -> Visitor:
        return self.broker.watch()

    def own(self, device: str, *leaves: str) -> list[str]:
        return [T.device(device, leaf) for leaf in leaves]


@pytest.fixture(scope="module")
def stage(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:  # noqa: F811 - the fixture
    path = tmp_path_factory.mktemp("acl")
    workspace = certified(template, path / "fleet")
    with running(workspace, path / "broker") as broker:
        yield Stage(broker, name_of(workspace, 0), name_of(workspace, 1))


def topics(messages: list[Message]) -> list[str]:
    return [each.topic for each in messages]


TO, FROM = ("offer", "answer", "block"), ("report", "want", "online")

READS: dict[str, Callable[[Stage], list[str]]] = {
    "what is for another, by its names": lambda s: s.own(s.victim, *TO),
    "what another says, by its names": lambda s: s.own(s.victim, *FROM),
    "what is for all devices, by +": lambda s: s.own("+", *TO),
    "what all devices say, by +": lambda s: s.own("+", *FROM),
    "all below the devices": lambda _: [f"{T.prefix}/device/#"],
    "all below the prefix": lambda _: [f"{T.prefix}/#"],
    "all there is": lambda _: ["#"],
    "every level by +": lambda _: ["+/+/+/+/+"],
    "the gateways' turn, by the name that is known": lambda _: [T.shared(leaf) for leaf in FROM],
    "another's offers in a shared subscription": lambda s: [f"$share/x/{T.device(s.victim, 'offer')}"],
    "the broker's own topics": lambda _: ["$SYS/#", "$CONTROL/#"],
    "more than its own, after its own": lambda s: [*s.own(s.attacker, *TO), *s.own("+", *TO)],
}


@pytest.mark.parametrize("filters", READS.values(), ids=READS)
def test_a_device_reads_nothing_that_is_anothers(stage: Stage, filters: Callable[[Stage], list[str]]) -> None:
    group = f"$share/tocsin-{'0' * 16}"
    with stage.watch() as gateway, stage.suffer() as victim, stage.attack() as attacker:
        attacker.subscribe(FENCE)
        attacker.subscribe(*filters(stage))
        victim.subscribe(*stage.own(stage.victim, *TO))
        gateway.subscribe(FENCE, *(f"{group}/{T.device('+', leaf)}" for leaf in FROM))
        exchange(stage, gateway, victim)
        assert topics(attacker.until(FENCE)) == []
        assert topics(victim.take(3)) == stage.own(stage.victim, *TO)
        assert topics(gateway.until(FENCE)) == stage.own(stage.victim, *FROM)


def exchange(stage: Stage, gateway: Visitor, victim: Visitor, *, retain: bool = False) -> None:
    """Say everything that is between gateway and victim, and then what all may hear."""
    for topic in stage.own(stage.victim, *TO):
        assert gateway.publish(topic, b"true", retain=retain)
    for topic in stage.own(stage.victim, *FROM):
        assert victim.publish(topic, b"true")
    assert gateway.publish(FENCE, b"true")


def test_a_retained_offer_of_another_stays_unread(stage: Stage) -> None:
    offer = T.device(stage.victim, "offer")
    with stage.watch() as gateway:
        gateway.publish(offer, b"true", retain=True)
        for filters in ([offer], ["#"], [T.device("+", "offer")]):
            with stage.attack() as attacker:
                attacker.subscribe(*filters)
                attacker.subscribe(FENCE)
                gateway.publish(FENCE, b"true")
                assert topics(attacker.until(FENCE)) == []
        with stage.suffer() as victim:
            victim.subscribe(offer)
            assert topics(victim.take(1)) == [offer]
        gateway.publish(offer, b"", retain=True)


def test_a_session_that_is_kept_gathers_nothing_of_others(stage: Stage) -> None:
    with stage.watch() as gateway, stage.suffer() as victim:
        with stage.attack(session=60) as attacker:
            attacker.subscribe("#")
        exchange(stage, gateway, victim)
        with stage.attack(session=60) as attacker:
            assert attacker.session_present
            exchange(stage, gateway, victim)
            assert set(topics(attacker.take(2))) == {FENCE}
        with stage.attack():
            pass  # begins anew, and leaves nothing


WRITES: dict[str, Callable[[Stage], list[str]]] = {
    "what another says": lambda s: s.own(s.victim, *FROM),
    "what is for another": lambda s: s.own(s.victim, *TO),
    "what is for itself": lambda s: s.own(s.attacker, *TO),
    "roots": lambda _: [T.root(2)],
    "a product's catalogue and timestamp": lambda _: [T.catalogue(PRODUCT), T.timestamp(PRODUCT)],
    "a notice with its words": lambda _: [
        T.notice(PRODUCT, "a"),
        T.text(PRODUCT, "en", "a"),
        T.pages(PRODUCT, "ja", "a"),
    ],
    "a patch": lambda _: [T.patch(PRODUCT, 1)],
    "what no one reads": lambda s: [f"{T.prefix}/device/{s.attacker}", T.device(s.attacker, "else")],
}


@pytest.mark.parametrize("retain", [False, True], ids=["passing", "retained"])
@pytest.mark.parametrize("wanted", WRITES.values(), ids=WRITES)
def test_a_device_writes_nothing_that_is_anothers(
    stage: Stage, wanted: Callable[[Stage], list[str]], retain: bool
) -> None:
    with stage.watch() as gateway, stage.suffer() as victim, stage.attack() as attacker:
        gateway.subscribe(f"{T.prefix}/#")
        victim.subscribe(*stage.own(stage.victim, *TO))
        for topic in wanted(stage):
            attacker.publish(topic, b"forged", retain=retain)
        gateway.publish(FENCE, b"true")
        assert topics(gateway.until(FENCE)) == []
        assert victim.receive(0.0) is None
        for topic in wanted(stage):  # whose they are may
            rightful = victim if topic in stage.own(stage.victim, *FROM) else gateway
            assert rightful.publish(topic, b"true", retain=retain)
        gateway.publish(FENCE, b"true")
        assert topics(gateway.until(FENCE)) == wanted(stage)
        for topic in wanted(stage) if retain else ():
            gateway.publish(topic, b"", retain=True)


def test_what_is_retained_is_not_cleared_by_a_device(stage: Stage) -> None:
    kept = [T.notice(PRODUCT, "a"), T.device(stage.victim, "offer"), T.catalogue(PRODUCT)]
    with stage.watch() as gateway:
        for topic in kept:
            gateway.publish(topic, b"true", retain=True)
        with stage.attack() as attacker:
            for topic in kept:
                attacker.publish(topic, b"", retain=True)
        with Visitor(stage.gateways, "later") as later:
            later.subscribe(*kept)
            assert {(each.topic, each.payload) for each in later.take(3)} == {(t, b"true") for t in kept}
        for topic in kept:
            gateway.publish(topic, b"", retain=True)
        with Visitor(stage.gateways, "last") as last:
            last.subscribe(*kept, FENCE)
            gateway.publish(FENCE, b"true")
            assert last.until(FENCE) == []


def test_a_will_speaks_for_its_own_device_only(stage: Stage) -> None:
    with stage.watch() as gateway:
        gateway.subscribe(f"{T.prefix}/#")
        for topic in (
            T.device(stage.victim, "report"),
            T.catalogue(PRODUCT),
            T.device(stage.victim, "offer"),
        ):
            try:
                with stage.attack(will=(topic, b"forged")) as attacker:
                    attacker.vanish()
            except UnavailableError as error:  # refused at the door: just as well
                assert error.code == "BROKER_REFUSED"  # noqa: PT017 - either is right
        own = T.device(stage.attacker, "online")
        with stage.attack(will=(own, b"0")) as attacker:
            attacker.vanish()
        with stage.attack():  # taking its session up again ends whatever the broker kept of the ones before
            gateway.publish(FENCE, b"true")
        assert [(each.topic, each.payload) for each in gateway.until(FENCE)] == [(own, b"0")]


def test_a_topic_alias_leads_nowhere_else(stage: Stage) -> None:
    own, foreign = T.device(stage.attacker, "want"), T.device(stage.victim, "report")
    with stage.watch() as gateway, stage.attack() as attacker:
        gateway.subscribe(f"{T.prefix}/#")
        assert attacker.publish(own, b"first", alias=1)
        assert attacker.publish("", b"again", alias=1)
        assert not attacker.publish(foreign, b"forged", alias=1)
        attempt = attacker.publish("", b"forged", alias=1)
        gateway.publish(FENCE, b"true")
        seen = [(each.topic, each.payload) for each in gateway.until(FENCE)]
        assert seen[:2] == [(own, b"first"), (own, b"again")]
        assert foreign not in [topic for topic, _ in seen]
        assert len(seen) == 2 or (attempt and seen[2] == (own, b"forged"))


def test_a_name_in_connect_counts_for_nothing(stage: Stage) -> None:
    report = T.device(stage.victim, "report")
    with stage.watch() as gateway, stage.attack(user="_gateway") as attacker:
        gateway.subscribe(f"{T.prefix}/#")
        attacker.subscribe(f"{T.prefix}/#")
        assert not attacker.publish(T.catalogue(PRODUCT), b"forged")
        gateway.publish(report, b"true")
        gateway.publish(FENCE, b"true")
        assert topics(attacker.until(FENCE)) == []
        assert topics(gateway.until(FENCE)) == [report]


def test_anothers_session_is_not_to_be_had(stage: Stage) -> None:
    with stage.watch() as gateway, stage.suffer() as victim:
        gateway.subscribe(FENCE)
        victim.subscribe(*stage.own(stage.victim, *TO))
        for name in (stage.victim, "watch", "_gateway"):
            with stage.attack():
                pass  # leaves no session of its own
            with stage.attack(name, session=60) as attacker:
                assert not attacker.session_present
                attacker.subscribe(FENCE)
                exchange(stage, gateway, victim)
                assert topics(attacker.until(FENCE)) == []
            assert topics(victim.take(3)) == stage.own(stage.victim, *TO)
            gateway.until(FENCE)
        assert not victim.lost.is_set()
        assert not gateway.lost.is_set()
        with stage.attack():
            pass
        with stage.suffer():  # its owner may take it over
            assert victim.lost.wait(5)


def test_the_gateways_door_gives_a_device_nothing(stage: Stage) -> None:
    inner = stage.broker.door(stage.attacker, inner=True)
    own = T.device(stage.attacker, "report")
    with stage.watch() as gateway, Visitor(inner, "anything") as attacker:
        gateway.subscribe(f"{T.prefix}/#")
        attacker.subscribe("#")
        for topic in (own, T.catalogue(PRODUCT), T.device(stage.victim, "report")):
            assert not attacker.publish(topic, b"forged")
        gateway.publish(FENCE, b"true")
        assert topics(gateway.until(FENCE)) == []
        with pytest.raises(NoAnswer):
            attacker.until(FENCE, 0.2)


def test_a_gateway_is_found_by_nothing_that_is_public(stage: Stage) -> None:
    from gateway.service.runtime import Gateway

    workspace = stage.broker.workspace
    with workspace.store() as store:
        secret = broker_secret(store)
        trusted = workspace.trusted()
        signer = workspace.signer("gateway", no_passphrase)
        gateway = Gateway(
            store, workspace.artefacts, workspace.topics, trusted.fleet, trusted, signer, standing=True
        )
        assert broker_secret(store) == secret
        assert secret in gateway.client_id
        assert all(each.startswith(f"$share/tocsin-{secret}/") for each in gateway.filters)
        assert len(bytes.fromhex(secret)) == 8
