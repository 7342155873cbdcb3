"""A paho-mqtt client that obeys: a JSON command a line on stdin, a JSON answer a line on stdout.

The commands (js_client.js knows the same ones):
  connect, subscribe, unsubscribe, publish, receive, acknowledge, quiet, disconnect, closed
An answer with "error" means that the command could not be carried out, not that it was refused.
"""
import json
import queue
import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

TIMEOUT = 15

NAMES = {
    "payload_format": "PayloadFormatIndicator",
    "expiry": "MessageExpiryInterval",
    "content_type": "ContentType",
    "response_topic": "ResponseTopic",
    "correlation_data": "CorrelationData",
    "user": "UserProperty",
    "topic_alias": "TopicAlias",
    "subscription_id": "SubscriptionIdentifier",
    "session_expiry": "SessionExpiryInterval",
    "receive_max": "ReceiveMaximum",
    "packet_max": "MaximumPacketSize",
    "topic_alias_max": "TopicAliasMaximum",
    "auth_method": "AuthenticationMethod",
    "auth_data": "AuthenticationData",
    "will_delay": "WillDelayInterval",
    "request_response_information": "RequestResponseInformation",
    "request_problem_information": "RequestProblemInformation",
    "reason_string": "ReasonString",
    "assigned_client_id": "AssignedClientIdentifier",
    "server_keep_alive": "ServerKeepAlive",
    "maximum_qos": "MaximumQoS",
    "retain_available": "RetainAvailable",
    "wildcard_available": "WildcardSubscriptionAvailable",
    "subscription_id_available": "SubscriptionIdentifierAvailable",
    "shared_available": "SharedSubscriptionAvailable",
}


def to_properties(packet_type, given):
    made = Properties(packet_type)
    for name, value in (given or {}).items():
        if name == "correlation_data":
            value = bytes.fromhex(value)
        elif name == "auth_data":
            value = value.encode()
        elif name == "auth_hex":
            name, value = "auth_data", bytes.fromhex(value)
        elif name == "user":
            value = [tuple(pair) for pair in value]
        setattr(made, NAMES[name], value)
    return made


def from_properties(properties):
    found = {}
    for name, attribute in NAMES.items():
        value = getattr(properties, attribute, None) if properties else None
        if value is None:
            continue
        if isinstance(value, bytes):
            value = value.hex() if name == "correlation_data" else value.decode()
        elif name == "user":
            value = [list(pair) for pair in value]
        found[name] = value
    return found


