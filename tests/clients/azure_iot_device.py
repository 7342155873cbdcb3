"""Azure's device SDK for Python, obeying: a JSON command a line on stdin, an answer on stdout.

Arguments: async or sync, tcp or websocket, device or module, connection string, file of the CA.
Commands: connect, twin, report, send, next (of messages, methods or patches), disconnect.
Methods are answered with status 207 and what they were given. "error" means that it could not
be carried out.
"""
import asyncio
import json
import queue
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient, Message, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient as AsyncDevice
from azure.iot.device.aio import IoTHubModuleClient as AsyncModule

TIMEOUT = 15
CLASSES = {("sync", "device"): IoTHubDeviceClient, ("sync", "module"): IoTHubModuleClient,
           ("async", "device"): AsyncDevice, ("async", "module"): AsyncModule}


class Device:
    def __init__(self, kind, transport, subject, connection_string, ca):
        with open(ca) as file:
            ca_text = file.read()
        make = CLASSES[kind, subject].create_from_connection_string
        self.client = make(connection_string, server_verification_cert=ca_text,
                           websockets=transport == "websocket")
        self.heard = {"messages": queue.Queue(), "methods": queue.Queue(), "patches": queue.Queue()}
        self.loop = None
        if kind == "async":
            self.loop = asyncio.new_event_loop()
            threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def do(self, call, *args):
        """A method of the client, whichever kind it is."""
        if self.loop is None:
            return call(*args)
        return asyncio.run_coroutine_threadsafe(call(*args), self.loop).result(TIMEOUT)

    def listen(self):
        def on_method(request):
            answer = MethodResponse.create_from_method_request(request, 207, request.payload)
            self.heard["methods"].put({"name": request.name, "payload": request.payload})
            return self.client.send_method_response(answer)

        async def on_method_async(request):
            await on_method(request)

        def on_message(m):
            data = m.data.decode() if isinstance(m.data, bytes) else m.data
            self.heard["messages"].put({
                "data": data, "message_id": m.message_id, "correlation_id": m.correlation_id,
                "user_id": m.user_id, "content_type": m.content_type,
                "content_encoding": m.content_encoding, "properties": m.custom_properties})

        self.client.on_method_request_received = on_method if self.loop is None else on_method_async
        self.client.on_message_received = on_message
        self.client.on_twin_desired_properties_patch_received = self.heard["patches"].put

    def carry_out(self, command):
        match command["do"]:
            case "connect":
                self.do(self.client.connect)
                self.listen()
                return {"connected": self.client.connected}
            case "twin":
                return {"twin": self.do(self.client.get_twin)}
            case "report":
                self.do(self.client.patch_twin_reported_properties, command["patch"])
                return {}
            case "send":
                message = Message(command["data"], content_encoding="utf-8",
                                  content_type="application/json", message_id="t-1")
                message.custom_properties["Level"] = "high & low"
                self.do(self.client.send_message, message)
                return {}
            case "next":
                return {"next": self.heard[command["of"]].get(timeout=TIMEOUT)}
            case "disconnect":
                self.do(self.client.shutdown)
                return {}


def main():
    device = Device(*sys.argv[1:])
    for line in sys.stdin:
        try:
            answer = device.carry_out(json.loads(line))
        except Exception as error:  # The test says what it expected.
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


main()
