"""Who may call whom, from scopemesh's topic of decisions.

Prints one JSON object and ends. With --follow it goes on, and prints a line for each change.
"""

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path

from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

CHECKPOINT = "dev.scopemesh.checkpoint.signed"
DOCS = Path(__file__).resolve().parents[2] / "docs"


class Schemas:
    """The JSON Schemas of the events, by their type."""

    def __init__(self, docs):
        base = Resource.from_contents(json.loads((docs / "decision.schema.json").read_text()))
        registry = Registry().with_resource("../decision.schema.json", base)
        self._validators = {
            file.name.removesuffix(".schema.json"): Draft202012Validator(json.loads(file.read_text()), registry=registry)
            for file in (docs / "schemas").glob("*.schema.json")
        }

    def check(self, kind, event):
        """Raises jsonschema.ValidationError."""
        self._validators[kind].validate(event)


class Keys:
    """The public keys whose decisions count, as trail-key.pub has them: NAME+HASH+KEY."""

    def __init__(self, files):
        self._keys = []
        for file in files:
            name, _, key = file.read_text().strip().split("+", 2)
            # The first byte names the algorithm, Ed25519.
            self._keys.append((name, Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])))

    def check(self, text, event):
        """Raises ValueError unless one of the keys signed the event. `text` is its canonical JSON, as in the topic."""
        chain = event["data"].get("chain", {})
        proof = chain.get("proof")
        if proof is None:
            raise ValueError("the decision has no proof")
        # The hash covers everything but itself and the proof. Both are where the last `"chain":{` begins.
        begin = text.rindex(b'"chain":{')
        head, tail = text[:begin], text[begin:]
        for member in (f'"hash":"{chain["hash"]}",', f'"proof":{_canonical(proof)},'):
            tail = tail.replace(member.encode(), b"", 1)
        if hashlib.sha256(head + tail).hexdigest() != chain["hash"]:
            raise ValueError("the decision does not have the hash that it names")
        root = _root(bytes.fromhex(chain["hash"]), proof)
        for name, key in self._keys:
            signed = f"{name}\nbatch of {proof['size']}\n{base64.b64encode(root).decode()}\n"
            try:
                key.verify(base64.b64decode(proof["signature"]), signed.encode())
            except InvalidSignature:
                continue
            if event["source"] == name or event["source"].startswith(f"{name}/"):
                return
        raise ValueError("none of the keys signed the decision")


def _canonical(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _root(entry, proof):
    """The root of the Merkle tree (RFC 6962) to which the audit path of a proof leads."""
    node, last = proof["index"], proof["size"] - 1
    reached = hashlib.sha256(b"\0" + entry).digest()
    for sibling in map(base64.b64decode, proof["hashes"]):
        if node % 2 == 1 or node == last:
            reached = hashlib.sha256(b"\1" + sibling + reached).digest()
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            reached = hashlib.sha256(b"\1" + reached + sibling).digest()
        node, last = node // 2, last // 2
    if node != 0 or last != 0:
        raise ValueError("the proof has another length")
    return reached


class AccessTable:
    """The access of each edge that is there, by the subject of its decisions."""

    def __init__(self):
        self.edges = {}
        self._places = {}

    def apply(self, event):
        """Takes a decision; returns whether it changed the table."""
        subject, data = event["subject"], event["data"]
        # Somebody else may have ended an edge that nothing wanted any more, and a new log begins with what was there.
        is_made = data["outcome"] == "applied" or data["reason"] in ("RemovedElsewhere", "Found")
        is_known = is_made or data["outcome"] == "unknown"
        if data["resource"]["kind"] != "intention" or not is_known or self._is_old(event):
            return False
        self._places[subject] = event
        if data["after"] is None and (is_made or data["before"] is None):
            self.edges.pop(subject, None)
        elif is_made:
            self.edges[subject] = _edge(data["resource"], data["after"])
        else:
            # A crash left unknown whether a write was made: perhaps `after` is the access.
            self.edges[subject] = {**_edge(data["resource"], data["before"]), "possible": data["after"]}
        return True

    def _is_old(self, event):
        chain = event["data"].get("chain", {})
        known = self._places.get(event["subject"])
        if known is None:
            return False
        known_chain = known["data"].get("chain", {})
        # A lost store begins another log, and `revision` and `sequence` count from 1 again.
        if chain.get("log") == known_chain.get("log"):
            return event["data"]["revision"] <= known["data"]["revision"]
        return event["time"] < known["time"]


def _edge(names, access):
    return {"source": names["source"], "destination": names["destination"], "access": access}


def parse_or_print(message, schemas, keys):
    """The same as `parse`; prints what is no event of scopemesh, and returns None: it must not end the reading."""
    try:
        return parse(message, schemas, keys)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"{message.topic()}, partition {message.partition()}, offset {message.offset()}: {text}", file=sys.stderr)
        return None


def parse(message, schemas, keys):
    """The event of a message as a dictionary; None for a checkpoint. Raises for what is no event of scopemesh."""
    headers = {name: value for name, value in message.headers() or []}
    event = from_structured_event(KafkaMessage(headers=headers, key=message.key(), value=message.value()))
    event_type = event.get_type()
    if event_type == CHECKPOINT:
        return None
    plain = json.loads(message.value())
    schemas.check(event_type.split(".")[2], plain)
    keys.check(message.value(), plain)
    return plain


def read(consumer, topic, follow=False):
    """The messages of a topic, from its beginning to its end, or without an end."""
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    if not partitions:
        raise SystemExit(f"there is no topic {topic}")
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    at_end = set()
    while len(at_end) < len(partitions):
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error() is None:
            yield message
        elif message.error().code() != KafkaError._PARTITION_EOF:
            raise KafkaException(message.error())
        elif not follow:
            at_end.add(message.partition())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True, help="host:port, several with commas")
    parser.add_argument("--topic", default="scopemesh.decisions")
    parser.add_argument("--key", type=Path, action="append", required=True, help="a public key that you trust (trail-key.pub)")
    parser.add_argument("--follow", action="store_true", help="go on, and print each change")
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder with the schemas")
    options = parser.parse_args()

    schemas = Schemas(options.docs)
    keys = Keys(options.key)
    table = AccessTable()
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            # The group is not used: the table is in memory, so each start reads again.
            "group.id": "scopemesh-access-table",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        for message in read(consumer, options.topic, options.follow):
            event = parse_or_print(message, schemas, keys)
            if event is not None and table.apply(event) and options.follow:
                print(event["subject"], json.dumps(table.edges.get(event["subject"])), flush=True)
        json.dump(table.edges, sys.stdout, indent=2, sort_keys=True)
        print()
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