class Client:
    def __init__(self):
        self.client = None
        self.v5 = False
        self.messages = queue.Queue()
        self.connacks = queue.Queue()
        self.closes = queue.Queue()
        self.acks = {}
        self.ready = threading.Condition()

    def acked(self, mid, value):
        with self.ready:
            self.acks[mid] = value
            self.ready.notify_all()

    def wait_for(self, mid):
        with self.ready:
            if not self.ready.wait_for(lambda: mid in self.acks, TIMEOUT):
                raise TimeoutError(f"no acknowledgement of {mid}")
            return self.acks.pop(mid)

    def connect(self, c):
        self.v5 = c.get("version", 5) == 5
        protocol = {3: mqtt.MQTTv31, 4: mqtt.MQTTv311, 5: mqtt.MQTTv5}[c.get("version", 5)]
        extra = {} if self.v5 else {"clean_session": c.get("clean", True)}
        transport = "websockets" if "path" in c else "tcp"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, c.get("client_id", ""), protocol=protocol,
            transport=transport, reconnect_on_failure=False,
            manual_ack=c.get("manual_ack", False), **extra)
        self.client = client
        if "path" in c:
            client.ws_set_options(path=c["path"])
        if "user" in c or "password" in c:
            client.username_pw_set(c.get("user"), c.get("password"))
        if "ca" in c:
            client.tls_set(c["ca"], c.get("cert"), c.get("key"), cert_reqs=ssl.CERT_REQUIRED)
        if "will" in c:
            will = c["will"]
            properties = to_properties(PacketTypes.WILLMESSAGE, will.get("properties"))
            client.will_set(will["topic"], will.get("payload", ""), will.get("qos", 0),
                            will.get("retain", False), properties if self.v5 else None)
        client.on_connect = lambda _c, _u, flags, reason, properties: self.connacks.put({
            "reason": reason.value, "session_present": bool(flags.session_present),
            "properties": from_properties(properties)})
        client.on_disconnect = lambda _c, _u, flags, reason, properties: self.closes.put({
            "reason": reason.value, "by_packet": bool(flags.is_disconnect_packet_from_server),
            "properties": from_properties(properties)})
        client.on_message = lambda _c, _u, message: self.messages.put(message)
        client.on_publish = lambda _c, _u, mid, reason, properties: self.acked(mid, {
            "reason": reason.value, "properties": from_properties(properties)})
        many = lambda _c, _u, mid, reasons, properties: self.acked(mid, {
            "reasons": [r.value for r in reasons], "properties": from_properties(properties)})
        client.on_subscribe = many
        client.on_unsubscribe = many
        keep_alive = c.get("keep_alive", 60)
        if self.v5:
            properties = to_properties(PacketTypes.CONNECT, c.get("properties"))
            client.connect(c["host"], c["port"], keep_alive, clean_start=c.get("clean", True),
                           properties=properties)
        else:
            client.connect(c["host"], c["port"], keep_alive)
        client.loop_start()
        return self.connacks.get(timeout=TIMEOUT)

    def subscribe(self, c):
        if self.v5:
            filters = [(f["filter"], SubscribeOptions(
                qos=f.get("qos", 0), noLocal=f.get("no_local", False),
                retainAsPublished=f.get("retain_as_published", False),
                retainHandling=f.get("retain_handling", 0))) for f in c["filters"]]
            properties = to_properties(PacketTypes.SUBSCRIBE, c.get("properties"))
            result, mid = self.client.subscribe(filters, properties=properties)
        else:
            filters = [(f["filter"], f.get("qos", 0)) for f in c["filters"]]
            result, mid = self.client.subscribe(filters)
        if result != mqtt.MQTT_ERR_SUCCESS:
            raise RuntimeError(mqtt.error_string(result))
        return self.wait_for(mid)

    def unsubscribe(self, c):
        result, mid = self.client.unsubscribe(c["filters"])
        if result != mqtt.MQTT_ERR_SUCCESS:
            raise RuntimeError(mqtt.error_string(result))
        return self.wait_for(mid)

    def publish(self, c):
        properties = to_properties(PacketTypes.PUBLISH, c.get("properties")) if self.v5 else None
        payload = c.get("payload", "") * c.get("times", 1)
        info = self.client.publish(c["topic"], payload, c.get("qos", 0),
                                   c.get("retain", False), properties)
        return self.wait_for(info.mid)

    def receive(self, c):
        found = []
        for _ in range(c.get("count", 1)):
            m = self.messages.get(timeout=TIMEOUT)
            found.append({
                "topic": m.topic, "payload": m.payload.decode(errors="replace"), "qos": m.qos,
                "retain": bool(m.retain), "dup": bool(m.dup), "id": m.mid,
                "properties": from_properties(getattr(m, "properties", None))})
        return {"messages": found}

    def acknowledge(self, c):
        self.client.ack(c["id"], c["qos"])
        return {}

    def quiet(self, _):
        return {"waiting": self.messages.qsize()}

    def disconnect(self, c):
        if self.v5:
            properties = to_properties(PacketTypes.DISCONNECT, c.get("properties"))
            reason = ReasonCode(PacketTypes.DISCONNECT, identifier=c.get("reason", 0))
            self.client.disconnect(reason, properties)
        else:
            self.client.disconnect()
        self.closes.get(timeout=TIMEOUT)
        self.client.loop_stop()
        return {}

    def closed(self, _):
        return self.closes.get(timeout=TIMEOUT)


def main():
    client = Client()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(client, command["do"])(command)
        except Exception as error:  # the test decides what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
